"""Does an exported answer still hold? Checked against a library, without any model.

A bundle is plain JSON: an answer as `Answer.to_dict()` gives it, the SHA-256 of each cited
document's canonical text, and the names of what answered. Everything it claims is checked again
from the library's own text: that each document is there and unchanged, that each quote stands at
its offsets, that each statement is carried by the sentences it cites.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from index.errors import PilcrowError
from index.types import Document
from rag.citations import ENOUGH, support, text_of
from rag.errors import InputError
from rag.types import Answer, Citation, Statement

FORMAT, VERSION = "pilcrow-answer", 1


class Shelf(Protocol):
    """What is asked of a library; `index.Library` is one."""

    def document(self, document_id: str, /) -> Document:
        """The document with its text."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked, in one line."""

    ok: bool
    what: str
    """`document …`, `quote 1`, `statement 2`, `text`."""
    detail: str


def bundle(answer: Answer, library: Shelf, embedding: str = "") -> dict[str, Any]:
    """An answer with what it takes to check it later, as plain JSON values.

    A document that is gone by now has an empty hash; so it will not check out.

    Args:
        answer: a finished answer.
        library: where its documents are.
        embedding: the name of the embedding model.
    """
    titles = {c.document_id: c.title for c in answer.citations}
    documents = [
        {"document_id": id_, "title": title, "sha256": _hash(_text(library, id_))}
        for id_, title in titles.items()
    ]
    return {
        "format": FORMAT,
        "version": VERSION,
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
        "models": {"language": answer.model, "embedding": embedding},
        "documents": documents,
        "answer": answer.to_dict(),
    }


def verify(saved: object, library: Shelf) -> list[Finding]:
    """Checks everything that a bundle claims.

    Args:
        saved: the bundle, as parsed from JSON.
        library: where its documents should be.

    Raises:
        InputError: when it is not a bundle, or of a version this Pilcrow does not know.
    """
    answer, hashes = _read(saved)
    texts = {id_: _text(library, id_) for id_ in {c.document_id for c in answer.citations}}
    findings = [_document(id_, texts[id_], hashes.get(id_, "")) for id_ in sorted(texts)]
    findings += [_quote(c, texts[c.document_id]) for c in answer.citations]
    held = {c.number: c.quote for c in answer.citations if _holds(c, texts[c.document_id])}
    findings += [_statement(n, s, held) for n, s in enumerate(answer.statements, start=1)]
    if answer.statements:
        same = answer.text == text_of(answer.statements)
        says = "is its statements, joined" if same else "is not what its statements say"
        findings.append(Finding(same, "text", says))
    return findings


def _read(saved: object) -> tuple[Answer, dict[str, str]]:
    """The answer of a bundle and its documents' hashes."""
    wrong = InputError("this is no exported answer of Pilcrow; export one from the chat page")
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise wrong
    if saved.get("version") != VERSION:
        raise InputError(f"the file is of version {saved.get('version')!r}; this Pilcrow reads 1")
    try:
        answer = Answer.from_dict(saved["answer"])
        hashes = {str(d["document_id"]): str(d["sha256"]) for d in saved["documents"]}
    except (ValueError, KeyError, TypeError) as error:
        raise wrong from error
    return answer, hashes


def _document(document_id: str, text: str | None, wanted: str) -> Finding:
    what = f"document {document_id}"
    if text is None:
        return Finding(False, what, "is not in the library")
    same = _hash(text) == wanted
    return Finding(same, what, "is unchanged" if same else "has changed since the export")


def _quote(cited: Citation, text: str | None) -> Finding:
    where = f"{cited.document_id}, characters {cited.start}–{cited.end}"
    if _holds(cited, text):
        return Finding(True, f"quote {cited.number}", f"stands at {where}")
    return Finding(False, f"quote {cited.number}", f"does not stand at {where}")


def _holds(cited: Citation, text: str | None) -> bool:
    if text is None or not cited.quote or cited.start < 0:  # a negative one counts from the end
        return False
    return text[cited.start : cited.end] == cited.quote


def _statement(number: int, said: Statement, held: Mapping[int, str]) -> Finding:
    what = f"statement {number}"
    if said.support == "unsupported":
        return Finding(True, what, "claims no support")
    sources = [held[n] for n in said.citations if n in held]
    missing = [n for n in said.citations if n not in held]
    if missing or not sources:
        lost = ", ".join(f"[{n}]" for n in missing) or "nothing"
        return Finding(False, what, f"rests on {lost}, which does not hold")
    share = 1.0 if _said_in(said.text, sources) else support(said.text, sources)
    enough = share >= ENOUGH
    words = "is carried by" if enough else "is not carried by"
    marks = "".join(f"[{n}]" for n in said.citations)
    return Finding(enough, what, f"{words} {marks} ({share:.0%} of its words)")


def _said_in(text: str, sources: Iterable[str]) -> bool:
    """Whether a statement is a source's own sentence."""
    return any(" ".join(text.split()) == " ".join(source.split()) for source in sources)


def _text(library: Shelf, document_id: str) -> str | None:
    try:
        return library.document(document_id).text
    except (PilcrowError, KeyError):
        return None


def _hash(text: str | None) -> str:
    if text is None:
        return ""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
