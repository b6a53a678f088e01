"""A Zotero library: its PDFs with what Zotero says of them, read while Zotero holds it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from index import InputError, Library, SearchScope
from index.sources import again, zotero
from index.sources.zotero import is_zotero
from tests.index.formats.test_documents import pdf
from tests.support.fakes import BagOfWordsEncoder
from ui.cli import app
from ui.commands.session import Parts

# As Zotero 7 makes them (resource/schema/userdata.sql, system.sql), without their triggers.
SCHEMA = """
CREATE TABLE itemTypes (itemTypeID INTEGER PRIMARY KEY, typeName TEXT, templateItemTypeID INT,
    display INT DEFAULT 1);
CREATE TABLE fields (fieldID INTEGER PRIMARY KEY, fieldName TEXT, fieldFormatID INT);
CREATE TABLE creatorTypes (creatorTypeID INTEGER PRIMARY KEY, creatorType TEXT);
CREATE TABLE libraries (libraryID INTEGER PRIMARY KEY, type TEXT NOT NULL,
    editable INT NOT NULL, filesEditable INT NOT NULL, version INT NOT NULL DEFAULT 0,
    storageVersion INT NOT NULL DEFAULT 0, lastSync INT NOT NULL DEFAULT 0,
    archived INT NOT NULL DEFAULT 0);
CREATE TABLE items (itemID INTEGER PRIMARY KEY, itemTypeID INT NOT NULL,
    dateAdded TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    dateModified TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    clientDateModified TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, libraryID INT NOT NULL,
    key TEXT NOT NULL, version INT NOT NULL DEFAULT 0, synced INT NOT NULL DEFAULT 0,
    UNIQUE (libraryID, key));
CREATE TABLE itemDataValues (valueID INTEGER PRIMARY KEY, value UNIQUE);
CREATE TABLE itemData (itemID INT, fieldID INT, valueID INT, PRIMARY KEY (itemID, fieldID));
CREATE TABLE itemAttachments (itemID INTEGER PRIMARY KEY, parentItemID INT, linkMode INT,
    contentType TEXT, charsetID INT, path TEXT, syncState INT DEFAULT 0, storageModTime INT,
    storageHash TEXT, lastProcessedModificationTime INT);
CREATE TABLE tags (tagID INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE itemTags (itemID INT NOT NULL, tagID INT NOT NULL, type INT NOT NULL,
    PRIMARY KEY (itemID, tagID));
CREATE TABLE creators (creatorID INTEGER PRIMARY KEY, firstName TEXT, lastName TEXT, fieldMode INT,
    UNIQUE (lastName, firstName, fieldMode));
CREATE TABLE itemCreators (itemID INT NOT NULL, creatorID INT NOT NULL,
    creatorTypeID INT NOT NULL DEFAULT 1, orderIndex INT NOT NULL DEFAULT 0,
    PRIMARY KEY (itemID, creatorID, creatorTypeID, orderIndex), UNIQUE (itemID, orderIndex));
CREATE TABLE deletedItems (itemID INTEGER PRIMARY KEY,
    dateDeleted DEFAULT CURRENT_TIMESTAMP NOT NULL);
INSERT INTO libraries (libraryID, type, editable, filesEditable) VALUES (1, 'user', 1, 1);
INSERT INTO itemTypes VALUES (22, 'journalArticle', NULL, 1), (3, 'attachment', NULL, 1);
INSERT INTO fields VALUES (1, 'title', NULL), (6, 'date', NULL), (38, 'publicationTitle', NULL),
    (13, 'url', NULL);
INSERT INTO creatorTypes VALUES (8, 'author'), (10, 'editor');
"""


class Zotero:
    """A folder of Zotero's data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "storage").mkdir(parents=True)
        self.database = folder / "zotero.sqlite"
        self.run(SCHEMA)
        self.items = 0

    def run(self, script: str) -> None:
        with closing(sqlite3.connect(self.database)) as database:
            database.executescript(script)

    def item(
        self, *, authors: tuple[tuple[str, str, str], ...] = (), tags: tuple[str, ...] = (),
        **fields: str,
    ) -> int:  # fmt: skip
        self.items += 1
        number = self.items
        with closing(sqlite3.connect(self.database)) as db, db:
            db.execute(
                "INSERT INTO items (itemID, itemTypeID, libraryID, key) VALUES (?, 22, 1, ?)",
                (number, f"ITEM{number:04}"),
            )
            for name, value in fields.items():
                db.execute("INSERT OR IGNORE INTO itemDataValues (value) VALUES (?)", (value,))
                db.execute(
                    "INSERT INTO itemData SELECT ?, fieldID, valueID FROM fields, itemDataValues "
                    "WHERE fieldName = ? AND value = ?",
                    (number, name, value),
                )
            for order, (kind, first, last) in enumerate(authors):
                row = (first, last, int(not first))
                db.execute(
                    "INSERT OR IGNORE INTO creators (firstName, lastName, fieldMode) "
                    "VALUES (?, ?, ?)",
                    row,
                )
                db.execute(
                    "INSERT INTO itemCreators SELECT ?, creatorID, creatorTypeID, ? "
                    "FROM creators, creatorTypes WHERE lastName = ? AND creatorType = ?",
                    (number, order, last, kind),
                )
            for name in tags:
                db.execute("INSERT OR IGNORE INTO tags (name) VALUES (?)", (name,))
                db.execute(
                    "INSERT INTO itemTags SELECT ?, tagID, 0 FROM tags WHERE name = ?",
                    (number, name),
                )
        return number

    def attach(self, parent: int | None, path: str, data: bytes = b"", mode: int = 0) -> Path:
        """An attachment; its file, which is in the storage where the path says so."""
        self.items += 1
        key = f"FILE{self.items:04}"
        with closing(sqlite3.connect(self.database)) as db, db:
            db.execute(
                "INSERT INTO items (itemID, itemTypeID, libraryID, key) VALUES (?, 3, 1, ?)",
                (self.items, key),
            )
            db.execute(
                "INSERT INTO itemAttachments (itemID, parentItemID, linkMode, path) "
                "VALUES (?, ?, ?, ?)",
                (self.items, parent, mode, path),
            )
        file = self.folder / "storage" / key / path.removeprefix("storage:")
        if path.startswith("storage:") and data:
            file.parent.mkdir()
            file.write_bytes(data)
        return file


@pytest.fixture
def shelf(tmp_path: Path) -> Zotero:
    made = Zotero(tmp_path / "home" / "Zotero")
    paper = made.item(
        title="Hours of the old ferry", date="2021-03-00 March 2021",
        publicationTitle="Journal of Harbours", tags=("boats", "law/eu"),
        authors=(("editor", "Max", "Pole"), ("author", "Ann", "Berg"), ("author", "", "UNESCO")),
    )  # fmt: skip
    made.attach(paper, "storage:Berg 2021.pdf", pdf(("The ferry sails at nine.",)))
    made.attach(paper, "storage:page.html", b"<p>The ferry's own page says nothing.</p>")
    made.attach(None, "storage:alone.PDF", pdf(("The raft leaves at dusk.",)))
    return made


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with Library.open(tmp_path / "store", encoder=BagOfWordsEncoder()) as made:
        yield made


def add(library: Library, shelf: Zotero) -> list[str]:
    report = zotero.add(library, home=shelf.folder.parent)
    assert report.failed == ()
    return sorted(report.added)


def files_of(shelf: Zotero) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in shelf.folder.rglob("*") if path.is_file()}


def test_a_pdf_has_the_facts_of_its_item(library: Library, shelf: Zotero) -> None:
    assert add(library, shelf) == ["FILE0002/Berg 2021.pdf", "FILE0004/alone.PDF"]
    first, alone = library.documents()
    assert (first.title, first.author) == ("Hours of the old ferry", "Ann Berg, UNESCO")
    assert (first.date, first.source) == ("2021-03", "Journal of Harbours")
    assert first.tags == ("boats", "law/eu")
    assert alone.author == alone.date == "" and alone.tags == ()
    hits = library.search("When does it sail?", scope=SearchScope(tags=["law"]))
    assert [hit.title for hit in hits] == ["Hours of the old ferry"]
    assert library.page_picture(first.id, 1).pages == 1
    assert library.check().ok


def test_it_is_read_while_zotero_writes_and_never_written_to(
    library: Library, shelf: Zotero
) -> None:
    """Zotero holds its database alone, in the middle of a change that may not last."""
    before = files_of(shelf)
    with closing(sqlite3.connect(shelf.database, isolation_level=None)) as held:
        held.execute("PRAGMA locking_mode = EXCLUSIVE")
        held.execute("PRAGMA cache_size = 1")
        held.execute("BEGIN EXCLUSIVE")
        held.execute("UPDATE itemDataValues SET value = 'Never' WHERE value LIKE 'Hours%'")
        held.execute("CREATE TABLE ballast AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT "
                     "i + 1 FROM n LIMIT 5000) SELECT i, hex(randomblob(100)) FROM n")  # fmt: skip
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            sqlite3.connect(shelf.database, timeout=0).execute("SELECT * FROM items")
        assert len(add(library, shelf)) == 2
        held.execute("ROLLBACK")
    assert library.documents()[0].title == "Hours of the old ferry"
    assert files_of(shelf) == before


def test_what_zotero_says_anew_is_read_by_the_next_rebuild(library: Library, shelf: Zotero) -> None:
    add(library, shelf)
    assert isinstance(library.encoder, BagOfWordsEncoder)
    before = library.encoder.encoded
    quiet = again.rebuild(library)
    assert (quiet.added, quiet.updated, len(quiet.unchanged)) == ((), (), 2)
    shelf.run("UPDATE itemDataValues SET value = '2022-05-07 7 May 2022' WHERE value LIKE '2021%';"
              "UPDATE tags SET name = 'ships' WHERE name = 'boats'")  # fmt: skip
    report = again.rebuild(library)
    assert report.updated == ("FILE0002/Berg 2021.pdf",)
    (record, _) = library.documents()
    assert (record.date, record.tags) == ("2022-05-07", ("law/eu", "ships"))
    assert library.encoder.encoded == before, "what it says is the same"


def test_the_bin_and_what_a_person_removed_stay_out(library: Library, shelf: Zotero) -> None:
    add(library, shelf)
    library.remove(["FILE0004/alone.PDF"])
    shelf.attach(1, "storage:new.pdf", pdf(("The barge rests at noon.",)))
    assert zotero.add(library, f"zotero:{shelf.folder}").added == ("FILE0005/new.pdf",)
    shelf.run("INSERT INTO deletedItems (itemID) VALUES (2)")
    report = again.rebuild(library)
    assert report.removed == ("FILE0002/Berg 2021.pdf",)
    assert [record.id for record in library.documents()] == ["FILE0005/new.pdf"]


def test_linked_files_are_found_where_they_lie(
    library: Library, shelf: Zotero, tmp_path: Path
) -> None:
    papers = tmp_path / "papers"
    papers.mkdir()
    for name in ("far", "near"):
        (papers / f"{name}.pdf").write_bytes(pdf((f"The {name} lighthouse has nine steps.",)))
    (papers / "page.html").write_text("<p>A page of the folder, which is a person's own.</p>")
    library.update([papers / "page.html"], folder=papers)
    shelf.attach(1, str(papers / "far.pdf"), mode=2)
    shelf.attach(1, "attachments:near.pdf", mode=2)
    shelf.attach(1, "attachments:missing.pdf", mode=2)
    shelf.attach(1, "storage:../../../secret.pdf")
    profile = shelf.folder.parent / ".zotero/zotero/abc.default"
    profile.mkdir(parents=True)
    (profile / "prefs.js").write_text(
        f'user_pref("extensions.zotero.baseAttachmentPath", "{papers}");\n'
    )
    assert len(add(library, shelf)) == 4
    facts = {r.id: r.title for r in library.documents()}
    assert facts["far.pdf"] == facts["near.pdf"] == "Hours of the old ferry"
    assert "page.html" in {record.id for record in library.documents()}
    library.rebuild()
    assert "page.html" in {record.id for record in library.documents()}


def test_where_its_data_are_its_preferences_say(library: Library, shelf: Zotero) -> None:
    moved = shelf.folder.rename(shelf.folder.parent / 'Papers of "mine"')
    profile = shelf.folder.parent / ".zotero/zotero/abc.default"
    profile.mkdir(parents=True)
    quoted = str(moved).replace('"', '\\"')
    (profile / "prefs.js").write_text(f'user_pref("extensions.zotero.dataDir", "{quoted}");\n')
    assert len(zotero.add(library, home=shelf.folder.parent).added) == 2


@pytest.mark.fault("C22")
def test_what_is_no_zotero_library_is_told_in_one_line(library: Library, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Zotero library in"):
        zotero.add(library, home=tmp_path)
    with pytest.raises(InputError, match="no Zotero library in '~nobody-is-called-so/x'"):
        zotero.add(library, "zotero:~nobody-is-called-so/x")
    folder = tmp_path / "Zotero"
    folder.mkdir()
    (folder / "zotero.sqlite").write_bytes(b"no database at all, " * 100)
    with pytest.raises(InputError, match="cannot be read"):
        zotero.add(library, f"zotero:{folder}")
    (folder / "zotero.sqlite").write_bytes(b"")
    with pytest.raises(InputError, match="no such table"):
        zotero.add(library, f"zotero:{folder}")


@pytest.mark.fault("C22")
def test_what_a_hostile_library_says_is_one_line_of_text(library: Library, shelf: Zotero) -> None:
    bad = shelf.item(title="A\nB\x1b[31m<script>", date="nonsense", url="x" * 5_000)
    shelf.attach(bad, "storage:bad.pdf", pdf(("The tide is out.",)))
    add(library, shelf)
    record = next(r for r in library.documents() if r.id.endswith("bad.pdf"))
    assert "\n" not in record.title and "\x1b" not in record.title
    assert record.date == "" and len(record.source) <= 1_000


def test_the_command_adds_it(
    shelf: Zotero, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(path: Path, create: bool, threads: int) -> Library:
        return Library.open(path, encoder=BagOfWordsEncoder(), create=create)

    monkeypatch.setenv("HOME", str(shelf.folder.parent))
    words = ["--store", str(tmp_path / "store"), "add", "zotero:"]
    result = CliRunner().invoke(app, words, obj=Parts(opened))
    assert result.exit_code == 0 and "2 added" in result.stderr
    assert is_zotero("Zotero:~/x") and not is_zotero("zotero") and not is_zotero(Path("zotero:"))
