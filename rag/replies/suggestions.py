"""Questions that the library itself can answer, made from its own sentences; no model writes them.

A sentence of a certain form holds the answer to a question of a certain form: "Vint Cerf chaired
the panel" answers "Who chaired the panel?". Such a question is offered only when asking it, with
quotes only, leads back to the very sentence it was made from. Forms of English stand here, those of
other languages in `question_forms.py`: a question is in its document's language. Of a document in
any other language nothing but a summary is offered, in the words of whoever asks for suggestions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from index.languages.detection import text_language
from index.tokenization import STOP_WORDS
from index.types import Passage
from rag.query.text_features import content_stems, names
from rag.query.word_lists import MONTH_NAMES, NUMBER_WORDS, REFERRING_WORDS, any_of
from rag.replies.question_forms import question_in
from rag.types import Answer

SUMMARISE = "Summarise “{title}”"
"""Asks for a summary of a document; a page says it in its own language."""


@dataclass(frozen=True, slots=True)
class SuggestionLimits:
    """How much is tried, and how long a question may be."""

    candidates: int = 4
    """Asked per document, or per question wanted, before it is given up."""
    documents: int = 30
    """Looked into, evenly spread, however many there are."""
    paragraphs: int = 60
    """Of a document that are looked into for a question to begin with."""
    neighbours: int = 8
    """Paragraphs before and after a cited one from which a question may go on."""
    wider: int = 2
    """Questions about a name or the whole article, where too few go on from a sentence."""
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
_LONG_NAME = re.compile(
    r"(?P<the>\b[Tt]he )?"
    r"(?P<name>\b(?:[A-Z]{2,6} )?[A-Z][\w-]*[a-z]"
    r"(?:(?: (?:of|for|and|the|de|von))? [A-Z][\w-]+){1,5})"
    r"(?![\w’'])"
)
# Words that open a sentence before a name, and months.
_LEADING = re.compile(
    rf"^(?:(?:{any_of(sorted(w.capitalize() for w in STOP_WORDS))}|{any_of(MONTH_NAMES)}) )+"
)
_MONTHS = frozenset(month.lower() for month in MONTH_NAMES)
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
    language: str = "en"
    """The code of the language that it is in."""


Ask = Callable[[str], Answer]
"""Answers a question with quotes only."""


class PassagesOf(Protocol):
    """A document's passages in order, by its id and its paragraphs' numbers: `Library.passages`."""

    def __call__(  # noqa: D102
        self, document_id: str, paragraphs: Collection[int] | None = None, /
    ) -> Sequence[Passage]: ...


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
        beginning = passages_of(document_id, range(1, LIMITS.paragraphs + 1))
        candidates = filter(_stands_alone, candidates_in(document_id, beginning))
        tried = islice(candidates, LIMITS.candidates)
        questions += islice(_answerable(tried, ask, stop), 1)
    return tuple(questions)


def following(
    passages_of: PassagesOf,
    ask: Ask,
    answer: Answer,
    *,
    asked: Collection[str] = (),
    wanted: int = 3,
    summarise: str = SUMMARISE,
) -> tuple[str, ...]:
    """Questions that go on from an answer: about what stands around the sentences it cites.

    They are made from sentences that it does not cite, of its own documents and within
    `SuggestionLimits.neighbours` paragraphs; those that share words with the question and its
    answer come first, then the nearest. None asks in other words what was asked before.

    Args:
        passages_of: where the documents are.
        ask: answers with quotes only.
        answer: what was just read.
        asked: the questions of the conversation.
        wanted: how many at most.
        summarise: asks for a summary of `{title}`, in the reader's language.
    """
    quoted = {(c.document_id, c.start) for c in answer.citations}
    cited: dict[str, set[int]] = {}
    sides = 2 if answer.form == "columns" else 1  # what comes after the best may be beside it
    for citation in answer.citations:
        if len(cited) < sides or citation.document_id in cited:
            cited.setdefault(citation.document_id, set()).add(citation.paragraph)
    before = {_meaning(question) for question in (*asked, answer.question)}
    talk = set(content_stems(f"{answer.question} {answer.text}"))
    candidates = [
        candidate
        for document_id, paragraphs in cited.items()
        for candidate in candidates_in(document_id, passages_of(document_id, _around(paragraphs)))
        if (document_id, candidate.start) not in quoted
        and _meaning(candidate.question) not in before
        and _stands_alone(candidate)
    ]

    def closeness(candidate: Candidate) -> tuple[int, int]:
        shared = talk & set(content_stems(candidate.question))
        near = cited[candidate.document_id]
        return -len(shared), min(abs(candidate.paragraph - number) for number in near)

    tried = islice(sorted(candidates, key=closeness), wanted * LIMITS.candidates)
    found = list(islice(_answerable(tried, ask, lambda: False), wanted))
    if len(found) < wanted:
        wider = _about_names(passages_of, answer, cited, summarise)
        more = _leading_into(cited, ask, (q for q in wider if _meaning(q) not in before))
        found += islice(more, min(wanted - len(found), LIMITS.wider))
    return tuple(found)


def _about_names(
    passages_of: PassagesOf,
    answer: Answer,
    cited: Mapping[str, Collection[int]],
    summarise: str,
) -> Iterator[str]:
    """What is said of the names around the cited sentences; last, what the whole article says.

    Of names in English articles alone, since nothing else is asked in English.
    """
    known = _meaning(answer.question)
    offered: set[frozenset[str]] = set()
    for document_id, paragraphs in cited.items():
        around = passages_of(document_id, _around(paragraphs, 1))
        for passage in around if _language_of(around) == "en" else ():
            for match in _LONG_NAME.finditer(" ".join(passage.text.split())):
                name = _LEADING.sub("", match["name"])
                stems = frozenset(content_stems(name))
                if " " not in name or stems & known or stems in offered or _dated(name):
                    continue
                offered.add(stems)
                if len(offered) > LIMITS.candidates:
                    break
                article = "the " if match["the"] and name == match["name"] else ""
                yield f"What do the articles say about {article}{name}?"
    titles = dict.fromkeys(c.title for c in answer.citations if c.title)
    yield from (summarise.format(title=title) for title in islice(titles, 1))


def _leading_into(documents: Collection[str], ask: Ask, questions: Iterable[str]) -> Iterator[str]:
    """The questions that are answered out of some of these documents."""
    for question in questions:
        answer = ask(question)
        if answer.state == "answered" and any(c.document_id in documents for c in answer.citations):
            yield question


def _dated(name: str) -> bool:
    """Whether a month stands in what looks like a name."""
    return not _MONTHS.isdisjoint(name.lower().split())


def _around(paragraphs: Iterable[int], distance: int = LIMITS.neighbours) -> set[int]:
    """The numbers of some paragraphs and of those before and after them."""
    reach = range(-distance, distance + 1)
    return {number + step for number in paragraphs for step in reach}


def _meaning(question: str) -> frozenset[str]:
    """What a question asks about, however it is worded."""
    return frozenset(content_stems(question))


def _stands_alone(candidate: Candidate) -> bool:
    """Whether a question names what it is about; a month or a day is no name."""
    return candidate.language != "en" or bool(names(candidate.question) - _MONTHS)


def candidates_in(document_id: str, passages: Iterable[Passage]) -> Iterator[Candidate]:
    """Questions made from a document's sentences, best forms first; not yet asked."""
    every = tuple(passages)
    code = _language_of(every)
    made = [
        (rank, Candidate(question, document_id, p.paragraph, sentence.start, sentence.end, code))
        for p in every
        for sentence in p.sentences
        if (shaped := _question_from(sentence.text, code)) is not None
        for rank, question in [shaped]
    ]
    yield from (candidate for _, candidate in sorted(made, key=lambda pair: pair[0]))


def _language_of(passages: Sequence[Passage]) -> str:
    """The code of the language that passages are in."""
    return text_language("\n".join(passage.text for passage in passages))


def _question_from(sentence: str, code: str) -> tuple[int, str] | None:
    return question_from(sentence) if code == "en" else question_in(code, sentence)


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
    for candidate in candidates:
        if stop():
            return
        if candidate.question in seen:
            continue
        seen.add(candidate.question)
        answer = ask(candidate.question)
        first = answer.citations[:1]
        if answer.state == "answered" and any(
            c.document_id == candidate.document_id
            and c.start < candidate.end
            and candidate.start < c.end
            for c in first
        ):
            yield candidate.question
