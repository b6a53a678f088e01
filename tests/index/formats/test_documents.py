"""Files of every kind, and everything that can be wrong with one."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import docx
import pytest
from docx.opc.packuri import PackURI
from docx.opc.part import Part
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject, NumberObject

from index.formats import encodings, registry
from index.formats.registry import Unreadable, is_article, parse, read_bytes, visible, walk

PROSE = (
    "The ship lifted the broken end of the cable from ninety metres of water on Tuesday.",
    "Islanders had been without the network for nine hours, and banks had closed their doors.",
)


def reason(data: bytes, suffix: str) -> str:
    with pytest.raises(Unreadable) as caught:
        parse("x" + suffix, data, suffix)
    assert "\n" not in caught.value.reason
    return caught.value.reason


# ---------------------------------------------------------------- text files


@given(st.text())
def test_text_is_the_decoded_file(text: str) -> None:
    expected = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    try:
        document = parse("x.txt", text.encode(), ".txt")
    except Unreadable as error:
        wordless = not any(char.isalnum() for char in text)
        assert wordless or "binary" in error.reason or text.startswith("{\\rtf")
        return
    assert document.text == expected
    end = 0
    for span in document.boilerplate:
        assert end <= span.start < span.end <= len(expected)
        end = span.end


@pytest.mark.fault("C1")
@pytest.mark.parametrize("text", ["word", "one line.\n", "two\n\nparagraphs", "1"])
def test_small_texts(text: str) -> None:
    assert parse("x.txt", text.encode(), ".txt").text == text


HARD = "Zürich 👩‍👩‍👧 e\u0301 שלום עולם 网络空间 \u202eabc\u202c \x1b[31mred\x1b[0m " + "x" * 5000


@pytest.mark.fault("C4")
@pytest.mark.parametrize("suffix", [".txt", ".md", ".TXT", ".text", ".markdown"])
def test_hard_characters_stay_as_they_are(suffix: str) -> None:
    assert parse("x", HARD.encode(), suffix).text == HARD


@pytest.mark.fault("C2")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_encodings(encoding: str) -> None:
    data = "Größe\r\nund Höhe\r".encode(encoding)
    assert parse("x.txt", data, ".txt").text == "Größe\nund Höhe\n"


@pytest.mark.fault("C2", "G48")
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("café", "latin-1"),
        ("Die Straße führt über den Fluß. “Größe” zählt nicht – nie.", "cp1252"),
        ("Le café était fermé. Où êtes-vous allés ? Ça n'a pas marché.", "latin-1"),
        ("Интернет связывает людей по всему миру. Это было давно и неправда.", "cp1251"),
        ("Wczoraj w Łodzi otwarto nowe muzeum, które się wszystkim podoba.", "iso8859_2"),
        ("Wczoraj w Łodzi otwarto nowe muzeum, które się wszystkim podoba.", "cp1250"),
        ("Vláda se v Praze sešla a rozhodla, že most přes řeku zůstane.", "iso8859_2"),
        ("Vláda se v Praze sešla a rozhodla, že most přes řeku zůstane.", "cp852"),
        ("Az őrült kőműves nem volt ott, és a ház üres.", "iso8859_2"),
        ("Bu şehirde çok güzel bir müze var.", "cp1254"),
        ("Bu şehirde çok güzel bir müze var ve değişik şeyler görülebilir.", "cp857"),
        ("Die Größe der Häuser überraschte die Gäste aus Köln.", "cp850"),
        ("Die Größe der Häuser überraschte die Gäste aus Köln.", "mac_roman"),
        ("Vilnius yra Lietuvos sostinė, kurioje gyvena daug žmonių.", "cp1257"),
        ("Das kostet für Sie 5 €, und nicht mehr als das.", "iso8859_15"),
        ("In the café Zoë met François Müller and Señor Núñez from Århus.", "latin-1"),
        ("He said “no” – and left. It’s over… the end", "cp1252"),
        ("¿Dónde está el niño? Más allá del río.", "mac_roman"),
        ("m² und m³, ½ Liter, 20 °C: das ist für die Küche.", "cp1252"),
        (
            "Äpfel, Öl, Übermut: für Mädchen, Größen, Flüsse, Bäche, Höhlen, Türme, Gärten, Öfen, "
            "Löwen, Bären, Füchse, Hühner, Gänse, Möwen, Käfer, Flöhe, Kröten und Krähen. " * 4,
            "latin-1",
        ),
        ("インターネットの管理には多国間主義が必要です。京都で会議が開かれました。", "shift_jis"),
    ],
)
def test_older_encodings(text: str, encoding: str) -> None:
    assert parse("x.txt", text.encode(encoding), ".txt").text == text


@pytest.mark.fault("G48")
@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Ærø", "latin-1"), ("Žába", "cp852"), ("ışık", "cp1254"), ("Привет", "cp1251"),
     ("Привет and the rest of it in English words", "koi8-r")],
)  # fmt: skip
def test_what_may_be_in_several_encodings_is_refused_rather_than_read_wrongly(
    text: str, encoding: str
) -> None:
    with pytest.raises(Unreadable, match="encoding is unclear; save it as UTF-8"):
        parse("x.txt", text.encode(encoding), ".txt")


@pytest.mark.fault("G48")
def test_letters_that_come_late_are_looked_at_too() -> None:
    text = "Plain words to begin with.\n" * 10_000 + "Wczoraj w Łodzi otwarto muzeum, które jest."
    assert parse("x.txt", text.encode("iso8859_2"), ".txt").text == text


@pytest.mark.fault("G48")
@given(st.binary(max_size=200))
def test_bytes_are_never_read_as_what_they_do_not_encode(data: bytes) -> None:
    try:
        found = encodings.latin(data)
    except encodings.Unclear:
        return
    if found is not None:
        assert data.decode(found).encode(found) == data


@pytest.mark.fault("C2")
def test_a_few_damaged_bytes_in_utf8() -> None:
    data = ("Höhe, Größe und Länge; " * 20).encode() + b"\xff end"
    text = parse("x.txt", data, ".txt").text
    assert text.startswith("Höhe, Größe")
    assert text.endswith("\ufffd end")


@pytest.mark.fault("C1", "C3", "C5")
def test_what_is_no_text() -> None:
    assert reason(b"", ".txt") == "empty file"
    assert reason(b" \n\t\r\n", ".md") == "empty file"
    assert reason(b"\xef\xbb\xbf", ".txt").startswith("empty")
    assert reason(b"... --- ...", ".txt") == "no words in it"
    assert reason(b"a word\x00and more", ".txt") == "not text (binary)"
    assert reason(bytes(range(1, 32)) * 9 + b"a", ".txt") == "not text (binary)"
    assert reason(bytes(range(128, 256)) * 40, ".txt").startswith("not text")
    assert reason("text".encode("utf-16-le"), ".txt") == "not text (binary)"
    assert reason(b"%PDF-1.7 \n", ".txt") == "not text (a PDF file)"
    assert reason(b"\x89PNG\r\n\x1a\n" + bytes(40), ".md") == "not text (an image)"
    assert reason(word(PROSE[0]), ".txt").startswith("not text (a zip archive")
    assert reason(b"words", ".xyz") == "unknown suffix '.xyz'"
    assert reason(b"words", "").startswith("no suffix")


def test_markdown_and_text_differ() -> None:
    data = f"# Cut off\n\nBy Jane Doe\n\n{PROSE[0]}\n".encode()
    document = parse("x.md", data, ".md")
    assert (document.title, document.author) == ("Cut off", "Jane Doe")
    assert len(document.boilerplate) == 2
    assert document.text.encode() == data


# ---------------------------------------------------------------- web pages

PAGE = f"""<!DOCTYPE html><html lang="en"><head><title>Cut off &amp; back | The Wire</title>
<meta property="og:site_name" content="The Wire"><meta name="author" content="Jane Doe">
<meta property="article:published_time" content="2024-03-05T10:00:00Z">
<script>var tracked = "never shown";</script></head>
<body><nav><a href="/">Home</a> <a href="/world">World</a></nav>
<article><h1>Cut off &amp; back</h1><p>{PROSE[0]}</p><h2>Repair</h2>
<p>{PROSE[1]} The <b>ship</b> stayed\u202e two\u200d days\U000e0041.</p>
<ul><li>The first of the list</li><li>And the second</li></ul>
<table><tr><th>Year</th><th>Cuts</th></tr><tr><td>2023</td><td>14</td></tr></table>
</article><footer>Copyright 2024 The Wire</footer></body></html>"""


def test_web_page() -> None:
    document = parse("x.html", PAGE.encode(), ".html")
    assert document.title == "Cut off & back"
    assert (document.source, document.author, document.date) == (
        "The Wire",
        "Jane Doe",
        "2024-03-05",
    )
    blocks = document.text.split("\n\n")
    assert blocks[:3] == ["Cut off & back", PROSE[0], "Repair"]
    assert "The ship stayed two\u200d days." in blocks[3]
    assert "The first of the list\nAnd the second" in document.text
    assert "Year: 2023; Cuts: 14" in document.text
    assert "Home" not in document.text
    assert "never shown" not in document.text
    marked = [document.text[span.start : span.end] for span in document.boilerplate]
    assert marked == ["Cut off & back", "Repair"]


_HEAD = "<tr><th>Place</th><th>2019</th><th>2021</th></tr>"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (f"{_HEAD}<tr><th>Kyoto</th><td>523</td><td>640</td></tr>", "Place: Kyoto; 2019: 523"),
        (f"{_HEAD}<tr><td>Oslo</td><td></td><td>88</td></tr>", "Place: Oslo; 2021: 88"),
        (f"{_HEAD}<tr><td>Oslo</td><td>1</td><td>2</td><td>3</td></tr>", "Oslo | 1 | 2 | 3"),
        ("<tr><td>Oslo</td><td>far</td></tr><tr><td>a</td><td>b</td></tr>", "Oslo | far\na | b"),
        (_HEAD, "Place | 2019 | 2021"),
    ],
)
def test_cells_of_a_web_table_keep_their_header(rows: str, said: str) -> None:
    page = PAGE.replace(
        "<tr><th>Year</th><th>Cuts</th></tr><tr><td>2023</td><td>14</td></tr>", rows
    )
    assert rows in page
    assert said in parse("x.html", page.encode(), ".html").text


@pytest.mark.fault("C11")
@pytest.mark.parametrize("depth", [150, 1_000, 100_000])
def test_deeply_nested_page_is_never_silently_empty(depth: int) -> None:
    body = f"<h2>Deep</h2><p>{PROSE[0]}</p><p>{PROSE[1]}</p>"
    page = f"<html><title>Far down</title><body>{'<div>' * depth}{body}{'</div>' * depth}"
    document = parse("x.html", page.encode(), ".html")
    assert document.title == "Far down"
    assert document.text.split("\n\n")[-2:] == list(PROSE)


@pytest.mark.fault("C11")
@pytest.mark.parametrize(
    "page",
    [
        "<p>" + PROSE[0],
        "<p " + " ".join(f"a{number}=1" for number in range(50_000)) + f">{PROSE[0]}</p>",
        "<p>" + "".join(f"<b id={number}><i>" for number in range(2_000)) + PROSE[0],
        f"<html><body><div>{PROSE[0]}<br>{PROSE[1]}</div></body></html>",
        f"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><html><p>{PROSE[0]}</p></html>",
        PROSE[0],
    ],
)
def test_odd_pages_give_their_text(page: str) -> None:
    assert PROSE[0] in parse("x.htm", page.encode(), ".htm").text


def test_page_in_its_declared_encoding() -> None:
    page = "<html><head><meta charset='iso-8859-2'></head><p>Zażółć gęślą jaźń w Łodzi.</p></html>"
    assert "gęślą jaźń" in parse("x.html", page.encode("iso-8859-2"), ".html").text


def test_pages_without_text() -> None:
    assert reason(b"<html><body><script>let a = 1</script></body></html>", ".html").startswith(
        "empty"
    )
    assert reason(b"\x89PNG\r\n\x1a\n" + bytes(40), ".html") == "not HTML (an image)"


# ---------------------------------------------------------------- PDF


def pdf(*pages: tuple[str, ...], info: str = "") -> bytes:
    """A PDF with a text layer: each page a tuple of lines."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>")
    objects.append("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for number, lines in enumerate(pages):
        shown = " T* ".join(f"({line}) Tj" for line in lines)
        stream = f"BT /F1 11 Tf 14 TL 60 760 Td {shown} ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects.append(f"<< {info} >>")
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return out + (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info {len(objects)} 0 R >>\n"
        f"startxref\n{len(out)}\n%%EOF\n"
    ).encode("latin-1")


PAGES = (
    (
        "The Wire, March issue",
        "Cut off and back",
        "By Jane Doe",
        "The ship lifted the broken end of the cable from ninety metres of wa-",
        "ter on Tuesday, and the well-known captain, a man of few words, said",
        "that it was luck.",
        "Islanders had been without the network for nine hours, and the banks",
        "1",
    ),
    (
        "The Wire, March issue",
        "had closed their doors, as every captain knows.",
        "A second ship, which had waited in the harbour of Suva for a well-",
        "known engineer, left three days later.",
        "2",
    ),
    ("The Wire, March issue", "Nobody was surprised by that.", "3"),
)


def test_pdf_lines_become_paragraphs() -> None:
    info = "/Title (Cut off and back) /Author (scanner) /CreationDate (D:20240305101112Z)"
    document = parse("x.pdf", pdf(*PAGES, info=info), ".pdf")
    assert (document.title, document.author, document.date) == (
        "Cut off and back",
        "Jane Doe",
        "2024-03-05",
    )
    assert document.text.split("\n\n") == [
        "Cut off and back",
        "By Jane Doe",
        "The ship lifted the broken end of the cable from ninety metres of water on Tuesday, and "
        "the well-known captain, a man of few words, said that it was luck.",
        "Islanders had been without the network for nine hours, and the banks had closed their "
        "doors, as every captain knows.",
        "A second ship, which had waited in the harbour of Suva for a well-known engineer, left "
        "three days later.",
        "Nobody was surprised by that.",
    ]
    assert len(document.boilerplate) == 2


def test_pdf_title_that_is_a_file_name_is_none() -> None:
    pages = ("Nine hours without a network", *PAGES[0][3:6])
    document = parse("x.pdf", pdf(pages, info="/Title (report_final.docx)"), ".pdf")
    assert document.title == "Nine hours without a network"


def written(writer: PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.fault("C5", "C8")
def test_pdf_that_cannot_be_read() -> None:
    good = pdf(*PAGES)
    assert reason(b"%PDF-1.7\nnothing of the kind", ".pdf").startswith("damaged PDF")
    assert reason(b"<html><p>words</p></html>", ".pdf") == "not a PDF (an HTML page)"
    assert reason(b"\xff\xd8\xff\xe0" + bytes(50), ".pdf") == "not a PDF (an image)"
    assert reason(good[: len(good) // 3], ".pdf")
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(good)))
    writer.encrypt("secret", algorithm="RC4-128")
    assert reason(written(writer), ".pdf") == "password protected"


@pytest.mark.fault("C8")
def test_pdf_without_text_layer_or_with_too_many_pages() -> None:
    writer = PdfWriter()
    page = writer.add_blank_page(595, 842)
    assert reason(written(writer), ".pdf").startswith("no text layer")
    tree: Any = writer.root_object["/Pages"]
    tree["/Kids"].extend([page.indirect_reference] * 2_000)
    tree[NameObject("/Count")] = NumberObject(2_001)
    assert reason(written(writer), ".pdf") == "too many pages: 2001, limit 2000"


def test_pdf_with_an_empty_password_is_read() -> None:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf(*PAGES))))
    writer.encrypt("", owner_password="owner", algorithm="RC4-128")
    assert "Nobody was surprised" in parse("x.pdf", written(writer), ".pdf").text


# ---------------------------------------------------------------- Word


def word(*paragraphs: str, title: str = "") -> bytes:
    file = docx.Document()
    if title:
        file.add_heading(title, 0)
    for text in paragraphs:
        file.add_paragraph(text)
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


def repacked(data: bytes, **parts: bytes) -> bytes:
    """A .docx with parts replaced or added; `__` stands for the slash and `_` for the dot."""
    out = io.BytesIO()
    new = {name.replace("__", "/").replace("_", "."): body for name, body in parts.items()}
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", 8) as archive:
        for name in old.namelist():
            if name not in new:
                archive.writestr(name, old.read(name))
        for name, body in new.items():
            archive.writestr(name, body)
    return out.getvalue()


_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'


def noted(kind: str, notes: dict[str, str]) -> bytes:
    """A part with footnotes or endnotes."""
    inside = "".join(
        f'<w:{kind} w:id="{number}"><w:p><w:r><w:{kind}Ref/></w:r>'
        f'<w:r><w:t xml:space="preserve"> {text}</w:t></w:r></w:p></w:{kind}>'
        for number, text in notes.items()
    )
    return f"<w:{kind}s {_W}>{inside}</w:{kind}s>".encode()


def with_notes(body: str) -> bytes:
    """A Word file with this body, two footnotes and an endnote."""
    types = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    file = docx.Document()
    for kind, notes in (
        ("footnote", {"1": "The log says 14.", "2": "In the second year."}),
        ("endnote", {"1": "See the yearbook."}),
    ):
        name = PackURI(f"/word/{kind}s.xml")
        part = Part(name, f"application/x.{kind}s+xml", noted(kind, notes), file.part.package)
        file.part.relate_to(part, f"{types}/{kind}s")
    out = io.BytesIO()
    file.save(out)
    document = f"<w:document {_W} {_MC}><w:body>{body}</w:body></w:document>"
    return repacked(out.getvalue(), word__document_xml=document.encode())


def test_notes_and_text_boxes_of_word_files_are_read() -> None:
    def said(text: str) -> str:
        return f"<w:r><w:t>{text}</w:t></w:r>"

    def note(kind: str, number: int) -> str:
        return f'<w:r><w:{kind}Reference w:id="{number}"/></w:r>'

    box = f"<w:txbxContent><w:p>{said('Cables cost more at sea.')}</w:p></w:txbxContent>"
    boxed = (
        f'<w:r><mc:AlternateContent><mc:Choice Requires="wps">{box}</mc:Choice>'
        f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )
    cell = f"<w:tc><w:p>{said('Cuts')}{note('footnote', 2)}</w:p></w:tc>"
    body = (
        f"<w:p>{said('Cables were cut often.')}{note('footnote', 1)}"
        f"{note('endnote', 1)}{boxed}</w:p>"
        f"<w:p>{said('Again.')}{note('footnote', 1)}{note('footnote', 9)}</w:p>"
        f"<w:tbl><w:tblPr/><w:tblGrid><w:gridCol/></w:tblGrid><w:tr>{cell}</w:tr></w:tbl>"
    )
    assert parse("x.docx", with_notes(body), ".docx").text.split("\n\n") == [
        "Cables were cut often.", "Cables cost more at sea.", "The log says 14.",
        "See the yearbook.", "Again.", "Cuts", "In the second year.",
    ]  # fmt: skip
    broken = repacked(with_notes(body), word__footnotes_xml=b"<w:footnotes>")
    assert reason(broken, ".docx").startswith("damaged Word file")


def test_word_file() -> None:
    file = docx.Document()
    file.core_properties.title = "Draft 3"
    file.core_properties.author = "Somebody Else"
    file.add_heading("Cut off and back", 0)
    for text in ("By Jane Doe", "Published: 5 March 2024", PROSE[0]):
        file.add_paragraph(text)
    file.add_heading("Repair", 1)
    file.add_paragraph(PROSE[1] + "\u202e\U000e0041")
    table = file.add_table(2, 2)
    for number, text in enumerate(("Year", "Cuts", "2023", "14")):
        table.cell(number // 2, number % 2).text = text
    out = io.BytesIO()
    file.save(out)
    document = parse("x.docx", out.getvalue(), ".docx")
    assert (document.title, document.author, document.date) == (
        "Cut off and back",
        "Jane Doe",
        "2024-03-05",
    )
    assert document.text.split("\n\n")[3:] == [
        PROSE[0],
        "Repair",
        PROSE[1],
        "Year: 2023; Cuts: 14",
    ]
    assert len(document.boilerplate) == 4


def test_word_template_states_neither_author_nor_date() -> None:
    document = parse("x.docx", word(PROSE[0]), ".docx")
    assert (document.title, document.author, document.date) == ("", "", "")


@pytest.mark.fault("C5", "C9")
def test_word_files_that_cannot_be_read() -> None:
    good = word(PROSE[0])
    assert reason(b"<html><p>words</p></html>", ".docx") == "not a Word file (an HTML page)"
    assert reason(b"\xd0\xcf\x11\xe0" + bytes(600), ".docx").startswith("password protected, or")
    assert reason(good[: len(good) // 2], ".docx").startswith("damaged Word file")
    assert reason(repacked(good, word__document_xml=b"<w:p>"), ".docx").startswith("damaged Word")
    assert reason(word(), ".docx").startswith("empty")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("inner.zip", good)
    assert reason(out.getvalue(), ".docx") == "not a Word file (a zip archive)"


@pytest.mark.fault("C9")
def test_zip_bomb_is_refused_before_unpacking() -> None:
    bomb = repacked(word(PROSE[0]), word__media__a_bin=bytes(15_000_000))
    assert "times its size" in reason(bomb, ".docx")


@pytest.mark.fault("C9")
@pytest.mark.parametrize(("claimed", "said"), [(50, "damaged Word"), (200_000_000, "too big")])
def test_a_zip_that_lies_about_its_sizes(claimed: int, said: str) -> None:
    body = b"<!-- " + b"x" * 100_000 + b" -->"
    data = repacked(word(PROSE[0]), word__document_xml=body)
    real = len(body).to_bytes(4, "little")
    assert data.count(real) == 2  # in the local header and in the directory
    assert reason(data.replace(real, claimed.to_bytes(4, "little")), ".docx").startswith(said)


@pytest.mark.fault("C10")
@pytest.mark.parametrize(
    "doctype",
    [
        '<!ENTITY a SYSTEM "file://{path}">',
        '<!ENTITY b "words "><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;">'
        '<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY a "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">',
    ],
)
def test_entities_in_word_files_are_not_followed(doctype: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("words of a secret")
    main = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    xml = (
        f"<?xml version='1.0'?><!DOCTYPE x [{doctype.format(path=secret)}]>"
        f"<w:document xmlns:w='{main}'><w:body><w:p><w:r><w:t>Before &a; after</w:t></w:r></w:p>"
        "</w:body></w:document>"
    )
    try:
        text = parse("x.docx", repacked(word("x"), word__document_xml=xml.encode()), ".docx").text
    except Unreadable:
        return
    assert "words" not in text


@given(st.binary(max_size=200), st.sampled_from(registry.SUFFIXES), st.sampled_from(range(4)))
def test_any_bytes_are_a_document_or_a_reason(data: bytes, suffix: str, head: int) -> None:
    data = (b"", b"%PDF-1.4\n", b"PK\x03\x04", b"<html><p>")[head] + data
    try:
        document = parse("x", data, suffix)
    except Unreadable as error:
        assert error.reason
        return
    assert any(char.isalnum() for char in document.text)
    assert document.text.encode()


# ---------------------------------------------------------------- files and folders


@pytest.mark.fault("C14")
def test_read_bytes_refuses_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.txt"))
        for name in ("pipe.txt", "socket.txt", "."):
            with pytest.raises(Unreadable, match="not a regular file"):
                read_bytes(tmp_path / name)
    with pytest.raises(Unreadable, match="not a regular file"):
        read_bytes(Path(os.devnull))
    with pytest.raises(Unreadable, match="no such file"):
        read_bytes(tmp_path / "missing.txt")
    with pytest.raises(Unreadable, match="too long"):
        read_bytes(tmp_path / ("x" * 300 + ".txt"))


@pytest.mark.fault("C6")
def test_read_bytes_has_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.truncate(120_000_000)
    with pytest.raises(Unreadable, match="too big: 120 MB, limit 50 MB"):
        read_bytes(path)
    path.write_bytes(b"words")
    assert read_bytes(path) == b"words"


@pytest.mark.fault("C14")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "a.txt").chmod(0)
    closed.chmod(0)
    reported: list[tuple[Path, str]] = []
    try:
        found = list(walk(tmp_path, onerror=lambda *what: reported.append(what)))
        with pytest.raises(Unreadable, match="no permission"):
            read_bytes(tmp_path / "a.txt")
    finally:
        closed.chmod(0o700)
    assert [name for name, _ in found] == ["a.txt"]
    assert reported == [(closed, "no permission to read it")]


def test_walk_finds_what_can_be_read_in_order(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.md", "a.txt", "a/b/c.HTML", "x.xyz", "noend", ".hidden.txt",
                 ".git/x.txt", "~$b.docx", "a/pic.png"):  # fmt: skip
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("words")
    found = list(walk(tmp_path))
    assert [name for name, _ in found] == ["a.txt", "a/b/c.HTML", "a/z.md", "b.txt"]
    assert all(path == tmp_path / name for name, path in found)
    others = [path.name for path in visible(tmp_path) if not is_article(path)]
    assert others == ["pic.png", "noend", "x.xyz"]


@pytest.mark.fault("C14")
def test_walk_cuts_loops_and_keeps_to_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret.txt").write_text("words")
    (inside / "real.txt").write_text("words")
    (inside / "sub" / "up").symlink_to(inside, target_is_directory=True)
    (inside / "out").symlink_to(outside, target_is_directory=True)
    (inside / "leak.txt").symlink_to(outside / "secret.txt")
    (inside / "sub" / "same.txt").symlink_to(inside / "real.txt")
    (inside / "gone.txt").symlink_to(inside / "missing.txt")
    (inside / "self.txt").symlink_to(inside / "self.txt")
    os.mkfifo(inside / "pipe.txt")
    reported: dict[str, str] = {}
    found = walk(inside, onerror=lambda path, why: reported.update({path.name: why}))
    assert [name for name, _ in found] == ["real.txt", "sub/same.txt"]
    assert reported.pop("gone.txt") == "broken link"
    assert "loop" in reported.pop("self.txt")
    assert reported == {}
    assert all(map(is_article, visible(inside)))


def test_walk_through_a_linked_folder_and_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.txt").write_text("words")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert list(walk(tmp_path / "link")) == [("a.txt", tmp_path / "link" / "a.txt")]
    reported: list[str] = []
    assert list(walk(tmp_path / "gone", onerror=lambda _, why: reported.append(why))) == []
    assert reported == ["no such file or folder"]


@pytest.mark.fault("C13")
@pytest.mark.parametrize(
    "name",
    [b"new\nline.txt", b"<img onerror=x>.txt", b"-rf.txt", "\U0001f6a2.txt".encode(), b"CON.txt",
     b"'\".txt", b"a" * 251 + b".txt", b"caf\xe9.txt", b"..a.txt"[1:] + b".txt"],
)  # fmt: skip
def test_odd_names(name: bytes, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/sub/" + name))
    path.parent.mkdir()
    path.write_bytes(b"words")
    found = list(walk(tmp_path))
    if name.startswith(b"."):
        assert found == []
        return
    [(document_id, where)] = found
    assert where == path
    assert document_id.encode() == b"sub/" + name.replace(b"\xe9", b"\\xe9")
    assert parse(document_id, read_bytes(where), where.suffix).id == document_id


def test_importing_is_free() -> None:
    heavy = "trafilatura", "lxml", "pypdfium2", "docx", "selectolax", "charset_normalizer"
    code = (
        f"import sys, index.formats.registry; print([one for one in {heavy} if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
