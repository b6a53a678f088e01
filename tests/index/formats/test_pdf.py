"""PDF as paper: text in reading order, the page of every sentence, and its box on the page."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from rapidfuzz import fuzz
from reportlab.platypus import Paragraph, Spacer, Table, TableStyle

from index import InputError, Library
from index.formats.pdf import picture
from index.formats.pdf.page_text import PageText
from index.formats.pdf.reading import opened, read
from index.languages.splitting import paragraphs, sentences
from index.storage.sqlite.database import WORDS_AS_THEY_STAND
from index.types import Document, Span
from tests.support.fakes import BagOfWordsEncoder
from tests.support.made import pdf_files
from tests.support.made.pdf_files import Made

FILES = {made.name: made for made in pdf_files.every()}


def body(document: Document) -> list[str]:
    return [document.text[span.start : span.end] for span in paragraphs(document)]


def sentences_of(texts: list[str] | tuple[str, ...]) -> list[str]:
    return [part.text for text in texts for part in sentences(text, Span(0, len(text)))]


@pytest.mark.parametrize("made", FILES.values(), ids=FILES.keys())
def test_the_text_is_what_the_file_was_made_from(made: Made) -> None:
    document = read(made.name, made.data)
    got = body(document)
    assert fuzz.ratio("\n".join(made.paragraphs), "\n".join(got)) >= 98
    assert document.pages[0].number == 1
    starts = [page.start for page in document.pages]
    assert starts == sorted(set(starts))


def test_nearly_every_sentence_is_whole_and_boxed_exactly() -> None:
    wanted = whole = boxed = exact = 0
    for made in FILES.values():
        document = read(made.name, made.data)
        known = [at for span in paragraphs(document) for at in sentences(document.text, span)]
        texts = {at.text for at in known}
        wanted += len(sentences_of(made.paragraphs))
        whole += sum(text in texts for text in sentences_of(made.paragraphs))
        with opened(made.data) as pdf:
            for at in known[3::25]:
                boxed += 1
                exact += letters_boxed(pdf, document, at.start, at.end) == letters(at.text)
    assert whole >= 0.98 * wanted
    assert boxed > 60
    assert exact >= 0.98 * boxed


def letters_boxed(pdf: Any, document: Document, start: int, end: int) -> list[str]:
    """The letters of a page whose middle is in a box of a sentence."""
    inside = ""
    for number, quote, before in document.on_pages(start, end):
        with closing(pdf[number - 1]) as page, closing(PageText(page)) as text:
            boxes = picture.found(text, quote, before)
            for index, letter in enumerate(text.characters):
                at = text.box(index)
                x, y = (at.left + at.right) / 2, (at.top + at.bottom) / 2
                if any(b.left <= x <= b.right and b.top <= y <= b.bottom for b in boxes):
                    inside += letter
    return letters(inside)


def letters(text: str) -> list[str]:
    return sorted(letter for letter in text if letter.isalnum())


def test_a_word_that_goes_on_over_a_page_belongs_to_both_pages() -> None:
    texts = ("The captain had " + "waited " * 500 + "for the signal.",)
    made = pdf_files._drawn("over", texts, 60, notes=True, repeat=True)
    document = read("over.pdf", made.data)
    assert body(document)[0] == texts[0]
    at = document.text.index("for the signal")
    assert document.location(0).page_name == "page 1"
    assert document.location(at).page == 2
    assert [page for page, _, _ in document.on_pages(0, at)] == [1, 2]


def test_running_heads_footnotes_and_page_numbers_are_not_in_paragraphs() -> None:
    document = read("notes.pdf", FILES["notes"].data)
    assert "Cable Quarterly" not in document.text
    first = document.text.index("1 See what the Borea wrote")
    assert document.location(first).page == 1
    assert any(text.startswith("1 See what") for text in body(document))


def test_headings_give_sections_and_are_no_paragraphs() -> None:
    document = read("headings.pdf", FILES["headings2"].data)
    assert [heading.text for heading in document.headings][:2] == [
        "1 What was done", "2 What was done",
    ]  # fmt: skip
    at = document.text.index(FILES["headings2"].paragraphs[4])
    assert document.location(at).section == "2 What was done"
    assert "1 What was done" not in body(document)


def test_a_page_is_drawn_with_the_sentence_boxed() -> None:
    data = pdf_files.book(3)
    quote = "The lighthouse of chapter 2 has 2 steps."
    drawn = picture.draw(data, 2, quote)
    image = Image.open(io.BytesIO(drawn.png))
    assert image.size == (drawn.width, drawn.height)
    assert drawn.pages == 3
    ((left, top, width, height),) = drawn.boxes
    assert 0.1 < left < 0.15 and 0.7 < top < 0.8 and 0.2 < width < 0.5 and height < 0.03
    part = image.convert("L").crop(
        (int(left * image.width), int(top * image.height),
         int((left + width) * image.width), int((top + height) * image.height))
    )  # fmt: skip
    assert min(part.tobytes()) < 90, "there are letters in the box"
    assert picture.draw(data, 1, quote).boxes == ()


def test_what_stands_on_a_page_twice_is_boxed_where_it_is_meant() -> None:
    data = pdf_files.book(1)
    first = picture.draw(data, 1, "says what a line of page says.", "Line 0").boxes
    before = "Line 0 says what a line of page says. Line 1"
    second = picture.draw(data, 1, "says what a line of page says.", before).boxes
    assert first[0][1] < second[0][1]


def older(library: Path) -> None:
    """The library as one was before there were pages and sections."""
    connection = sqlite3.connect(library / "library.sqlite")
    connection.executescript(
        f"DROP TABLE words; {WORDS_AS_THEY_STAND};"
        "ALTER TABLE passages DROP COLUMN places; ALTER TABLE contents DROP COLUMN edition;"
        "ALTER TABLE contents DROP COLUMN outline; PRAGMA user_version = 5;"
    )
    connection.close()


@pytest.mark.fault("G49")
def test_a_library_from_before_there_were_pages_gets_them_without_embedding_anything(
    tmp_path: Path,
) -> None:
    encoder = BagOfWordsEncoder()
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "book.pdf").write_bytes(pdf_files.book(3))
    (tmp_path / "papers" / "note.txt").write_text("KYOTO, Oct 12 - The lighthouse is closed.")
    with Library.open(tmp_path / "library", encoder=encoder) as library:
        library.update([tmp_path / "papers"])
        wanted = library.search("steps of the lighthouse of chapter 2", 1)[0]
        text = library.document("book.pdf").text
    assert wanted.location(text.index("The lighthouse of chapter 2")).page == 2
    connection = sqlite3.connect(tmp_path / "library" / "library.sqlite")
    connection.executescript(
        "UPDATE contents SET outline = '', labels = ''; UPDATE passages SET places = ''"
    )
    connection.close()
    older(tmp_path / "library")
    with Library.open(tmp_path / "library", encoder=encoder) as library:
        assert not library.check().ok, "the seals are over pages too, which the test took away"
    reseal(tmp_path / "library")
    embedded = encoder.encoded
    with Library.open(tmp_path / "library", encoder=encoder) as library:
        assert library.check().ok
        assert library.search("steps of the lighthouse of chapter 2", 1)[0].places == ()
        report = library.rebuild()
        assert (report.updated, report.unchanged) == (("book.pdf", "note.txt"), ())
        assert encoder.encoded == embedded
        assert [library.document(id_).written_in for id_ in report.updated] == ["", "Kyoto"]
        hit = library.search("steps of the lighthouse of chapter 2", 1)[0]
        assert hit.location(text.index("The lighthouse of chapter 2")).page == 2
        assert library.check().ok
        assert library.rebuild().updated == ()


def reseal(library: Path) -> None:
    """Write the seals as they were made then."""
    from index.storage import codec

    connection = sqlite3.connect(library / "library.sqlite")
    for table, columns, source in (
        ("contents", codec.UNPLACED_COLUMNS, "contents c"),
        ("passages", codec.unplaced(codec.PASSAGE_COLUMNS),
         "passages p JOIN contents c ON c.id = p.content"),
    ):  # fmt: skip
        id_ = "c.id" if table == "contents" else "p.id"
        rows = connection.execute(f"SELECT {id_}, {columns} FROM {source}").fetchall()
        for row in rows:
            seal = codec.checksum(row[1:])
            connection.execute(f"UPDATE {table} SET seal = ? WHERE id = ?", (seal, row[0]))
    connection.commit()
    connection.close()


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("book")
    (folder / "book.pdf").write_bytes(pdf_files.book(30))
    (folder / "note.txt").write_text("No page.")
    with Library.open(folder / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([folder / "book.pdf", folder / "note.txt"])
        yield library


def test_a_library_shows_the_page_of_a_citation_drawn_in_the_sandbox(book: Library) -> None:
    text = book.document("book.pdf").text
    start = text.index("The lighthouse of chapter 21")
    end = text.index(".", start) + 1
    shown = book.page_picture(
        "book.pdf", book.document("book.pdf").location(start).page, start, end
    )
    assert (shown.pages, len(shown.boxes)) == (30, 1)
    assert Image.open(io.BytesIO(shown.png)).size == (shown.width, shown.height)
    assert book.page_picture("book.pdf", 22, start, end).boxes == ()


@pytest.mark.fault("C8")
def test_a_page_that_cannot_be_shown_is_told_in_one_line(book: Library) -> None:
    for document, page in (("book.pdf", 31), ("book.pdf", 0), ("note.txt", 1), ("gone.pdf", 1)):
        with pytest.raises(InputError) as caught:
            book.page_picture(document, page)
        assert "\n" not in str(caught.value)
    file = book.path.parent / "book.pdf"
    whole = file.read_bytes()
    file.write_bytes(whole + b"\n")
    with pytest.raises(InputError, match="has changed"):
        book.page_picture("book.pdf", 1)
    file.write_bytes(whole)


# --- tables -------------------------------------------------------------------------------


def table_of(*rows: tuple[str, ...], bold: bool = False, width: int = 120) -> bytes:
    style = [("FONTNAME", (0, 0), (-1, 0), "Helvetica-Bold")] if bold else []
    table = Table(rows, [width] * max(map(len, rows)), style=TableStyle(style))
    return pdf_files.flowing([Paragraph("What was counted, and where."), Spacer(1, 8), table])


def rows_of(data: bytes) -> list[str]:
    return body(read("table.pdf", data))[1:]


NUMBERS = (
    ("Harbour", "Ships", "Share of all"), ("Old quay", "1,204", "12.5 %"), ("Apia", "46", "3 %"),
)  # fmt: skip


def test_each_value_of_a_table_is_named_by_its_column() -> None:
    assert rows_of(table_of(*NUMBERS)) == [
        "Harbour: Old quay; Ships: 1,204; Share of all: 12.5 %",
        "Harbour: Apia; Ships: 46; Share of all: 3 %",
    ]
    gap = rows_of(table_of(*NUMBERS, ("Levuka", "", "9 %"), ("", "7", "1 %")))
    assert gap[2:] == ["Harbour: Levuka; Share of all: 9 %", "Ships: 7; Share of all: 1 %"]
    words = (("Berth", "Keeper"), ("North", "Ann"), ("South", "Jo"))
    assert rows_of(table_of(*words, bold=True)) == [
        "Berth: North; Keeper: Ann", "Berth: South; Keeper: Jo",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "rows",
    [
        (("Berth", "Keeper"), ("North", "Ann"), ("South", "Jo")),  # which is the header?
        (("1999", "2000"), ("12", "13"), ("14", "15")),
        (("Ships", "Ships"), ("12", "13"), ("14", "15")),
        (("Harbour", "Ships"), ("Apia", "46")),
        (("Harbour", "Ships"), ("Apia", "46"), ("Levuka", "many")),
    ],
)
def test_rows_without_a_sure_header_stay_as_they_are(rows: tuple[tuple[str, ...], ...]) -> None:
    assert rows_of(table_of(*rows)) == [" | ".join(row) for row in rows]


def test_a_row_is_boxed_with_the_names_of_its_columns() -> None:
    data = table_of(*NUMBERS)
    document = read("table.pdf", data)
    quote = "Harbour: Apia; Ships: 46; Share of all: 3 %"
    start = document.text.index(quote)
    with opened(data) as pdf:
        assert letters_boxed(pdf, document, start, start + len(quote)) == letters(quote)
    boxes = picture.draw(data, 1, quote, document.text[:start]).boxes
    assert len(boxes) == 6 and len({round(top, 3) for _, top, _, _ in boxes}) == 2
    second = document.text.index("Ships: 46")
    part = picture.draw(data, 1, "Ships: 46", document.text[:second]).boxes
    assert len(part) == 2
