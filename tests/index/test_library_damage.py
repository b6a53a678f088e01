"""What happens to a library's files from outside, row by row: found out, mended, or refused.

The rule for every row: never a wrong answer. Either the answers are those of a whole library, or
one clear line says what is wrong and how to go on.
"""

from __future__ import annotations

import random
import re
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index import Library, LibraryDamaged, LibraryMismatch, LibraryUnwritable, PilcrowError
from index.storage.sqlite.database import FORMAT, WORDS_AS_THEY_STAND
from tests.support.fakes import BagOfWordsEncoder

ROOT = Path(__file__).resolve().parents[2]
ARTICLES = {
    "kyoto.txt": "The forum met in Kyoto.\n\nCables lie under the sea.\n",
    "brussels.txt": "The parliament voted on the act.\n\nFines reach 35 million euros.\n",
    "rice.txt": "The harvest of rice was good.\n",
}
QUESTIONS = ("cables under the sea", "parliament act", "harvest of rice in Kyoto")


@pytest.fixture
def encoder() -> BagOfWordsEncoder:
    return BagOfWordsEncoder(64)


@pytest.fixture
def home(tmp_path: Path, encoder: BagOfWordsEncoder) -> Path:
    """A folder with articles and a closed library of them."""
    (tmp_path / "articles").mkdir()
    for name, text in ARTICLES.items():
        (tmp_path / "articles" / name).write_text(text)
    with Library.open(tmp_path / "library", encoder=encoder) as library:
        library.update([tmp_path / "articles"])
    return tmp_path


def seen(path: Path, encoder: BagOfWordsEncoder) -> tuple[dict[str, str], list[Any]]:
    """All that a person can see of a library."""
    with Library.open(path, encoder=encoder, create=False) as library:
        texts = {
            document.id: library.document(document.id).text for document in library.documents()
        }
        return texts, [
            sorted((-hit.score, hit.document_id, hit.start, hit.text) for hit in found)
            for found in map(library.search, QUESTIONS)
        ]


def bad_lines(path: Path, encoder: BagOfWordsEncoder) -> list[str]:
    with Library.open(path, encoder=encoder) as library:
        return [line.name for line in library.check().lines if not line.ok]


HARM: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[: len(data) // 2],
    "cut to a stub": lambda data: data[:100],
    "flipped": lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
    "zero-byte": lambda data: b"",
    "junk appended": lambda data: data + b"junk" * 1000,
    "junk": lambda data: b"junk" * 1000,
}


# --- the truth: library.sqlite -------------------------------------------------------------------


@pytest.mark.parametrize("harm", ["truncated", "cut to a stub", "zero-byte", "junk"])
def test_a_broken_database_is_refused_with_the_way_out(
    harm: str, home: Path, encoder: BagOfWordsEncoder
) -> None:
    file = home / "library" / "library.sqlite"
    file.write_bytes(HARM[harm](file.read_bytes()))
    with pytest.raises(LibraryDamaged, match=r"damaged .*backup.*pilcrow add ARTICLES") as caught:
        seen(home / "library", encoder)
    assert "\n" not in str(caught.value)


def test_junk_after_a_database_changes_nothing(home: Path, encoder: BagOfWordsEncoder) -> None:
    before = seen(home / "library", encoder)
    file = home / "library" / "library.sqlite"
    file.write_bytes(HARM["junk appended"](file.read_bytes()))
    assert seen(home / "library", encoder) == before
    assert bad_lines(home / "library", encoder) == []


def test_one_flipped_bit_anywhere_never_gives_a_wrong_answer(
    home: Path, encoder: BagOfWordsEncoder
) -> None:
    library, copy = home / "library", home / "copy"
    before = seen(library, encoder)
    whole = (library / "library.sqlite").read_bytes()
    rng = random.Random(7)
    refused = told = 0
    for _ in range(150):
        at, bit = rng.randrange(len(whole)), 1 << rng.randrange(8)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(library, copy)
        harmed = bytearray(whole)
        harmed[at] ^= bit
        (copy / "library.sqlite").write_bytes(harmed)
        try:
            after = seen(copy, encoder)
        except PilcrowError:
            refused += 1
            continue
        if (
            after != before
        ):  # the text index may rank otherwise; `check` tells, and nothing is false
            told += 1
            assert bad_lines(copy, encoder), (at, bit)
            assert after[0] == before[0], (at, bit)
            for _, name, start, text in (hit for hits in after[1] for hit in hits):
                assert ARTICLES[name][start : start + len(text)] == text, (at, bit)
    assert refused > 5, "some of them must have hit what is read"
    assert told < 10


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        ("UPDATE passages SET vector = zeroblob(length(vector)) WHERE id = 2", "vectors"),
        ("UPDATE passages SET tokens = x'00' WHERE id = 2", "vectors"),
        ("UPDATE passages SET spans = '[[0' WHERE id = 2", "vectors"),
        ("UPDATE passages SET start = start + 1 WHERE id = 2", "vectors"),
        ("UPDATE contents SET text = replace(text, 'Cables', 'Kables')", "contents"),
        ("UPDATE contents SET text = CAST(x'ff' AS TEXT) WHERE id = 1", "contents"),
        ("UPDATE contents SET title = 'Other' WHERE id = 1", "contents"),
        ("UPDATE contents SET labels = '{' WHERE id = 1", "contents"),
        ("DELETE FROM words WHERE rowid = 2", "text index"),
        ("UPDATE words_content SET c1 = 'other' WHERE id = 1", "text index"),
        ("DELETE FROM words_data WHERE id > 10", "text index"),
        ("UPDATE meta SET value = '7' WHERE key = 'passages'", "counts"),
        ("DELETE FROM documents WHERE id = 'rice.txt'", "documents"),
        ("UPDATE documents SET id = 'rice.tyt' WHERE id = 'rice.txt'", "documents"),
        ("UPDATE documents SET path = replace(path, 'rice', 'rive')", "documents"),
        ("UPDATE documents SET place = place || 'x' WHERE id = 'rice.txt'", "documents"),
        ("UPDATE documents SET added_at = '1999' WHERE id = 'rice.txt'", "documents"),
        ("UPDATE documents SET content = 3 - content WHERE content < 3", "documents"),
        ("UPDATE seals SET seal = seal + 1 WHERE document = 'rice.txt'", "documents"),
        ("UPDATE seals SET document = 'rico.txt' WHERE document = 'rice.txt'", "documents"),
        ("DELETE FROM seals", "documents"),
        ("DELETE FROM contents WHERE id = 1", "documents"),
    ],
)
def test_what_can_be_derived_is_told_and_mended(
    harm: str, line: str, home: Path, encoder: BagOfWordsEncoder
) -> None:
    before = seen(home / "library", encoder)
    embedded = encoder.encoded
    connection = sqlite3.connect(home / "library" / "library.sqlite")
    connection.execute(harm)
    connection.commit()
    connection.close()
    assert line in bad_lines(home / "library", encoder)
    with Library.open(home / "library", encoder=encoder) as library:
        report = library.check(repair=True)
        assert report.ok, report
        assert "ok" not in [one.detail for one in report.lines if one.name == line]
        library.rebuild()  # brings back a document that had lost its text
    assert seen(home / "library", encoder) == before
    assert encoder.encoded - embedded <= 3, "only what was damaged is embedded again"


@pytest.mark.fault("G49")
def test_bits_aimed_at_the_names_of_documents_are_noticed_and_mended(
    home: Path, encoder: BagOfWordsEncoder
) -> None:
    library, copy = home / "library", home / "copy"
    before = seen(library, encoder)
    file = library / "library.sqlite"
    whole = file.read_bytes()
    # where the rows of documents begin, in the table and in its indexes
    rows = [m.start() for name in ARTICLES for m in re.finditer(name.encode(), whole)]
    rng = random.Random(3)
    mended = 0
    for _ in range(80):
        at = min(rng.choice(rows) + rng.randrange(60), len(whole) - 1)
        bit = 1 << rng.randrange(8)
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(library, copy)
        harmed = bytearray(whole)
        harmed[at] ^= bit
        (copy / "library.sqlite").write_bytes(harmed)
        try:
            assert seen(copy, encoder) == before, (at, bit)
        except LibraryDamaged:
            assert bad_lines(copy, encoder), (at, bit)
        with Library.open(copy, encoder=encoder) as damaged:
            report = damaged.check(repair=True)
        if report.ok:
            mended += 1
            assert seen(copy, encoder) == before, (at, bit)
    assert mended > 70, "a wrong bit in a name, a path or a date is found by trying"


@pytest.mark.fault("G49")
def test_a_name_beyond_mending_is_told_and_the_document_can_be_removed(
    home: Path, encoder: BagOfWordsEncoder
) -> None:
    with sqlite3.connect(home / "library" / "library.sqlite") as connection:
        connection.execute(
            "UPDATE documents SET id = 'wheat.txt', added_at = 'x' WHERE id = 'rice.txt'"
        )
    connection.close()
    with Library.open(home / "library", encoder=encoder) as library:
        for ask in (library.documents, lambda: library.search("harvest of rice")):
            with pytest.raises(LibraryDamaged, match=r"wheat\.txt.*pilcrow check --repair"):
                ask()
        report = library.check(repair=True)
        assert any("wheat.txt" in line.detail for line in report.lines if not line.ok)
        library.remove(["wheat.txt"])
        assert library.check().ok
        assert [document.id for document in library.documents()] == ["brussels.txt", "kyoto.txt"]


WITHOUT_STEMS = (
    "CREATE TEMP TABLE kept AS SELECT rowid AS id, title, text FROM words; DROP TABLE words; "
    f"{WORDS_AS_THEY_STAND}; DELETE FROM meta WHERE key = 'languages'; "
    "INSERT INTO words (rowid, title, text) SELECT id, title, text FROM kept"
)
WITHOUT_PLACES = (
    f"{WITHOUT_STEMS}; ALTER TABLE passages DROP COLUMN places; "
    "ALTER TABLE contents DROP COLUMN edition; "
    "ALTER TABLE contents DROP COLUMN outline"
)
WITHOUT_EXCLUDES = "ALTER TABLE places DROP COLUMN exclude"
WITHOUT_LABELS = "ALTER TABLE contents DROP COLUMN labels"


@pytest.mark.fault("G49")
@pytest.mark.parametrize(
    ("version", "without"),
    [
        pytest.param(6, WITHOUT_STEMS, id="stems"),
        pytest.param(5, WITHOUT_PLACES, id="places"),
        pytest.param(4, f"{WITHOUT_PLACES}; {WITHOUT_EXCLUDES}", id="excludes"),
        pytest.param(3, f"{WITHOUT_PLACES}; {WITHOUT_EXCLUDES}; {WITHOUT_LABELS}", id="labels"),
        pytest.param(
            2,
            f"{WITHOUT_PLACES}; {WITHOUT_EXCLUDES}; {WITHOUT_LABELS}; DROP TABLE seals",
            id="seals",
        ),
    ],
)
def test_a_library_of_an_earlier_layout_is_read_and_brought_up_by_the_next_writer(
    version: int, without: str, home: Path, encoder: BagOfWordsEncoder
) -> None:
    before = seen(home / "library", encoder)
    file = home / "library" / "library.sqlite"
    connection = sqlite3.connect(file)
    connection.executescript(f"{without}; PRAGMA user_version = {version};")
    connection.close()
    old = file.read_bytes()
    assert seen(home / "library", encoder) == before
    assert file.read_bytes() == old, "reading changes nothing"
    embedded = encoder.encoded
    with Library.open(home / "library", encoder=encoder) as library:
        change = library.change
        library.rebuild()
        assert library.check().ok
        library.rebuild()
        assert library.change == change + 1, "each file was read again by today's readers, once"
    assert seen(home / "library", encoder) == before
    assert encoder.encoded == embedded
    (home / "articles" / "rice.txt").rename(home / "articles" / "rice.md")
    (home / "articles" / "rice.md").write_text(f"---\ntags: [food]\n---\n{ARTICLES['rice.txt']}")
    with Library.open(home / "library", encoder=encoder) as library:
        library.rebuild()
        assert [document.tags for document in library.documents()] == [(), (), ("food",)]
        assert library.check().ok
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA user_version").fetchone() == (FORMAT,)
    assert connection.execute("SELECT count(*) FROM seals").fetchone() == (3,)
    connection.execute("UPDATE documents SET id = 'rico.md' WHERE id = 'rice.md'")
    connection.commit()
    connection.close()
    assert bad_lines(home / "library", encoder)


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE meta SET key = 'encodes' WHERE key = 'encoder'",
        "UPDATE meta SET value = '{' WHERE key = 'encoder'",
        "DELETE FROM meta WHERE key IN ('library', 'passages')",
        "UPDATE meta SET value = 'x' WHERE key = 'sentences'",
    ],
)
def test_lost_notes_about_a_library_are_told_and_a_full_rebuild_makes_them_anew(
    harm: str, home: Path, encoder: BagOfWordsEncoder
) -> None:
    before = seen(home / "library", encoder)
    connection = sqlite3.connect(home / "library" / "library.sqlite")
    connection.execute(harm)
    connection.commit()
    connection.close()
    with Library.open(home / "library", encoder=encoder) as library:
        assert [line.name for line in library.check().lines if not line.ok] == ["notes"]
        with pytest.raises(LibraryDamaged, match=r"pilcrow rebuild --full"):
            library.stats(), library.search("rice")
        library.rebuild(full=True)
        assert library.check().ok
    assert seen(home / "library", encoder) == before


def test_a_text_that_cannot_be_mended_is_named_and_can_be_removed(
    home: Path, encoder: BagOfWordsEncoder
) -> None:
    with sqlite3.connect(home / "library" / "library.sqlite") as connection:
        connection.execute("UPDATE contents SET text = 'forged' WHERE text LIKE '%rice%'")
    connection.close()
    (home / "articles" / "rice.txt").unlink()
    with Library.open(home / "library", encoder=encoder) as library:
        with pytest.raises(LibraryDamaged, match=r"rice\.txt.*pilcrow check --repair"):
            library.search("harvest of rice")
        report = library.check(repair=True)
        assert not report.ok
        assert any("rice.txt" in line.detail for line in report.lines if not line.ok)
        library.remove(["rice.txt"])
        assert library.check().ok
        assert "rice.txt" not in {hit.document_id for hit in library.search("harvest of rice")}


# --- its log, the vector cache and the small files -----------------------------------------------


@pytest.fixture
def logged(home: Path, encoder: BagOfWordsEncoder) -> Path:
    """A copy of a library whose last change is only in the log, as after a power cut."""
    library = Library.open(home / "library", encoder=encoder)
    (home / "articles" / "new.txt").write_text("A treaty was signed in Geneva.\n")
    library.rebuild()
    shutil.copytree(home / "library", home / "cut")
    library.close()
    assert (home / "cut" / "library.sqlite-wal").stat().st_size > 1000
    return home / "cut"


def test_a_copy_made_while_the_log_was_full_opens_at_the_last_commit(
    logged: Path, home: Path, encoder: BagOfWordsEncoder
) -> None:
    assert seen(logged, encoder) == seen(home / "library", encoder)
    assert bad_lines(logged, encoder) == []


def test_a_copy_made_in_the_middle_of_a_change_opens_at_the_one_before(
    home: Path, encoder: BagOfWordsEncoder
) -> None:
    before = seen(home / "library", encoder)
    connection = sqlite3.connect(home / "library" / "library.sqlite", isolation_level=None)
    connection.execute("PRAGMA cache_size = 1")  # so that changed pages go to the log early
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE contents SET text = hex(randomblob(50000))")
    connection.execute("DELETE FROM documents")
    assert (home / "library" / "library.sqlite-wal").stat().st_size > 50_000
    shutil.copytree(home / "library", home / "cut")
    connection.execute("ROLLBACK")
    connection.close()
    assert seen(home / "cut", encoder) == before
    assert bad_lines(home / "cut", encoder) == []


@pytest.mark.parametrize("harm", HARM)
def test_a_damaged_log_gives_the_state_before_or_after(
    harm: str, logged: Path, home: Path, encoder: BagOfWordsEncoder
) -> None:
    after = seen(home / "library", encoder)
    (home / "articles" / "new.txt").unlink()
    with Library.open(home / "library", encoder=encoder) as library:
        library.rebuild()
    before = seen(home / "library", encoder)
    log = logged / "library.sqlite-wal"
    log.write_bytes(HARM[harm](log.read_bytes()))
    (logged / "library.sqlite-shm").write_bytes(HARM[harm](bytes(32768)))
    assert seen(logged, encoder) in (before, after)
    assert bad_lines(logged, encoder) == []


@pytest.mark.parametrize("harm", [*HARM, "of another history"])
def test_a_damaged_vector_cache_is_made_again_from_what_is_stored(
    harm: str, home: Path, encoder: BagOfWordsEncoder
) -> None:
    before = seen(home / "library", encoder)
    embedded = encoder.encoded
    cache = home / "library" / "vectors.cache"
    if harm == "of another history":
        # the same library, put back to this state, had gone another way to an equal change number
        shutil.copytree(home / "library", home / "other")
        for folder, text in (("other", "A comet passed the moon.\n"), ("library", "Snow fell.\n")):
            (home / "articles" / "new.txt").write_text(text)
            (home / folder / "vectors.cache").unlink()
            with Library.open(home / folder, encoder=encoder) as library:
                library.rebuild()
        before, embedded = seen(home / "library", encoder), encoder.encoded
        shutil.copy(home / "other" / "vectors.cache", cache)
    else:
        cache.write_bytes(HARM[harm](cache.read_bytes()))
    assert bad_lines(home / "library", encoder) == ["vector cache"]
    assert seen(home / "library", encoder) == before
    assert bad_lines(home / "library", encoder) == []
    assert encoder.encoded == embedded, "nothing is embedded for that"


def test_a_library_put_back_to_an_older_state_does_not_trust_a_newer_cache(
    home: Path, encoder: BagOfWordsEncoder
) -> None:
    before = seen(home / "library", encoder)
    shutil.copy(home / "library" / "library.sqlite", home / "backup")
    (home / "articles" / "new.txt").write_text("A treaty was signed in Geneva.\n")
    (home / "library" / "vectors.cache").unlink()
    with Library.open(home / "library", encoder=encoder) as library:
        library.rebuild()
    shutil.copy(home / "backup", home / "library" / "library.sqlite")
    assert seen(home / "library", encoder) == before


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("name", ["write.lock", "writer.json"])
def test_the_lock_does_not_depend_on_what_is_in_its_files(
    harm: str, name: str, home: Path, encoder: BagOfWordsEncoder
) -> None:
    before = seen(home / "library", encoder)
    file = home / "library" / name
    file.write_bytes(HARM[harm](file.read_bytes() or b"0123456789"))
    with Library.open(home / "library", encoder=encoder) as library:
        library.rebuild()
    assert seen(home / "library", encoder) == before


def test_what_killed_writers_left_beside_the_files_is_swept_away(
    home: Path, encoder: BagOfWordsEncoder
) -> None:
    (home / "library" / "vectors.cache.0123.new").write_bytes(b"half")
    (home / "library" / "library.sqlite.4567.new").write_bytes(b"half")
    with Library.open(home / "library", encoder=encoder) as library:
        library.rebuild()
    assert not list((home / "library").glob("*.new"))


# --- mismatches ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"revision": "2"}, r"'1'.*'2'"),
        ({"name": "other"}, r"'bag-of-words'.*'other'"),
        ({"dimension": 32}, r"64.*32"),
        ({"max_pieces": 128}, r"256.*128"),
        ({"recipe": "query: "}, r"'words'.*'query: '"),
    ],
)
def test_another_encoder_is_refused_by_both_names_and_a_full_rebuild_helps(
    change: dict[str, object], told: str, home: Path, encoder: BagOfWordsEncoder
) -> None:
    with Library.open(home / "library", encoder=encoder.with_identity(**change)) as library:
        for ask in (lambda: library.search("rice"), lambda: library.update([home / "articles"])):
            with pytest.raises(LibraryMismatch, match=rf"{told}.*pilcrow rebuild --full"):
                ask()
        before = library.documents()
        library.rebuild(full=True)
        assert [document.content_hash for document in library.documents()] == [
            one.content_hash for one in before
        ]
        assert library.search("harvest of rice")[0].document_id == "rice.txt"
        assert library.check().ok


def test_another_chunker_is_refused_and_a_full_rebuild_helps(
    home: Path, encoder: BagOfWordsEncoder
) -> None:
    with sqlite3.connect(home / "library" / "library.sqlite") as connection:
        connection.execute("UPDATE meta SET value = 'windows-9' WHERE key = 'chunker'")
    connection.close()
    with Library.open(home / "library", encoder=encoder) as library:
        with pytest.raises(LibraryMismatch, match=r"'windows-9'.*pilcrow rebuild --full"):
            library.search("rice")
        library.rebuild(full=True)
        assert library.search("harvest of rice")[0].document_id == "rice.txt"


@pytest.mark.parametrize(
    ("version", "way_out"), [(FORMAT + 1, "pip install -U pilcrow-rag"), (1, "pilcrow add")]
)
@pytest.mark.fault("S2")
def test_another_format_is_refused_with_both_numbers(
    version: int, way_out: str, home: Path, encoder: BagOfWordsEncoder
) -> None:
    with sqlite3.connect(home / "library" / "library.sqlite") as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    before = (home / "library" / "library.sqlite").read_bytes()
    with pytest.raises(LibraryMismatch, match=rf"{version}.*{FORMAT}.*{way_out}"):
        Library.open(home / "library", encoder=encoder)
    assert (home / "library" / "library.sqlite").read_bytes() == before


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    with sqlite3.connect(tmp_path / "library" / "library.sqlite") as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = (tmp_path / "library" / "library.sqlite").read_bytes()
    with pytest.raises(LibraryDamaged, match="not a library of Pilcrow's"):
        Library.open(tmp_path / "library")
    assert (tmp_path / "library" / "library.sqlite").read_bytes() == before


def test_an_old_log_is_not_played_into_a_new_library(
    logged: Path, encoder: BagOfWordsEncoder
) -> None:
    (logged / "library.sqlite").unlink()
    with Library.open(logged, encoder=encoder) as library:
        assert library.documents() == []
        assert library.check().ok


def test_a_file_in_the_folders_place_is_an_error_of_input(tmp_path: Path) -> None:
    (tmp_path / "library").write_text("hello")
    with pytest.raises(PilcrowError, match="a library is a folder"):
        Library.open(tmp_path / "library")
    with pytest.raises(LibraryUnwritable, match="cannot be written"):
        Library.open(tmp_path / "library" / "below")
