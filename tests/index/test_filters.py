"""Finding among many: tags, author, source, folder, kind and date, alone and together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from index import InputError, Library, SearchScope
from rag import Assistant
from tests.support.fakes import BagOfWordsEncoder

NOTES = {
    "law/act.md": ("law/eu", "Jane Doe", "The Wire", "2024-03-05"),
    "law/old/treaty.md": ("law", "Ann Lee", "Gazette", "2019-06-01"),
    "boats/ferry.md": ("boats, islands", "jane doe", "The Wire", "2024-07-01"),
    "boats/raft.txt": ("", "", "", ""),
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("filters")
    for number, (name, (tags, author, source, date)) in enumerate(NOTES.items()):
        path = folder / "notes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        front = f"---\ntags: [{tags}]\nauthor: {author}\nsource: {source}\ndate: {date}\n---\n"
        text = f"The harbour rule number {number} says who may sail first in the harbour."
        path.write_text((front if name.endswith(".md") else "") + text + "\n")
    with Library.open(folder / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([folder / "notes"])
        yield made


ACT, TREATY, FERRY, RAFT = NOTES


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [
        (SearchScope(), set(NOTES)),
        (SearchScope(tags=["law"]), {ACT, TREATY}),
        (SearchScope(tags=["#LAW/eu"]), {ACT}),
        (SearchScope(tags=["islands", "law/eu"]), {ACT, FERRY}),
        (SearchScope(tags=["la"]), set()),
        (SearchScope(authors=["doe"]), {ACT, FERRY}),
        (SearchScope(sources=["wire"], authors=["Jane"]), {ACT, FERRY}),
        (SearchScope(folders=["law"]), {ACT, TREATY}),
        (SearchScope(folders=["law/old/", "boats"]), {TREATY, FERRY, RAFT}),
        (SearchScope(kinds=["txt"]), {RAFT}),
        (SearchScope(kinds=[".MD"], folders=["boats"]), {FERRY}),
        (SearchScope(dates=("2024", "2024-05")), {ACT}),
        (SearchScope(tags=["law"], dates=("2024", "2024")), {ACT}),
        (SearchScope(documents=[ACT, RAFT], kinds=["md"]), {ACT}),
    ],
)
def test_filters_choose_documents(library: Library, scope: SearchScope, wanted: set[str]) -> None:
    hits = library.search("who may sail first in the harbour", 10, scope=scope)
    assert {hit.document_id for hit in hits} == wanted
    chosen = library.select(scope)
    assert chosen == (None if scope == SearchScope() else wanted)


def test_an_answer_looks_only_where_the_filters_allow(library: Library) -> None:
    assistant = Assistant(library, generator=None)
    scope = SearchScope(folders=["boats"], kinds=["txt"])
    answer = assistant.answer("Who may sail first in the harbour?", scope=scope)
    assert {c.document_id for c in answer.citations} | {p.document_id for p in answer.passages} == {
        RAFT
    }
    nobody = assistant.answer("Who may sail first?", scope=SearchScope(tags=["none"]))
    assert (nobody.state, nobody.passages) == ("not_found", ())


def test_what_is_given_beside_a_scope_takes_its_place(library: Library) -> None:
    scope = SearchScope(documents=[ACT], tags=["law"])
    hits = library.search("harbour", 5, documents=[TREATY], scope=scope)
    assert [hit.document_id for hit in hits] == [TREATY]


@pytest.mark.parametrize(
    "scope",
    [SearchScope(tags="law"), SearchScope(kinds=[1]), SearchScope(dates=("x", "y"))],  # type: ignore[list-item]
)
def test_what_is_no_scope_is_told_in_one_line(library: Library, scope: SearchScope) -> None:
    with pytest.raises(InputError) as caught:
        library.search("harbour", scope=scope)
    assert "\n" not in str(caught.value)


def test_a_filter_knows_what_changed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("The harbour opens at six.")
    scope = SearchScope(kinds=["txt"])
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "a.txt"])
        assert len(library.search("harbour", scope=scope)) == 1
        (tmp_path / "b.txt").write_text("The harbour closes at nine.")
        library.update([tmp_path / "b.txt"])
        assert len(library.search("harbour", scope=scope)) == 2
        library.remove(["a.txt"])
        assert [hit.document_id for hit in library.search("harbour", scope=scope)] == ["b.txt"]
