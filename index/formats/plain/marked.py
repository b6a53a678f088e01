"""reStructuredText, Org, AsciiDoc and LaTeX as documents: the text as it is, its headings known."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from index.formats import front_matter
from index.formats.base import UNTITLED, Parser, Unreadable, joined, rebuilt
from index.formats.bylines import clean
from index.formats.decoding import decode, sniff
from index.types import Document, Heading, Span

_Mark = tuple[int, int, int, str]
"""Start, end, rank (0 for what is no heading) and text of a mark."""
_RST = re.compile(
    r"^(?:([=\-`:'\"~^_*+#<>.])\1{2,}\n)?([^\s].{0,200})\n([=\-`:'\"~^_*+#<>.])\3{2,}[ \t]*$",
    re.MULTILINE,
)
_RST_NOTE = re.compile(r"^\.\. .*$|^:[\w-]+:.*$", re.MULTILINE)
_ORG = re.compile(r"^(\*+) (?:(?:TODO|DONE) )?(.+?)(?:[ \t]+:[\w@:]+:)?[ \t]*$", re.MULTILINE)
_ORG_NOTE = re.compile(r"^[ \t]*(?:#\+\w+:?.*|:[A-Z_]+:.*|# .*)$", re.MULTILINE)
_ADOC = re.compile(r"^(={1,6}) (\S.*)$", re.MULTILINE)
_ADOC_NOTE = re.compile(r"^(?::[\w-]+:.*|\[[^\]\n]*\]|//.*|[-=*.+]{4,})$", re.MULTILINE)


def _rst(text: str) -> Iterator[_Mark]:
    ranks: list[str] = []
    for match in _RST.finditer(text):
        sign = (match[1] or "") + match[3]
        if sign not in ranks:
            ranks.append(sign)
        yield match.start(), match.end(), ranks.index(sign) + 1, match[2]
    yield from ((m.start(), m.end(), 0, "") for m in _RST_NOTE.finditer(text))


def _by(heading: re.Pattern[str], note: re.Pattern[str]) -> Callable[[str], Iterator[_Mark]]:
    def marks(text: str) -> Iterator[_Mark]:
        for match in heading.finditer(text):
            yield match.start(), match.end(), min(len(match[1]), 6), match[2]
        yield from ((m.start(), m.end(), 0, "") for m in note.finditer(text))

    return marks


def _reader(marks: Callable[[str], Iterator[_Mark]]) -> Parser:
    def read(document_id: str, data: bytes) -> Document:
        if kind := sniff(data):
            raise Unreadable(f"not text ({kind})")
        text = decode(data)
        found = sorted(marks(text))
        headings = [Heading(at, rank, clean(said)) for at, _, rank, said in found if rank]
        stated = re.search(r"^#\+TITLE:\s*(.+)$", text, re.MULTILINE | re.IGNORECASE)
        title = clean(stated[1]) if stated else headings[0].text if headings else ""
        spans = [Span(start, end) for start, end, _, _ in found]
        front = front_matter.read(text, title=title, boilerplate=spans)
        return Document(
            document_id, front.title, text, front.source, front.author, front.date,
            front.boilerplate, written_in=front.written_in,
            headings=tuple(h for h in headings if h.text != front.title),
        )  # fmt: skip

    return read


rst, org, adoc = (
    _reader(_rst), _reader(_by(_ORG, _ORG_NOTE)), _reader(_by(_ADOC, _ADOC_NOTE))
)  # fmt: skip

_SECTIONS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4}
_SECTION = re.compile(r"\\(part|chapter|section|subsection|subsubsection)\*?\s*\{([^{}]*)\}")
_UNSEEN = re.compile(
    r"(?<!\\)%.*|\\(?:begin|end)\s*\{[^{}]*\}(?:\[[^\]]*\])?|"
    r"\\(?:label|ref|cite\w*|includegraphics|vspace|hspace|bibliography\w*|input|usepackage)"
    r"\*?(?:\[[^\]]*\])*\{[^{}]*\}"
)
_COMMAND = re.compile(r"\\[a-zA-Z]+\*?(?:\[[^\]\n]*\])?\s?")


def tex(document_id: str, data: bytes) -> Document:
    """A LaTeX text: its words without commands, sections as headings."""
    source = decode(data)
    stated = {
        match[1]: clean(_plain(match[2]))
        for match in re.finditer(r"\\(title|author)\s*\{([^{}]*)\}", source)
    }
    _, begun, body = source.partition(r"\begin{document}")
    body = (body if begun else source).partition(r"\end{document}")[0]
    blocks: list[tuple[str, int]] = []
    at = 0
    for match in _SECTION.finditer(body):
        blocks += [(text, 0) for text in re.split(r"\n\s*\n", _plain(body[at : match.start()]))]
        blocks.append((_plain(match[2]), _SECTIONS[match[1]]))
        at = match.end()
    blocks += [(text, 0) for text in re.split(r"\n\s*\n", _plain(body[at:]))]
    text, headings = joined((" ".join(said.split()), rank) for said, rank in blocks)
    return rebuilt(document_id, text, headings, title=stated.get("title", UNTITLED),
                   author=stated.get("author", ""))  # fmt: skip


def _plain(source: str) -> str:
    text = _UNSEEN.sub("", source).replace("~", " ").replace("\\\\", "\n")
    text = re.sub(r"\\([%&$#_{}])", r"\1", _COMMAND.sub("", text))
    return re.sub(r"[{}]", "", text).replace("``", "“").replace("''", "”")
