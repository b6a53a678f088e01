"""HTML → `Document`: the main text of a web page, without menus and adverts.

What a browser would not draw goes first. trafilatura finds the main text; where it finds next to
nothing, selectolax reads all there is.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from index.formats.base import Block, Unreadable, joined, rebuilt
from index.formats.bylines import clean
from index.formats.dates import parse_date
from index.formats.decoding import BOMS, decode, sniff
from index.formats.plain.rows import spoken
from index.formats.web import hidden
from index.types import Document, Heading

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{2,40})", re.IGNORECASE)
# So little text from so large a page: the extractor has lost the page, not found it empty.
_LITTLE, _LARGE = 200, 5_000
# The extractor needs about 0.1 ms a tag; long encyclopedia articles have some 50,000.
_TAG_LIMIT = 100_000


def read(document_id: str, data: bytes, address: str = "") -> Document:
    """A web page: its main text without menus, what its metadata say, headings as furniture.

    Where the extractor finds next to nothing, everything readable on the page is taken.

    Args:
        document_id: what it is called.
        data: the page.
        address: where it was fetched from; its source is then that, or the address of the same
            host that the page wants to be cited by.
    """
    kind = sniff(data)
    if kind and kind != "an HTML page":
        raise Unreadable(f"not HTML ({kind})")
    decoded = _LONG_TAG.sub(_shortened, _decoded_page(data))
    measured = _measured(decoded)
    page = _drawn(decoded, measured[0])
    stated: Any = None
    depth, number = measured if page is decoded else _measured(page)
    if depth > _DEPTH_LIMIT:
        page = _flattened(page)
    elif number <= _TAG_LIMIT:
        stated = _extracted(page)
    blocks = [] if stated is None or stated.body is None else list(_blocks(stated.body))
    if sum(len(text) for text, _ in blocks) < _LITTLE and (len(page) > _LARGE or not blocks):
        whole = list(all_blocks(page))
        if sum(len(text) for text, _ in whole) > 2 * sum(len(text) for text, _ in blocks):
            blocks = whole
    title, author, date, source = (
        clean(getattr(stated, name, None) or "") for name in ("title", "author", "date", "sitename")
    )
    text, headings = joined(blocks)
    return rebuilt(
        document_id,
        text,
        headings,
        title=_best_title(title, headings, _title_tag(page)),
        source=_canonical(page, address) if address else source,
        author=author.replace(";", ","),
        date=parse_date(date),
    )


def _canonical(page: str, address: str) -> str:
    """The address that a page is cited by; one of another host is not believed."""
    from selectolax.lexbor import LexborHTMLParser

    for node in LexborHTMLParser(page).css("link[rel~=canonical i][href]")[:1]:
        try:
            stated = urljoin(address, (node.attributes["href"] or "").strip())
            ours, theirs = urlsplit(address), urlsplit(stated)
        except ValueError:
            break
        if theirs.scheme in ("http", "https") and _host(theirs) == _host(ours):
            return clean(stated)
    return address


def _host(address: SplitResult) -> str:
    """The host with its port; one whose name begins with `www.` is the same as without."""
    return address.netloc.lower().removeprefix("www.")


def _drawn(page: str, depth: int) -> str:
    """The page, whose tags nest so deep, without what a browser would not show of it."""
    if depth <= hidden.DEEPEST:
        return hidden.without_hidden(page)
    if hidden.may_hide(page):
        raise Unreadable(f"its tags nest {depth:,} deep, so what it hides cannot be told")
    return page


def _extracted(page: str) -> Any:
    from trafilatura import bare_extraction

    # The parser reports damaged pages on stderr; the reason belongs in our report.
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)
    logging.getLogger("htmldate").setLevel(logging.CRITICAL)
    try:
        return bare_extraction(
            page,
            include_comments=False,
            with_metadata=True,
            # dates that the page states, not any that it mentions
            date_extraction_params={"extensive_search": False, "original_date": True},
        )
    except Exception:  # the page can still be read without the extractor
        return None


def _decoded_page(data: bytes) -> str:
    declared = _CHARSET.search(data[:4096])
    if declared and not data.startswith(tuple(bom for bom, _ in BOMS)):
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            try:
                return data.decode(declared[1].decode("ascii"))
            except (LookupError, UnicodeDecodeError):
                pass  # an unknown or a wrong declaration: the bytes decide
    return decode(data)


# Every HTML parser at hand takes time that grows with the square of the depth, or of the number of
# attributes; beyond its own depth libxml2 gives up without an error. Real pages stay below 100.
_DEPTH_LIMIT = 200
_LONG_TAG = re.compile(r"<([a-zA-Z][a-zA-Z0-9]*)\b[^<>]{10000,}>")
_BULKY = re.compile(r"url\([^()]*\)|\bdata-[\w-]+\s*=\s*(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)


def _shortened(tag: re.Match[str]) -> str:
    """A very long tag without what makes it long: pictures and data, else all it says."""
    short = _BULKY.sub("", tag[0])
    if not _LONG_TAG.fullmatch(short):
        return short
    return f"<{tag[1]} hidden>" if hidden.may_hide(short) else f"<{tag[1]}>"


_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)\b[^<>]*>")
# These end by themselves when the next begins, so they cannot nest, or they hold nothing.
_FLAT = re.compile(
    r"area|base|body|br|col|dd|dt|embed|h[1-6]|head|hr|html|img|input|link|li|meta|option|p|param|"
    r"script|source|style|t[dhr]|title|track|wbr",
    re.IGNORECASE,
)


def _measured(page: str) -> tuple[int, int]:
    """How deep the tags of a page nest, and how many there are."""
    depth = deepest = number = 0
    for tag in _TAG.finditer(page):
        number += 1
        if not _FLAT.fullmatch(tag[2]):
            depth = max(0, depth - 1) if tag[1] else depth + 1
            deepest = max(deepest, depth)
    return deepest, number


def _flattened(page: str) -> str:
    """The page with its containers taken apart; its paragraphs and headings stay."""

    def without_container(tag: re.Match[str]) -> str:
        if _FLAT.fullmatch(tag[2]):
            return tag[0]
        return " " if _INLINE.fullmatch(tag[2].lower()) else "<p>"

    return re.sub(r"<p>(?:\s*<p>)+", "<p>", _TAG.sub(without_container, page))


def _blocks(body: Any) -> Iterator[Block]:
    yield body.text or "", 0
    for element in body:
        if element.tag == "table" and (rows := _headed_rows(element)):
            yield from ((row, 0) for row in spoken(rows, headed=True))
            yield element.tail or "", 0
            continue
        rank = _HEADINGS.get(element.get("rend", ""), 2) if element.tag == "head" else 0
        yield _flat(element), rank
        yield element.tail or "", 0


def _headed_rows(table: Any) -> list[list[str]]:
    """The cells of a table whose first row is its header; none for any other table."""
    rows = [[cell for cell in row if cell.tag == "cell"] for row in table if row.tag == "row"]
    if len(rows) < 2 or len(rows[0]) < 2:
        return []
    first, *others = rows
    is_header = all(cell.get("role") == "head" for cell in first)
    if not is_header or any(len(row) > len(first) for row in others):
        return []  # what spans columns or rows would stand under another's name
    return [[_flat(cell) for cell in row] for row in rows]


def _flat(element: Any, *, verbatim: bool = False) -> str:
    """An element's text with a line per list item and table row; code keeps its own lines."""
    if not isinstance(element.tag, str):
        return ""
    verbatim = verbatim or element.tag == "code"
    parts = [_spaced(element.text, verbatim)]
    for number, child in enumerate(element):
        if child.tag in ("item", "row", "lb", "p", "head", "quote", "list"):
            parts.append("\n")
        elif child.tag == "cell" and number:
            parts.append(" | ")
        parts += [_flat(child, verbatim=verbatim), _spaced(child.tail, verbatim)]
    return "".join(parts)


_SPACES = re.compile(r"\s+")


def _spaced(text: str | None, verbatim: bool) -> str:
    """The text with spaces for line ends, as in HTML; `tidy` makes one of several."""
    if verbatim or not text or text.isprintable():
        return text or ""
    return _SPACES.sub(" ", text)


_UNREAD = ["script", "style", "noscript", "template", "nav", "svg", "head", "form", "button"]
_INLINE = re.compile(
    r"-text|abbr|bd[io]|cite|code|del|dfn|font|img|ins|kbd|label|mark|samp|small|span|strike|strong|"
    r"su[bp]|time|var|wbr|em|tt|[abiqsu]"
)


def all_blocks(page: str) -> Iterator[Block]:
    """Everything there is to read on a page, without recursion, so at any depth."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(page)
    tree.strip_tags(_UNREAD)
    parts: list[str] = []
    tag = ""
    for node in tree.body.traverse(include_text=True) if tree.body else ():
        name = node.tag or ""
        if not _INLINE.fullmatch(name):
            yield "".join(parts), _HEADINGS.get(tag, 0)
            parts, tag = [], name
        elif name == "-text":
            parts.append(_spaced(node.text_content, tag == "pre"))
    yield "".join(parts), _HEADINGS.get(tag, 0)


_HEADINGS = {f"h{rank}": rank for rank in range(1, 7)}


def _best_title(stated: str, headings: list[Heading], tag: str) -> str:
    """The stated title or the first heading, whichever the browser's title line contains.

    A stray heading of a menu is often the first on the page; it is neither in that line nor in
    the main text.
    """
    shown = [clean(heading.text) for heading in headings]
    for title in (stated, *shown[:1]):
        if title and title.casefold() in tag.casefold():
            return title
    return stated if stated in shown else tag or stated


def _title_tag(page: str) -> str:
    from selectolax.lexbor import LexborHTMLParser

    node = LexborHTMLParser(page).css_first("title")
    return clean(node.text()) if node else ""
