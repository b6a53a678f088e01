"""The posting lists of a large library tell what FTS5 tells of the same words, and sooner."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import Library
from index.languages.stemming import any_of, match_forms
from index.search import postings
from index.search.caches import SearchCaches
from index.search.search import of_sqlite
from index.search.vectors import CacheUnusable
from index.storage.sqlite.word_index import index_words
from tests.support.fakes import BagOfWordsEncoder

ARTICLES = {
    "ferry.txt": "Ferries of the Lake\n\nThe ferry crosses the lake. Ferries: three sail.\n",
    "bridge.txt": "A Bridge\n\nIt opened in 1932 and the ferry stopped.\n\nIt is a bridge.\n",
    "untitled.txt": "the lake froze in the winter of 1963 and nobody sailed at all, they say it.\n",
    "bruecke.txt": "Die Brücke\n\nDie Brücken der Stadt wurden im Krieg zerstört und neu gebaut.\n",
    "橋.txt": "東京の橋\n\n東京の橋は古い。橋の上を電車が走る。\n",
}
QUESTIONS = ("ferry lake", "Which bridges opened?", "Brücke Stadt", "東京の橋", "winter 1963 lake")


def caches(library: Library) -> SearchCaches:
    """The files beside a library in a folder."""
    assert isinstance(library._engine, SearchCaches)
    return library._engine


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    folder.mkdir()
    for name, text in ARTICLES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def library(tmp_path: Path, shelf: Path) -> Library:
    """A library that counts as large from its first passage."""
    made = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder(), exact_up_to=0)
    made.update([shelf])
    assert caches(made).words.path.exists()
    return made


def both(library: Library, question: str, k: int = 50) -> tuple[dict[int, float], dict[int, float]]:
    """Passages with their BM25, by the posting lists and by FTS5."""
    with library._store.reading() as reader:
        forms = match_forms(question, reader.languages())
        assert caches(library).words.header(of_sqlite(reader)), "posting lists that can be used"
        return caches(library).words.matches(reader, forms, k), reader.matches(any_of(forms), k)


@pytest.mark.parametrize("question", QUESTIONS)
def test_passages_and_their_order_are_those_of_fts5(library: Library, question: str) -> None:
    ours, theirs = both(library, question)
    assert theirs and list(ours) == list(theirs)
    assert ours == pytest.approx(theirs, rel=1e-12)
    best, best_of_theirs = both(library, question, 1)
    assert list(best) == list(best_of_theirs)


words = st.sampled_from("ferry ferries lake bridge Brücke Brücken 1932 東京の橋 the x² Ⅷ".split())


@settings(max_examples=25, deadline=None)
@given(
    texts=st.lists(st.lists(words, min_size=1, max_size=30), min_size=1, max_size=12),
    question=st.lists(words, min_size=1, max_size=6),
)
def test_any_texts_are_ranked_as_fts5_ranks_them(
    tmp_path_factory: pytest.TempPathFactory, texts: list[list[str]], question: list[str]
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "articles").mkdir()
    for number, text in enumerate(texts):
        (home / "articles" / f"{number}.txt").write_text(" ".join(text) + ".\n")
    encoder = BagOfWordsEncoder()
    with Library.open(home / "library", encoder=encoder, exact_up_to=0) as library:
        library.update([home / "articles"])
        ours, theirs = both(library, " ".join(question))
        assert list(ours) == list(theirs)
        assert ours == pytest.approx(theirs, rel=1e-12)


def test_what_came_and_went_since_is_told_as_it_is(library: Library, shelf: Path) -> None:
    made = caches(library).words.path.stat().st_mtime_ns
    (shelf / "new.txt").write_text("A New Ferry\n\nThe new ferry crosses the frozen lake.\n")
    library.update([shelf])
    library.remove(["ferry.txt"])
    assert caches(library).words.path.stat().st_mtime_ns == made, "lists of the state before"
    ours, theirs = both(library, "new ferry lake bridge")
    assert {*ours} == {*theirs}
    hits = library.search("ferry")
    assert "new.txt" in {hit.document_id for hit in hits}
    assert "ferry.txt" not in {hit.document_id for hit in hits}
    with library._store.reading() as reader:
        counted = {word: reader.passages_with(word) for word in ("ferry", "lake", "nowhere")}
        for word, count in counted.items():
            assert caches(library).words.passages_with(reader, word) == count


def test_a_scope_is_looked_into_alone(library: Library) -> None:
    hits = library.search("ferry lake", documents=["bridge.txt"])
    assert {hit.document_id for hit in hits} == {"bridge.txt"}
    assert hits[0].lexical > 0


def test_a_document_known_by_its_files_name_is_found_by_its_new_one(
    library: Library, shelf: Path
) -> None:
    (shelf / "untitled.txt").rename(shelf / "zeppelin.txt")
    library.update([shelf])
    assert library.search("zeppelin")[0].document_id == "zeppelin.txt"
    assert library.search("zeppelin")[0].lexical > 0
    ours, theirs = both(library, "zeppelin")
    assert ours == pytest.approx(theirs)


def test_another_process_goes_on_with_the_lists_of_before_and_then_with_the_new_ones(
    library: Library, shelf: Path, tmp_path: Path
) -> None:
    other = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder(), exact_up_to=0)
    before = other.search("ferry")
    (shelf / "new.txt").write_text("A New Ferry\n\nThe new ferry crosses the frozen lake.\n")
    library.update([shelf])
    caches(library).refresh(anew=True)
    after = other.search("ferry")
    assert len(after) > len(before)
    assert both(other, "ferry")[0] == pytest.approx(both(other, "ferry")[1])


def test_a_small_library_has_none(tmp_path: Path, shelf: Path) -> None:
    with Library.open(tmp_path / "small", encoder=BagOfWordsEncoder()) as library:
        library.update([shelf])
        assert not caches(library).words.path.exists()
        assert library.search("ferry")


@pytest.mark.parametrize("at", ["a list", "the words", "the end", "the head"])
def test_damaged_posting_lists_are_told_and_made_anew(library: Library, at: str) -> None:
    path = caches(library).words.path
    asked = {question: library.search(question) for question in QUESTIONS}
    header = postings.peek(path)
    assert header is not None
    where = {"a list": 4_096, "the words": 4_096 + header.lists + 3, "the end": -1, "the head": 12}
    data = bytearray(path.read_bytes())
    data[where[at]] ^= 0x5A
    path.unlink()  # whoever has mapped the old one keeps it
    path.write_bytes(data)
    again = Library.open(library.path, encoder=BagOfWordsEncoder(), exact_up_to=0)
    report = again.check()
    assert not report.ok
    assert [line.name for line in report.lines if not line.ok] == ["word cache"]
    assert {question: again.search(question) for question in QUESTIONS} == asked
    assert again.check(repair=True).ok
    again.rebuild()  # what a question found damaged the next writer makes
    assert path.exists() and again.check().ok
    assert {question: again.search(question) for question in QUESTIONS} == asked


def test_a_list_is_compared_before_it_is_believed(library: Library) -> None:
    path = caches(library).words.path
    data = bytearray(path.read_bytes())
    data[4_096] ^= 1
    path.unlink()
    path.write_bytes(data)
    with library._store.reading() as reader:
        lists = postings.load(path, reader.library)
    with pytest.raises(CacheUnusable):
        lists.check()


def test_a_word_that_the_index_cuts_in_two_is_left_to_fts5(library: Library) -> None:
    assert index_words("ferries") == index_words("ferry")
    assert len(index_words("ferry-lake")) == 2
    with library._store.reading() as reader:
        found = caches(library).words.matches(reader, ("ferry-lake",), 5)
        assert found == reader.matches('"ferry-lake"', 5)
