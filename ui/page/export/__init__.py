"""An answer as a file: plain JSON, or one web page that carries the same JSON inside.

Both are read back by `pilcrow verify`, which draws the page again from its data and compares the
bytes: so its looks may change only together with the version of the bundle. The page needs nothing
from anywhere: its looks are in it, and its policy forbids it to fetch or run anything.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from markupsafe import Markup

from index.errors import InputError
from rag.grounding.bundle import Finding
from rag.snapshots import DISAGREE
from rag.types import Answer, Citation
from ui.language.catalogue import (
    date_in_words,
    direction,
    gettext,
    known,
    short_date,
    speaking,
    spoken,
)
from ui.language.places import page_name, recognition
from ui.language.replies import retold, retold_text
from ui.page.export import footnotes
from ui.page.views.html import render
from ui.sections import Line, Section, dates_of, sections_of

_OPEN, _CLOSE = '<script type="application/json" id="pilcrow-answer">', "</script>"
_LARGEST = 50 * 2**20
_MARKDOWN = re.compile(r"[\\`*_<|]")
"""What would be taken for emphasis, code, a tag or the side of a table's cell."""


def as_json(bundle: dict[str, Any]) -> str:
    """The bundle as a JSON file."""
    return json.dumps(bundle, ensure_ascii=True, indent=1) + "\n"


def as_page(bundle: dict[str, Any]) -> str:
    """The bundle as one self-contained web page, in the language of the page it is from."""
    with speaking(known(bundle.get("language"))):
        return _page(bundle)


def _page(bundle: dict[str, Any]) -> str:
    answer = Answer.from_dict(bundle["answer"])
    checksums = {document["document_id"]: document["sha256"] for document in bundle["documents"]}
    page = render(
        "export/export.html",
        answer=answer,
        language=spoken(),
        direction=direction(spoken()),
        disagree=DISAGREE,
        dates=dates_of(answer, date_in_words),
        text=retold_text(answer),
        sources=[_source(c, checksums.get(c.document_id, "")) for c in answer.citations],
        exported=bundle["exported"],
        model=bundle["models"]["language"],
        check=gettext("Check it against the library with {command}.", command="\0").split("\0"),
        # `<` never stands in the data, so no text in it can end the element it is in
        data=Markup(json.dumps(bundle, ensure_ascii=True).replace("<", "\\u003c")),
    )
    return f"{page}\n"


@dataclass(frozen=True, slots=True)
class Exported:
    """An exported file as it was read; what it claims is not checked."""

    saved: object
    """The bundle in it, as parsed JSON."""
    page: bytes | None = None
    """The whole file, when people read it: a web page, Markdown, a Word file."""
    kind: Literal["json", "page", "markdown", "word"] = "json"


def read(path: Path) -> Exported:
    """An exported file; what it claims is not checked here.

    Raises:
        InputError: when the file cannot be read or holds no bundle.
    """
    data = _read_file(path)
    kind: Literal["json", "page", "markdown", "word"] = "json"
    try:
        if data.startswith(b"PK\x03\x04"):
            kind, text = "word", footnotes.bundle_of_word(data)
        else:
            text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no exported answer: it is not UTF-8 text") from error
    except ValueError as error:
        raise InputError(f"{path} is no exported answer: there is none in it") from error
    if kind == "json" and _OPEN in text:
        kind, text = "page", text.split(_OPEN, 1)[1].split(_CLOSE, 1)[0]
    elif kind == "json" and footnotes.BEGIN in text:
        text = text.rpartition(footnotes.BEGIN)[2].partition(footnotes.END)[0]
        kind = "markdown"
    try:
        saved = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no exported answer: there is no JSON in it") from error
    return Exported(saved, None if kind == "json" else data, kind)


def looks(file: Exported) -> list[Finding]:
    """Whether a file that people read shows what its data say: it is made again."""
    if file.page is None:
        return []
    try:
        same = isinstance(file.saved, dict) and made(file.saved, file.kind) == file.page
    except (ValueError, KeyError, TypeError, AttributeError):
        same = False
    says = "shows what its data say" if same else "shows something else than its data say"
    return [Finding(same, file.kind, says)]


def made(bundle: dict[str, Any], kind: str) -> bytes:
    """A bundle as the file of a kind that people read."""
    if kind == "word":
        return footnotes.as_word(bundle)
    text = footnotes.as_markdown(bundle) if kind == "markdown" else as_page(bundle)
    return text.encode("utf-8", "replace")


def _read_file(path: Path) -> bytes:
    """What is in a file, if it is one, and no larger than an answer can be."""
    try:
        # not waiting: the other end of a pipe may never come
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError(f"{path} is no file")
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if len(data) > _LARGEST:
        raise InputError(f"{path} is too large for an exported answer")
    return data


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; with a name twice a person might read the one and we the other."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name twice")
    return members


def as_markdown(answer: Answer) -> str:
    """The answer with its structure and its citations, to be pasted as Markdown."""
    blocks = [f"## {_inline(answer.question)}"]
    sections = sections_of(answer)
    if answer.form == "table":
        rows = [(_title(s), _said(line), _where(line)) for s in sections for line in s.lines]
        names = (gettext("About"), gettext("What the source says"), gettext("Source"))
        head = names, ("---", "---", "---")
        blocks.append("\n".join(f"| {' | '.join(row)} |" for row in (*head, *rows)))
    elif answer.form in ("bullets", "conflict"):
        blocks += [retold(DISAGREE)] if answer.form == "conflict" else []
        items = [
            f"- {f'**{_inline(_title(s))}**: ' if s.label else ''}{_said(line)}"
            for s in sections
            for line in s.lines
        ]
        blocks.append("\n".join(items))
    else:
        for section in sections:
            blocks += [f"### {_inline(_title(section))}"] if section.label else []
            blocks += [
                f"> {_said(line)}" if line.statement.quoted else _said(line)
                for line in section.lines
            ]
    if not sections:
        blocks.append(_inline(retold_text(answer)))
    blocks += map(_inline, map(retold, answer.missing))
    blocks += [_source_line(citation) for citation in answer.citations]
    return "\n\n".join(block for block in blocks if block)


def as_rich_text(answer: Answer) -> str:
    """The same as HTML, to be pasted where text has a form."""
    return render(
        "export/copy.html",
        answer=answer,
        disagree=DISAGREE,
        text=retold_text(answer),
        sections=sections_of(answer),
        sources=[(c, _whole_place(c)) for c in answer.citations],
    )


def _title(section: Section) -> str:
    return date_in_words(section.date) or section.label


def _said(line: Line) -> str:
    numbers = "".join(f" [{number}]" for number in line.statement.citations)
    return f"{_inline(line.statement.text)}{numbers}"


def _where(line: Line) -> str:
    return _inline(_whole_place(line.citations[0])) if line.citations else ""


def _inline(text: str) -> str:
    """A text of somebody's on one line, none of it taken for Markdown."""
    return _MARKDOWN.sub(r"\\\g<0>", " ".join(text.split()))


def _whole_place(citation: Citation) -> str:
    """Title, author, outlet and date of where a sentence stands, its page and its paragraph."""
    parts = (citation.author, citation.source, short_date(citation.date), *_place(citation))
    return gettext(", ").join(filter(None, (citation.title or citation.document_id, *parts)))


def _source_line(citation: Citation) -> str:
    place = _inline(_whole_place(citation))
    return f"[{citation.number}] {place}: “{_inline(citation.quote)}”"


def _place(citation: Citation) -> tuple[str, str, str]:
    page = gettext(", ").join(filter(None, (page_name(citation), recognition(citation))))
    paragraph = gettext("paragraph {n}", n=citation.paragraph)
    return page, citation.location.section, paragraph


def file_name(answer: Answer, suffix: str) -> str:
    """A name for the file: the question's first words."""
    words = "".join(c if c.isalnum() else " " for c in answer.question).split()
    return f"{'-'.join(words[:8])[:60] or 'answer'}.{suffix}"


def _source(citation: Citation, sha256: str) -> dict[str, Any]:
    parts = (citation.author, citation.source, short_date(citation.date), *_place(citation))
    return {
        "citation": citation,
        "place": gettext(", ").join(part for part in parts if part),
        "checksum": sha256[:16],
    }
