"""The documents that an answer cites, for programs that keep references: RIS, BibTeX, CSL-JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rag.types import Answer


@dataclass(frozen=True, slots=True)
class Reference:
    """One document with the places in it that are cited."""

    key: str
    document_id: str
    title: str
    author: str
    source: str
    date: str
    pages: tuple[str, ...]

    @property
    def address(self) -> str:
        """The document's address on the web; empty where it was not fetched from there."""
        return self.source if self.source.startswith(("http://", "https://")) else ""

    @property
    def outlet(self) -> str:
        """Who published it; its address is none."""
        return "" if self.address else self.source


def references(answer: Answer) -> list[Reference]:
    """The documents an answer cites, each once, in the order of their first citation."""
    found: dict[str, Reference] = {}
    for citation in answer.citations:
        known = found.get(citation.document_id)
        page = citation.location.page_name
        pages = (*(known.pages if known else ()), *([page] if page else []))
        key = known.key if known else _key(citation.author, citation.date, len(found) + 1)
        found[citation.document_id] = Reference(
            key, citation.document_id, citation.title or citation.document_id, citation.author,
            citation.source, citation.date, tuple(dict.fromkeys(pages)),
        )  # fmt: skip
    return list(found.values())


def ris(answer: Answer) -> str:
    """The references as RIS."""
    return "".join(
        "".join(f"{tag}  - {value}\r\n" for tag, value in _ris(reference)) + "ER  - \r\n"
        for reference in references(answer)
    )


def _ris(reference: Reference) -> Iterator[tuple[str, str]]:
    yield "TY", "GEN"
    for tag, value in (
        ("ID", reference.key), ("TI", _line(reference.title)), ("AU", _line(reference.author)),
        ("PB", _line(reference.outlet)), ("UR", _line(reference.address)),
        ("DA", reference.date.replace("-", "/")),
        ("PY", reference.date[:4]), ("SP", ", ".join(reference.pages)),
        ("L1", _line(reference.document_id)),
    ):  # fmt: skip
        if value:
            yield tag, value


def bibtex(answer: Answer) -> str:
    """The references as BibTeX."""
    return "\n".join(_bibtex(reference) for reference in references(answer))


def _bibtex(reference: Reference) -> str:
    fields = {
        "title": reference.title, "author": reference.author, "publisher": reference.outlet,
        "url": reference.address,
        "year": reference.date[:4], "date": reference.date, "pages": ", ".join(reference.pages),
        "file": reference.document_id,
    }  # fmt: skip
    lines = [f"  {name} = {{{_escaped(value)}}},\n" for name, value in fields.items() if value]
    return f"@misc{{{reference.key},\n{''.join(lines)}}}\n"


_SPECIAL = {"\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
            "^": r"\textasciicircum{}", **{sign: "\\" + sign for sign in "&%$#_"}}  # fmt: skip


def _escaped(value: str) -> str:
    return "".join(_SPECIAL.get(sign, sign) for sign in _line(value))


def csl_json(answer: Answer) -> str:
    """The references as CSL-JSON."""
    items = [_csl(reference) for reference in references(answer)]
    return json.dumps(items, ensure_ascii=False, indent=1) + "\n"


def _csl(reference: Reference) -> dict[str, Any]:
    item: dict[str, Any] = {"id": reference.key, "type": "document", "title": reference.title}
    if reference.author:
        item["author"] = [{"literal": name} for name in _names(reference.author)]
    if reference.outlet:
        item["publisher"] = reference.outlet
    if reference.address:
        item["URL"] = reference.address
    if reference.date:
        item["issued"] = {"date-parts": [[int(part) for part in reference.date.split("-")]]}
    if reference.pages:
        item["locator"] = ", ".join(reference.pages)
    return item


def _names(author: str) -> Iterable[str]:
    return filter(None, re.split(r"\s*[,;]\s*|\s+and\s+", author))


def _key(author: str, date: str, number: int) -> str:
    words = re.findall(r"[A-Za-z]+", author)
    return f"{(words[-1] if words else 'document').lower()}{date[:4]}-{number}"


def _line(value: str) -> str:
    return " ".join(value.split())
