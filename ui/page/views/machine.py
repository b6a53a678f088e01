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
from ui.page.views.html import duration, plural, render_macro
from ui.page.views.jobs import JobView


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
        deeds = {"here": "Use it", "part": "Go on fetching it", "away": "Fetch and use it"}
        return f"{deeds.get(self.state, '')}: {self.entry.title}"


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
        size = f"{whole / 1e6:,.0f} MB to fetch, or {packed / 1e6:,.0f} MB of four-bit weights"
        facts = [*([] if is_here else [size]), f"{entry.memory / 1e9:.1f} GB of memory",
                 entry.licence]  # fmt: skip
        good = f"It reads {entry.languages} languages: ask in one, read in another."
        deed = "Embed anew with it" if is_here else "Fetch it and embed anew"
        return cls(entry.name, entry.title, deed, " · ".join(facts), f"{good} {_cost(cost)}")

    @classmethod
    def english(cls, cost: EmbeddingCost) -> OtherEncoder:
        """The one that Pilcrow is installed with."""
        good = f"It is quicker, and made for English alone. {_cost(cost)}"
        return cls(ENGLISH, "all-MiniLM-L6-v2", "Go back to it", "installed", good)

    @property
    def label(self) -> str:
        """What its button does, for those who hear it alone; it begins with what is written."""
        return f"{self.deed}: {self.title}"


def _cost(cost: EmbeddingCost) -> str:
    if not cost.passages:
        return "Nothing is to be embedded yet."
    return (
        f"{plural(cost.passages, 'passage')} of {plural(cost.documents, 'document')} are embedded "
        f"anew, in about {duration(cost.seconds)}; until that is done questions are answered as "
        "before."
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
    waits = {m.entry.name: f"about {duration(m.seconds)}" for m in view.models if m.seconds}
    doing = embedding_progress(view.embedding)
    return render_macro(
        "machine.html", "panel", view, pace(view.fetching), waits, reason(view.fetching), doing
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
    return f"embedding anew: {_share(view):.0%}" if view.running else ""


def embedding_ended(view: JobView) -> str:
    """What became of it, in a sentence; empty while it goes on."""
    if view.running:
        return ""
    if view.problem:
        return f"The articles are read as before: {view.problem}"
    stopped = "It was stopped; the articles are read as before."
    return stopped if view.title == "Cancelled" else f"{view.title}."


def _share(view: JobView) -> float:
    return min(view.done / view.total, 1.0) if view.total else 0.0


def _embedding_pace(view: JobView) -> str:
    left = f" · {duration(view.eta)} left" if view.eta is not None else ""
    if view.stage in ("fetching", "checking"):
        return f"{view.done / 1e6:,.0f} of {view.total / 1e6:,.0f} MB{left}"
    return f"{view.stage or 'starting'} {view.done:,} of {view.total:,}{left}"


def pace(state: FetchState | None) -> str:
    """`340 of 1,117 MB · 3 min left`; empty when nothing is being fetched."""
    if state is None or not state.running:
        return ""
    come = f"{state.done / 1e6:,.0f} of {state.entry.bytes / 1e6:,.0f} MB"
    if state.stage == "waiting":
        return f"{come} · waiting for an answer"
    if state.stage == "checking":
        return f"{come} · checking it"
    if state.seconds_left is None:
        return come
    return f"{come} · {duration(state.seconds_left)} left"


def news(state: FetchState | None) -> str:
    """The same for the top of the page, in words."""
    if state is None or not state.running:
        return ""
    return f"fetching a model: {state.share:.0%}"


def ended(state: FetchState | None) -> str:
    """What became of a model that was being fetched, in a sentence; empty while it is."""
    if state is None or state.running:
        return ""
    title = state.entry.title
    if state.stage == "here":
        return f"{title} is here and words some answers from the next question on."
    if state.stage == "stopped":
        return f"Fetching {title} was stopped; what came is kept."
    return f"{title} could not be fetched: {reason(state)}."


def reason(state: FetchState | None) -> str:
    """Why a model could not be fetched, without what one would do about it in a terminal."""
    return state.problem.partition(";")[0] if state else ""
