"""The small panel about the model and the machine as HTML. Pure.

As in `ui.page.views.answers`, every text is escaped on its way into a template.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rag.llm.catalogue.background import FetchState
from rag.llm.catalogue.entries import CatalogueEntry
from ui.page.views.html import duration, render_macro


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


def draw(view: MachineView) -> str:
    """The panel."""
    waits = {m.entry.name: f"about {duration(m.seconds)}" for m in view.models if m.seconds}
    return render_macro(
        "machine.html", "panel", view, pace(view.fetching), waits, reason(view.fetching)
    )


def progress(state: FetchState | None) -> str:
    """How far the model has come that is being fetched; empty when none is."""
    if state is None or not state.running:
        return ""
    return render_macro("machine.html", "progress", state.entry.title, state.share, pace(state))


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
