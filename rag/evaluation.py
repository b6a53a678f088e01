"""How well a library and an assistant answer a file of questions, beside two simple references.

    questions = load_questions("questions.jsonl")
    report = evaluate(library, Assistant(library), questions, limit=200, far=50)
    for line in report_lines(report): print(line)

A question file has one JSON object a line: `id`, `question`, `answerable`, and where they are
known `answers` (alternatives), `gold` (places: `document`, `start`, `end`), `need` (`any`: one
gold place is enough, `all`: each is evidence of its own), `paragraph` (the gold paragraph's place)
and `kind` (`near_unanswerable`, …). What the scores mean is said in `rag.metrics`; every figure of
a report is computed from its rows, one a question asked, so a saved report can be compared with
a later one.
"""

from __future__ import annotations

import hashlib
import json
import reprlib
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from index.passages import paragraphs
from index.types import Document, DocumentRecord, Hit
from rag import metrics
from rag.errors import InputError
from rag.metrics import Need, Place
from rag.types import Answer

RETRIEVED = 10
"""How many passages are asked of every search; rankings are scored down to here."""
CHARACTERS_OF = 5
"""How many of them are scored character by character, where gold is only characters."""

Unit = Literal["paragraph", "document", "characters"]
Figures = dict[str, float | None]


class Searchable(Protocol):
    """What is asked of a library; `index.Library` is one."""

    def search(
        self, query: str, /, k: int = 10, *, documents: Collection[str] | None = None
    ) -> list[Hit]:
        """The best `k` passages, best first, of the named documents only when they are named."""

    def documents(self) -> Sequence[DocumentRecord]:
        """Every document."""

    def document(self, document_id: str, /) -> Document:
        """The document with its text."""


class Answering(Protocol):
    """What is asked of an assistant; `rag.Assistant` is one."""

    def answer(self, question: str, /, *, documents: Collection[str] | None = None) -> Answer:
        """The finished answer, from the named documents only when they are named."""


@dataclass(frozen=True, slots=True)
class Question:
    """One line of a question file."""

    id: str
    question: str
    answerable: bool
    answers: tuple[str, ...] = ()
    """Alternatives; any of them is right."""
    gold: tuple[Place, ...] = ()
    need: Need = "any"
    paragraph: Place | None = None
    kind: str = "answerable"

    @property
    def group(self) -> str:
        """`answerable`, or the sort of unanswerable: `near`, `far`, `null` or `other`."""
        if self.answerable:
            return "answerable"
        sort = self.kind.removesuffix("_unanswerable")
        return sort if sort in ("near", "far", "null") else "other"


@dataclass(frozen=True, slots=True)
class Row:
    """What one question gave; a value that does not apply to it is absent."""

    id: str
    kind: str
    """The question's group: `answerable`, `near`, `far`, …"""
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of a run; None where no question had the figure."""

    questions: dict[str, int]
    """How many were asked, by group."""
    headline: float | None
    """Mean of two shares: answerables that are right and cite gold, unanswerables refused."""
    retrieval: Figures
    answers: Figures
    citations: Figures
    refusals: Figures
    arms: dict[str, Figures]
    """The references: `bm25` answers with its first paragraph, `nearest` with the sentence nearest
    to the question. Both always answer."""
    seconds: Figures
    notes: tuple[str, ...]
    rows: tuple[Row, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values; `load_report` reads it back."""
        return {
            name: getattr(self, name)
            for name in ("questions", "headline", "retrieval", "answers", "citations", "refusals")
        } | {
            "arms": self.arms,
            "seconds": self.seconds,
            "notes": list(self.notes),
            "rows": [
                {"id": row.id, "kind": row.kind, "values": dict(row.values)} for row in self.rows
            ],
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """How one figure moved between two runs, over the questions that both asked."""

    name: str
    questions: int
    earlier: float
    now: float
    difference: float
    low: float
    """Lower end of the difference's 95 % interval."""
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run against an earlier one."""

    differences: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain JSON values."""
        return {"differences": [asdict(difference) for difference in self.differences]}


# --- reading ---------------------------------------------------------------------------------


def load_questions(path: str | Path) -> list[Question]:
    """The questions of a file, in its order.

    Raises:
        InputError: The file cannot be read, or a line is not a question; the message names it.
    """
    questions: dict[str, Question] = {}
    # not splitlines(): a JSON string may hold U+2028 as it is
    for number, line in enumerate(_read(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            question = _question(json.loads(line))
            if question.id in questions:
                raise ValueError(f"the id {question.id!r} is used twice")
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}, line {number}: {_problem(error)}") from error
        questions[question.id] = question
    if not questions:
        raise InputError(f"{path} holds no questions; write one JSON object a line.")
    return list(questions.values())


def _problem(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"this is not JSON, from column {error.colno} on"
    if isinstance(error, UnicodeError | RecursionError):
        return "this holds broken characters or is nested too deeply"
    return str(error)


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; save it as UTF-8.") from error


def _question(entry: object) -> Question:
    """One parsed line as a question; ValueError says in a phrase what is wrong with it."""
    if not isinstance(entry, dict):
        raise ValueError("expected a JSON object with id, question, answerable")
    answerable, need = entry.get("answerable"), entry.get("need") or "any"
    if not isinstance(answerable, bool):
        raise ValueError(f"answerable must be true or false, not {reprlib.repr(answerable)}")
    if need not in ("any", "all"):
        raise ValueError(f"need must be 'any' or 'all', not {reprlib.repr(need)}")
    answers, gold = _list(entry, "answers"), _list(entry, "gold")
    if answerable and not answers and not gold:
        raise ValueError("an answerable question needs answers or gold")
    paragraph = entry.get("paragraph")
    return Question(
        id=_text(entry.get("id"), "id"),
        question=_text(entry.get("question"), "question"),
        answerable=answerable,
        answers=tuple(_text(answer, "an answer") for answer in answers),
        gold=tuple(_place(place, "gold") for place in gold),
        need="all" if need == "all" else "any",
        paragraph=None if paragraph is None else _place(paragraph, "paragraph"),
        kind="answerable" if answerable else _text(entry.get("kind", "near_unanswerable"), "kind"),
    )


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a text that is not empty, not {reprlib.repr(value)}")
    value.encode()  # half a surrogate pair is a ValueError here and now, not deep in a tokenizer
    return value


def _list(entry: dict[str, object], name: str) -> list[object]:
    value = entry.get(name) or []
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list, not {reprlib.repr(value)}")
    return value


def _place(value: object, name: str) -> Place:
    if isinstance(value, dict):
        start, end = value.get("start"), value.get("end")
        # type(), for True is an int too
        if type(start) is int and type(end) is int and 0 <= start < end:
            return Place(_text(value.get("document"), f"{name}'s document"), start, end)
    wanted = "document, start and end with 0 <= start < end"
    raise ValueError(f"{name} must give {wanted}, not {reprlib.repr(value)}")


def load_report(path: str | Path) -> Report:
    """A report saved as JSON, its figures computed anew from its rows.

    Raises:
        InputError: The file is not a saved report.
    """
    try:
        saved = json.loads(_read(path))
        rows = [
            Row(str(row["id"]), str(row["kind"]), {k: float(v) for k, v in row["values"].items()})
            for row in saved["rows"]
        ]
        return summarise(rows, tuple(map(str, saved.get("notes", ()))))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path} is not a saved evaluation; make one with: pilcrow eval FILE.jsonl --json"
        ) from error


# --- asking ----------------------------------------------------------------------------------


def evaluate(
    library: Searchable,
    assistant: Answering | None,
    questions: Sequence[Question],
    *,
    limit: int | None = None,
    seed: int = 0,
    retrieval_only: bool = False,
    far: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Ask the questions and score what comes back.

    A question that is far from the documents is made by asking an answerable one of all documents
    but those that hold its gold. They are hidden by naming the others as the only `documents` to
    search. Search and assistant must then see what they would see had the hidden articles never
    been added: no hit, no neighbour, no title, no score normalised over them may leak into the
    gate. The one thing that may differ is corpus statistics, such as how rare a word is. Articles
    are hidden whole, but a set whose documents are pieces of articles keeps the other pieces.

    Args:
        library: Where to search; also read whole, once, for the references.
        assistant: Who answers; not needed for retrieval only.
        questions: What to ask; their documents are named as in the library, or by an unambiguous
            tail of that name.
        limit: Ask only this many, drawn by `seed`; a larger limit asks the same ones and more.
        seed: Of the drawing.
        retrieval_only: Only search, and only for questions with gold.
        far: Ask this many answerable questions, drawn by `seed`, once more as far ones.
        progress: Called with questions done and to do.

    Raises:
        InputError: There is nothing to ask, or the library has none of the documents named.
    """
    articles = _Articles(library)
    questions, notes = _localise(questions, articles.texts)
    several = len({place.document for each in questions for place in each.gold}) > 1
    pool = [each for each in questions if each.gold] if retrieval_only else questions
    asked: list[tuple[Question, frozenset[str] | None]] = []
    asked += [(each, None) for each in _draw(pool, limit, f"{seed}:")]
    asked += [] if retrieval_only else _far(questions, far, seed, articles.texts)
    if not asked:
        raise InputError("there is nothing to ask: no question fits what was wanted.")
    rows = []
    for done, (question, documents) in enumerate(asked):
        if progress:
            progress(done, len(asked))
        try:
            unit = _unit(question, several)
            hits, values = _search(library, articles, question, documents, unit)
            if assistant is not None and not retrieval_only:
                values |= _answer(assistant, articles, question, documents)
        except InputError as error:
            raise InputError(f"question {question.id!r}: {error}") from error
        values |= _references(question, hits, articles)
        rows.append(Row(question.id, question.group, values))
    if progress:
        progress(len(asked), len(asked))
    return summarise(rows, notes)


class _Articles:
    """The library's texts, read once: to check quotes, to weigh words and for the reference."""

    def __init__(self, library: Searchable) -> None:
        documents = [library.document(record.id) for record in library.documents()]
        self.texts = {document.id: document.text for document in documents}
        self.paragraphs = [
            Place(document.id, span.start, span.end)
            for document in documents
            for span in paragraphs(document)
        ]
        self._starts: dict[str, list[int]] = {}
        for place in self.paragraphs:
            self._starts.setdefault(place.document, []).append(place.start)
        self.bm25 = metrics.Bm25([self.quote(place) for place in self.paragraphs])

    @cached_property
    def _whole(self) -> metrics.Bm25:
        return metrics.Bm25(list(self.texts.values()))

    def best_paragraphs(self, question: str) -> list[Place]:
        """What BM25 finds."""
        return [self.paragraphs[at] for at in self.bm25.rank(question, RETRIEVED)]

    def best_documents(self, question: str) -> list[Place]:
        """What BM25 finds when documents are its unit: its best on sets counted by document."""
        found = [list(self.texts)[at] for at in self._whole.rank(question, RETRIEVED)]
        return [Place(document, 0, len(self.texts[document])) for document in found]

    def quote(self, place: Place) -> str:
        """The text at a place; empty where there is none."""
        return self.texts.get(place.document, "")[place.start : place.end]

    def paragraph(self, place: Place) -> tuple[str, int]:
        """The paragraph in which a place begins."""
        return place.document, bisect_right(self._starts.get(place.document, []), place.start)


def _localise(
    questions: Sequence[Question], ids: Collection[str]
) -> tuple[list[Question], tuple[str, ...]]:
    """The questions with their documents named as in the library, and what to note about that."""
    named = {place.document for question in questions for place in question.gold}
    by_file: dict[str, list[str]] = {}
    for known in ids:
        by_file.setdefault(known.rsplit("/", 1)[-1], []).append(known)
    found = {}
    for name in named:
        tails = [i for i in by_file.get(name.rsplit("/", 1)[-1], []) if i.endswith("/" + name)]
        if name in ids or len(tails) == 1:
            found[name] = name if name in ids else tails[0]
    if named and not found:
        raise InputError(
            f"the library has none of the {len(named)} documents that the questions name, "
            f"for example {min(named)!r}; add their folder first: pilcrow add FOLDER"
        )

    def local(place: Place) -> Place:
        return replace(place, document=found.get(place.document, place.document))

    missing = len(named) - len(found)
    note = f"{missing} of {len(named)} documents that the questions name are not in the library"
    return [
        replace(
            question,
            gold=tuple(map(local, question.gold)),
            paragraph=local(question.paragraph) if question.paragraph else None,
        )
        for question in questions
    ], (note,) if missing else ()


def _draw(questions: Sequence[Question], count: int | None, salt: str) -> list[Question]:
    """`count` of the questions in their order, chosen by nothing but salt and id; None: all."""
    if count is None:
        return list(questions)

    def lot(question: Question) -> bytes:
        return hashlib.blake2b(f"{salt}{question.id}".encode()).digest()

    drawn = {question.id for question in sorted(questions, key=lot)[: max(0, count)]}
    return [question for question in questions if question.id in drawn]


def _far(
    questions: Sequence[Question], count: int, seed: int, ids: Collection[str]
) -> list[tuple[Question, frozenset[str] | None]]:
    """Answerable questions made unanswerable, each with the documents that it may look at."""
    pool = [question for question in questions if question.answerable and question.gold]
    return [
        (
            Question(question.id, question.question, answerable=False, kind="far_unanswerable"),
            frozenset(ids) - {place.document for place in question.gold},
        )
        for question in _draw(pool, count, f"{seed}:far:")
    ]


# --- scoring one question --------------------------------------------------------------------


def _unit(question: Question, several: bool) -> Unit:
    """What a ranking is counted by.

    Several pieces of evidence without a paragraph are spread over documents where the set names
    more than one, else over the characters of that one.
    """
    if question.need == "any" or question.paragraph is not None:
        return "paragraph"
    return "document" if several else "characters"


def _search(
    library: Searchable,
    articles: _Articles,
    question: Question,
    documents: frozenset[str] | None,
    unit: Unit,
) -> tuple[list[Hit], dict[str, float]]:
    began = time.perf_counter()
    hits = library.search(question.question, RETRIEVED, documents=documents)
    values = {"search_seconds": time.perf_counter() - began}
    if question.gold:
        found = [Place(hit.document_id, hit.start, hit.end) for hit in hits]
        values |= _ranking(question, found, articles, unit)
        best = articles.best_documents if unit == "document" else articles.best_paragraphs
        reference = _ranking(question, best(question.question), articles, unit)
        values |= {f"bm25.{name}": value for name, value in reference.items()}
    return hits, values


def _ranking(
    question: Question, found: Sequence[Place], articles: _Articles, unit: Unit
) -> dict[str, float]:
    """How early the places found, best first, hold the gold.

    By document, all gold counts. Elsewhere recall and reciprocal rank are those of the first hit,
    and `ndcg_10` and `top_1` those of the list counted by paragraph.
    """
    if unit == "document":
        gold = {place.document for place in question.gold}
        documents = [place.document for place in found]
        listed = [documents[at] in gold for at in metrics.first_of_each(documents)]
        hits, total = listed, len(gold)
    else:
        hits = [
            metrics.is_hit(place, question.gold, question.paragraph, question.need)
            for place in found
        ]
        good = hits
        if question.paragraph is not None:
            good = [metrics.belongs(place, question.paragraph) for place in found]
        # whatever is relevant is one item: several passages of a paragraph earn nothing more
        keys = [flag or articles.paragraph(place) for flag, place in zip(good, found, strict=True)]
        listed, total = [good[at] for at in metrics.first_of_each(keys)], 1
        hits = [hit and not any(hits[:at]) for at, hit in enumerate(hits)]
    values = {f"recall_{k}": metrics.recall(hits, total, k) for k in (1, 5, 10)}
    values["mrr_10"] = metrics.reciprocal_rank(hits)
    values["ndcg_10"] = metrics.ndcg(listed, total)
    values["top_1"] = float(any(listed[:1]))
    if unit == "characters":
        scores = metrics.characters(found[:CHARACTERS_OF], question.gold)
        names = ("characters_recall", "characters_precision", "characters_iou")
        values |= dict(zip(names, scores, strict=True))
    return values


def _answer(
    assistant: Answering,
    articles: _Articles,
    question: Question,
    documents: frozenset[str] | None,
) -> dict[str, float]:
    began = time.perf_counter()
    answer = assistant.answer(question.question, documents=documents)
    values = {"seconds": time.perf_counter() - began}
    refused = answer.state == "not_found"
    values["refused"] = float(refused)
    values |= _pointers(answer, articles)
    if not refused:
        values |= _support(answer, articles)
    cited = [Place(c.document_id, c.start, c.end) for c in answer.citations]
    text = "" if refused else _spoken(answer)
    values |= _outcome(question, text, [] if refused else cited, articles)
    if question.answerable and not refused:
        values["cited"] = float(len(cited))
        values["cited_gold"] = float(sum(_is_gold(question, place, articles) for place in cited))
        values["gold_cited"] = _gold_cited(question, cited, articles)
    if question.answerable and question.answers:
        golds = question.answers if text else ()
        values["exact"] = float(metrics.exact(text, golds))
        values["f1"] = metrics.f1(text, golds)
        values["contains"] = float(metrics.contains(text, golds))
    if not question.answerable:
        values["credit"] = float(refused)
    return values


def _spoken(answer: Answer) -> str:
    """What the answer says, without its markers."""
    said = " ".join(statement.text for statement in answer.statements) or answer.text
    return metrics.without_markers(said)


def _pointers(answer: Answer, articles: _Articles) -> dict[str, float]:
    """How many pointers the answer shows, citations and markers, and how many are valid."""
    numbers = {citation.number for citation in answer.citations}
    shown = metrics.markers(answer.text)
    shown += [number for statement in answer.statements for number in statement.citations]
    exact = [
        bool(citation.quote)
        and articles.quote(Place(citation.document_id, citation.start, citation.end))
        == citation.quote
        for citation in answer.citations
    ]
    valid = sum(exact) + sum(number in numbers for number in shown)
    return {"pointers": float(len(exact) + len(shown)), "valid_pointers": float(valid)}


def _support(answer: Answer, articles: _Articles) -> dict[str, float]:
    """How many statements the answer makes, and how many its own quotes support."""
    quotes = {citation.number: citation.quote for citation in answer.citations}
    supported = [
        metrics.is_supported(
            metrics.without_markers(statement.text),
            "\n".join(quotes.get(number, "") for number in statement.citations),
            articles.bm25.weight,
        )
        for statement in answer.statements
    ]
    # a text without statements is one that nothing supports
    return {
        "statements": float(max(1, len(supported))),
        "supported": float(sum(supported)),
    }


def _outcome(
    question: Question, text: str, cited: Sequence[Place], articles: _Articles
) -> dict[str, float]:
    """Whether an answer is right and cites gold; the same for us and for the references."""
    if not question.answerable or not question.answers:
        return {}
    golds = question.answers if text else ()
    right = metrics.is_right(text, golds, question.need)
    brief = right and metrics.is_right(metrics.first_words(text), golds, question.need)
    enough = 0.5 if question.need == "all" else 1.0
    cites = _gold_cited(question, cited, articles) >= enough
    return {
        "right": float(right),
        "brief": float(brief),
        "cites_gold": float(cites),
        "credit": float(right and cites),
    }


def _is_gold(question: Question, place: Place, articles: _Articles) -> bool:
    """Does a cited place hit gold, or hold a gold answer in the gold document?

    Where a question names no gold, any document will do.
    """
    if metrics.is_hit(place, question.gold, question.paragraph, question.need):
        return True
    home = {gold.document for gold in question.gold}
    in_home = not home or place.document in home
    return in_home and metrics.contains(articles.quote(place), question.answers)


def _gold_cited(question: Question, cited: Sequence[Place], articles: _Articles) -> float:
    """The share of gold that is cited; where any gold is enough, 1 or 0."""
    if question.need == "any" or not question.gold:
        return float(any(_is_gold(question, place, articles) for place in cited))
    held = [
        any(metrics.share(place, gold) >= metrics.HOLDS for place in cited)
        for gold in question.gold
    ]
    return sum(held) / len(held)


def _references(question: Question, hits: Sequence[Hit], articles: _Articles) -> dict[str, float]:
    """How the two references answer. They never refuse."""
    if not question.answerable:
        return {"bm25.credit": 0.0, "nearest.credit": 0.0}
    first = [articles.paragraphs[at] for at in articles.bm25.rank(question.question, 1)]
    sentences = [
        (sentence.score, Place(hit.document_id, sentence.start, sentence.end))
        for hit in hits
        for sentence in hit.sentences
    ]
    nearest = [max(sentences, key=lambda scored: scored[0])[1]] if sentences else []
    values = {}
    for arm, cited in (("bm25", first), ("nearest", nearest)):
        text = " ".join(articles.quote(place) for place in cited)
        for name, value in _outcome(question, text, cited, articles).items():
            values[f"{arm}.{name}"] = value
    return values


# --- figures ---------------------------------------------------------------------------------

_RETRIEVAL = ("recall_1", "recall_5", "recall_10", "mrr_10", "ndcg_10", "top_1")
_CHARACTERS = ("characters_recall", "characters_precision", "characters_iou")
_ANSWERS = ("exact", "f1", "contains", "right", "brief", "cites_gold")


def summarise(rows: Sequence[Row], notes: tuple[str, ...] = ()) -> Report:
    """Every figure of a report, from its rows."""
    values = [row.values for row in rows]
    groups = list(dict.fromkeys(["answerable", "near", "far", *(row.kind for row in rows)]))
    refused = {
        group: _mean([row.values for row in rows if row.kind == group], "refused")
        for group in groups
    }
    return Report(
        questions={group: sum(row.kind == group for row in rows) for group in groups},
        headline=_headline(rows, "credit"),
        retrieval={name: _mean(values, name) for name in _RETRIEVAL + _CHARACTERS},
        answers={name: _mean(values, name) for name in _ANSWERS},
        citations={
            "validity": metrics.ratio(values, "valid_pointers", "pointers"),
            "gold_precision": metrics.ratio(values, "cited_gold", "cited"),
            "gold_recall": _mean(values, "gold_cited"),
            "support": metrics.ratio(values, "supported", "statements"),
        },
        refusals={
            **{group: refused[group] for group in groups if group != "answerable"},
            "false": refused["answerable"],
        },
        arms={arm: _arm(rows, arm) for arm in ("bm25", "nearest")},
        seconds={
            f"{name}_p{int(100 * q)}": metrics.percentile(_values(values, key), q)
            for name, key in (("answer", "seconds"), ("search", "search_seconds"))
            for q in (0.5, 0.95)
        },
        notes=notes,
        rows=tuple(rows),
    )


def _arm(rows: Sequence[Row], arm: str) -> Figures:
    values = [row.values for row in rows]
    ranked = _RETRIEVAL + _CHARACTERS if arm == "bm25" else ()
    names = (*ranked, "right", "brief", "cites_gold")
    return {name: _mean(values, f"{arm}.{name}") for name in names} | {
        "headline": _headline(rows, f"{arm}.credit")
    }


def _headline(rows: Sequence[Row], name: str) -> float | None:
    """The mean of the answerable and the unanswerable side, or the one side that was asked."""
    sides = [_mean([row.values for row in side], name) for side in _sides(rows)]
    return metrics.mean([side for side in sides if side is not None])


def _sides(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    return (
        [row for row in rows if row.kind == "answerable"],
        [row for row in rows if row.kind != "answerable"],
    )


def _values(rows: Sequence[Mapping[str, float]], name: str) -> list[float]:
    return [row[name] for row in rows if name in row]


def _mean(rows: Sequence[Mapping[str, float]], name: str) -> float | None:
    return metrics.mean(_values(rows, name))


def compare(report: Report, earlier: Report) -> Comparison:
    """How headline, right and recall@5 moved, by paired bootstrap over the questions of both.

    Raises:
        InputError: The two runs share no question.
    """
    before = {(row.id, row.kind): row for row in earlier.rows}
    pairs = [(before[row.id, row.kind], row) for row in report.rows if (row.id, row.kind) in before]
    if not pairs:
        raise InputError("the two evaluations share no question; compare runs of one file.")
    named = (("headline", "credit"), ("right", "right"), ("recall@5", "recall_5"))
    found = (_difference(name, key, pairs) for name, key in named)
    return Comparison(tuple(difference for difference in found if difference))


def _difference(name: str, key: str, pairs: Sequence[tuple[Row, Row]]) -> Difference | None:
    both = [(old, new) for old, new in pairs if key in old.values and key in new.values]
    groups = [
        [
            new.values[key] - old.values[key]
            for old, new in both
            if (new.kind == "answerable") == answerable
        ]
        for answerable in (True, False)
    ]
    moved = metrics.bootstrap(groups)
    earlier, now = (_headline([pair[side] for pair in both], key) for side in (0, 1))
    if moved is None or earlier is None or now is None:
        return None
    return Difference(name, len(both), earlier, now, moved.difference, moved.low, moved.high)


# --- as text ---------------------------------------------------------------------------------

_LABELS = {
    "recall_1": "R@1",
    "recall_5": "R@5",
    "recall_10": "R@10",
    "mrr_10": "MRR@10",
    "ndcg_10": "nDCG@10",
    "top_1": "top 1",
    "characters_recall": "recall",
    "characters_precision": "precision",
    "characters_iou": "IoU",
    "exact": "EM",
    "f1": "F1",
    "cites_gold": "cites gold",
    "gold_precision": "gold prec.",
    "gold_recall": "gold rec.",
    "answer_p50": "answer p50",
    "answer_p95": "answer p95",
    "search_p50": "search p50",
    "search_p95": "search p95",
}


def report_lines(report: Report, comparison: Comparison | None = None) -> list[str]:
    """The report as lines of plain text, none of it taken from documents or questions."""
    asked = ", ".join(f"{count} {group}" for group, count in report.questions.items() if count)
    bm25, nearest = report.arms["bm25"], report.arms["nearest"]
    us = {**report.answers, "headline": report.headline}
    ends = ("right", "brief", "cites_gold", "headline")
    blocks = [
        _table("retrieval", _RETRIEVAL, {"pilcrow": report.retrieval, "BM25": bm25}),
        _table("characters", _CHARACTERS, {"pilcrow": report.retrieval, "BM25": bm25}),
        _table("answers", _ANSWERS[:3], {"pilcrow": us}),
        _table("citations", tuple(report.citations), {"pilcrow": report.citations}),
        _table("refused", tuple(report.refusals), {"pilcrow": report.refusals}),
        _table(
            "outcome",
            ends,
            {"pilcrow": us, "BM25's paragraph": bm25, "nearest sentence": nearest},
        ),
        _table("seconds", tuple(report.seconds), {"pilcrow": report.seconds}),
    ]
    lines = [f"asked: {asked}"]
    for block in filter(None, blocks):
        lines += ["", *block]
    if comparison:
        lines += ["", *_comparison_lines(comparison)]
    notes = list(report.notes)
    if report.headline is not None and not all(_sides(report.rows)):
        notes.append("the headline is one-sided: add unanswerable and answerable questions both")
    return lines + [f"note: {note}" for note in notes]


def _table(title: str, names: Sequence[str], rows: Mapping[str, Figures]) -> list[str]:
    """A table of the rows that have figures; no lines when none has."""
    filled = {
        label: figures
        for label, figures in rows.items()
        if any(figures.get(name) is not None for name in names)
    }
    if not filled:
        return []
    head = f"{title:<18}" + "".join(f"{_LABELS.get(name, name):>12}" for name in names)
    return [head] + [
        f"  {label:<16}" + "".join(f"{_shown(figures.get(name)):>12}" for name in names)
        for label, figures in filled.items()
    ]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _comparison_lines(comparison: Comparison) -> list[str]:
    columns = ("earlier", "now", "change", "95 % from", "to", "questions")
    return ["against earlier".ljust(18) + "".join(f"{name:>12}" for name in columns)] + [
        f"  {each.name:<16}{each.earlier:>12.3f}{each.now:>12.3f}{each.difference:>+12.3f}"
        f"{each.low:>+12.3f}{each.high:>+12.3f}{each.questions:>12}"
        for each in comparison.differences
    ]
