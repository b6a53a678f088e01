"""One real file per format, each with a sentence that stands nowhere else, and where it stands."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage

import compressed_rtf
import docx
import xlsxwriter

from tests.support.made import outlook, pdf_files


@dataclass(frozen=True, slots=True)
class Sample:
    """A file, a question that only it answers, and what its citation says."""

    name: str
    data: bytes
    question: str
    quote: str
    """What is in the text of the citation."""
    page: str = ""
    section: str = ""
    title: str = ""


def archive_of(parts: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def epub() -> bytes:
    chapter = "<html><body><h1>{}</h1><p>{}</p></body></html>"
    return archive_of(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:'
            'container"><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
            "OPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.'
            'org/dc/elements/1.1/"><metadata><dc:title>Harbours</dc:title><dc:creator>Ann Lee'
            "</dc:creator><dc:date>2023-05-01</dc:date></metadata><manifest>"
            '<item id="a" href="one.xhtml"/><item id="b" href="two.xhtml"/></manifest>'
            '<spine><itemref idref="b"/><itemref idref="a"/></spine></package>',
            "OPS/one.xhtml": chapter.format("Lights", "The lamp of Vuda burns whale oil."),
            "OPS/two.xhtml": chapter.format("Tides", "The tide of Labasa turns twice a day."),
        }
    )


_A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
_P = 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
_R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
_RELS = "http://schemas.openxmlformats.org/package/2006/relationships"


def _shape(text: str, kind: str = "") -> str:
    place = f'<p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr>' if kind else ""
    return f"<p:sp>{place}<p:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"


def pptx() -> bytes:
    def slide(*shapes: str) -> str:
        return f"<p:sld {_A} {_P}><p:cSld><p:spTree>{''.join(shapes)}</p:spTree></p:cSld></p:sld>"

    def relations(**targets: str) -> str:
        inner = "".join(f'<Relationship Id="{i}" Target="{t}"/>' for i, t in targets.items())
        return f'<Relationships xmlns="{_RELS}">{inner}</Relationships>'

    cell = "<a:tc><a:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:txBody></a:tc>"
    rows = (("Port", "Cranes"), ("Suva", "14"), ("Nadi", "3"))
    table = "".join(f"<a:tr>{''.join(map(cell.format, row))}</a:tr>" for row in rows)
    return archive_of(
        {
            "[Content_Types].xml": "<Types/>",
            "ppt/presentation.xml": f'<p:presentation {_P} {_R}><p:sldIdLst><p:sldId r:id="r2"/>'
            '<p:sldId r:id="r1"/></p:sldIdLst></p:presentation>',
            "ppt/_rels/presentation.xml.rels": relations(
                r1="slides/slide1.xml", r2="slides/slide2.xml"
            ),
            "ppt/slides/slide1.xml": slide(
                _shape("Costs", "title"), _shape("The dredger cost nine million dollars."),
                f"<p:graphicFrame><a:graphic><a:tbl>{table}</a:tbl></a:graphic></p:graphicFrame>",
            ),
            "ppt/slides/slide2.xml": slide(_shape("Plan", "ctrTitle"), _shape("We begin in May.")),
            "ppt/slides/_rels/slide2.xml.rels": relations(n="../notesSlides/notesSlide1.xml"),
            "ppt/notesSlides/notesSlide1.xml": slide(_shape("Remember to thank the pilots.")),
        }
    )  # fmt: skip


_OFFICE = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{full}:1.0"'
    for name, full in (("office", "office"), ("text", "text"), ("table", "table"),
                       ("draw", "drawing"), ("meta", "meta"))
)  # fmt: skip
_META = (
    f'<office:document-meta {_OFFICE} xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta>'
    "<dc:title>Moorings</dc:title><meta:initial-creator>Jo May</meta:initial-creator>"
    "<meta:creation-date>2022-01-02T10:00:00</meta:creation-date></office:meta>"
    "</office:document-meta>"
)


def _cells(*rows: tuple[str, ...], name: str = "A table") -> str:
    def cell(value: str) -> str:
        kind = 'office:value-type="string"'
        return f"<table:table-cell {kind}><text:p>{value}</text:p></table:table-cell>"

    inner = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    return f'<table:table table:name="{name}">{inner}</table:table>'


def odt() -> bytes:
    body = (
        '<text:h text:outline-level="1">Rules</text:h><text:p>Boats moor<text:s/>at the '
        "<text:span>north</text:span> quay.<text:note><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>Since the flood of 1999.</text:p></text:note-body></text:note>"
        "</text:p>" + _cells(("Berth", "Depth"), ("Seven", "12 metres"), ("Eight", "9 metres"))
    )
    content = (
        f"<office:document-content {_OFFICE}><office:body><office:text>{body}</office:text>"
        "</office:body></office:document-content>"
    )
    return archive_of({"content.xml": content, "meta.xml": _META})


def odp() -> bytes:
    box = "<draw:text-box><text:p>{}</text:p></draw:text-box>"
    page = f"<draw:page><draw:frame>{box}</draw:frame></draw:page>"
    pages = page.format("The buoy is green.") + page.format("The beacon of Kadavu is red.")
    content = (
        f"<office:document-content {_OFFICE}><office:body><office:presentation>{pages}"
        "</office:presentation></office:body></office:document-content>"
    )
    return archive_of({"content.xml": content, "meta.xml": _META})


def xlsx() -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.add_worksheet("Notes").write(0, 0, "Figures of the customs office.")
    sheet = book.add_worksheet("Imports")
    for number, row in enumerate((("Good", "Tonnes"), ("Copra", 4411), ("Tea", 12.5))):
        sheet.write_row(number, 0, row)
    book.close()
    return out.getvalue()


def ods() -> bytes:
    tables = _cells(("Quay", "Cranes"), ("Old", "2"), name="Quays")
    tables += _cells(("Pier", "Boats"), ("Rewa", "64"), ("Ba", "9"), name="Piers")
    return archive_of(
        {
            "mimetype": "application/vnd.oasis.opendocument.spreadsheet",
            "content.xml": f"<office:document-content {_OFFICE}><office:body><office:spreadsheet>"
            f"{tables}</office:spreadsheet></office:body></office:document-content>",
            "META-INF/manifest.xml": "<manifest/>",
        }
    )


def xls(*, locked: bool = False) -> bytes:
    """A workbook as Excel wrote them until 2003 (MS-XLS): records in a stream."""
    rows: list[list[str | int]] = [["Lamp", "Steps"], ["Vuda", 211], ["Moce", 87]]

    def record(kind: int, data: bytes = b"") -> bytes:
        return struct.pack("<HH", kind, len(data)) + data

    def begin(kind: int) -> bytes:
        return record(0x0809, struct.pack("<HHHHII", 0x0600, kind, 0, 1997, 0, 6))

    def cell(row: int, column: int, value: str | int) -> bytes:
        at = struct.pack("<HHH", row, column, 0)
        if isinstance(value, int):
            return record(0x0203, at + struct.pack("<d", value))
        return record(0x0204, at + struct.pack("<HB", len(value), 0) + value.encode("latin-1"))

    def book(at: int) -> bytes:
        sheet = struct.pack("<IBBBB", at, 0, 0, 5, 0) + b"Lamps"
        password = record(0x2F, struct.pack("<HHH", 1, 1, 1) + bytes(48)) if locked else b""
        return begin(0x05) + password + record(0x85, sheet) + record(0x0A)

    cells = b"".join(cell(r, c, value) for r, row in enumerate(rows) for c, value in enumerate(row))
    size = record(0x0200, struct.pack("<IIHHH", 0, len(rows), 0, 2, 0))
    first = begin(0x10) + size + cells + record(0x0A)
    return outlook.compound({"Workbook": book(len(book(0))) + first})


def eml() -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"] = "Pilot boats", "Ann Lee <ann@example.org>"
    message["Date"] = "Tue, 05 Mar 2024 10:11:12 +0100"
    message.set_content("Dear all,\n\nthe pilot boat leaves from Lautoka at six.\n")
    message.add_attachment("The spare anchor lies in shed nine.", filename="anchor.txt")
    message.set_boundary("parts")  # else another one each time
    return message.as_bytes()


def outlook_mail() -> bytes:
    return outlook.message(
        "Buoys of the strait", "Dear all,\r\n\r\nthe buoys are paid for by the harbour board.\r\n",
        sender="Ann Lee", sent=datetime(2024, 3, 5, 9, tzinfo=UTC),
        attached=[("chain.txt", b"The old chain hangs in shed eleven."), ("x.bin", b"\0" * 5_000)],
    )  # fmt: skip


def mbox() -> bytes:
    return b"".join(
        f"From x@y Tue Mar 05 10:11:12 2024\nSubject: {subject}\nFrom: Jo May <jo@x.org>\n"
        f"Date: Tue, 05 Mar 2024 10:11:12 +0100\n\n{text}\n\n".encode()
        for subject, text in (
            ("Fenders", "The fenders were ordered in Apia."),
            ("Ropes", "The ropes of the Kestrel are made of hemp."),
        )
    )


def word() -> bytes:
    file = docx.Document()
    file.add_heading("Crew", 1)
    table = file.add_table(3, 2)
    for row, cells in zip(table.rows, (("Rank", "Pay"), ("Mate", "900"), ("Cook", "700")),
                          strict=True):  # fmt: skip
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


SRT = """1
00:00:01,000 --> 00:00:03,000
<i>Welcome</i> to the shipyard.

2
00:12:40,500 --> 00:12:43,000
The hull of the Nereid
is clad in copper.
"""
NOTEBOOK = json.dumps(
    {"cells": [
        {"cell_type": "markdown", "source": ["# Drift\n", "Current of the strait."]},
        {"cell_type": "code", "source": ["speed = 3"], "outputs": []},
        {"cell_type": "markdown", "source": ["## Result\n", "\n", "The raft drifts four knots."]},
    ]}
)  # fmt: skip
TEX = r"""\documentclass{article}\title{On keels}\author{Jane Doe}
\begin{document}\maketitle
\section{Wood} % a comment
The keel of the \emph{Octavia} is cut from one oak~\cite{x}.
\subsection{Nails}
Its nails are bronze.
\end{document}
"""
RTF = (
    rb"{\rtf1\ansi{\info{\title Sails}{\author Jo May}}"
    rb"\pard The mainsail weighs ninety kilos.\par Next.\par}"
)
OLD_RTF = (
    rb"{\rtf1\ansi\pard The islands have six.\par"
    rb" The capstan of Moce is turned by two mules.\par}"
)
HTML = b"""<!doctype html><html><head><title>Gulls - The Harbour Post</title></head><body>
<nav><a href="/">Home</a></nav><article><h1>Gulls</h1><p>The gulls of the harbour were counted
again this spring by the whole school.</p><h2>Nests</h2><p>The gulls of Nananu nest in an old
crane, which nobody has moved since the war, and they come back to it every year.</p></article>
</body></html>"""

SAMPLES = (
    Sample("note.txt", b"Nets\n\nBy Ann Lee\n\nThe nets of Kioa are dyed with mangrove bark.\n",
           "What are the nets of Kioa dyed with?", "mangrove bark", "", "", "Nets"),
    Sample("note.md", b"# Oars\n\nThere are many.\n\n## Ash\n\nThe oars of Rabi are cut from ash."
           b"\n", "What are the oars of Rabi cut from?", "ash", "", "Ash", "Oars"),
    Sample("gulls.html", HTML, "What do the gulls of Nananu nest in?", "an old crane", "",
           "Nests", "Gulls"),
    Sample("book.pdf", pdf_files.book(9), "How many steps has the lighthouse of chapter 7?",
           "chapter 7 has 7 steps", "page 7"),
    Sample("piers.ods", ods(), "How many boats has the pier Rewa?", "Pier: Rewa; Boats: 64",
           "sheet Piers"),
    Sample("lamps.xls", xls(), "How many steps has the lamp Vuda?", "Lamp: Vuda; Steps: 211",
           "sheet Lamps"),
    Sample("book.epub", epub(), "What does the lamp of Vuda burn?", "whale oil", "chapter 2",
           "Lights", "Harbours"),
    Sample("deck.pptx", pptx(), "How much did the dredger cost?", "nine million", "slide 2",
           "Costs"),
    Sample("cranes.pptx", pptx(), "How many cranes has the port Suva?", "Port: Suva; Cranes: 14",
           "slide 2", "Costs"),
    Sample("notes.pptx", pptx(), "Whom should we thank?", "thank the pilots", "slide 1"),
    Sample("rules.odt", odt(), "Where do boats moor?", "north quay", "", "Rules", "Moorings"),
    Sample("depth.odt", odt(), "What depth has berth Seven?", "Berth: Seven; Depth: 12 metres",
           "", "Rules"),
    Sample("lights.odp", odp(), "What colour is the beacon of Kadavu?", "red", "slide 2"),
    Sample("goods.xlsx", xlsx(), "How many tonnes of copra?", "Good: Copra; Tonnes: 4411",
           "sheet Imports"),
    Sample("ports.csv", b"Port,Ships\nLevuka,31\nSavusavu,8\n", "How many ships has Levuka?",
           "Port: Levuka; Ships: 31"),
    Sample("ports.tsv", b"Port\tPilots\nLevuka\t5\nSavusavu\t2\n", "How many pilots has Levuka?",
           "Port: Levuka; Pilots: 5"),
    Sample("fleet.json", json.dumps({"ships": [{"name": "Juno", "mast": {"height": 31}},
           {"name": "Pelican", "mast": {"height": 28}}]}).encode(),
           "What mast height has the Pelican?", "Pelican"),
    Sample("log.jsonl", b'{"day": 1, "wind": "gale"}\n{"day": 2, "wind": "calm breeze"}\n',
           "On which day was the wind a calm breeze?", "day: 2; wind: calm breeze"),
    Sample("drift.ipynb", NOTEBOOK.encode(), "How fast does the raft drift?", "four knots",
           "cell 3", "Result"),
    Sample("pilots.eml", eml(), "Where does the pilot boat leave from?", "Lautoka", "", "",
           "Pilot boats"),
    Sample("anchor.eml", eml(), "Where does the spare anchor lie?", "shed nine", "",
           "Attachment: anchor.txt"),
    Sample("buoys.msg", outlook_mail(), "Who pays for the buoys?", "harbour board", "", "",
           "Buoys of the strait"),
    Sample("chain.msg", outlook_mail(), "Where does the old chain hang?", "shed eleven", "",
           "Attachment: chain.txt"),
    Sample("old.msg", outlook.message("Capstans", rtf=compressed_rtf.compress(OLD_RTF)),
           "What turns the capstan of Moce?", "two mules", "", "", "Capstans"),
    Sample("mail.mbox", mbox(), "What are the ropes of the Kestrel made of?", "hemp",
           "message Ropes",
           "Ropes, Jo May, 2024-03-05"),
    Sample("film.srt", SRT.encode(), "What is the hull of the Nereid clad in?", "copper",
           "00:12:40"),
    Sample("film.vtt", b"WEBVTT\n\n" + SRT.replace(",", ".").replace("copper", "tin").encode(),
           "What is the hull clad in?", "tin", "00:12:40"),
    Sample("guide.rst", b"Tides\n=====\n\nIntro text.\n\nHigh water\n----------\n\n"
           b"High water reaches the chapel wall.\n", "What does high water reach?", "chapel wall",
           "", "High water", "Tides"),
    Sample("plan.org", b"#+TITLE: Slipways\n* Winter\n** TODO Grease\nThe slipway is greased with "
           b"tallow.\n", "What is the slipway greased with?", "tallow", "", "Winter \u203a Grease",
           "Slipways"),
    Sample("manual.adoc", b"= Winches\n\n== Brakes\n\nThe brake of the winch is lined with cork.\n",
           "What is the brake of the winch lined with?", "cork", "", "Brakes", "Winches"),
    Sample("keels.tex", TEX.encode(), "What is the keel of the Octavia cut from?", "one oak", "",
           "Wood", "On keels"),
    Sample("sails.rtf", RTF, "How much does the mainsail weigh?", "ninety kilos", "", "", "Sails"),
    Sample("crew.docx", word(), "How much pay does the mate get?", "Rank: Mate; Pay: 900"),
    Sample("page.xhtml", b"<html><head><title>Docks</title></head><body><h1>Docks</h1><p>The dry "
           b"dock of Walu Bay holds two tugs at once, says the harbour board in its own report of "
           b"the year.</p></body></html>", "How many tugs does the dry dock hold?", "two tugs"),
)  # fmt: skip
