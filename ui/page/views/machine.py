"""The small panel about the model and the machine as HTML. Pure.

As in `ui.page.views.answers`, every text is escaped on its way into a template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rag.llm.catalogue.background import FetchState
from rag.llm.catalogue.encoders import ENGLISH, EncoderEntry
from rag.llm.catalogue.entries import CatalogueEntry
from ui.language.catalogue import LANGUAGES, decimal, duration, gettext, gettext_noop, plural
from ui.page.views.html import render_macro
from ui.page.views.jobs import JobView, stage_word, time_left

_DEEDS = {
    "here": gettext_noop("Use it"),
    "part": gettext_noop("Go on fetching it"),
    "away": gettext_noop("Fetch and use it"),
}


@dataclass(frozen=True, slots=True)
class LargerModel:
    """A model that can take the place of the one that is used."""

    entry: CatalogueEntry
    state: Literal["away", "part", "here", "used"]
    """`part` is what was cut off."""
    seconds: float | None
    """Until its first word here; None where that is not known."""
    doubt: str = ""
    """Why it would be no good here; empty when nothing speaks against it."""

    @property
    def label(self) -> str:
        """What its button does, for those who hear it alone; it begins with what is written."""
        deed = gettext(_DEEDS[self.state]) if self.state in _DEEDS else ""
        return f"{deed}: {self.entry.title}"


@dataclass(frozen=True, slots=True)
class EmbeddingCost:
    """What it takes to embed a library anew."""

    documents: int
    passages: int
    seconds: float


@dataclass(frozen=True, slots=True)
class OtherEncoder:
    """An encoder that can take the place of the one that is used."""

    name: str
    title: str
    deed: str
    """What its button does."""
    facts: str
    words: str
    """What it is good for, and what changing to it costs."""

    @classmethod
    def of(cls, entry: EncoderEntry, is_here: bool, cost: EmbeddingCost) -> OtherEncoder:
        """One of the catalogue."""
        whole, packed = sum(file.bytes for file in entry.official), entry.packed.bytes
        size = gettext(
            "{whole} MB to fetch, or {packed} MB of four-bit weights",
            whole=decimal(whole / 1e6),
            packed=decimal(packed / 1e6),
        )
        memory = gettext("{n} GB of memory", n=decimal(entry.memory / 1e9, 1))
        facts = [*([] if is_here else [size]), memory, entry.licence]
        good = gettext("It reads {n} languages: ask in one, read in another.", n=entry.languages)
        deed = gettext("Embed anew with it") if is_here else gettext("Fetch it and embed anew")
        return cls(entry.name, entry.title, deed, " · ".join(facts), f"{good} {_cost(cost)}")

    @classmethod
    def english(cls, cost: EmbeddingCost) -> OtherEncoder:
        """The one that Pilcrow is installed with."""
        good = gettext("It is quicker, and made for English alone.")
        return cls(
            ENGLISH, "all-MiniLM-L6-v2", gettext("Go back to it"), gettext("installed"),
            f"{good} {_cost(cost)}",
        )  # fmt: skip

    @property
    def label(self) -> str:
        """What its button does, for those who hear it alone; it begins with what is written."""
        return f"{self.deed}: {self.title}"


def _cost(cost: EmbeddingCost) -> str:
    if not cost.passages:
        return gettext("Nothing is to be embedded yet.")
    return gettext(
        "{passages} of {documents} are embedded anew, in about {time}; until that is done "
        "questions are answered as before.",
        passages=plural(cost.passages, "passage"),
        documents=plural(cost.documents, "document"),
        time=duration(cost.seconds),
    )


@dataclass(frozen=True, slots=True)
class MachineView:
    """What the panel shows."""

    words: str
    """Who words the answers, in a sentence or two."""
    facts: Mapping[str, str]
    models: tuple[LargerModel, ...] = ()
    """What can be got and used; none where nothing can be changed."""
    fetching: FetchState | None = None
    """The model that was asked for last."""
    fixed: str = ""
    """Why nothing can be changed here."""
    encoders: tuple[OtherEncoder, ...] = ()
    """What articles can be read with instead."""
    embedding: JobView | None = None
    """How far the articles are that are embedded anew, or how that ended."""


def draw(view: MachineView) -> str:
    """The panel."""
    waits = {
        m.entry.name: gettext("about {time}", time=duration(m.seconds))
        for m in view.models
        if m.seconds
    }
    doing = embedding_progress(view.embedding)
    known, why = list(LANGUAGES.items()), reason(view.fetching)
    return render_macro(
        "machine.html", "panel", view, pace(view.fetching), waits, why, doing, known
    )


def progress(state: FetchState | None) -> str:
    """How far the model has come that is being fetched; empty when none is."""
    if state is None or not state.running:
        return ""
    return render_macro("machine.html", "progress", state.entry.title, state.share, pace(state))


def embedding_progress(view: JobView | None) -> str:
    """How far the articles are that are embedded anew; empty when none are."""
    if view is None or not view.running:
        return ""
    done = _embedding_pace(view)
    return render_macro("machine.html", "progress", view.title, _share(view), done, "")


def embedding_news(view: JobView) -> str:
    """The same for the top of the page, in words."""
    return gettext("embedding anew: {share}", share=f"{_share(view):.0%}") if view.running else ""


def embedding_ended(view: JobView) -> str:
    """What became of it, in a sentence; empty while it goes on."""
    if view.running:
        return ""
    if view.problem:
        return gettext("The articles are read as before: {problem}", problem=view.problem)
    if view.cancelled:
        return gettext("It was stopped; the articles are read as before.")
    return gettext("{title}.", title=view.title)


def _share(view: JobView) -> float:
    return min(view.done / view.total, 1.0) if view.total else 0.0


def _embedding_pace(view: JobView) -> str:
    left = f" · {time_left(view.eta)}" if view.eta is not None else ""
    if view.stage in ("fetching", "checking"):
        return f"{_megabytes(view.done, view.total)}{left}"
    words = gettext("{stage} {done} of {total}", stage=stage_word(view.stage),
                    done=decimal(view.done), total=decimal(view.total))  # fmt: skip
    return f"{words}{left}"


def _megabytes(done: int, total: int) -> str:
    return gettext("{done} of {total} MB", done=decimal(done / 1e6), total=decimal(total / 1e6))


def pace(state: FetchState | None) -> str:
    """`340 of 1,117 MB · 3 min left`; empty when nothing is being fetched."""
    if state is None or not state.running:
        return ""
    come = _megabytes(state.done, state.entry.bytes)
    if state.stage == "waiting":
        return f"{come} · {gettext('waiting for an answer')}"
    if state.stage == "checking":
        return f"{come} · {gettext('checking it')}"
    if state.seconds_left is None:
        return come
    return f"{come} · {time_left(state.seconds_left)}"


def news(state: FetchState | None) -> str:
    """The same for the top of the page, in words."""
    if state is None or not state.running:
        return ""
    return gettext("fetching a model: {share}", share=f"{state.share:.0%}")


def ended(state: FetchState | None) -> str:
    """What became of a model that was being fetched, in a sentence; empty while it is."""
    if state is None or state.running:
        return ""
    title = state.entry.title
    if state.stage == "here":
        words = gettext_noop("{title} is here and words some answers from the next question on.")
        return gettext(words, title=title)
    if state.stage == "stopped":
        return gettext("Fetching {title} was stopped; what came is kept.", title=title)
    return gettext("{title} could not be fetched: {reason}.", title=title, reason=reason(state))


def reason(state: FetchState | None) -> str:
    """Why a model could not be fetched, without what one would do about it in a terminal."""
    return state.problem.partition(";")[0] if state else ""
