"""An answer as Markdown and as a Word file, every citation a footnote, its bundle inside.

As in the package, what is made from a bundle is made again to compare: always the same bytes.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any
from xml.sax.saxutils import escape

from index.tokenization import INVISIBLE
from rag.snapshots import DISAGREE
from rag.types import Answer, Citation
from ui.language.catalogue import date_in_words, gettext, known, short_date, speaking
from ui.language.places import page_name, recognition
from ui.language.replies import retold, retold_text
from ui.sections import dates_of

BEGIN, END = "<!-- pilcrow-answer ", " -->"
"""Around the bundle in a Markdown file."""
PART = "pilcrow/answer.json"
"""The bundle in a Word file."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~^])")
_UNSEEN = re.compile(f"[{INVISIBLE}\ud800-\udfff\ufffe\uffff]")
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def note(citation: Citation) -> str:
    """Where a quote stands, and its words: `Title, Author, Source, 2024-03-05, page 3: “…”`."""
    parts = (
        citation.title or citation.document_id, citation.author, citation.source,
        short_date(citation.date), page_name(citation), recognition(citation),
        citation.location.section, gettext("paragraph {n}", n=citation.paragraph),
    )  # fmt: skip
    return f"{gettext(', ').join(filter(None, map(_line, parts)))}: “{_line(citation.quote)}”"


def as_markdown(bundle: dict[str, Any]) -> str:
    """The bundle as Markdown with footnotes, in the language of the page it is from."""
    with speaking(known(bundle.get("language"))):
        return _markdown(bundle)


def _markdown(bundle: dict[str, Any]) -> str:
    answer = Answer.from_dict(bundle["answer"])
    statements = [
        _marked(text) + "".join(f"[^{number}]" for number in numbers)
        for text, numbers in _statements(answer)
    ]
    notes = [f"[^{c.number}]: {_marked(note(c))}" for c in answer.citations]
    # `-` `-` `>` never stands in the data, so no text in it can end the comment it is in
    data = json.dumps(bundle, ensure_ascii=True).replace(">", "\\u003e").replace("--", "-\\u002d")
    parts = [f"# {_marked(_line(answer.question))}", *statements, *notes, f"{BEGIN}{data}{END}"]
    return "\n\n".join(parts) + "\n"


def _statements(answer: Answer) -> Iterator[tuple[str, tuple[int, ...]]]:
    if not answer.statements:
        yield _line(retold_text(answer)), ()
    dates = dates_of(answer, date_in_words)
    if dates:
        yield retold(DISAGREE), ()
    for number, statement in enumerate(answer.statements, start=1):
        date = f"{_line(dates[number])}: " if number in dates else ""
        doubt = gettext("not supported by its source")
        doubt = f" ({doubt})" if statement.support == "unsupported" else ""
        yield date + _line(statement.text) + doubt, statement.citations


def _line(text: str) -> str:
    return " ".join(_UNSEEN.sub("\N{REPLACEMENT CHARACTER}", text).split())


def _marked(text: str) -> str:
    """A text in which nothing is taken for a mark."""
    return re.sub(r"^(\d+)([.)])|^([-+=>])", _first, _SPECIAL.sub(r"\\\1", text))


def _first(match: re.Match[str]) -> str:
    return f"{match[1]}\\{match[2]}" if match[1] else f"\\{match[3]}"


def as_word(bundle: dict[str, Any]) -> bytes:
    """The bundle as a Word file with footnotes, in the language of the page it is from."""
    with speaking(known(bundle.get("language"))):
        return _word(bundle)


def _word(bundle: dict[str, Any]) -> bytes:
    answer = Answer.from_dict(bundle["answer"])
    parts: dict[str, Callable[[], str]] = {
        "[Content_Types].xml": _content_types,
        "_rels/.rels": lambda: _relations(("officeDocument", "word/document.xml")),
        "word/document.xml": lambda: _document(answer),
        "word/_rels/document.xml.rels": lambda: _relations(
            ("footnotes", "footnotes.xml"), ("styles", "styles.xml")
        ),
        "word/footnotes.xml": lambda: _footnotes(answer),
        "word/styles.xml": _styles,
        PART: lambda: json.dumps(bundle, ensure_ascii=True, indent=1),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, made in parts.items():
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, made())
    return out.getvalue()


def _content_types() -> str:
    parts = (("document", "document.main"), ("footnotes", "footnotes"), ("styles", "styles"))
    kinds = "".join(
        f'<Override PartName="/word/{name}.xml" ContentType="{_TYPE}.{kind}+xml"/>'
        for name, kind in parts
    )
    return (
        f'{_HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.'
        'relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
        f'<Default Extension="json" ContentType="application/json"/>{kinds}</Types>'
    )


def _relations(*targets: tuple[str, str]) -> str:
    inner = "".join(
        f'<Relationship Id="r{number}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, start=1)
    )
    return f'{_HEAD}<Relationships xmlns="{_RELATIONS}">{inner}</Relationships>'


def _run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{escape(_line(text))}</w:t></w:r>'


def _paragraph(inner: str, style: str = "") -> str:
    how = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{how}{inner}</w:p>"


def _document(answer: Answer) -> str:
    body = [_paragraph(_run(answer.question), "Title")]
    for text, numbers in _statements(answer):
        marks = (
            '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr>'
            f'<w:footnoteReference w:id="{number}"/></w:r>'
            for number in numbers
        )
        body.append(_paragraph(_run(text) + "".join(marks)))
    return f'{_HEAD}<w:document xmlns:w="{_WORD}"><w:body>{"".join(body)}</w:body></w:document>'


def _footnotes(answer: Answer) -> str:
    lines = "".join(
        f'<w:footnote w:type="{kind}" w:id="{number}"><w:p><w:r><w:{kind}/></w:r></w:p>'
        "</w:footnote>"
        for kind, number in (("separator", -1), ("continuationSeparator", 0))
    )
    mark = '<w:r><w:rPr><w:vertAlign w:val="superscript"/></w:rPr><w:footnoteRef/></w:r>'
    notes = "".join(
        f'<w:footnote w:id="{c.number}">{_paragraph(mark + _SPACE + _run(note(c)))}</w:footnote>'
        for c in answer.citations
    )
    return f'{_HEAD}<w:footnotes xmlns:w="{_WORD}">{lines}{notes}</w:footnotes>'


_SPACE = '<w:r><w:t xml:space="preserve"> </w:t></w:r>'


def _styles() -> str:
    return (
        f'{_HEAD}<w:styles xmlns:w="{_WORD}"><w:style w:type="paragraph" w:default="1" '
        'w:styleId="Normal"><w:name w:val="Normal"/></w:style><w:style w:type="paragraph" '
        'w:styleId="Title"><w:name w:val="Title"/><w:basedOn w:val="Normal"/><w:rPr><w:b/>'
        '<w:sz w:val="32"/></w:rPr></w:style></w:styles>'
    )


def bundle_of_word(data: bytes) -> str:
    """The bundle in a Word file, as JSON.

    Raises:
        ValueError: when there is none, or it is not as we write it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entry = archive.getinfo(PART)
            if entry.file_size > 200 * len(data) or entry.file_size > 50 * 2**20:
                raise ValueError("too large")
            return archive.read(PART).decode("utf-8")
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError("no bundle") from error
