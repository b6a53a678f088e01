"""Work on the library as HTML and in words: what is being done, to which file, what it changed.

Pure. As in `ui.page.views.answers`, every text is hostile and passes through `escape` on its way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from index.types import UpdateReport
from ui.page.views.html import duration, escape, plural, tool

ROWS = 60
"""Files drawn under a job; the rest are counted."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """One file of a running job."""

    document_id: str
    state: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class JobView:
    """What the page knows about work on the library at one moment."""

    title: str
    number: int = 0
    """Tells one job from the next."""
    running: bool = True
    stage: str = ""
    done: int = 0
    total: int = 0
    rate: float | None = None
    """Units a second."""
    eta: float | None = None
    """Seconds left."""
    rows: tuple[JobRow, ...] = ()
    summary: str = ""
    """What changed, once it is over."""
    problem: str = ""
    """Why it could not be done."""


def draw(view: JobView | None) -> str:
    """The progress of work on the library, then what it changed; empty when there was none."""
    if view is None:
        return ""
    if view.running:
        bounds = f'max="{view.total}" value="{min(view.done, view.total)}" ' if view.total else ""
        body = (
            f'<progress {bounds}aria-label="{escape(view.title)}"></progress>'
            f'<p class="pace">{escape(pace(view))}</p>'
        )
    elif view.problem:
        body = f'<p class="problem" role="alert" dir="auto">{escape(view.problem)}</p>'
    else:
        body = f'<p class="summary" dir="auto">{escape(view.summary)}</p>'
    state = ' data-running="true"' if view.running else ""
    away = "" if view.running else tool("dismiss", "Dismiss", "close")
    return (
        f'<section class="job" data-number="{view.number}"{state} aria-label="Work on the library">'
        f"<h3>{escape(view.title)}</h3>{away}{body}{_files(view)}</section>"
    )


_URGENCY = {"failed": 0, "not done": 0, "embedding": 1, "reading": 1, "embedded": 2, "read": 2,
            "waiting": 3}  # fmt: skip


def _files(view: JobView) -> str:
    """The files of a job: what failed or is being worked on first, at most `ROWS` of them."""
    if not view.rows:
        return ""
    ordered = sorted(view.rows, key=lambda row: _URGENCY.get(row.state, len(_URGENCY)))
    to_see = view.running or ordered[0].state == "failed" or any(row.detail for row in ordered)
    rows = "".join(
        f'<li data-state="{escape(r.state)}"><span class="name" dir="auto">'
        f'{escape(r.document_id)}</span> <span class="state" dir="auto">{escape(_state(r))}'
        "</span></li>"
        for r in ordered[:ROWS]
    )
    more = len(ordered) - ROWS
    rest = f'<li class="rest">and {plural(more, "more file")}</li>' if more > 0 else ""
    return (
        f"<details{' open' if to_see else ''}><summary>{plural(len(view.rows), 'file')}"
        f'</summary><ul class="files" tabindex="0" aria-label="Files">{rows}{rest}</ul></details>'
    )


def _state(row: JobRow) -> str:
    between = " " if row.state == "embedding" else ": "
    return f"{row.state}{between}{row.detail}" if row.detail else row.state


def pace(view: JobView) -> str:
    """`embedding 12/48 · 30/s · 3 s left`."""
    parts = [f"{view.stage or 'starting'}"]
    if view.total:
        parts[0] += f" {view.done}/{view.total}"
    if view.rate is not None:
        parts.append(f"{view.rate:.0f}/s" if view.rate >= 1 else f"{view.rate:.1f}/s")
    if view.eta is not None:
        parts.append(f"{duration(view.eta)} left")
    return " · ".join(parts)


def summary(report: UpdateReport, paragraphs: int, *, only: Iterable[str] | None = None) -> str:
    """What an update changed, as one line of plain text (not yet escaped).

    Args:
        report: What the library says it did.
        paragraphs: How many paragraphs the library gained; negative when it lost some.
        only: File names whose failures matter; None for all of them.
    """
    names = None if only is None else set(only)
    failed = [
        f
        for f in report.failed
        if names is None or f.path.replace("\\", "/").split("/")[-1] in names
    ]
    touched = bool(report.added or report.updated or report.removed)
    parts = [f"{paragraphs:+d} {'paragraph' if abs(paragraphs) == 1 else 'paragraphs'}"]
    if not touched:
        parts = ["Nothing new"]
    if report.unchanged:
        parts.append(f"{plural(len(report.unchanged), 'document')} unchanged")
    if report.removed:
        parts.append(f"{plural(len(report.removed), 'document')} removed")
    if report.unreachable:
        count = sum(len(one.documents) for one in report.unreachable)
        first = report.unreachable[0]
        parts.append(f"{plural(count, 'document')} kept unseen: {first.path}: {first.reason}")
    if report.left_out:
        parts.append(f"{plural(len(report.left_out), 'removed document')} left out")
    if failed:
        # of several the rows say which and why
        named = f": {failed[0].path.split('/')[-1]}: {failed[0].reason}" if len(failed) == 1 else ""
        parts.append(f"{len(failed)} failed{named}")
    return "; ".join(parts)
