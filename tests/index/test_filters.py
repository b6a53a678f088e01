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


# --- collections --------------------------------------------------------------------------


@pytest.fixture
def shelves(tmp_path: Path) -> Iterator[Library]:
    """Two collections, and what is in none: each speaks of the harbour."""
    for name in ("thesis/a.txt", "thesis/old/b.txt", "work/c.txt", "d.txt"):
        path = tmp_path / "notes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"The harbour of {path.stem} opens at six.")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as made:
        made.update([tmp_path / "notes/thesis"], collection="Thesis")
        made.update([tmp_path / "notes/work"], collection=" work ")
        made.update([tmp_path / "notes/d.txt"])
        yield made


def within(library: Library, *names: str) -> set[str]:
    hits = library.search("when does the harbour open", scope=SearchScope(collections=names))
    return {hit.document_id for hit in hits}


def test_collections_are_searched_alone_and_together(shelves: Library) -> None:
    assert within(shelves, "thesis") == {"a.txt", "old/b.txt"}
    assert within(shelves, "WORK") == {"c.txt"}
    assert within(shelves, "Thesis", "work") == {"a.txt", "old/b.txt", "c.txt"}
    assert within(shelves) == {"a.txt", "old/b.txt", "c.txt", "d.txt"}
    assert within(shelves, "nowhere") == set()
    scope = SearchScope(collections=["thesis"], folders=["old"])
    assert shelves.select(scope) == frozenset({"old/b.txt"})
    answer = Assistant(shelves, generator=None).answer("When does the harbour open?", scope=scope)
    assert {c.document_id for c in answer.citations} == {"old/b.txt"}
    assert {r.id: r.collection for r in shelves.documents()} == {
        "a.txt": "Thesis", "old/b.txt": "Thesis", "c.txt": "work", "d.txt": "",
    }  # fmt: skip


def test_what_comes_later_into_a_folder_is_in_its_collection(
    shelves: Library, tmp_path: Path
) -> None:
    (tmp_path / "notes/thesis/new.txt").write_text("The new harbour opens at nine.")
    assert isinstance(shelves.encoder, BagOfWordsEncoder)
    before = shelves.encoder.encoded
    shelves.rebuild()
    assert within(shelves, "thesis") == {"a.txt", "old/b.txt", "new.txt"}
    shelves.update([tmp_path / "notes/thesis"], collection="Papers")
    assert within(shelves, "papers") == {"a.txt", "old/b.txt", "new.txt"}
    shelves.update([tmp_path / "notes/thesis"])
    assert within(shelves, "papers") == {"a.txt", "old/b.txt", "new.txt"}, "it stays as it was"
    assert shelves.encoder.encoded == before + 1


def test_documents_are_put_into_a_collection_of_their_own(shelves: Library) -> None:
    change = shelves.change
    shelves.collect(["a.txt", "d.txt"], "work")
    assert shelves.change == change + 1
    assert within(shelves, "work") == {"a.txt", "c.txt", "d.txt"}
    shelves.rebuild(full=True)
    assert within(shelves, "work") == {"a.txt", "c.txt", "d.txt"}
    receipt = shelves.remove(["a.txt"])
    shelves.restore(receipt)
    assert within(shelves, "work") == {"a.txt", "c.txt", "d.txt"}
    shelves.collect(["a.txt"], "")
    assert within(shelves, "work") == {"c.txt", "d.txt"} and within(shelves, "thesis") == {
        "old/b.txt"
    }
    assert shelves.check().ok
    for ids, name in ((["gone.txt"], "x"), (["a.txt"], "x" * 61), (["a.txt"], 7)):
        with pytest.raises(InputError):
            shelves.collect(ids, name)  # type: ignore[arg-type]


def test_of_what_is_removed_or_forgotten_no_collection_stays(
    shelves: Library, tmp_path: Path
) -> None:
    shelves.collect(["d.txt"], "secret name")
    shelves.remove(["d.txt"])
    shelves.update([tmp_path / "notes/work"], collection="other secret")
    shelves.forget(tmp_path / "notes/work")
    shelves.close()
    stored = (tmp_path / "library" / "library.sqlite").read_bytes()
    assert b"secret name" not in stored and b"other secret" not in stored
