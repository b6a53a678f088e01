"""Composed quotations → an answer in a capable model's own words, each statement with its sources.

The model reads what was composed with the passages around it and writes for the task. Nothing it
says is believed: each statement is looked for in the sentences it was shown, and what they do not
carry is left out. What it did not say of the composed answer stands beside it, quoted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from index import Hit, Library
from index.languages.splitting import sentences
from index.types import EVERYWHERE, SearchScope, Span
from rag.grounding.citations import ProseParser
from rag.grounding.composition import leans_on_previous
from rag.grounding.injection import looks_like_injection
from rag.grounding.verification.attribution import Attribution, Attributor
from rag.llm.generator import Generator, Message, Piece
from rag.llm.prompt import Block, answer_messages, instruction, plain, support_messages
from rag.query.task import Request
from rag.query.text_features import TextFeatures, content_stems, names, negations, numbers
from rag.types import CheckedDraft, Draft, Quotation, SourcedStatement


@dataclass(frozen=True, slots=True)
class WriterLimits:
    """What a written answer may be; chosen on the everyday set."""

    said: float = 0.6
    """Share of content stems that was said, from which on a quotation is not quoted too, nor a
    statement in doubt asked about."""
    named: float = 0.3
    """Share of stems from which on the head of a line names a side of a comparison."""
    shortest: int = 3
    """Words of a statement."""
    longest: int = 500
    """Characters of a statement: what is longer is no sentence."""
    judged: int = 8
    """Statements in doubt that the model is asked about, at most."""
    judging: float = 8.0
    """Seconds in which it is asked about another one."""
    short: int = 78
    """Words up to which quotations stand beside statements, however short they were."""
    longer: float = 1.5
    """Times that an answer may be as long as what was composed, up to `long` words."""
    long: int = 180
    block_tokens: int = 8
    """Tokens of a block beside its text."""


LIMITS = WriterLimits()
_VERDICT = re.compile(r"^(?P<verdict>yes|no)(?:\s*[,.:;–—-]+\s*|\s*$)", re.IGNORECASE)
"""At the head of a statement, whatever the question's task; of "No country signed" it is none."""
_META = re.compile(
    r"\b(?:the|these|this|provided|given) (?:passages?|texts?|articles?|documents?|context|"
    r"information)\b.{0,40}\b(?:do(?:es)?|did|is|are|provides?|mentions?|says?|contains?|states?|"
    r"discuss(?:es)?|suggests?|describes?|explains?|indicates?|notes?|shows?)\b"
    r"|\b(?:based on|according to) the (?:information|passages?|texts?|context)\b"
    r"|\bas an ai\b|\bi (?:cannot|can't|do not|don't)\b",
    re.IGNORECASE,
)
"""What a model says of itself or of what it was given, and not of what is asked."""


@dataclass(frozen=True, slots=True)
class Commission:
    """What is to be written."""

    request: Request
    question: str
    """In the wording that was understood."""
    asked: str
    """As typed."""
    before: str
    """The question that it goes on with; empty for the first one."""
    composed: Sequence[Quotation]
    around: Sequence[Hit]
    """The best passages, best first."""
    scope: SearchScope = EVERYWHERE
    """Where the question looks."""


@dataclass(frozen=True, slots=True)
class Written:
    """A statement of the model with what became of it; `told` is None when it is not shown."""

    draft: CheckedDraft
    told: SourcedStatement | None
    place: int = 0
    """Which of the model's statements it is, from 0."""


class Writer:
    """Lets a model write and checks what it says. Usable from many threads."""

    def __init__(self, library: Library, *, judges: bool) -> None:
        """Look in this library; a model may be asked about statements in doubt when it `judges`."""
        self._library = library
        self._judges = judges
        # one tuple, so that whoever reads it meets one prompt and not parts of two
        self._read: tuple[str, int, SearchScope, tuple[Quotation, ...]] = "", 0, EVERYWHERE, ()

    def write(
        self,
        generator: Generator,
        commission: Commission,
        stop: Callable[[], bool],
        asked: Callable[[int], None],
    ) -> Iterator[Piece | Written]:
        """What a model writes, statement by statement, with the pieces it comes in.

        Args:
            generator: a capable model.
            commission: what is to be written.
            stop: asked often; when it says True the writing ends.
            asked: told how many tokens the prompt has, before it is read.

        Raises:
            ModelFailed: when the model fails at it.
            ModelMissing: when it cannot be used at all.
        """
        request = commission.request
        material = self._continued(commission, self._material(generator, commission))
        if not material:  # nothing fits into the model's context
            return
        messages = answer_messages(
            request, commission.question, _blocks(material), commission.before
        )
        asked(generator.count(messages))
        attributor = Attributor(self._library.encode_query, self._sentences(material))
        check = Check(attributor, request, commission.composed, judges=self._judges)
        yield from check.stream(generator, messages, instruction(request).tokens, stop)
        if self._judges and not stop():
            yield from check.judged(generator, stop)

    def _material(self, generator: Generator, commission: Commission) -> list[Quotation]:
        """What the model reads: the composed runs, then the passages around, as much as fits.

        A passage takes the place of the runs in it, so that they are read as they were written.
        Documents come in the order in which they are told, each in its own order.
        """
        bare = answer_messages(commission.request, commission.question, [], commission.before)
        answer_tokens = instruction(commission.request).tokens
        left = generator.context_tokens - generator.count(bare) - answer_tokens
        room = min(generator.prompt_tokens, left)
        chosen: list[Quotation] = []

        def cost(quotation: Quotation) -> int:
            return generator.count_text(quotation.text) + LIMITS.block_tokens

        for one in commission.composed:
            if (price := cost(one)) <= room and not any(one.overlaps(other) for other in chosen):
                chosen.append(one)
                room -= price
        for hit in commission.around:
            passage = _whole(hit)
            inside = [quotation for quotation in chosen if quotation.overlaps(passage)]
            price = cost(passage) - sum(map(cost, inside))
            if price <= room and not any(_within(passage, quotation) for quotation in inside):
                at = min((chosen.index(quotation) for quotation in inside), default=len(chosen))
                label = inside[0].label if inside else ""
                chosen = [quotation for quotation in chosen if quotation not in inside]
                chosen.insert(at, replace(passage, label=label))
                room -= price
        order = list(dict.fromkeys(quotation.document_id for quotation in chosen))
        return sorted(
            chosen, key=lambda quotation: (order.index(quotation.document_id), quotation.start)
        )

    def _continued(
        self, commission: Commission, material: Sequence[Quotation]
    ) -> Sequence[Quotation]:
        """The material for a follow-up, as a prompt that goes on where the one before ended.

        What the model has read at the same place need not be read again, as long as the question
        looks in the same part of the library. So when half of it was in
        the prompt before, that prompt's comes first, in its order, and what is new after it.
        """
        now = self._library.change
        before, *where, read = self._read
        if commission.before and (before, *where) == (commission.before, now, commission.scope):
            fresh = [
                quotation
                for quotation in material
                if not any(_within(quotation, other) for other in read)
            ]
            if 2 * len(fresh) <= len(material):
                material = [*read, *fresh]
        self._read = commission.asked, now, commission.scope, tuple(material)
        return material

    def _sentences(self, material: Sequence[Quotation]) -> list[Quotation]:
        """The sentences of what the model reads, each a quotation, in their order."""
        found: dict[tuple[str, int], Quotation] = {}
        for quotation in material:
            document = self._library.document(quotation.document_id)
            for passage in self._library.passages(quotation.document_id):
                for sentence in passage.sentences:
                    if quotation.start < sentence.end and sentence.start < quotation.end:
                        skip = max(quotation.start - sentence.start, 0)
                        quoted = Quotation.of_sentence(
                            document, passage.paragraph, sentence, skip, quotation.score
                        )
                        found.setdefault((quotation.document_id, sentence.start), quoted)
        return list(found.values())


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A statement that is shown if the model finds it in its sources."""

    place: int
    told: SourcedStatement
    statement: str
    """Without the Yes or No before it."""
    found: Attribution


class Check:
    """Checks the statements of one answer, one after the other."""

    def __init__(
        self,
        attributor: Attributor,
        request: Request,
        composed: Sequence[Quotation],
        *,
        judges: bool,
    ) -> None:
        """Prepare.

        Args:
            attributor: looks in the sentences that the model reads.
            request: what is asked to be done.
            composed: the answer in the sources' own sentences.
            judges: whether the model will be asked about what no sentence says word for word.
        """
        self._attributor = attributor
        self._judges = judges
        self._composed = composed
        self._request = request
        self._told: list[SourcedStatement] = []
        self._doubtful: list[_Doubt] = []
        self._dangling: dict[int, str] = {}
        """Statements that point at one which is not shown, by their places."""
        self._verdict = ""
        self._place = -1
        self._before = True
        """Whether the statement before is shown, or says what is."""

    def stream(
        self,
        generator: Generator,
        messages: Sequence[Message],
        tokens: int,
        stop: Callable[[], bool],
    ) -> Iterator[Piece | Written]:
        """What a model says to these messages, and each of its statements as soon as it ends."""
        parser = ProseParser()
        for piece in generator.stream(messages, ids=(), max_tokens=tokens, stop=stop):
            yield piece
            if isinstance(piece, str):
                for draft in parser.feed(piece):
                    yield self.written(draft)
        if not stop():
            for draft in parser.close():
                yield self.written(draft)

    def written(self, draft: Draft) -> Written:
        """A statement with its sources, or without where it is not to be shown."""
        self._place += 1
        label, text = self._labelled(draft.text)
        # "It was not binding" says nothing when what it was stands nowhere
        if not self._before and not label and leans_on_previous(plain(text)):
            self._dangling[self._place] = text
            return Written(CheckedDraft((), draft.text, "dangling"), None, self._place)
        outcome, told = self._judged(text, label)
        if told is not None:
            self._told.append(told)
        self._before = outcome in ("kept", "said before")
        return Written(CheckedDraft((), draft.text, outcome), told, self._place)

    def judged(self, generator: Generator, stop: Callable[[], bool]) -> Iterator[Written]:
        """Those in doubt that the model itself finds in their sources, within some seconds."""
        end = time.monotonic() + LIMITS.judging
        doubtful = sorted(self._doubtful, key=lambda doubt: -doubt.found.probability)
        for doubt in doubtful[: LIMITS.judged]:
            if stop() or time.monotonic() > end:
                return
            if _adds_nothing(doubt.statement, [other.text for other in self._told]):
                continue
            sources = [source.text for source in doubt.found.sources]
            odds = generator.log_odds(support_messages(doubt.statement, sources), stop)
            if odds is None and not doubt.found.stands:
                continue
            if odds is None or doubt.found.is_confirmed_by(odds):
                self._told.append(doubt.told)
                outcome = "kept" if odds is None else f"judged {odds:+.1f}"
                draft = CheckedDraft((), doubt.told.text, outcome)
                yield Written(draft, doubt.told, doubt.place)
                yield from self._after(doubt.place)

    def _after(self, place: int) -> Iterator[Written]:
        """The statements that point at one which is shown after all, as far as they stand."""
        while text := self._dangling.pop(place := place + 1, ""):
            outcome, told = self._judged(text, "")
            if told is None or outcome != "kept":
                return
            self._told.append(told)
            yield Written(CheckedDraft((), text, outcome), told, place)

    def _labelled(self, text: str) -> tuple[str, str]:
        """The side of a comparison that a statement is about, and the statement."""
        head, colon, rest = text.partition(":")
        if colon and rest.strip() and self._request.subjects:
            subject = max(self._request.subjects, key=lambda subject: _alike(head, subject))
            if _alike(head, subject) >= LIMITS.named:
                return subject, rest.strip()
        return "", text

    def _side_of(self, sources: Sequence[Quotation]) -> str:
        """What the composed runs stand for that a statement's sources are in; else the last one."""
        labels = [
            quotation.label for quotation in self._composed if any(map(quotation.overlaps, sources))
        ]
        last = self._told[-1].label if self._told else ""
        return next(iter(labels), last) if self._request.subjects else ""

    def _judged(self, text: str, label: str) -> tuple[str, SourcedStatement | None]:
        text = plain(text)
        verdict = _VERDICT.match(text)
        bare = text[verdict.end() :] if verdict else text
        if verdict and len(bare.split()) < LIMITS.shortest:
            self._verdict = verdict["verdict"].capitalize()
            return "kept", None  # it belongs to the statement after it
        if len(bare.split()) < LIMITS.shortest or len(bare) > LIMITS.longest or _META.search(bare):
            return "beside the point", None  # no statement
        if any(_says(statement.text, bare) for statement in self._told):
            return "said before", None
        found = self._attributor.attribute(bare)
        if found is None or any(looks_like_injection(source.text) for source in found.sources):
            return "dropped", None
        if verdict or self._verdict:
            said = verdict["verdict"].capitalize() if verdict else self._verdict
            text, self._verdict = _with_verdict(said, bare), ""
        label = label or self._side_of(found.sources)
        told = SourcedStatement(text, found.sources, quoted=False, label=label)
        if self._judges and found.is_doubtful:
            self._doubtful.append(_Doubt(self._place, told, bare, found))
            return "dropped", None
        return ("kept", told) if found.stands else ("dropped", None)


def is_enough(told: Collection[int], dropped: Collection[int]) -> bool:
    """Whether enough of what a model said stands for it to be believed in the rest.

    Args:
        told: places of the statements that are shown.
        dropped: of those that did not stand the check at first.
    """
    return len(told) >= len(set(dropped) - set(told))


def with_quotes(
    written: Sequence[SourcedStatement], composed: Sequence[Quotation], *, before: str = ""
) -> list[SourcedStatement]:
    """The statements, then of the composed answer what they do not say, hardly longer than it was.

    A quotation that begins or ends with what was said is told without that. What does not fit any
    more is cut off at the end of a quotation, whole sentences at a time; of a short answer a
    quotation stands whole or not at all.

    Args:
        written: what stood the check; the whole composed answer is returned where nothing did.
        composed: the answer in the sources' own sentences.
        before: the question that a follow-up goes on with. What that was about a model knows better
            than the search: where its statements name it, and rest on none of the quotes, these
            are of something else.
    """
    if not written:
        return [SourcedStatement.of_quotation(quotation) for quotation in composed]
    said = [statement.text for statement in written]
    resting = [source for statement in written for source in statement.sources]
    elsewhere = not any(one.overlaps(quoted) for one in resting for quoted in composed)
    if elsewhere and before and _names(said, before):
        return list(written)
    length = sum(quotation.length for quotation in composed)
    most = max(LIMITS.short, length if length > LIMITS.long else int(length * LIMITS.longer))
    room = most - sum(len(statement.text.split()) for statement in written)
    beside = []
    for whole in composed:
        if (quotation := _unsaid(whole, said)) is None:
            continue
        quote = (
            _shortened(quotation, room)
            if length > LIMITS.short or quotation.length <= room
            else None
        )
        if quote is not None:
            beside.append(SourcedStatement.of_quotation(quote))
            room -= quote.length
    return [*written, *beside]


def _unsaid(quotation: Quotation, said: Sequence[str]) -> Quotation | None:
    """A quotation without what was said at its end, and then at its beginning; None if all was.

    A sentence stays that the next one points at.
    """
    text = quotation.text
    left = sentences(text, Span(0, len(text)))
    is_said = [_adds_nothing(text[span.start : span.end], said) for span in left]
    if all(is_said):
        return None
    first, last = 0, len(left) - 1
    while is_said[last]:
        last -= 1
    while is_said[first] and not leans_on_previous(plain(text[left[first + 1].start :])):
        first += 1
    start, end = left[first].start, left[last].end
    return replace(
        quotation, start=quotation.start + start, end=quotation.start + end, text=text[start:end]
    )


def _shortened(quotation: Quotation, room: int) -> Quotation | None:
    """The first sentences of a quotation that have so many words at most; None when none has."""
    if quotation.length <= room:
        return quotation
    whole = Span(0, len(quotation.text))
    ends = [sentence.end for sentence in sentences(quotation.text, whole)]
    fitting = [end for end in ends if len(quotation.text[:end].split()) <= room]
    if not fitting:
        return None
    return replace(quotation, end=quotation.start + fitting[-1], text=quotation.text[: fitting[-1]])


def _whole(hit: Hit) -> Quotation:
    return Quotation(
        hit.document_id, hit.title, hit.source, hit.date, hit.paragraph, hit.start, hit.end,
        hit.text, hit.score,
    )  # fmt: skip


def _within(one: Quotation, other: Quotation) -> bool:
    """Whether all of a quotation stands in another one."""
    return one.overlaps(other) and other.start <= one.start and one.end <= other.end


def _blocks(material: Sequence[Quotation]) -> list[Block]:
    """Neighbours of one document as one block, under its title and date."""
    blocks: list[Block] = []
    last = ""
    for quotation in material:
        if quotation.document_id == last:
            blocks[-1] = replace(blocks[-1], text=f"{blocks[-1].text} {quotation.text}")
        else:
            blocks.append(Block(quotation.title, quotation.date, quotation.text))
        last = quotation.document_id
    return blocks


def _says(said: str, text: str) -> bool:
    """Whether a statement says nothing new beside another one."""
    own, new = TextFeatures(said), TextFeatures(text)
    return bool(new.stems) and new.stems <= own.stems and new.numbers <= own.numbers


def _adds_nothing(text: str, told: Sequence[str]) -> bool:
    """Whether most of a statement was said before, with all its numbers and names."""
    stems = frozenset(content_stems(text))
    said = frozenset[str]().union(*map(content_stems, told))
    facts = [frozenset[str]().union(*map(of, told)) for of in (numbers, names)]
    if not (numbers(text) <= facts[0] and names(text) <= facts[1]):
        return False
    return len(stems & said) >= LIMITS.said * len(stems)


def _names(said: Sequence[str], asked: str) -> bool:
    """Whether statements say most of what a question names."""
    wanted = set(content_stems(asked))
    told = set[str]().union(*map(content_stems, said))
    return bool(wanted) and len(wanted & told) >= LIMITS.said * len(wanted)


def _alike(head: str, subject: str) -> float:
    """How far the head of a line names a side of a comparison, in [0, 1]."""
    stems, wanted = set(content_stems(head)), set(content_stems(subject))
    return len(stems & wanted) / len(stems | wanted) if stems | wanted else 0.0


def _with_verdict(verdict: str, statement: str) -> str:
    """The statement after its Yes or No, where that goes with what it says."""
    if verdict == "Yes" and negations(statement):
        return statement
    if verdict == "No" and not negations(statement):
        return statement
    first = statement[:1].lower() if statement.split()[0] in _ARTICLES else statement[:1]
    return f"{verdict}, {first}{statement[1:]}"


_ARTICLES = frozenset("The A An It They He She This That There In On Both".split())
