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


CHAPTERS = """# The harbour

## Ferries

### Rules of sailing

A ferry may sail first because it carries people over the water of the harbour.
It sails at dawn. It must carry lamps.

## Rafts

A raft may sail first because it carries reed over the water of the harbour.
It sails at dusk. It must carry ropes.
"""


@pytest.fixture(scope="module")
def chapters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("chapters")
    (folder / "harbour.md").write_text(CHAPTERS)
    (folder / "plain.txt").write_text("A boat may sail first in the harbour of the ferries.\n")
    with Library.open(folder / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([folder / "harbour.md", folder / "plain.txt"])
        yield made


@pytest.mark.parametrize(
    ("sections", "word"),
    [(["ferries"], "people"), (["RULES of"], "people"), (["Rafts"], "reed")],
)
def test_a_section_is_searched_alone(chapters: Library, sections: list[str], word: str) -> None:
    scope = SearchScope(sections=sections)
    hits = chapters.search("who may sail first in the harbour", 10, scope=scope)
    assert len(hits) == 1
    assert word in hits[0].text
    assert chapters.select(scope) == frozenset({"harbour.md"})
    assert chapters.search("harbour", scope=SearchScope(["plain.txt"], sections=sections)) == []
    assert chapters.headings() == {"Ferries": 1, "Rules of sailing": 1, "Rafts": 1}


@pytest.mark.parametrize(
    "question",
    ["Why may they sail first in the harbour?", "Summarise The harbour.", "When do they sail?",
     "What must they carry?", "List what is said about sailing.", "Compare ferries and rafts."],
)  # fmt: skip
def test_an_answer_quotes_nothing_outside_its_section(chapters: Library, question: str) -> None:
    scope = SearchScope(sections=["Rafts"])
    answer = Assistant(chapters, generator=None).answer(question, scope=scope)
    text = chapters.document("harbour.md").text
    begin = text.index("## Rafts")
    places = [(c.document_id, c.start) for c in answer.citations]
    places += [(p.document_id, p.start) for p in answer.passages]
    assert all(id_ == "harbour.md" and start >= begin for id_, start in places)


def test_what_is_given_beside_a_scope_takes_its_place(library: Library) -> None:
    scope = SearchScope(documents=[ACT], tags=["law"])
    hits = library.search("harbour", 5, documents=[TREATY], scope=scope)
    assert [hit.document_id for hit in hits] == [TREATY]


@pytest.mark.parametrize(
    "scope",
    [
        SearchScope(tags="law"),
        SearchScope(sections="rafts"),
        SearchScope(kinds=[1]),  # type: ignore[list-item]
        SearchScope(dates=("x", "y")),
    ],
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


def test_documents_are_given_tags_of_ones_own(library: Library) -> None:
    law, change = SearchScope(tags=["law"]), library.change
    assert library.tag([RAFT, ACT], " #law/sea ") == (RAFT, ACT)
    assert library.change == change + 1
    assert library.tag([RAFT], "law/sea") == ()
    assert library.select(SearchScope(tags=["law/sea"])) == frozenset({RAFT, ACT})
    assert library.select(law) == frozenset({RAFT, ACT, TREATY})
    assert {r.id: r.tags for r in library.documents()}[ACT] == ("law/eu", "law/sea")
    for ids, tag in (([RAFT, "gone.md"], "x"), ([RAFT], " # "), ([RAFT], "x" * 61)):
        with pytest.raises(InputError):
            library.tag(ids, tag)
    library.rebuild(full=True)
    assert library.select(law) == frozenset({RAFT, ACT, TREATY}), "they outlive a rebuild"
    receipt = library.remove([RAFT])
    assert receipt.tags == ((RAFT, ("law/sea",)),)
    assert library.check().ok
    library.restore(receipt)
    assert library.select(law) == frozenset({RAFT, ACT, TREATY}), "and an undone removal"
    assert library.tag([RAFT, ACT, TREATY], "law/sea", remove=True) == (RAFT, ACT)
    assert library.select(law) == frozenset({ACT, TREATY}), "its own tags stay"


def test_of_a_removed_document_no_tag_stays(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Rafts sail at dusk.")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "a.txt"])
        library.tag(["a.txt"], "secret name")
        library.remove(["a.txt"])
    assert b"secret name" not in (tmp_path / "library" / "library.sqlite").read_bytes()
