"""PDF files made for the tests: known text, set as people set it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from reportlab.lib.enums import TA_JUSTIFY, TA_LEFT, TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
)

PROSE = (
    "The survey ship left Suva on the third of March with twelve engineers on board. "
    "Its captain had mended cables for thirty years and expected a quiet week. "
    "On the second day an echo sounder showed a landslide that no chart had.",
    "Repairs began at dawn, when the sea was calm enough for the grapnel. "
    "Nobody had measured the slope below nine hundred metres before; the well-known company from "
    "Tonga lent a small submarine. It found the broken end within four hours.",
    "The harbour master counted forty-one boats that waited for news. "
    "Shops took cash only, and the two banks of the island kept their doors shut until Friday. "
    "Teachers read the bulletins aloud in the market.",
    "When the first signal came through, the operators sent a single word. "
    "They had agreed on it the night before, over tea, in the wheelhouse. "
    "The answer arrived after eleven seconds and was twice as long.",
    "Insurance paid for the ship but not for the lost wages. "
    "A commission of five members will report to parliament in the coming year. "
    "It has asked for every log that was kept between January and June.",
    "Engineers now want a second line, laid far from the trench. "
    "It would cost eighty million and take three seasons to build. "
    "Fishermen fear for the banks where they have always set their nets.",
)
"""Paragraphs of sentences that all differ."""


@dataclass(frozen=True, slots=True)
class Made:
    """A file and the text it was made from."""

    name: str
    data: bytes
    paragraphs: tuple[str, ...]
    """In reading order, without headings, running heads and footnotes."""
    pages: int = 0
    """How many at least."""


def _fonts() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    folder = Path("/usr/share/fonts/truetype/dejavu")
    if (folder / "DejaVuSans.ttf").exists():
        pdfmetrics.registerFont(TTFont("DejaVu", str(folder / "DejaVuSans.ttf")))


def _style(**changes: object) -> ParagraphStyle:
    return ParagraphStyle(
        "body", **{"fontName": "Times-Roman", "fontSize": 10.5, "leading": 13, **changes}
    )


def flowing(
    story: Sequence[Flowable],
    columns: int = 1,
    decorate: Callable[[Canvas, int], None] | None = None,
) -> bytes:
    """Flowables set in so many columns; `decorate` draws heads and feet, given the page number."""
    out = io.BytesIO()
    width = (170 - 8 * (columns - 1)) / columns
    frames = [
        Frame((20 + i * (width + 8)) * mm, 30 * mm, width * mm, 230 * mm, 0, 0, 0, 0)
        for i in range(columns)
    ]

    def on_page(canvas: Canvas, document: BaseDocTemplate) -> None:
        if decorate:
            decorate(canvas, document.page)

    document = BaseDocTemplate(
        out, pagesize=A4, title="Nine hours", author="Jane Doe",
        pageTemplates=[PageTemplate(id="all", frames=frames, onPage=on_page)],
    )  # fmt: skip
    document.build(list(story))
    return out.getvalue()


def heads(canvas: Canvas, page: int) -> None:
    """A running head and a page number, as in a report."""
    canvas.setFont("Helvetica", 8)
    canvas.drawString(20 * mm, 285 * mm, "Annual report of the cable commission")
    canvas.drawCentredString(105 * mm, 12 * mm, f"– {page} –")


def chapter_heads(canvas: Canvas, page: int) -> None:
    """Heads that differ on left and right pages, numbers of both kinds."""
    canvas.setFont("Helvetica-Oblique", 8)
    if page % 2:
        canvas.drawRightString(190 * mm, 285 * mm, f"Chapter 3  {page}")
    else:
        canvas.drawString(20 * mm, 285 * mm, f"{page}  Cables of the Pacific")


NAMES = tuple(
    "Aurora Borea Calypso Delphin Electra Fortuna Galatea Halcyon Iolanthe Juno Kestrel Larkspur "
    "Minerva Nereid Octavia Pelican".split()
)


def _prose(times: int) -> list[str]:
    return [
        text.replace("The survey ship", f"The {name}").replace("Repairs", f"Work on the {name}")
        .replace("The harbour", f"{name} harbour's").replace("When the", f"When {name}'s")
        .replace("Insurance", f"{name} Insurance").replace("Engineers", f"{name}'s engineers")
        for i, name in enumerate(NAMES[:times])
        for text in PROSE[i % 6 :] + PROSE[: i % 6]
    ]  # fmt: skip


def _plain(name: str, columns: int, times: int, decorate: Callable[[Canvas, int], None] | None,
           **style: object) -> Made:  # fmt: skip
    texts = _prose(times)
    body = _style(**style)
    story: list[Flowable] = []
    for text in texts:
        story += [Paragraph(text, body), Spacer(1, 0 if "firstLineIndent" in style else 7)]
    return Made(name, flowing(story, columns, decorate), tuple(texts), 2 if times > 5 else 1)


def _with_headings(columns: int) -> Made:
    texts = _prose(4)
    heading = _style(
        fontName="Helvetica-Bold", fontSize=14, leading=18, spaceBefore=8, spaceAfter=4
    )
    story: list[Flowable] = []
    for number, text in enumerate(texts):
        if number % 3 == 0:
            story.append(Paragraph(f"{number // 3 + 1} What was done", heading))
        story += [Paragraph(text, _style(alignment=TA_JUSTIFY)), Spacer(1, 6)]
    return Made(f"headings{columns}", flowing(story, columns, heads), tuple(texts))


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most so many letters, long words parted with a hyphen."""
    lines, line = [], ""
    for word in text.split():
        if len(line) + len(word) + 1 <= width:
            line = f"{line} {word}".strip()
        elif len(word) > 7 and word.isalpha() and width - len(line) > 4:
            cut = min(width - len(line) - 2, len(word) - 3)
            lines.append(f"{line} {word[:cut]}-".strip())
            line = word[cut:]
        else:
            lines.append(line)
            line = word
    return [*lines, line]


def _drawn(name: str, texts: Sequence[str], width: int, *, notes: bool = False,
           rotation: int = 0, repeat: bool = False) -> Made:  # fmt: skip
    """Lines drawn one by one, with hyphens; footnotes at the bottom of each page."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    at, page = 770.0, 1

    def begin() -> None:
        if rotation:
            canvas.setPageRotation(rotation)
            canvas.translate(*{90: (595, 0), 180: (595, 842), 270: (0, 842)}[rotation])
            canvas.rotate(rotation)
        canvas.setFont("Times-Roman", 11)
        if repeat:
            canvas.drawString(72, 812, "The Cable Quarterly")

    def end() -> None:
        if notes:
            canvas.setFont("Times-Roman", 8)
            canvas.drawString(72, 60, f"{page} See what the {NAMES[page]} wrote in its log.")
        if repeat:
            canvas.setFont("Times-Roman", 9)
            canvas.drawCentredString(297, 30, str(page))
        canvas.showPage()

    begin()
    bottom = 90 if not rotation or rotation == 180 else 330
    for text in texts:
        for line in wrapped(text, width):
            if at < bottom:
                end()
                page, at = page + 1, 770.0
                begin()
            canvas.drawString(72, at, line)
            at -= 14
        at -= 9
    end()
    canvas.save()
    return Made(name, out.getvalue(), tuple(texts))


def _two_columns_row_by_row(name: str) -> Made:
    """Two columns whose lines the file has row by row, as some programs write them."""
    texts = _prose(2)
    lines = [[*wrapped(text, 44), ""] for text in texts]
    half = len(texts) // 2
    left = [line for text in lines[:half] for line in text]
    right = [line for text in lines[half:] for line in text]
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    canvas.setFont("Helvetica-Bold", 18)
    canvas.drawCentredString(297, 800, "A title that stands across both columns")
    canvas.setFont("Times-Roman", 10)
    for row in range(max(len(left), len(right))):
        for column, x in ((left, 60), (right, 320)):
            if row < len(column) and column[row]:
                canvas.drawString(x, 770 - 12 * row, column[row])
    canvas.save()
    return Made(name, out.getvalue(), tuple(texts))


CHINESE = (
    "测量船于三月三日离开苏瓦，船上有十二名工程师。船长修理海底电缆已有三十年，原以为这是平静的一周。",
    "修复工作在黎明开始，当时海面平静。没有人测量过九百米以下的斜坡；一家公司借出了一艘小型潜艇。",
    "港务长数了数，有四十一条船在等待消息。商店只收现金，岛上的两家银行一直关门到星期五。",
)
JAPANESE = (
    "調査船は三月三日にスバを出港し、十二人の技術者が乗っていた。船長は三十年間ケーブルを修理してきた。",
    "修理は夜明けに始まり、海は穏やかだった。四時間以内に切れた端が見つかった。",
)
HEBREW = (
    "ספינת הסקר עזבה את הנמל ביום שלישי עם שנים עשר מהנדסים. הקברניט תיקן כבלים שלושים שנה.",
    "התיקונים החלו עם שחר כאשר הים היה רגוע. אף אחד לא מדד את המדרון קודם לכן.",
)


def _cjk(name: str, texts: Sequence[str]) -> Made:
    pdfmetrics.registerFont(UnicodeCIDFont("HeiseiMin-W3"))
    font = "HeiseiMin-W3" if name == "japanese" else "STSong-Light"
    body = _style(fontName=font, wordWrap="CJK", fontSize=11, leading=17)
    story: list[Flowable] = []
    for text in texts:
        story += [Paragraph(text, body), Spacer(1, 10)]
    return Made(name, flowing(story, 2, None), tuple(texts))


def _right_to_left(name: str) -> Made:
    """Hebrew, drawn in the order in which it is seen."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    canvas.setFont("DejaVu", 12)
    at = 770
    for text in HEBREW:
        words, line, lines = text.split(), "", []
        for word in words:
            if len(line) + len(word) > 40:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}".strip()
        for drawn in [*lines, line]:
            canvas.drawRightString(523, at, drawn[::-1])
            at -= 16
        at -= 12
    canvas.save()
    return Made(name, out.getvalue(), HEBREW)


TABLE = (("Country", "Delegates", "Cables"), ("Japan", "523", "12"), ("Peru", "46", "3"),
         ("Fiji", "17", "2"))  # fmt: skip


def _table(name: str) -> Made:
    texts = _prose(1)
    story: list[Flowable] = [Paragraph(texts[0], _style()), Spacer(1, 8), Table(TABLE, [120] * 3)]
    story += [Spacer(1, 8), *(Paragraph(text, _style(spaceAfter=7)) for text in texts[1:])]
    names, *values = TABLE
    rows = tuple(
        "; ".join(f"{name}: {cell}" for name, cell in zip(names, row, strict=True))
        for row in values
    )
    return Made(name, flowing(story), (texts[0], *rows, *texts[1:]))


@cache
def every() -> tuple[Made, ...]:
    """The files: one and two columns, footnotes, heads, hyphens, tables, rotated, CJK, Hebrew."""
    _fonts()
    prose = _prose(4)
    made = [
        _plain("one", 1, 2, None),
        _plain("long", 1, 12, None),
        _plain("one-heads", 1, 12, heads),
        _plain("one-chapters", 1, 12, chapter_heads),
        _plain("justified", 1, 8, heads, alignment=TA_JUSTIFY),
        _plain("indented", 1, 8, heads, firstLineIndent=14, alignment=TA_JUSTIFY),
        _plain("right", 1, 3, None, alignment=TA_RIGHT),
        _plain("small", 1, 8, heads, fontSize=8, leading=9.5),
        _plain("large", 1, 3, heads, fontSize=14, leading=20),
        _plain("sans", 1, 6, heads, fontName="Helvetica"),
        _plain("mono", 1, 3, None, fontName="Courier", fontSize=9),
        _plain("two", 2, 3, None),
        _plain("two-heads", 2, 9, heads),
        _plain("two-justified", 2, 9, heads, alignment=TA_JUSTIFY),
        _plain("two-indented", 2, 9, chapter_heads, firstLineIndent=12, alignment=TA_JUSTIFY),
        _plain("three", 3, 6, heads, fontSize=8.5, leading=10.5),
        _with_headings(1),
        _with_headings(2),
        _drawn("hyphens", prose, 60),
        _drawn("narrow", prose, 34, repeat=True),
        _drawn("notes", _prose(8), 76, notes=True, repeat=True),
        _drawn("notes-hyphens", _prose(6), 48, notes=True),
        _drawn("turned-90", prose[:6], 70, rotation=90),
        _drawn("turned-180", prose[:6], 70, rotation=180),
        _drawn("turned-270", prose[:6], 70, rotation=270),
        _two_columns_row_by_row("row-by-row"),
        _table("table"),
        _cjk("chinese", CHINESE),
        _cjk("japanese", JAPANESE),
    ]
    if "DejaVu" in pdfmetrics.getRegisteredFontNames():
        made.append(_right_to_left("hebrew"))
    return tuple(made)


def book(pages: int) -> bytes:
    """A book of so many pages, each with a sentence of its own."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for number in range(1, pages + 1):
        canvas.setFont("Times-Roman", 11)
        for row in range(40):
            text = f"Line {row} says what a line of page says."
            if row == 35:
                text = f"The lighthouse of chapter {number} has {number} steps."
            canvas.drawString(72, 770 - 16 * row, text)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


__all__ = ["PROSE", "TABLE", "TA_LEFT", "Made", "book", "every", "flowing", "heads", "wrapped"]
