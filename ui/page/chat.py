"""A question on its way: from the box, through the assistant, to the screen and into the store.

Holds no conversation: those are in `Conversations`, and each tab says which one it is in with every
question. So two tabs cannot see each other's answers, and a reload finds what was there.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from index import Library
from index.errors import PilcrowError
from index.tokenization import sound
from rag import Assistant
from rag.types import Answer, Citation
from ui.http.accounts.permitted import PermittedLibrary
from ui.language.catalogue import gettext, gettext_noop, short_date, speaking, spoken, steps_in
from ui.page.conversations import FILTERS, Conversations, Phase, Scope, Turn, new_key
from ui.page.views import answers, facets
from ui.page.views.html import name_of

AT_ONCE = 32
"""Questions answered at the same time; each holds a thread while it waits for the model."""
UPDATES_PER_SECOND = 15
GRACE = 10.0
"""Seconds that an answer goes on while no page looks at it: as long as a reload may take."""
TURNS_REMEMBERED = 3
"""Earlier questions handed to the assistant with a new one."""
_FULL = gettext_noop("{n} questions are being answered already. Try again in a moment.")
_KEY = re.compile(r"[0-9a-f]{32}")
_DATE = re.compile(r"\d{4}(?:-\d\d(?:-\d\d)?)?")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AskRequest:
    """What the page sends along with a question. Comes from a browser: read, never trusted."""

    question: str = ""
    """Asked instead of what is in the box: a retry or a suggestion."""
    conversation: str = ""
    replaces: str = ""
    """The key of the turn that gives way to this one."""
    again: str = ""
    """The key of a turn that is to be answered again, where it was asked."""
    option: int = 0
    """Which of that turn's options is meant, from 1; 0 for none."""
    scope: Scope = field(default_factory=Scope)

    @classmethod
    def read(cls, sent: str) -> AskRequest:
        """The request in a JSON text; what is not well-formed is as if it were not there."""
        try:
            given = json.loads(sent)
        except (ValueError, RecursionError):  # no JSON, or nested deeper than anybody writes it
            given = None
        if not isinstance(given, dict):
            return cls()
        return cls(
            question=given["question"] if isinstance(given.get("question"), str) else "",
            conversation=_fitting(_KEY, given.get("conversation")),
            replaces=_fitting(_KEY, given.get("replaces")),
            again=_fitting(_KEY, given.get("again")),
            option=given["option"] if type(given.get("option")) is int else 0,
            scope=Scope(
                _texts(given.get("documents")),
                _fitting(_DATE, given.get("since")),
                _fitting(_DATE, given.get("until")),
                *(_texts(given.get(name)) for name in FILTERS),
            ),
        )


def _texts(value: Any) -> tuple[str, ...]:
    """The texts of a list, each once; what is not one counts as none."""
    given = value if isinstance(value, list) else []
    return tuple(dict.fromkeys(sound(text) for text in given if isinstance(text, str) and text))


def _fitting(form: re.Pattern[str], value: Any) -> str:
    return value if isinstance(value, str) and form.fullmatch(value) else ""


@dataclass(frozen=True, slots=True)
class Run:
    """One question on its way; the stop button and the stream meet here."""

    question: str
    number: int
    meta: answers.TurnMeta
    scope: Scope = field(default_factory=Scope)
    history: tuple[tuple[str, str], ...] = ()
    asked: float = field(default_factory=time.monotonic)
    stop: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    """Set when its conversation was left: what it still says is not drawn."""
    note: str = ""
    """What the person should know besides the answer: that it is not kept."""
    language: str = field(default_factory=spoken)
    """That its turn is drawn in."""
    evidence_seen: list[float] = field(default_factory=list)
    """After how many seconds the first evidence went to the screen; empty before."""

    @property
    def seconds(self) -> float:
        """Time since the question was sent."""
        return time.monotonic() - self.asked


class _Live:
    """A turn that is being answered, as far as it has come. One thread writes, any may read."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.latest: Answer | None = None
        self.alone = False
        """Whether its page has gone, and it goes on for one that may come."""
        self.seen = time.monotonic()
        """When a page last asked for it."""

    def should_stop(self, grace: float) -> bool:
        """Whether it was stopped, or nobody has looked at it for so many seconds."""
        if self.alone and time.monotonic() - self.seen > grace:
            self.run.stop.set()
        return self.run.stop.is_set()


class Chat:
    """Answers one question after another, and keeps them."""

    def __init__(
        self,
        assistant: Assistant,
        library: Library,
        conversations: Conversations,
        *,
        grace: float = GRACE,
        unread: Callable[[], int] = lambda: 0,
        answered: Callable[[Answer], None] | None = None,
        seats: threading.Semaphore | None = None,
    ) -> None:
        """Answer questions.

        Args:
            assistant: answers them.
            library: where cited paragraphs are read.
            conversations: keep what was answered.
            grace: seconds that an answer goes on after its page has gone.
            unread: how many files are being read and cannot be found yet.
            answered: told of every whole answer.
            seats: for so many at once, whoever asks; `AT_ONCE` when None.
        """
        self._unread = unread
        self._answered = answered
        self._grace = grace
        self._assistant = assistant
        self._library = library
        self._conversations = conversations
        self._said_unkept: set[str] = set()
        """Conversations of which it was said that they are not kept."""
        self._live: dict[str, _Live] = {}
        """The turns that are being answered, by key."""
        self._seats = seats or threading.Semaphore(AT_ONCE)

    @property
    def busy(self) -> bool:
        """Whether a question is being answered."""
        return bool(self._live)

    def look(self, key: str, number: int, meta: answers.TurnMeta) -> tuple[str, str] | None:
        """A turn that is being answered, as far as it has come, and its sources; else None.

        Whoever looks keeps it going, also when it was asked on a page that has gone.
        """
        if (live := self._live.get(key)) is None:
            return None
        live.seen, answer, seconds = time.monotonic(), live.latest, live.run.seconds
        if answer is None:
            return answers.waiting(live.run.question, number, meta, seconds), ""
        drawn = answers.answer(answer, number, "running", answers.Seconds(seconds), meta)
        return drawn, sources(self._library, answer, number, key)

    def stop(self, key: str) -> None:
        """Stops a turn that is being answered, if it is."""
        if live := self._live.get(key):
            live.run.stop.set()

    def close(self) -> None:
        """Stops everything that is being answered."""
        for live in list(self._live.values()):
            live.run.stop.set()

    def begin(self, question: str, request: AskRequest) -> tuple[str, str, Run]:
        """Puts the question on screen at once, before it waits for its turn.

        Returns:
            The turn, its sources, the run.
        """
        conversation = request.conversation or new_key()
        scope, repeated = request.scope, self._conversations.turn(request.again)
        if repeated:
            question, scope = self._as_meant(repeated, request.option)
        self._conversations.restore(conversation)  # another tab may have deleted it
        before = self._conversations.turns(conversation)
        number = len(before) + 1
        replaces = ""
        if before and before[-1].key == request.replaces:  # only the last answer can give way
            replaces, number, before = request.replaces, len(before), before[:-1]
        earlier = [
            (t.question, t.answer.text)
            for t in before
            if t.answer and t.answer.text and any(c.isalnum() for c in t.question)
        ]
        where = sound(scope_in_words(scope, self._library))
        run = Run(
            sound(question).strip(),  # the page cannot be sent halves of characters
            number,
            answers.TurnMeta(new_key(), conversation, replaces, where, self._unread()),
            scope,
            tuple(earlier[-TURNS_REMEMBERED:]),
        )
        # kept before it is answered, so that a reload finds the question at least
        self._keep(run, None, "stopped", replaces=replaces)
        if self._conversations.problem and conversation not in self._said_unkept:
            self._said_unkept.add(conversation)
            log.warning(self._conversations.problem)
            run = replace(run, note=gettext("This conversation is not kept: {problem}",
                                        problem=self._conversations.problem))  # fmt: skip
        drawn = answers.waiting(run.question, run.number, run.meta)
        return drawn, answers.no_sources(), run

    def _as_meant(self, turn: Turn, option: int) -> tuple[str, Scope]:
        """The question of a turn and where it may look, when one of its options is meant.

        An option that names documents is where to look; any other says it in the question.
        """
        options = turn.answer.options if turn.answer else ()
        if not 1 <= option <= len(options):
            return turn.question, turn.scope
        meant = options[option - 1]
        ids = tuple(r.id for r in self._library.documents() if meant in (name_of(r), r.id))
        if ids:
            return turn.question, replace(turn.scope, documents=ids)
        return f"{turn.question} ({meant})", turn.scope

    def answer(self, run: Run | None) -> Generator[tuple[str, str | None], None, None]:
        """Streams the turn: its HTML, and its sources' HTML or None where they have not changed.

        More than `AT_ONCE` at the same time are turned away in words.
        """
        if run is not None and not run.over.is_set():
            yield from steps_in(run.language, self._seated(run))

    def _seated(self, run: Run) -> Generator[tuple[str, str | None], None, None]:
        if not self._seats.acquire(blocking=False):
            run.over.set()
            turn = self._keep(run, None, "failed", gettext(_FULL, n=AT_ONCE))
            yield drawn(turn, run.number, run.meta, self._library), None
            return
        try:
            yield from self._answer(run)
        finally:
            self._seats.release()

    def _answer(self, run: Run) -> Iterator[tuple[str, str | None]]:
        live = self._live[run.meta.key] = _Live(run)
        snapshots = self._snapshots(live)
        try:
            yield from self._drawings(live, snapshots)
        except GeneratorExit:  # the tab was closed or reloaded, or its conversation was left
            if run.stop.is_set():
                self._end(live, "stopped")
            else:
                live.alone, live.seen = True, time.monotonic()
                threading.Thread(
                    target=self._go_on_alone, args=(live, snapshots), daemon=True
                ).start()
            raise

    def _go_on_alone(self, live: _Live, snapshots: Iterator[tuple[Answer, str | None]]) -> None:
        """Answers to the end for a page that has been reloaded, unless none comes and looks."""
        with self._seats, speaking(live.run.language):
            for _ in self._drawings(live, snapshots):
                pass

    def _drawings(
        self, live: _Live, snapshots: Iterator[tuple[Answer, str | None]]
    ) -> Iterator[tuple[str, str | None]]:
        """The turn and its sources as they grow; at its end it is kept."""
        run, problem = live.run, ""
        phase: Phase = "done"
        try:
            for live.latest, beside in snapshots:
                now = answers.Seconds(run.seconds)
                yield answers.answer(live.latest, run.number, "running", now, run.meta), beside
            phase = "stopped" if run.stop.is_set() else "done"
        except PilcrowError as error:
            phase, problem = "failed", str(error)
        except Exception:
            log.exception("the question could not be answered")
            phase = "failed"
            problem = gettext(
                "Something went wrong inside Pilcrow. The terminal it runs in says more."
            )
        turn = self._end(live, phase, problem)
        yield drawn(turn, run.number, run.meta, self._library), None

    def _end(self, live: _Live, phase: Phase, problem: str = "") -> Turn:
        """The turn as it is kept; from now on it is not being answered."""
        live.run.stop.set()
        live.run.over.set()
        if self._answered and live.latest and live.latest.complete:
            self._answered(live.latest)
        turn = self._keep(live.run, live.latest, phase, problem)
        self._live.pop(live.run.meta.key, None)
        return turn

    def _keep(
        self, run: Run, answer: Answer | None, phase: Phase, problem: str = "", replaces: str = ""
    ) -> Turn:
        """Store the turn; when that cannot be done, the answer is shown all the same."""
        key = run.meta.key
        seen = round(run.evidence_seen[0], 3) if run.evidence_seen else None
        seconds = round(run.seconds, 3)
        turn = Turn(
            key, run.question, answer, phase, seconds, run.scope, problem, evidence=seen,
            unread=run.meta.unread,
        )  # fmt: skip
        self._conversations.keep(run.meta.conversation, turn, replaces or key)
        return turn

    def _snapshots(self, live: _Live) -> Iterator[tuple[Answer, str | None]]:
        """The snapshots worth drawing, each with its sources when those are new."""
        run = live.run
        shown: Answer | None = None
        drawn_at = 0.0
        stream = self._assistant.stream(
            run.question,
            run.history,
            scope=run.scope.search_scope,
            explain=True,
            stop=lambda: live.should_stop(self._grace),
        )
        for new in stream:
            if run.note:
                new = replace(new, notes=(run.note, *new.notes))
            now = time.monotonic()
            if not worth_drawing(new, shown, now - drawn_at):
                continue
            fresh = shown is None or _sources_differ(new, shown)
            beside = sources(self._library, new, run.number, run.meta.key) if fresh else None
            shown, drawn_at = new, now
            if not run.evidence_seen and (new.headline or new.citations or new.passages):
                run.evidence_seen.append(run.seconds)  # drawing it took its time as well
            yield new, beside


def may_see(library: Library, turn: Turn) -> bool:
    """Whether whoever a library is shown to may see a turn as it was kept.

    Where their collections have become fewer since, or documents went into others, an answer that
    rests on one of those is not shown again; nor a reply that lists one by its name.
    """
    if not isinstance(library, PermittedLibrary) or library.part.is_whole:
        return True
    held = {record.id for record in library.documents()}
    answer = turn.answer
    named = {*turn.scope.documents, *_document_ids(asdict(answer) if answer else None)}
    if not named <= held:
        return False
    if answer is None or answer.citations:
        return True
    hidden = (name_of(r) for r in library.whole.documents() if r.id not in held)
    said = "\n".join((answer.text, *answer.options, *answer.notes, *answer.missing))
    return not any(name in said for name in hidden)


def _document_ids(value: Any) -> Iterator[str]:
    """Every document that is named by its id somewhere in plain values."""
    if isinstance(value, dict):
        if isinstance(id_ := value.get("document_id"), str):
            yield id_
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for part in value:
        yield from _document_ids(part)


def drawn(turn: Turn, number: int, meta: answers.TurnMeta, library: Library) -> str:
    """A finished turn as HTML."""
    if turn.phase == "failed" or turn.answer is None:
        stopped = gettext("It was stopped before there was anything to show.")
        problem = gettext(turn.problem) if turn.problem else stopped
        return answers.failure(turn.question, number, problem, meta)
    documents = {}
    if not turn.answer.statements:  # a reply about the library may list some of its documents
        documents = {name_of(record): record.id for record in library.documents()}
    seconds = answers.Seconds(turn.seconds, turn.evidence)
    return answers.answer(turn.answer, number, turn.phase, seconds, meta, documents)


def sources(library: Library, answer: Answer, number: int, key: str) -> str:
    """The sources of a turn, each in its paragraph as the library holds it now."""
    cited = {c.number: c for c in answer.citations}
    if not cited and answer.headline:
        cited[answers.HEADLINE] = answer.headline
    contexts = dict(zip(cited, paragraphs_around(library, list(cited.values())), strict=True))
    return answers.sources(answer, number, contexts, key)


def worth_drawing(new: Answer, shown: Answer | None, elapsed: float) -> bool:
    """Whether a snapshot goes to the page: always when something new stands in it, else by time.

    A new stage, headline, statement or citation is drawn at once; words growing inside a statement
    are drawn at most `UPDATES_PER_SECOND` times a second.
    """
    if shown is None or new.complete or _sources_differ(new, shown):
        return True
    if (new.stage, new.ahead, len(new.statements)) != (
        shown.stage, shown.ahead, len(shown.statements)
    ):  # fmt: skip
        return True
    return elapsed >= 1 / UPDATES_PER_SECOND


def _sources_differ(new: Answer, shown: Answer) -> bool:
    return (
        new.citations != shown.citations
        or new.headline != shown.headline
        or new.passages != shown.passages
        or new.complete != shown.complete
    )


def paragraphs_around(library: Library, cited: Sequence[Citation]) -> list[answers.Context]:
    """Each cited sentence inside its whole paragraph, read from storage; one each, in their order.

    A document is read once and of its passages only those of the cited paragraphs, so a long
    article takes no longer than a short one. A long paragraph is stored as several passages; they
    are joined again. When the document is gone or no longer holds the quote at its offsets, nothing
    is marked by guess: the quote stands alone.
    """
    numbers: dict[str, set[int]] = {}
    for citation in cited:
        numbers.setdefault(citation.document_id, set()).add(citation.paragraph)
    texts: dict[str, str] = {}
    extents: dict[tuple[str, int], tuple[int, int]] = {}
    for document_id, paragraphs in numbers.items():
        with suppress(PilcrowError, KeyError):
            text = library.document(document_id).text
            for passage in library.passages(document_id, paragraphs):
                start, end = passage.start, passage.end
                start, _ = extents.get((document_id, passage.paragraph), (start, end))
                extents[document_id, passage.paragraph] = start, end
            texts[document_id] = text
    return [
        _context(c, texts.get(c.document_id), extents.get((c.document_id, c.paragraph)))
        for c in cited
    ]


def _context(cited: Citation, text: str | None, extent: tuple[int, int] | None) -> answers.Context:
    if text is None:
        return answers.Context("", cited.quote, "", "removed")
    if text[cited.start : cited.end] != cited.quote:
        return answers.Context("", cited.quote, "", "changed")
    start, end = extent or (cited.start, cited.end)
    start, end = min(start, cited.start), max(end, cited.end)
    return answers.Context(text[start : cited.start], cited.quote, text[cited.end : end])


def scope_in_words(scope: Scope, library: Library) -> str:
    """`Cables under the sea · with tag law`; empty when a question may look everywhere."""
    parts = []
    if scope.documents:
        names = {r.id: name_of(r) for r in library.documents()}
        parts += [names.get(id_, id_) for id_ in scope.documents]
    kept = [(facets.facet_word(name), value) for name in FILTERS for value in getattr(scope, name)]
    if kept:
        limits = " · ".join(f"{word} {value}" for word, value in kept)
        words = gettext("with {limits}") if parts else gettext("documents with {limits}")
        parts.append(words.format(limits=limits))
    since, until = short_date(scope.since), short_date(scope.until)
    if since and until:
        dates = gettext("from {since} until {until}", since=since, until=until)
    else:
        dates = (
            gettext("from {since}", since=since) if since else gettext("until {until}", until=until)
        )
    if since or until:
        words = gettext("dated {dates}") if parts else gettext("what is dated {dates}")
        parts.append(words.format(dates=dates))
    return " · ".join(parts)
