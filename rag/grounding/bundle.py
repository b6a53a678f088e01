"""Does an exported answer still hold? Checked against a library, without any model.

A bundle is plain JSON: an answer as `Answer.to_dict()` gives it, the SHA-256 of each cited
document's canonical text, the names of what answered, and a seal over all of it. What it claims of
the documents is checked again from the library's own text: that each document is there and
unchanged, that each quote and passage stands at its offsets, under the title, source, date and
paragraph it gives, that each statement is carried by the sentences it cites. What cannot be found
in the documents (the question, the state, notes, the model) the seal vouches for, in the library
that made it; elsewhere, and without a seal, nobody does, and that is said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from index.errors import InputError
from index.types import Document, Passage
from rag.grounding import sealing
from rag.grounding.layout import lay_out
from rag.grounding.support import MIN_SUPPORT, support
from rag.types import Answer, Citation, PassageRead, Statement

FORMAT = "pilcrow-answer"
UNSEALED, SEALED = 1, 2
"""The two versions of a bundle; the first is also what is made where no key can be kept."""
UNVOUCHED = "its question, state, notes, scores, times and model names"
"""What only the seal can vouch for."""


class Corpus(Protocol):
    """What is asked of a library; `index.Library` is one, what an account may see of it another."""

    def document(self, document_id: str, /) -> Document:
        """The document with its text."""

    def passages(self, document_id: str, /) -> Sequence[Passage]:
        """Its passages in order."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked, in one line."""

    ok: bool
    what: str
    """`document …`, `quote 1`, `source 1`, `passage 3`, `statement 2`, `text`, `short`, `seal`."""
    detail: str
    vouched: bool = True
    """False for what is not known to be wrong, nor to be right."""


def make_bundle(
    answer: Answer,
    library: Corpus,
    embedding: str = "",
    key: bytes | None = None,
    language: str = "",
) -> dict[str, Any]:
    """An answer with what it takes to check it later, as plain JSON values.

    A document that is gone by now has an empty hash; so it will not check out.

    Args:
        answer: a finished answer.
        library: where its documents are.
        embedding: the name of the embedding model.
        key: the library's, to seal it with; without one it is not sealed.
        language: the code of that in which a file that people read is labelled; empty for English.
    """
    titles = {c.document_id: c.title for c in answer.citations}
    documents = [
        {"document_id": id_, "title": title, "sha256": _hash(_text(library, id_))}
        for id_, title in titles.items()
    ]
    content = {
        "format": FORMAT,
        "version": SEALED if key else UNSEALED,
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
        "models": {"language": answer.model, "embedding": embedding},
        "documents": documents,
        "answer": answer.to_dict(),
    } | ({"language": language} if language else {})
    return content | ({"seal": sealing.seal(content, key)} if key else {})


def check_bundle(saved: object, library: Corpus, key: bytes | None = None) -> list[Finding]:
    """Checks everything that a bundle claims.

    Args:
        saved: the bundle, as parsed from JSON.
        library: where its documents should be.
        key: the library's own, for seals it made.

    Raises:
        InputError: when it is not a bundle, or of a version this Pilcrow does not know.
    """
    answer, sealed, listed = _read(saved)
    ids = {*(c.document_id for c in answer.citations), *(p.document_id for p in answer.passages)}
    known = {id_: found for id_ in ids if (found := _document_in(library, id_))}
    findings = [_seal(sealed, key), *_documents(answer, listed, known)]
    for cited in answer.citations:
        findings += _citation(cited, known.get(cited.document_id), library)
    findings += [
        _passage(number, one, known.get(one.document_id), library)
        for number, one in enumerate(answer.passages, start=1)
    ]
    held = {c.number: c.quote for c in answer.citations if _holds(c, known.get(c.document_id))}
    findings += [_statement(n, s, held) for n, s in enumerate(answer.statements, start=1)]
    findings += _whole(answer, sealed)
    return findings


def _read(saved: object) -> tuple[Answer, dict[str, Any], dict[str, tuple[str, str]]]:
    """The answer of a bundle, the bundle, and each document's hash and title."""
    wrong = InputError("this is no exported answer of Pilcrow; export one from the chat page")
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise wrong
    if saved.get("version") not in (UNSEALED, SEALED):
        raise InputError(
            f"the file is of version {saved.get('version')!r:.80}; this Pilcrow reads 1 and 2"
        )
    try:
        answer = Answer.from_dict(saved["answer"])
        listed = {
            str(d["document_id"]): (str(d["sha256"]), str(d.get("title", "")))
            for d in saved["documents"]
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise wrong from error
    return answer, saved, listed


def _seal(saved: Mapping[str, Any], key: bytes | None) -> Finding:
    if saved["version"] == UNSEALED:
        return Finding(True, "seal", f"there is none: nobody vouches for {UNVOUCHED}", False)
    match sealing.judge(saved, key):
        case "ours":
            return Finding(True, "seal", "is this library's: nothing in it was changed since")
        case "another's":
            why = "is another library's, which alone can check it: here nobody vouches for"
            return Finding(True, "seal", f"{why} {UNVOUCHED}", False)
        case _:
            return Finding(False, "seal", "does not fit: something was changed after the export")


def _documents(
    answer: Answer, listed: Mapping[str, tuple[str, str]], known: Mapping[str, Document]
) -> Iterator[Finding]:
    """The documents that are cited, and those that are only listed."""
    cited = {c.document_id for c in answer.citations}
    for id_ in sorted(cited):
        yield _document(id_, known.get(id_), *listed.get(id_, ("", "")))
    for id_ in sorted(listed.keys() - cited):
        yield Finding(False, f"document {id_}", "is listed, yet nothing of it is cited")


def _document(document_id: str, found: Document | None, sha256: str, title: str) -> Finding:
    what = f"document {document_id}"
    if found is None:
        return Finding(False, what, "is not in the library")
    if _hash(found.text) != sha256:
        return Finding(False, what, "has changed since the export")
    same = found.name == title
    return Finding(same, what, "is unchanged" if same else f"has another title, {found.name!r}")


def _citation(cited: Citation, found: Document | None, library: Corpus) -> Iterator[Finding]:
    """Whether its words stand where it says, and under what it says."""
    where = f"{cited.document_id}, characters {cited.start}–{cited.end}"
    what = f"quote {cited.number}"
    if found is None or not _holds(cited, found):
        yield Finding(False, what, f"does not stand at {where}")
        return
    yield Finding(True, what, f"stands at {where}")
    wrong = _wrongly_named(cited, found, library)
    wrong += [
        f"{place} does not hold the same"
        for place in cited.also
        if _text(library, place) != found.text
    ]
    told = "; ".join(wrong) or "title, source, date and paragraph are the document's"
    yield Finding(not wrong, f"source {cited.number}", told)


def _passage(number: int, read: PassageRead, found: Document | None, library: Corpus) -> Finding:
    """Whether a passage that was read beside the answer is what it says."""
    what, where = f"passage {number}", f"{read.document_id}, characters {read.start}–{read.end}"
    if found is None or read.start < 0 or found.text[read.start : read.end] != read.text:
        return Finding(False, what, f"does not stand at {where}")
    wrong = _wrongly_named(read, found, library)
    return Finding(not wrong, what, "; ".join(wrong) or f"stands at {where}")


def _wrongly_named(one: Citation | PassageRead, found: Document, library: Corpus) -> list[str]:
    """What is said of a place in a document and is not so."""
    wrong = [
        f"the {name} is {is_!r}, not {said!r}"
        for name, said, is_ in (
            ("title", one.title, found.name),
            ("source", one.source, found.source),
            ("date", one.date, found.date),
            ("author", one.author, found.author if one.author else ""),
            ("page", one.page, found.location(one.start).page if one.page else 0),
            ("section", one.section, found.location(one.start).section if one.section else ""),
        )
        if said != is_
    ]
    paragraphs = {
        p.paragraph
        for p in library.passages(one.document_id)
        if p.start < one.end and one.start < p.end
    }
    if one.paragraph not in paragraphs:
        wrong.append(f"it is not in paragraph {one.paragraph}")
    return wrong


def _holds(cited: Citation, found: Document | None) -> bool:
    if found is None or not cited.quote or cited.start < 0:  # a negative one counts from the end
        return False
    return found.text[cited.start : cited.end] == cited.quote


def _whole(answer: Answer, saved: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the parts of an answer fit together."""
    if answer.statements:
        same = answer.text == lay_out(answer.statements, answer.form, answer.groups)
        says = "is its statements, joined" if same else "is not what its statements say"
        yield Finding(same, "text", says)
    if answer.short is not None:
        texts = [*(c.quote for c in answer.citations), *(p.text for p in answer.passages)]
        there = answer.short != "" and any(answer.short in text for text in texts)
        says = "stands in what is cited" if there else "stands nowhere in what is cited"
        yield Finding(there, "short", says)
    if answer.state == "not_found" and (answer.statements or answer.citations):
        yield Finding(False, "state", "says that nothing was found, yet there is an answer")
    models = saved.get("models")
    if not isinstance(models, dict) or models.get("language") != answer.model:
        yield Finding(False, "models", "are named in two ways")


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
    enough = share >= MIN_SUPPORT
    words = "is carried by" if enough else "is not carried by"
    marks = "".join(f"[{n}]" for n in said.citations)
    return Finding(enough, what, f"{words} {marks} ({share:.0%} of its words)")


def _said_in(text: str, sources: Iterable[str]) -> bool:
    """Whether a statement is a source's own sentence."""
    return any(" ".join(text.split()) == " ".join(source.split()) for source in sources)


def _document_in(library: Corpus, document_id: str) -> Document | None:
    try:
        return library.document(document_id)
    except (InputError, KeyError):
        return None


def _text(library: Corpus, document_id: str) -> str | None:
    found = _document_in(library, document_id)
    return found.text if found else None


def _hash(text: str | None) -> str:
    if text is None:
        return ""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
