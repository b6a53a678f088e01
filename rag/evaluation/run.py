"""Asking the questions and scoring what comes back; see `rag.evaluation`."""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from index import Library
from index.errors import InputError
from index.languages.splitting import paragraphs
from index.types import Hit
from rag.assistant import Assistant
from rag.evaluation import metrics
from rag.evaluation.metrics import Place
from rag.evaluation.questions import Question
from rag.evaluation.report import Report, Row, summarise
from rag.types import Answer, Explanation

RETRIEVED = 10
"""How many passages are asked of every search; rankings are scored down to here."""
CHARACTERS_OF = 5
"""How many of them are scored character by character, where gold is only characters."""

Unit = Literal["paragraph", "document", "characters"]


# --- asking ----------------------------------------------------------------------------------


def evaluate(
    library: Library,
    assistant: Assistant | None,
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
    asked = [_Asked(each, None) for each in _draw(pool, limit, f"{seed}:")]
    asked += [] if retrieval_only else _far(questions, far, seed, articles.texts)
    if not asked:
        raise InputError("there is nothing to ask: no question fits what was wanted.")
    answering = None if retrieval_only else assistant
    rows = []
    for done, each in enumerate(asked):
        if progress:
            progress(done, len(asked))
        rows.append(_row(library, answering, articles, each, _unit(each.question, several)))
    if progress:
        progress(len(asked), len(asked))
    return summarise(rows, notes)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question as it is asked."""

    question: Question
    documents: frozenset[str] | None
    """Where it may look; everywhere when None."""


def _row(
    library: Library,
    assistant: Assistant | None,
    articles: _Articles,
    asked: _Asked,
    unit: Unit,
) -> Row:
    """What comes back for a question, scored."""
    question, documents = asked.question, asked.documents
    try:
        hits, values = _search(library, articles, question, documents, unit)
        if assistant is not None:
            values |= _answer(assistant, articles, question, documents)
    except InputError as error:
        raise InputError(f"question {question.id!r}: {error}") from error
    values |= _references(question, hits, articles)
    return Row(question.id, question.group, values)


class _Articles:
    """The library's texts, read once: to check quotes, to weigh words and for the reference."""

    def __init__(self, library: Library) -> None:
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
) -> list[_Asked]:
    """Answerable questions made unanswerable, each with the documents that it may look at."""
    pool = [question for question in questions if question.answerable and question.gold]
    return [
        _Asked(
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
    library: Library,
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
        hits = [_hits_gold(question, place) for place in found]
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
    assistant: Assistant,
    articles: _Articles,
    question: Question,
    documents: frozenset[str] | None,
) -> dict[str, float]:
    began = time.perf_counter()
    answer = assistant.answer(
        question.question, question.history or (), documents=documents, explain=True
    )
    values = {"seconds": time.perf_counter() - began}
    refused = answer.state == "not_found"
    asks_back = not refused and _spoken(answer).endswith("?")
    values |= {"refused": float(refused), "asked_back": float(asks_back)}
    if answer.answerable is not None:
        values["answerable"] = answer.answerable
    if answer.timings.evidence_ms is not None:
        values["evidence_seconds"] = answer.timings.evidence_ms / 1000
    values |= _made(question, answer, articles)
    values |= _pointers(answer, articles)
    if not refused:
        values |= _support(answer, articles)
    cited = [Place(c.document_id, c.start, c.end) for c in answer.citations]
    text = "" if refused else _spoken(answer)
    values |= _outcome(question, text, [] if refused else cited, articles)
    if question.answerable and not refused:
        values["words"] = float(len(text.split()))
        values["cited"] = float(len(cited))
        values["cited_gold"] = float(sum(_is_gold(question, place, articles) for place in cited))
        values["gold_cited"] = _gold_cited(question, cited, articles)
    if question.answerable and question.answers:
        golds = question.answers if text else ()
        values["exact"] = float(metrics.exact(text, golds))
        values["f1"] = metrics.f1(text, golds)
        values["contains"] = float(metrics.contains(text, golds))
    if not question.answerable:
        values["credit"] = float(refused or (asks_back and question.group == "unclear"))
    return values


def _made(question: Question, answer: Answer, articles: _Articles) -> dict[str, float]:
    """How the answer came about, as far as it explains itself: evidence, prompt, drafts."""
    explained = answer.explain or Explanation()
    shown = {
        sentence.id: Place(sentence.document_id, sentence.start, sentence.end)
        for sentence in explained.evidence
    }
    values: dict[str, float] = {}
    if question.gold and shown:
        values["evidence_gold"] = _gold_cited(question, list(shown.values()), articles)
    if tokens := explained.prompt_tokens:
        values["prompt_tokens"] = float(tokens)
    values["drafts"] = float(len(explained.drafts))
    for draft in explained.drafts:
        pointed = "\n".join(articles.quote(shown[i]) for i in draft.ids if i in shown)
        sound = metrics.is_supported(draft.text, pointed, articles.bm25.weight)
        spoken = draft.outcome in ("kept", "re-pointed")
        right = sound and metrics.contains(draft.text, question.answers)
        for name, flag in (
            ("supported", sound), ("shown", spoken), ("false_removals", right and not spoken)
        ):  # fmt: skip
            values[f"drafts_{name}"] = values.get(f"drafts_{name}", 0.0) + float(flag)
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
    wording: metrics.Need = question.need if question.history is None else "all"
    right = metrics.is_right(text, golds, wording)
    brief = right and metrics.is_right(metrics.first_words(text), golds, wording)
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
    if _hits_gold(question, place):
        return True
    home = {gold.document for gold in question.gold}
    in_home = not home or place.document in home
    return in_home and metrics.contains(articles.quote(place), question.answers)


def _hits_gold(question: Question, place: Place) -> bool:
    """Does a place hit gold? In a conversation gold is whole passages: anywhere in one will do."""
    if question.history is not None and any(metrics.overlap(place, g) for g in question.gold):
        return True
    return metrics.is_hit(place, question.gold, question.paragraph, question.need)


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
