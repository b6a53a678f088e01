"""Documents and pages a second, format by format, against the library that parses them.

    python -m tests.benchmarks.bench_formats [--waits]

The same article of some 14,000 words (the seeds, one after the other), or as many rows, in each
format. *Raw* is the parser that we call, used as its manual says, its text put together and thrown
away. *Read* is our reader in this very process: the same and titles, dates, headings, places and
boxes, all there is before a text is split; both in processor time, in turn. *Whole* is what adding
it costs but for embedding: read in the sandbox and split into passages, by the clock.

With `--waits`, what a person waits for instead, by the clock: the page of a citation into a PDF of
1,000 pages, drawn with its sentence boxed; and a file that is written in a watched folder of 10,000
until it is in the library, with what watching costs while nothing happens.
"""

from __future__ import annotations

import csv
import gc
import io
import json
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from queue import Queue
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any

import docx
import xlsxwriter
from reportlab.platypus import Paragraph, Spacer

import seeds
from index import Library, UpdateReport
from index.formats.registry import _PICTURES, parse, read_here
from index.languages.splitting import passages
from index.sources.watching import watch
from tests.benchmarks.bench_library import timed
from tests.support.fakes import BagOfWordsEncoder
from tests.support.made import outlook, pdf_files
from tests.support.made.format_files import _OFFICE, archive_of

_TIMES = 7
_ROOM = 200
_READING = 1.5
"""Seconds between opening an article and asking for its page."""


@dataclass(frozen=True)
class Case:
    """A file of one format, and how its parser is used without us."""

    suffix: str
    data: bytes
    raw: Callable[[bytes], object]
    pages: int = 0
    name: str = ""


def texts() -> list[str]:
    """The paragraphs of the seed articles."""
    every = sorted(Path(str(seeds.articles())).glob("*.txt"))
    whole = "\n\n".join(path.read_text(encoding="utf-8") for path in every)
    return [" ".join(part.split()) for part in whole.split("\n\n") if part.strip()]


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def _word(parts: list[str]) -> bytes:
    file = docx.Document()
    for part in parts:
        file.add_paragraph(part)
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


def _open_text(parts: list[str]) -> bytes:
    body = "".join(f"<text:p>{_escaped(part)}</text:p>" for part in parts)
    return archive_of(
        {
            "content.xml": f"<office:document-content {_OFFICE}><office:body><office:text>{body}"
            "</office:text></office:body></office:document-content>"
        }
    )


def _book(parts: list[str]) -> bytes:
    chapters = [parts[at : at + 20] for at in range(0, len(parts), 20)]
    items = "".join(f'<item id="c{n}" href="{n}.xhtml"/>' for n in range(len(chapters)))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    made = {
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="book.opf"/>'
        "</rootfiles></container>",
        "book.opf": f"<package><manifest>{items}</manifest><spine>{spine}</spine></package>",
    }
    for n, chapter in enumerate(chapters):
        inner = "".join(f"<p>{_escaped(part)}</p>" for part in chapter)
        made[f"{n}.xhtml"] = f"<html><body>{inner}</body></html>"
    return archive_of(made)


def _sheet(parts: list[str]) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet("Rows")
    for number, row in enumerate(_rows(parts)):
        sheet.write_row(number, 0, row)
    book.close()
    return out.getvalue()


def _rows(parts: list[str]) -> list[list[str]]:
    return [["Part", "Words", "Text"], *([str(n), str(len(p)), p] for n, p in enumerate(parts))]


def _csv(parts: list[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(_rows(parts))
    return out.getvalue().encode()


def _mail(parts: list[str]) -> bytes:
    message = EmailMessage()
    message["Subject"], message["From"] = "All of it", "Ann Lee <ann@example.org>"
    message.set_content("\n\n".join(parts))
    return message.as_bytes()


# --- the parsers without us ---------------------------------------------------------------


def _raw_pdf(data: bytes) -> object:
    import pypdfium2

    with pypdfium2.PdfDocument(data) as pdf:
        return [page.get_textpage().get_text_range() for page in pdf]


def _raw_pdf_boxes(data: bytes) -> object:
    import pypdfium2

    found = []
    with pypdfium2.PdfDocument(data) as pdf:
        for page in pdf:
            text = page.get_textpage()
            for number in range(text.count_rects()):
                box = text.get_rect(number)
                found.append((box, text.get_text_bounded(*box)))
    return found


def _raw_page(data: bytes) -> object:
    from trafilatura import bare_extraction

    return bare_extraction(data.decode(), include_comments=False, with_metadata=True)


def _raw_word(data: bytes) -> object:
    return [paragraph.text for paragraph in docx.Document(io.BytesIO(data)).paragraphs]


def _raw_xml(data: bytes) -> object:
    from lxml import etree

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return ["".join(etree.fromstring(archive.read(name)).itertext())
                for name in archive.namelist() if name.endswith("ml")]  # fmt: skip


def _raw_book(data: bytes) -> object:
    from selectolax.lexbor import LexborHTMLParser

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        pages = (archive.read(name).decode() for name in archive.namelist() if "xhtml" in name)
        return [LexborHTMLParser(page).text() for page in pages]


def _raw_sheet(data: bytes) -> object:
    from python_calamine import CalamineWorkbook

    book = CalamineWorkbook.from_filelike(io.BytesIO(data))
    return [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]


def _raw_rtf(data: bytes) -> object:
    from striprtf.striprtf import rtf_to_text

    return rtf_to_text(data.decode("latin-1"))


def _raw_outlook(data: bytes) -> object:
    from oxmsg import Message

    return Message.load(io.BytesIO(data)).body


def _raw_mail(data: bytes) -> object:
    message: Any = message_from_bytes(data, policy=policy.default)
    return message.get_body(("plain",)).get_content()


def _raw_markdown(data: bytes) -> object:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").parse(data.decode())


def cases() -> list[Case]:
    parts = texts()
    whole = "\n\n".join(parts)
    inner = "".join(f"<p>{_escaped(part)}</p>" for part in parts)
    html = f"<html><head><title>All</title></head><body><article>{inner}</article></body></html>"
    style = pdf_files._style()
    drawn = [(Paragraph(_escaped(part), style), Spacer(1, 6)) for part in parts]
    pdf = pdf_files.flowing([flowable for pair in drawn for flowable in pair])
    pages = len(_raw_pdf(pdf))  # type: ignore[arg-type]
    cells = json.dumps({"cells": [{"cell_type": "markdown", "source": [p]} for p in parts]})
    values = json.dumps([{"number": n, "text": p} for n, p in enumerate(parts)])
    plain = (part.encode("ascii", "replace").decode() for part in parts)
    rtf = "{\\rtf1\\ansi " + "\\par ".join(plain) + "}"
    return [
        Case(".pdf", pdf, _raw_pdf, pages),
        Case(".pdf", pdf, _raw_pdf_boxes, pages, "pdf, raw with the box of each piece"),
        Case(".html", html.encode(), _raw_page),
        Case(".docx", _word(parts), _raw_word),
        Case(".odt", _open_text(parts), _raw_xml),
        Case(".epub", _book(parts), _raw_book),
        Case(".xlsx", _sheet(parts), _raw_sheet),
        Case(".rtf", rtf.encode(), _raw_rtf),
        Case(".msg", outlook.message("All of it", whole), _raw_outlook),
        Case(".eml", _mail(parts), _raw_mail),
        Case(".md", whole.encode(), _raw_markdown),
        Case(".ipynb", cells.encode(), json.loads),
        Case(".json", values.encode(), json.loads),
        Case(".csv", _csv(parts), lambda data: list(csv.reader(io.StringIO(data.decode())))),
        Case(".txt", whole.encode(), bytes.decode),
    ]  # fmt: skip


def _spent(act: Callable[[], object]) -> float:
    """Seconds of processor time: a busy machine does not change them much, nor does garbage."""
    gc.collect()
    gc.disable()
    start = time.process_time()
    act()
    took = time.process_time() - start
    gc.enable()
    return took


def measured(case: Case) -> str:
    """A row of the table."""
    name = f"all{case.suffix}"
    raw, ours = [], []
    for _ in range(_TIMES + 1):
        raw.append(_spent(lambda: case.raw(case.data)))
        ours.append(_spent(lambda: read_here(name, case.data, case.suffix)))

    def add() -> None:
        document = parse(name, case.data, case.suffix)
        list(passages(document, lambda text: len(text.split()), _ROOM))

    whole = median([timed(add) for _ in range(_TIMES)][1:])
    theirs, mine = median(raw[1:]), median(ours[1:])
    speed = f"{case.pages / whole:.0f}" if case.pages else ""
    cells = [
        case.name or case.suffix[1:], f"{1000 * theirs:.1f}", f"{1000 * mine:.1f}",
        f"{mine / theirs:.2f}", f"{1000 * (mine - theirs):.1f}", f"{1 / whole:.1f}", speed,
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


# --- what a person waits for --------------------------------------------------------------


def shown(folder: Path, pages: int = 1_000) -> None:
    """Prints how long it takes to show the page of a citation."""
    (folder / "book.pdf").write_bytes(pdf_files.book(pages))
    with Library.open(folder / "library", encoder=BagOfWordsEncoder()) as library:
        took = timed(lambda: library.update([folder / "book.pdf"]))
        text = library.document("book.pdf").text

        def show(number: int) -> None:
            start = text.index(f"The lighthouse of chapter {number} has")
            assert library.page_picture("book.pdf", number, start, start + 20).boxes

        cold = timed(lambda: show(pages // 2))
        _PICTURES.close()
        library.expect_pages("book.pdf")  # as when its text is opened, beside which the page is
        time.sleep(_READING)
        first = timed(lambda: show(pages // 2))
        rest = [timed(partial(show, number)) for number in range(7, pages, pages // 20)]
    size = (folder / "book.pdf").stat().st_size / 1e6
    told = (
        f"a PDF of {pages} pages ({size:.1f} MB), added in {took:.1f} s: the page of a citation "
        f"{1000 * median(rest):.0f} ms, at most {1000 * max(rest):.0f}; the first one, "
        f"{_READING} s after its text was opened, {1000 * first:.0f}, at once {1000 * cold:.0f}"
    )
    print(told)  # noqa: T201


def noticed(folder: Path, files: int = 10_000) -> None:
    """Prints how long a change takes to be in the library, and what watching costs."""
    home = folder / "notes"
    for number in range(files):
        path = home / f"{number // 100}" / f"{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"Note {number}. The ferry of quay {number} sails at {number % 24}.")
    reports, stop, ready = Queue[UpdateReport](), Event(), Event()
    with Library.open(folder / "watched", encoder=BagOfWordsEncoder(64)) as library:

        def run() -> None:
            for report in watch(library, [home], stop, ready.set):
                reports.put(report)

        thread = Thread(target=run)
        thread.start()
        reports.get()
        ready.wait()
        idle = time.process_time()
        time.sleep(20)
        idle = (time.process_time() - idle) / 20
        waits = []
        for number in range(_TIMES):
            (home / "7" / f"new{number}.txt").write_text(f"The new ferry {number} sails at noon.")
            waits.append(timed(reports.get))
        stop.set()
        thread.join()
    told = (
        f"a watched folder of {files} files: {1000 * idle:.1f} ms of processor time a second while "
        f"nothing happens; a new file is there after {median(waits):.2f} s, at most "
        f"{max(waits):.2f}"
    )
    print(told)  # noqa: T201


def main() -> None:
    if "--waits" in sys.argv:
        with TemporaryDirectory() as folder:
            shown(Path(folder))
            noticed(Path(folder))
        return
    print("| format | raw, ms | read, ms | ratio | more, ms | documents/s | pages/s |")  # noqa: T201
    print("|---|---|---|---|---|---|---|")  # noqa: T201
    for case in cases():
        print(measured(case), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
