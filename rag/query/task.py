"""What kind of answer a question wants: its task, its topic, its form, and what it is put into.

The task and the topic are told by fitted models (`task_classifier`, `topic_tagger`), the form and
how much is wanted by words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from index.embedding.encoder import QuestionVectors
from index.languages.word_lists import union
from index.tokenization import STOP_WORDS, words
from rag.query.answer_type import answer_type
from rag.query.task_classifier import ABOUT_LAST_ANSWER, PLAIN, Task, classify
from rag.query.text_features import names
from rag.query.topic_tagger import topics
from rag.query.word_lists import REFERRING_WORDS, any_of

Form = Literal["prose", "bullets", "table"]

TOPIC_TASKS: frozenset[Task] = frozenset({"summarise", "overview", "timeline", "quote", "order"})
"""Tasks that say what to do with a topic; the topic alone is searched for."""

ASKED_BACK: frozenset[Task] = frozenset({"fact", "explain", "yes_no", "order", "keyword"})
"""Tasks that need one reading; the others gather whatever there is."""

ALL_PEOPLE = "people"
"""The topic of a question for the people whom any document mentions."""

_NAMED: frozenset[Task] = TOPIC_TASKS.union(("list", "compare", "library"))
"""Tasks of which it matters what they name."""
_MOST_SIDES = 3

_NUMBERS = {"one": 1, "a": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
            "eight": 8, "nine": 9, "ten": 10}  # fmt: skip
_COUNT = r"(?P<count>\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten)"


@dataclass(frozen=True, slots=True)
class Request:
    """What a question asks to be done."""

    task: Task
    topic: str
    """What it is about: the question without the words that say what to do with it."""
    question: str = ""
    """As typed."""
    form: Form = "prose"
    """How the answer is laid out."""
    count: int | None = None
    """How many sentences or bullets are asked for."""
    confidence: float = 1.0
    """Probability of the task, in [0, 1]."""
    intent: str = ""
    """Of small talk and of questions about the library: which sort."""
    subjects: tuple[str, ...] = ()
    """The things to be compared."""
    aspect: str = ""
    """In what they are to be compared; empty where all of it."""
    parts: tuple[str, ...] = ()
    """The questions that it asks, where it asks several things."""
    follow_up: bool = False
    """Whether there are turns before it."""
    people: bool = False
    """Whether it asks whom a document mentions, or all of them do."""

    @property
    def wants_paragraph(self) -> bool:
        """Whether it is open: an explanation, a bare topic, or a question in a talk."""
        open_ = self.task in ("explain", "keyword")
        return open_ or (self.follow_up and self.task in ("fact", "yes_no"))

    @property
    def asks_value(self) -> bool:
        """Whether a number, a time, a person or a place is asked for."""
        return answer_type(self.question) in ("number", "when", "who", "where")

    @property
    def beyond_quotes(self) -> str:
        """What it asks for that no quote can give, as a noun; empty when quotes are enough."""
        if self.task != "rephrase" or self.form != "prose" or self.count:
            return ""
        return TRANSLATION if _TRANSLATE.search(self.question) else "simpler words"

    @property
    def wants_one_thing(self) -> bool:
        """Whether a few words can be the whole answer."""
        return self.task in ("fact", "explain") and len(self.parts) < 2

    @property
    def wants_value(self) -> bool:
        """Whether it asks for a name, a date, a place or a number: a few words answer it."""
        return self.task == "fact" and _VALUE.search(self.question) is not None


TRANSLATION = "a translation"
"""What no quote can give, and no check can find in its sources."""
_VALUE = re.compile(
    r"\bhow (?:many|much|old|long|far|large|big|high|tall|often)\b|^\s*(?:who|when|where|whose)\b"
    r"|\bwhat (?:year|date|day|percent\w*|share|number|time)\b|\bwhich\b",
    re.IGNORECASE,
)
_HEADLINE = re.compile(r"\b(?:headline|tag ?line|title)\b", re.IGNORECASE)
"""What one sentence of the document stands for, until somebody words it."""
_BULLETS = re.compile(
    r"\bbullet(?:s|ed|[- ]?points?)?\b|\bpros and cons\b|\bas (?:a )?list\b", re.I
)
_TABLE = re.compile(r"\b(?:table|tabular|spreadsheet|columns?)\b", re.IGNORECASE)
_DATES = re.compile(r"\b(?:dates?|deadlines?|years?|when|dated)\b", re.IGNORECASE)
_HOW_MANY = re.compile(
    rf"\b(?:in|as|with|into|to|draft|write|only|just|of)\s+(?:exactly |about |at most |a "
    rf"|max(?:imum)? )?"
    rf"{_COUNT}(?:\s*(?:-|–|to|or)\s*(?P<most>\d{{1,2}}))?[- ]?(?:short |key |concise |bullet )?"
    r"(?:sentences?|lines?|bullets?|bullet points?|points?)\b|"
    rf"\b(?P<more>\d{{1,2}}|one|two|three|four|five|six|seven|eight|nine|ten)[- ](?:bullet"
    rf"|sentence|line|point)s?\b",
    re.IGNORECASE,
)
_SHORTER = re.compile(r"\b(?:short|shorter|brief\w*|nutshell|tl;?dr|one sentence)\b", re.IGNORECASE)
_TRANSLATE = re.compile(
    r"\btranslate\b|\b(?:in|into) (?:french|german|spanish|italian|chinese|arabic|russian"
    r"|portuguese|dutch|japanese|korean)\b",
    re.IGNORECASE,
)


def understand(
    question: str, *, follow_up: bool = False, vectors: QuestionVectors | None = None
) -> Request:
    """The task of a question, the form it wants, and its topic.

    Args:
        question: as typed.
        follow_up: whether there are turns before it.
        vectors: of the question, by the encoder that the models were fitted with; None without.
    """
    plain = " ".join(question.split())
    classified = classify(plain, follow_up=follow_up, vectors=vectors)
    count = _count_of(plain)
    task: Task = classified.task
    people_of = _people_of(plain)
    if people_of:
        task, classified = "list", replace(classified, probability=1.0)
    if (task in PLAIN or task in ("keyword", "overview")) and count and _BULLETS.search(plain):
        task = "order"  # "three bullet points on cables" says how long
    if task == "order" and _TABLE.search(plain) and _DATES.search(plain):
        task = "timeline"  # "make a table of the fairs with dates"
    named = topics(plain, task, vectors) if task in _NAMED and not people_of else people_of
    if task == "compare" and len(named) < 2:
        task, named = "explain", ()
    named, aspect = _aspect(plain, named) if task == "compare" else (named, "")
    form = _form_of(plain, task)
    if task == "rephrase" and form == "prose" and _SHORTER.search(plain):
        count = 1
    return Request(
        task,
        " ".join(named) or (_HOW_MANY.sub(" ", plain).strip(" ,:") if count else "") or plain,
        question=plain,
        confidence=classified.probability,
        intent=classified.intent,
        form=form,
        count=1 if task in ("order", "summarise") and _HEADLINE.search(plain) else count,
        subjects=_sides(named) if task == "compare" else (),
        aspect=aspect,
        parts=parts(plain) if task in PLAIN else (),
        follow_up=follow_up,
        people=bool(people_of),
    )


def _people_of(question: str) -> tuple[str, ...]:
    """What the document is about whose people are asked for; nothing where something else is.

    Of all documents `ALL_PEOPLE`.
    """
    asked = _WHOM.fullmatch(question)
    document = _DOCUMENT.fullmatch(asked["place"] or asked["teller"]) if asked else None
    return (document["name"] or document["subject"] or ALL_PEOPLE,) if document else ()


_WHOM = re.compile(
    r"(?:.*\b(?:people|persons|names)|\W*(?:and |so |please )?who)\b(?:"
    r"(?: (?:that|who|all|else|is|are|was|were|gets?))*"
    r" (?:mentioned|named|quoted|cited|appear|appears|appearing|comes? up) in (?P<place>.+?)"
    r"| (?:does|do|did) (?P<teller>.+) (?:mention|name|quote|cite))\W*",
    re.IGNORECASE,
)
_DOCUMENT = re.compile(
    r"(?:(?:the|my|all|your|this|that|these|of) )*(?:(?P<name>\S.{1,60}?) )?"
    r"(?:article|report|text|document|paper|piece|story|file|note)s?"
    r"(?: (?:on|about) (?:the )?(?P<subject>.{3,60}))?",
    re.IGNORECASE,
)
"""A document by its name or what it is about: "the Hiroshima article"."""


def _form_of(question: str, task: Task) -> Form:
    """How an answer is laid out."""
    if _TABLE.search(question) and task in ("order", "rephrase", "timeline", "list", "compare"):
        return "table"
    return "bullets" if _BULLETS.search(question) else "prose"


def _aspect(question: str, named: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The things compared, and in what: the last thing that a question names, after "in" or "on".

    An aspect that was named in one with the last thing, "A and B on C", is parted from it.
    """
    *others, last = named
    if len(others) > 1 and re.search(rf"{_IN} (?:the |their )?{re.escape(last)}", question, re.I):
        return tuple(others), last
    found = re.fullmatch(rf"(?P<thing>.+?) {_IN} (?P<aspect>.+)", last, re.IGNORECASE)
    if found and not re.search(rf" {_IN} ", " ".join(others), re.IGNORECASE):
        return (*others, found["thing"]), found["aspect"]
    return tuple(named), ""


_IN = r"\b(?:in|on|about|regarding|towards?)\b"


def _sides(named: Sequence[str]) -> tuple[str, ...]:
    """The things compared, each whole."""
    first, second, *others = (_bare(name) for name in named[:_MOST_SIDES])
    return (*_completed_pair(first, second), *others)


def parts(question: str) -> tuple[str, ...]:
    """The questions that one question asks; itself alone when it asks one thing."""
    found = _parts(question)
    return tuple(f"{part.rstrip('?')}?" for part in found) if len(found) > 1 else found


def _parts(question: str) -> tuple[str, ...]:
    plain = " ".join(question.split()).rstrip("?!. ")
    if found := _BOTH.match(plain) or _YEARS.match(plain):
        word = found["word"] if found.re is _BOTH else "in"
        return tuple(f"{found['head']} {word} {found[member]}{found['tail']}" for member in "ab")
    if found := _EACH_YEAR.match(plain) or _NAMES_JOINED.match(plain):
        return tuple(
            f"{found['head']} {member}{found['tail']}"
            for member in _JOINS.split(found["members"])[:_MOST_SIDES]
        )
    if found := _EACH.match(plain) or _EACH_NAME.match(plain):
        members = _JOINS.split(found["members"])
        return tuple(
            f"{found['head']} {found['word']} {member}" for member in members[:_MOST_SIDES]
        )
    cut = [
        part.strip(" ,;?") for part in _NEXT_QUESTION.split(plain) if part and part.strip(" ,;?")
    ]
    cut = [part for part in cut if classify(part, follow_up=True).task != "rephrase"]
    cut = [_THOSE.sub(_noun_before(cut[0]), part) for part in cut]
    if len(cut) < 2 or any(len(words(part)) < 2 for part in cut):
        return (question,)
    return tuple(cut[:3])


_THOSE = re.compile(
    r"\b(?:those|that|the ones?)(?= (?P<word>of|in|for|on|from|at)\b)", re.IGNORECASE
)


def _noun_before(part: str) -> Callable[[re.Match[str]], str]:
    """What "those" means before "of": the noun that has it in another part of the question."""

    def noun(those: re.Match[str]) -> str:
        found = re.search(rf"((?:the )?[\w'’-]+) {those['word']}\b", part)
        return found[1] if found else those[0]

    return noun


_WHAT_ABOUT = re.compile(
    r"^\W*what(?:['’]?s| is| was)\s+(?P<title>\S.*?\S)\s+(?:all\s+)?about\W*$", re.IGNORECASE
)


def with_title(request: Request, is_title: Callable[[str], bool]) -> Request:
    """The request, made one for a summary where it asks what something is about that is a title.

    Args:
        request: what is asked.
        is_title: whether words name a document.
    """
    found = _WHAT_ABOUT.match(request.question)
    if request.task in ABOUT_LAST_ANSWER or not found:
        return request
    title = found["title"].strip("\"'“”‘’«»")
    return replace(request, task="summarise", topic=title) if is_title(title) else request


def title_to_summarise(question: str) -> str:
    """What a question in another language than English asks to have summed up; empty for others.

    "Fassen Sie „A“ zusammen" asks for A. English ones are told by the fitted classifier.
    """
    plain = " ".join(question.split()).rstrip(" .?!。？！؟")
    for pattern in _summarising():
        if found := pattern.fullmatch(plain):
            return found["title"].strip(_QUOTES)
    return ""


_QUOTES = " \"'“”„‚‘’«»‹›「」『』《》"


@cache
def _summarising() -> tuple[re.Pattern[str], ...]:
    """What asks for a summary, in all languages that have words for it in their lists."""
    return tuple(
        re.compile(re.escape(phrase).replace(r"\{\}", "(?P<title>.+)"), re.IGNORECASE)
        for phrase in union("summarise")
    )


_ASKS = (
    r"(?:in )?(?:how|what|who|when|where|why|which|whose|did|do|does|is|are|was|were|has|have|had"
    r"|can|could|will|would|should)\b"
)
_NEXT_QUESTION = re.compile(
    rf"(?:,|;)?\s+and\s+(?={_ASKS})|\?\s+(?:and\s+)?(?={_ASKS})|;\s+", re.IGNORECASE
)
_BOTH = re.compile(
    r"(?P<head>.{8,}?) (?P<word>in|for|of|by|with|at|on|from|about) (?P<a>[^,;?]{3,60}?),? and"
    r" (?P=word) (?P<b>[^,;?]{3,60})(?P<tail>)$",
    re.IGNORECASE,
)
"""What is asked of two things: "the part of A in B and in C"."""
_EACH = re.compile(
    r"(?P<head>(?:how|what|who|when|where|which)\b.{4,}?) (?P<word>in|for|of|by|at|on|from)"
    r" (?P<members>[^,;]{3,40}(?:, [^,;]{3,40})+,? (?:and|or) [^,;]{3,40})$",
    re.IGNORECASE,
)
"""What is asked of each of several things: "how many came in A, B and C"."""
_CAPITALS = r"[A-Z][\w'’-]*(?: [A-Z][\w'’-]*){0,5}"
_EACH_NAME = re.compile(
    r"(?P<head>(?:[Hh]ow|[Ww]hat|[Ww]ho|[Ww]hen|[Ww]here|[Ww]hich)\b.{4,}?)"
    rf" (?P<word>in|for|of|by|at|on|from) (?P<members>{_CAPITALS} and {_CAPITALS})$"
)
"""The same of two, whose capitals say that they are names."""
_EACH_YEAR = re.compile(
    r"(?P<head>(?:how|what|who|when|where|which)\b.{4,}?(?: (?:in|of|for|from|at))?)"
    r" (?P<members>\d{4}(?:, \d{4}){0,2},? and \d{4})(?P<tail>\b.*)$",
    re.IGNORECASE,
)
_NAMES_JOINED = re.compile(
    r"(?P<head>(?:[Hh]ow|[Ww]hat|[Ww]ho|[Ww]hen|[Ww]here|[Ww]hich)\b(?: [^A-Z,;?]{2,40}?)?)"
    rf" (?P<members>(?:the )?{_CAPITALS} and (?:the )?{_CAPITALS})(?P<tail> [a-z][^,;?]{{3,60}})$"
)
"""What is asked of two names before a verb: "when did A and B enter into force"."""
_JOINS = re.compile(r",? and |,? or |, ")
_YEARS = re.compile(
    r"(?P<head>(?=.*\b(?:chang|gr[eo]w|r[io]se|f[ae]ll|develop|increas|decreas|differ|evolv|shift"
    r"|drop|mov)).{8,}?) (?P<word>from|between|in) (?P<a>(?:19|20)\d\d) (?:to|and|until)"
    r" (?P<b>(?:19|20)\d\d)(?P<tail>[^?]{0,60})$",
    re.IGNORECASE,
)
"""What is said to change from one year to another."""


def only_points(request: Request) -> bool:
    """Whether a question points at something by a pronoun and names nothing."""
    text = request.question
    content = [word for word in words(request.topic) if word not in STOP_WORDS]
    if names(text) or any(c.isdigit() for c in text) or len(content) > _ONLY_POINTS:
        return False
    return _POINTING.search(text) is not None


_POINTING = re.compile(rf"\b(?:{any_of(REFERRING_WORDS)}|him|them)\b", re.IGNORECASE)
_ONLY_POINTS = 2
"""Content words up to which a question with a pronoun names nothing."""


def leans_on_other_part(part: str) -> bool:
    """Whether a part of a question can only be understood with the part before it."""
    content = [word for word in words(part) if word not in STOP_WORDS]
    pointing = re.search(r"\b(?:it|its|they|them|their|he|she|his|her)\b", part, re.IGNORECASE)
    return (len(content) <= 2 and not names(part)) or pointing is not None


def _count_of(question: str) -> int | None:
    found = _HOW_MANY.search(question)
    if not found:
        return None
    told = (found["most"] or found["count"] or found["more"] or "").lower()
    return int(told) if told.isdigit() else _NUMBERS.get(told)


def _bare(text: str) -> str:
    return re.sub(r"^(?:the|a|an)\s+(?=\w)", "", text.strip(" \"“”'?.,"), flags=re.I)


def _completed_pair(a: str, b: str) -> tuple[str, str]:
    """Both things whole: "Bletchley and Paris summits" are two summits."""
    *head, last = b.split()
    if last.lower() in ("one", "ones") and head:
        return a, " ".join([*head, a.split()[-1]])
    if (
        head
        and last.endswith("s")
        and last.islower()
        and last[:-1] not in a.lower()
        and head[0][0].isupper()
    ):
        kind = [word for word in [*head[1:], last]]
        a = f"{a} {' '.join(kind)}"
    return a, b
