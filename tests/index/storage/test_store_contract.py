"""What every store has to do, whatever keeps it: the same tests for SQLite and for PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from index import InputError, Library, LibraryDamaged, LibraryMismatch, LibraryMissing, SearchScope
from index.embedding.encoder import Embeddable, PassageVectors
from index.storage.postgres.address import is_address, parse_address
from index.types import CatalogueCard
from tests.index.storage.postgres_server import Given, Server
from tests.support.fakes import BagOfWordsEncoder

ROOT = Path(__file__).resolve().parents[3]
TEXTS = {
    "kyoto.txt": "Forum Meets in Kyoto\n\nThe forum opened on Sunday. More than 8,000 people "
    "came.\n\nDelegates spoke about cables under the sea.\n",
    "brussels.txt": "Parliament Votes\n\nThe parliament voted on the act. Fines reach millions.\n",
    "sub/moon.md": "---\ndate: 2024-05-01\ntags: [sky/moon]\nauthor: Ada Reed\n---\n"
    "# Comets\n\nA comet passed close to the moon. Nobody slept.\n\n# Rice\n\nRice was late.\n",
}
KEPT = ("database", "text index", "contents", "vectors", "counts")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    folder = tmp_path / "articles"
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture
def library(place: str) -> Iterator[Library]:
    with Library.open(place, encoder=BagOfWordsEncoder()) as library:
        yield library


def encoded(library: Library) -> int:
    encoder = library.encoder
    assert isinstance(encoder, BagOfWordsEncoder)
    return encoder.encoded


def change_behind(place: str, statement: str) -> None:
    """Change what is stored behind the library's back."""
    if is_address(place):
        from index.storage.postgres.connections import connect

        with closing(connect(parse_address(place))) as server:
            server.execute(statement.encode())
    else:
        with closing(sqlite3.connect(Path(place) / "library.sqlite")) as file, file:
            file.execute(statement)


def ids(library: Library) -> list[str]:
    return [record.id for record in library.documents()]


def test_a_library_is_made_where_it_is_missing_and_opened_where_it_is(place: str) -> None:
    with pytest.raises(LibraryMissing, match=r"pilcrow --store .* add ARTICLES"):
        Library.open(place, create=False)
    with Library.open(place, encoder=BagOfWordsEncoder()) as made:
        assert (made.documents(), made.change, made.search("anything")) == ([], 0, [])
        assert made.check().ok
    with Library.open(place, create=False) as again:
        assert again.stats().documents == 0


def test_an_update_takes_only_the_difference(library: Library, shelf: Path) -> None:
    assert set(library.update([shelf]).added) == set(TEXTS)
    before, change = encoded(library), library.change
    report = library.update([shelf])
    assert (set(report.unchanged), report.embedded) == (set(TEXTS), 0)
    assert (encoded(library), library.change) == (before, change)
    (shelf / "kyoto.txt").write_text(TEXTS["kyoto.txt"] + "\nTea was served.\n")
    (shelf / "brussels.txt").unlink()
    report = library.update([shelf])
    assert (report.updated, report.removed) == (("kyoto.txt",), ("brussels.txt",))
    assert encoded(library) == before + 1, "what stayed has its vectors"
    assert library.change > change
    assert library.search("tea")[0].document_id == "kyoto.txt"
    assert library.check().ok


def test_twins_share_a_content_and_one_outlives_the_other(library: Library, shelf: Path) -> None:
    (shelf / "copy.txt").write_text(TEXTS["kyoto.txt"])
    library.update([shelf])
    hit = library.search("forum on Sunday", 1)[0]
    assert {hit.document_id, *hit.also} == {"copy.txt", "kyoto.txt"}
    receipt = library.remove(["kyoto.txt"])
    assert (receipt.documents, receipt.passages, receipt.left) == (("kyoto.txt",), 0, 0)
    hit = library.search("forum on Sunday", 1)[0]
    assert (hit.document_id, hit.also) == ("copy.txt", ())
    assert library.check().ok


def test_what_moved_keeps_its_vectors_and_is_found_by_its_new_name(
    library: Library, shelf: Path
) -> None:
    (shelf / "harbour.txt").write_text("the ferry left at seven. nobody saw it go.\n")
    library.update([shelf])
    before = encoded(library)
    assert [hit.document_id for hit in library.search("harbour") if hit.lexical] == ["harbour.txt"]
    (shelf / "harbour.txt").rename(shelf / "lagoon.txt")
    report = library.rebuild()
    assert (report.added, report.removed) == (("lagoon.txt",), ("harbour.txt",))
    assert encoded(library) == before
    assert [hit.document_id for hit in library.search("lagoon") if hit.lexical] == ["lagoon.txt"]
    assert not [hit for hit in library.search("harbour") if hit.lexical]
    assert library.check().ok


def test_what_was_removed_stays_out_until_it_is_restored(library: Library, shelf: Path) -> None:
    library.update([shelf])
    library.tag(["kyoto.txt"], "mine")
    receipt = library.remove(["kyoto.txt"])
    assert (receipt.left, receipt.passages, receipt.sentences) == (0, 2, 3)
    assert library.rebuild().left_out == (str(shelf / "kyoto.txt"),)
    assert "kyoto.txt" not in ids(library)
    assert not [hit for hit in library.search("delegates") if hit.lexical]
    assert library.restore(receipt).added == ("kyoto.txt",)
    assert library.documents()[1].tags == ("mine",)
    assert library.search("delegates", 1)[0].document_id == "kyoto.txt"
    assert library.check().ok


def test_a_place_is_forgotten_with_its_documents(library: Library, shelf: Path) -> None:
    library.update([shelf / "sub", shelf / "kyoto.txt"])
    assert library.places() == [shelf / "kyoto.txt", shelf / "sub"]
    assert library.forget(shelf / "sub").documents == ("moon.md",)
    assert (library.places(), ids(library)) == ([shelf / "kyoto.txt"], ["kyoto.txt"])


def test_readers_see_one_state_while_everything_is_made_anew(library: Library, shelf: Path) -> None:
    library.update([shelf])
    passages = library.passages("kyoto.txt")
    with library._store.reading() as reader:
        change = reader.generation
        other = threading.Thread(target=lambda: library.rebuild(full=True))
        other.start()
        other.join()
        assert library.change == reader.generation == change, "this thread's block has its state"
        assert [p.as_passage() for p in reader.passages_of("kyoto.txt")] == passages
    assert library.change > change
    assert library.passages("kyoto.txt") == passages
    assert library.check().ok


def within(library: Library, *names: str) -> set[str]:
    scope = SearchScope(collections=names)
    hits = library.search("the forum, the parliament, the comet and rice", 9, scope=scope)
    found = {hit.document_id for hit in hits}
    assert found == set(library.select(scope) or ())
    return found


def collections(library: Library) -> dict[str, str]:
    return {record.id: record.collection for record in library.documents()}


def test_collections_are_of_folders_and_of_files_and_are_filtered_by(
    library: Library, shelf: Path
) -> None:
    library.update([shelf], collection="Thesis")
    assert within(library, "thesis") == set(TEXTS)
    change = library.change
    library.collect(["sub/moon.md"], "work / sky")
    assert library.change == change + 1
    library.collect(["brussels.txt"], "")
    assert collections(library) == {
        "kyoto.txt": "Thesis", "brussels.txt": "", "sub/moon.md": "work / sky"
    }  # fmt: skip
    assert within(library, "WORK / sky") == {"sub/moon.md"}
    assert within(library, "thesis", "work / sky") == {"kyoto.txt", "sub/moon.md"}
    assert within(library, "nowhere") == set()
    before = encoded(library)
    library.update([shelf], collection="Papers")
    assert within(library, "papers") == {"kyoto.txt"}, "what has one of its own keeps it"
    assert encoded(library) == before
    assert library.check().ok


@pytest.mark.fault("C3")
def test_names_that_a_person_gives_steer_no_terminal_and_suit_every_store(
    library: Library, shelf: Path
) -> None:
    library.update([shelf])
    library.collect(["kyoto.txt"], "the\0sis \x1b[31m")
    library.tag(["kyoto.txt"], "sea\0cables\x07")
    record = next(record for record in library.documents() if record.id == "kyoto.txt")
    assert (record.collection, record.tags) == ("the sis [31m", ("sea cables",))
    assert within(library, "the sis [31m") == {"kyoto.txt"}
    assert within(library, "the\0sis [31m") == set()
    with pytest.raises(InputError, match="a tag has 1 to 60 characters"):
        library.tag(["kyoto.txt"], "\0\x1b")
    for glob in ("a\0b", "a\nb"):
        with pytest.raises(InputError, match="no glob of files"):
            library.update([shelf], exclude=[glob])


def test_what_moves_is_in_the_collection_of_where_it_lies(library: Library, shelf: Path) -> None:
    for name, collection in (("Æsop's 100% %s", "fables"), ("sub", "sky")):
        (shelf / name).mkdir(exist_ok=True)
        (shelf / name / "new.txt").write_text(f"the parliament of {collection} met.\n")
    library.update([shelf])
    library.update([shelf / "Æsop's 100% %s"], collection="fables")
    library.update([shelf / "sub"], collection="sky")
    library.collect(["kyoto.txt"], "own")
    assert within(library, "sky") == {"sub/moon.md", "sub/new.txt"}
    before = encoded(library)
    (shelf / "sub/moon.md").rename(shelf / "Æsop's 100% %s" / "moon.md")
    (shelf / "kyoto.txt").rename(shelf / "sub/kyoto.txt")
    library.rebuild()
    assert within(library, "sky") == {"sub/new.txt", "sub/kyoto.txt"}
    assert within(library, "fables") == {"Æsop's 100% %s/moon.md", "Æsop's 100% %s/new.txt"}
    assert within(library, "own") == set(), "of a path that is gone nothing is noted"
    assert encoded(library) == before
    (shelf / "kyoto.txt").write_text(TEXTS["kyoto.txt"])
    library.rebuild()
    assert collections(library)["kyoto.txt"] == ""


def test_tags_of_ones_own_go_with_a_file_that_moves(library: Library, shelf: Path) -> None:
    library.update([shelf])
    library.tag(["kyoto.txt", "brussels.txt"], "mine")
    before = encoded(library)
    (shelf / "copy.txt").write_text(TEXTS["brussels.txt"])  # of a file that stays
    (shelf / "kyoto.txt").rename(shelf / "sub/forum.txt")
    assert library.rebuild().added == ("copy.txt", "sub/forum.txt")
    tags = {record.id: record.tags for record in library.documents()}
    assert (tags["sub/forum.txt"], tags["brussels.txt"], tags["copy.txt"]) == (
        ("mine",), ("mine",), ()
    )  # fmt: skip
    (shelf / "sub/forum.txt").unlink()
    library.rebuild()
    (shelf / "kyoto.txt").write_text(TEXTS["kyoto.txt"])
    library.rebuild()
    assert {record.id: record.tags for record in library.documents()}["kyoto.txt"] == ()
    assert encoded(library) == before + 2, "what came back was embedded again, nothing else"
    assert library.check().ok


CARD = CatalogueCard(
    title="Cables Under the Sea", author="Jane Doe", date="2023-02", source="The Wire",
    tags=("sea/cables",), address="https://example.org/kyoto",
)  # fmt: skip


def carded(library: Library, shelf: Path) -> Path:
    """A file with a card and a collection of its own, in a library of the whole folder."""
    path = shelf / "kyoto.txt"
    library.update([shelf])
    library.update([path], folder=shelf, cards={path: CARD}, collection="sea")
    return path


def test_a_card_is_read_with_its_file_and_kept_through_a_rebuild(
    library: Library, shelf: Path
) -> None:
    path = carded(library, shelf)
    as_read = library.document("kyoto.txt")
    assert (as_read.title, as_read.author, as_read.date) == (CARD.title, CARD.author, CARD.date)
    before = encoded(library)
    assert library.rebuild().unchanged == tuple(sorted(TEXTS))
    assert encoded(library) == before
    path.write_text(TEXTS["kyoto.txt"] + "\nTea was served.\n")
    assert library.rebuild().updated == ("kyoto.txt",)
    library.rebuild(full=True)
    assert library.card("kyoto.txt") == CARD
    assert library.card("brussels.txt") == CatalogueCard()
    scope = SearchScope(authors=["doe"], tags=["sea"], collections=["sea"], dates=("2023", "2023"))
    assert library.search("tea", 1, scope=scope)[0].title == CARD.title
    library.update([path], cards={path: CatalogueCard()})
    assert library.card("kyoto.txt") == CatalogueCard()
    assert library.document("kyoto.txt").title == "Forum Meets in Kyoto"
    assert library.check().ok


def test_a_receipt_brings_back_the_card_and_the_collection(library: Library, shelf: Path) -> None:
    path = carded(library, shelf)
    receipt = library.remove(["kyoto.txt"])
    assert (receipt.cards, receipt.collections) == (
        ((str(path), CARD),), ((str(path), "sea"),)
    )  # fmt: skip
    with library._store.reading() as reader:
        assert reader.card(str(path)) == CatalogueCard()
        assert reader.own_collection(str(path)) is None
    assert library.restore(receipt).added == ("kyoto.txt",)
    assert library.card("kyoto.txt") == CARD
    assert within(library, "sea") == {"kyoto.txt"}
    assert library.document("kyoto.txt").title == CARD.title
    library.forget(shelf)
    with library._store.reading() as reader:
        assert reader.card(str(path)) == CatalogueCard()
        assert reader.own_collection(str(path)) is None
    library.update([shelf])
    assert collections(library) == dict.fromkeys(sorted(TEXTS), "")


def documents_at(library: Library) -> dict[str, str]:
    """The ids of the documents by the paths of their files."""
    with library._store.reading() as reader:
        return {location.path: location.id for location in reader.locations()}


@pytest.mark.parametrize("full", [False, True], ids=["moved", "made anew"])
def test_of_a_file_that_another_one_stands_for_nothing_stays_noted(
    library: Library, shelf: Path, full: bool
) -> None:
    path = carded(library, shelf)
    if full:
        path.unlink()
        library.rebuild(full=True)
    else:  # another folder's file takes the id over, in the change in which this one is gone
        other = shelf.parent / "other"
        other.mkdir()
        path.rename(other / path.name)
        library.update([other, shelf])
        assert documents_at(library)[str(other / path.name)] == "kyoto.txt"
    with library._store.reading() as reader:
        assert reader.card(str(path)) == CatalogueCard()
        assert reader.own_collection(str(path)) is None
    assert within(library, "sea") == set()
    path.write_text("the forum of another day, by nobody known.\n")
    library.rebuild()
    assert collections(library)[documents_at(library)[str(path)]] == ""
    assert library.document(documents_at(library)[str(path)]).author == ""
    assert library.check().ok


def test_a_change_of_cards_and_collections_is_whole_or_not_there(
    library: Library, shelf: Path
) -> None:
    path = str(carded(library, shelf))
    change = library.change
    with pytest.raises(ZeroDivisionError), library._store.writing() as writer:
        writer.set_collection(path, "x")
        writer.set_card(path, CatalogueCard(title="x"))
        assert (writer.card(path).title, writer.own_collection(path)) == ("x", "x")
        writer.forget_collections([path])
        assert writer.own_collection(path) is None
        writer.set_card(path, CatalogueCard())
        raise ZeroDivisionError
    assert (library.change, library.card("kyoto.txt")) == (change, CARD)
    assert within(library, "sea") == {"kyoto.txt"}


class Failing(BagOfWordsEncoder):
    """An encoder that is killed after so many passages."""

    left = 40

    def encode(self, passages: Sequence[Embeddable]) -> list[PassageVectors]:
        if self.left < len(passages):
            raise KeyboardInterrupt
        self.left -= len(passages)
        return super().encode(passages)


def test_vectors_made_before_a_kill_serve_the_next_run(place: str, tmp_path: Path) -> None:
    article = tmp_path / "long.txt"
    article.write_text("\n\n".join(f"Paragraph {i} is about cable {i}." for i in range(60)))
    with Library.open(place, encoder=Failing()) as library, pytest.raises(KeyboardInterrupt):
        library.update([article])
    with Library.open(place, encoder=BagOfWordsEncoder()) as library:
        assert library.documents() == []
        assert library.update([article]).reused == 32
        assert encoded(library) == 28
        assert library.check().ok


def test_another_encoder_is_refused_with_the_way_out(place: str, shelf: Path) -> None:
    with Library.open(place, encoder=BagOfWordsEncoder()) as library:
        library.update([shelf])
    with Library.open(place, encoder=BagOfWordsEncoder(64)) as library:
        for ask in (lambda: library.search("forum"), lambda: library.update([shelf])):
            with pytest.raises(LibraryMismatch, match=r"dimension 256.*64.*rebuild --full"):
                ask()
        library.rebuild(full=True)
        assert library.search("forum", 1)[0].document_id == "kyoto.txt"
        assert library.check().ok


@pytest.mark.parametrize(
    ("scope", "wanted"),
    [
        (SearchScope(documents=["brussels.txt"]), {"brussels.txt"}),
        (SearchScope(dates=("2024-01-01", "2024-12-31")), {"sub/moon.md"}),
        (SearchScope(tags=["sky"]), {"sub/moon.md"}),
        (SearchScope(authors=["reed"]), {"sub/moon.md"}),
        (SearchScope(folders=["sub"]), {"sub/moon.md"}),
        (SearchScope(kinds=["txt"]), {"brussels.txt", "kyoto.txt"}),
        (SearchScope(sections=["rice"]), {"sub/moon.md"}),
    ],
    ids=["documents", "dates", "tags", "authors", "folders", "kinds", "sections"],
)
def test_filters(library: Library, shelf: Path, scope: SearchScope, wanted: set[str]) -> None:
    library.update([shelf])
    hits = library.search("the forum, the parliament, the comet and rice", 9, scope=scope)
    assert {hit.document_id for hit in hits} == wanted
    assert set(library.select(scope) or ()) == wanted
    if scope.sections:
        assert [hit.text for hit in hits] == ["Rice was late."]


def test_vectors_of_sentences_and_word_pieces_come_back_as_they_were(
    library: Library, shelf: Path
) -> None:
    library.update([shelf / "kyoto.txt"])
    with library._store.reading() as reader:
        stored = reader.passages_of("kyoto.txt")[0]
    spans = tuple(type(s)(s.start - stored.start, s.end - stored.start) for s in stored.sentences)
    title = "Forum Meets in Kyoto"
    made = library.encoder.encode([Embeddable(title, stored.text, spans)])[0]
    assert np.array_equal(stored.vector, made.passage)
    assert np.array_equal(stored.sentence_vectors, made.sentences.astype(np.float16))
    assert np.array_equal(stored.tokens, made.tokens)
    assert stored.token_counts == made.counts
    assert library.search("forum", 1)[0].sentences[0].late > 0


def test_a_change_is_whole_or_not_there(library: Library, shelf: Path) -> None:
    library.update([shelf])
    before, hits = library.change, library.search("forum and moon")
    with pytest.raises(ZeroDivisionError), library._store.writing() as writer:
        writer.remove_document("kyoto.txt")
        writer.finish()
        writer.clear()
        raise ZeroDivisionError
    assert (library.change, library.search("forum and moon")) == (before, hits)
    assert library.check().ok


DAMAGE = {
    "text": ("UPDATE contents SET text = replace(text, 'forum', 'farum')", "contents"),
    "vector": ("UPDATE passages SET vector = tokens WHERE id = 1", "vectors"),
    "name": ("UPDATE documents SET added_at = 'never' WHERE id = 'kyoto.txt'", "documents"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found_and_mended(library: Library, place: str, shelf: Path, kind: str) -> None:
    library.update([shelf])
    before = library.search("forum and moon")
    statement, check = DAMAGE[kind]
    change_behind(place, statement)
    report = library.check()
    assert check in {line.name for line in report.lines if not line.ok}
    assert library.check(repair=True).ok
    after = library.search("forum and moon")
    assert sorted(hit.key for hit in after) == sorted(hit.key for hit in before)


def test_a_text_index_that_lost_words_is_made_anew(
    library: Library, place: str, shelf: Path
) -> None:
    library.update([shelf])
    before = {hit.key: hit.lexical for hit in library.search("forum and moon")}
    lost = "postings WHERE term = 'forum'" if is_address(place) else "words WHERE rowid = 1"
    change_behind(place, f"DELETE FROM {lost}")
    assert "text index" in {line.name for line in library.check().lines if not line.ok}
    assert library.check(repair=True).ok
    after = {hit.key: hit.lexical for hit in library.search("forum and moon")}
    assert after == pytest.approx(before)


def test_names_and_texts_that_no_database_likes(library: Library, shelf: Path) -> None:
    odd = shelf / os.fsdecode(b"caf\xe9 %s \\' .txt")
    odd.write_text("It rained on 100% of the 'days'; \\x00 and $1 and %s {} stood there.\n")
    library.update([odd])
    (record,) = library.documents()
    assert library.search("rained", 1)[0].document_id == record.id
    assert library.update([odd]).unchanged == (record.id,)
    library.update([odd], cards={odd: CatalogueCard(title="50% \\x00 %s\0")}, collection="%s ' \\")
    assert library.search("rained", 1, scope=SearchScope(collections=["%s ' \\"]))
    assert library.card(record.id).title.startswith("50% \\x00 %s")
    assert library.remove([record.id]).left == 0
    assert [library.search(query) for query in ("\"'; DROP", "a\0b", "%s", "*")] == [[]] * 4


def test_words_are_counted_alike_everywhere(new_place: Callable[[], str], shelf: Path) -> None:
    with (
        Library.open(new_place(), encoder=BagOfWordsEncoder()) as library,
        Library.open(shelf.parent / "plain", encoder=BagOfWordsEncoder()) as plain,
    ):
        for each in (library, plain):
            each.update([shelf])
        words = ["forum", "the", "cables", "nowhere", "comets"]
        assert library.idf(words) == pytest.approx(plain.idf(words))
        scope = SearchScope(kinds=["md"])
        assert library.idf(words, scope=scope) == pytest.approx(plain.idf(words, scope=scope))
        assert dict(library.vocabulary()) == dict(plain.vocabulary())
        assert library.headings() == plain.headings()
        assert library.documents()[0].characters == plain.documents()[0].characters
        names, vectors = library.document_vectors()
        assert names == plain.document_vectors()[0]
        assert np.allclose(vectors, plain.document_vectors()[1])


@pytest.mark.adapters
def test_an_index_that_is_gone_is_made_again_and_a_table_is_not(
    server: Given | Server, shelf: Path
) -> None:
    address = server.address()
    with Library.open(address, encoder=BagOfWordsEncoder()) as library:
        library.update([shelf])
        change_behind(address, "DROP INDEX passages_digest")
        (line, *_) = library.check().lines
        assert (line.ok, line.detail) == (False, "passages_digest missing")
        assert library.check(repair=True).ok
        change_behind(address, "DROP TABLE neighbours")
        (line, *_) = library.check(repair=True).lines
        assert (line.ok, line.detail) == (False, "neighbours missing")
        with pytest.raises(LibraryDamaged, match="backup of the server"):
            library.search("forum")


def test_nothing_of_a_server_is_loaded_before_it_is_asked_for(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None; sys.modules['pgvector'] = None\n"
        "import ui.cli, rag, ui.doctor; from index import Library\n"
        f"Library.open({str(tmp_path / 'library')!r}).close()\n"
        "try: Library.open('postgresql://somewhere/there')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout == (
        "InputError a library on a server needs psycopg and pgvector, which are not installed: "
        "pip install 'pilcrow-rag[postgres]'\n"
    )
