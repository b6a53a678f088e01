"""Questions that the library itself can answer, made from its own sentences; no model writes them.

A sentence of a certain form holds the answer to a question of a certain form: "Vint Cerf chaired
the panel" answers "Who chaired the panel?". Such a question is offered only when asking it, with
quotes only, leads back to the very sentence it was made from. English forms; in a library without
English sentences nothing is suggested.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from index.types import Passage
from rag.query.text_features import content_stems, names, numbers
from rag.query.word_lists import MONTH_NAMES, NUMBER_WORDS, REFERRING_WORDS, any_of
from rag.types import Answer, Citation, PassageRead


@dataclass(frozen=True, slots=True)
class SuggestionLimits:
    """How much is tried, and how long a question may be."""

    candidates: int = 4
    """Asked per document, or per question wanted, before it is given up."""
    documents: int = 30
    """Looked into, evenly spread, however many there are."""
    fewest_words: int = 4
    """Of a question; one fewer of "What is …?"."""
    most_words: int = 13
    """Of a question."""


LIMITS = SuggestionLimits()

_NAME = r"(?:[Tt]he )?[A-Z][\w’'-]*(?: (?:of|for|on|and|the|in|[A-Z0-9][\w’'-]*)){0,6}"
_YEAR = rf"\b(?:{any_of(MONTH_NAMES)})\b|\b(?:1[5-9]|20)\d\d\b"
_TWO_TO_TEN = any_of(
    f"[{word[0].upper()}{word[0]}]{word[1:]}"
    for word, value in NUMBER_WORDS.items()
    if 2 <= value <= 10
)
_WHO = re.compile(
    r"^(?P<who>[A-Z][\w’'-]+(?: [A-Z][\w’'-]+){1,3})(?:, [^,]{3,80},)? "
    r"(?P<did>(?!entered into force)(?:\w+ed|wrote|won|led|chose|gave|held|built|founded|became|"
    r"drew|sent|told|made) .+)$"
)
_MANY = re.compile(
    r"^(?:(?:More|Fewer|Less) than|About|Around|Some|Over|Nearly|Almost|At least)? ?"
    rf"(?:\d[\d,.]*|{_TWO_TO_TEN})"
    r"(?: (?:million|billion|thousand))? (?P<what>[a-z-]+s (?:[a-z]+ ){0,3}?(?:were|are|had|have|"
    r"\w+ed) .+)$"
)
_WHEN = re.compile(
    rf"^(?P<what>{_NAME}) (?:(?P<was>was|were) (?P<done>\w+ed)|"
    r"(?P<did>opened|ended|began|started|closed|met|entered into force|took place))\b"
    rf"(?P<rest>[^,;]*?(?:{_YEAR}).*)$"
)
_WHAT = re.compile(rf"^(?P<what>{_NAME}) (?P<be>is|are) (?:a|an|the|one of)\b .+$")
_BASE = {"opened": "open", "ended": "end", "began": "begin", "started": "start",
         "closed": "close", "met": "meet", "entered into force": "enter into force",
         "took place": "take place"}  # fmt: skip
# A question must be understood by itself, so it may lean on nothing said elsewhere.
_LEANS = re.compile(
    rf"\b(?:{any_of(REFERRING_WORDS)}|him|them|hers|here|such|both|other|others|another|same"
    r"|latter|former|I|we|our|us|you|your|next|last|also)\b",
    re.IGNORECASE,
)
# A name that a question can be about: `The Paris Agreement`, `Vint Cerf`, not `Members of …`.
_PROPER = re.compile(r"[Tt]he |[A-Z][\w’'-]* [A-Z0-9]")
# What is left hanging when the rest of a sentence was cut off.
_HANGING = re.compile(r"\b(?:of|in|on|at|by|to|for|from|with|and|or|as|than|the|a|an|that)\?$")
_SPAN_OF_TIME = re.compile(r"(?:days|weeks|months|years|hours|minutes)\b")
_CUT = re.compile(r"[,;:(–—]| - | but | which | who | while | because | after which ")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question and the sentence that should answer it."""

    question: str
    document_id: str
    paragraph: int
    start: int
    end: int


Ask = Callable[[str], Answer]
"""Answers a question with quotes only."""
PassagesOf = Callable[[str], Sequence[Passage]]
"""A document's passages in order, by its id: `Library.passages`."""


def opening(
    passages_of: PassagesOf,
    ask: Ask,
    document_ids: Sequence[str],
    *,
    wanted: int = 4,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[str, ...]:
    """Questions to begin with, each from another document, all answerable.

    Args:
        passages_of: where the documents are.
        ask: answers with quotes only.
        document_ids: all documents; at most `SuggestionLimits.documents` are looked into.
        wanted: how many at most.
        stop: asked before each question; when it says True, the questions so far are returned.
    """
    step = max(1, len(document_ids) // LIMITS.documents)
    questions: list[str] = []
    for document_id in document_ids[::step]:
        if len(questions) == wanted:
            break
        # with nothing said before, a question must name what it is about
        candidates = (
            one
            for one in candidates_in(document_id, passages_of(document_id))
            if names(one.question) | numbers(one.question)
        )
        tried = islice(candidates, LIMITS.candidates)
        questions += islice(_answerable(tried, ask, stop), 1)
    return tuple(questions)


def following(
    passages_of: PassagesOf, ask: Ask, answer: Answer, *, wanted: int = 3
) -> tuple[str, ...]:
    """Questions that may come next, answered by sentences that are not cited yet.

    From the cited documents first, then from the others that were read; among those of one document
    the ones that share words with the question and its answer, then the ones nearby.
    """
    quoted = {(c.document_id, c.start) for c in answer.citations}
    talk = set(content_stems(f"{answer.question} {answer.text}"))
    asked = set(content_stems(answer.question))
    near: dict[str, int] = {}
    seen: list[Citation | PassageRead] = [*answer.citations, *answer.passages]
    for place in seen:
        near.setdefault(place.document_id, place.paragraph)
    cited = {c.document_id for c in answer.citations}
    ranked = sorted(
        (
            one
            for document_id in islice(near, LIMITS.documents)
            for one in candidates_in(document_id, passages_of(document_id))
            if (document_id, one.start) not in quoted
            and set(content_stems(one.question)) - asked
            and (document_id in cited or names(one.question) | numbers(one.question))
        ),
        key=lambda one: (
            one.document_id not in cited,
            -len(talk & set(content_stems(one.question))),
            abs(one.paragraph - near[one.document_id]),
        ),
    )
    candidates = islice(ranked, wanted * LIMITS.candidates)
    return tuple(islice(_answerable(candidates, ask, lambda: False), wanted))


def candidates_in(document_id: str, passages: Iterable[Passage]) -> Iterator[Candidate]:
    """Questions made from a document's sentences, best forms first; not yet asked."""
    made = [
        (rank, Candidate(question, document_id, passage.paragraph, one.start, one.end))
        for passage in passages
        for one in passage.sentences
        if (shaped := question_from(one.text)) is not None
        for rank, question in [shaped]
    ]
    yield from (candidate for _, candidate in sorted(made, key=lambda pair: pair[0]))


def question_from(sentence: str) -> tuple[int, str] | None:
    """The question that a sentence answers and the rank of its form; None when it has no form."""
    flat = " ".join(sentence.split()).rstrip('.!?"” ')
    if (m := _WHO.match(flat)) and (did := _clause(m["did"])):
        question = f"Who {did}?"
        rank = 0
    elif (m := _MANY.match(flat)) and not _SPAN_OF_TIME.match(what := _clause(m["what"])):
        question, rank = f"How many {what}?", 1
    elif (m := _WHEN.match(flat)) and _PROPER.match(m["what"]):
        rest = _clause(
            re.split(rf"\s+(?:on|in|by|from|at|since)\s+[^,]*?(?:{_YEAR})", m["rest"])[0]
        )
        thing = _inside(m["what"])
        question = (
            f"When {m['was']} {thing} {m['done']} {rest}"
            if m["was"]
            else f"When did {thing} {_BASE[m['did']]} {rest}"
        ).rstrip() + "?"
        rank = 2
    elif (m := _WHAT.match(flat)) and _PROPER.match(m["what"]):
        question, rank = f"What {m['be']} {_inside(m['what'])}?", 3
    else:
        return None
    words = question.split()
    if _LEANS.search(question) or _HANGING.search(question):
        return None
    if not LIMITS.fewest_words - (rank == 3) <= len(words) <= LIMITS.most_words:
        return None
    return rank, question


def _clause(text: str) -> str:
    """The first clause, without what is added after a comma or in brackets."""
    return _CUT.split(text, maxsplit=1)[0].strip()


def _inside(name: str) -> str:
    """A name as it stands inside a sentence."""
    return f"the {name[4:]}" if name.startswith("The ") else name


def _answerable(
    candidates: Iterable[Candidate], ask: Ask, stop: Callable[[], bool]
) -> Iterator[str]:
    """The questions that lead back to the sentence they were made from."""
    seen: set[str] = set()
    for one in candidates:
        if stop():
            return
        if one.question in seen:
            continue
        seen.add(one.question)
        answer = ask(one.question)
        first = answer.citations[:1]
        if answer.state == "answered" and any(
            c.document_id == one.document_id and c.start < one.end and one.start < c.end
            for c in first
        ):
            yield one.question
