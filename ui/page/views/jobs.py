"""Work on the library as HTML and in words: what is being done, to which file, what it changed.

Pure. As in `ui.page.views.answers`, every text is hostile and escaped on its way into a template.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from index.types import UpdateReport
from ui.page.views.html import duration, plural, render

NAMED = 2
"""Documents named in a line; the rest are counted."""
NO_NAMES: Mapping[str, str] = MappingProxyType({})
ROWS = 60
"""Files drawn under a job; the rest are counted."""


@dataclass(frozen=True, slots=True)
class JobRow:
    """One file of a running job."""

    document_id: str
    state: str
    detail: str = ""
    again: bool = False
    """Whether it may be tried again: it failed, and is an article by its name."""


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
    replaced: bool = False
    """Whether files took the place of others, which can be undone."""


def draw(view: JobView | None) -> str:
    """The progress of work on the library, then what it changed; empty when there was none."""
    if view is None:
        return ""
    rows = sorted(view.rows, key=lambda row: _URGENCY.get(row.state, len(_URGENCY)))
    return render(
        "library/job.html",
        job=view,
        done=min(view.done, view.total),
        pace=pace(view),
        open=view.running or any(r.detail and r.state != "unchanged" for r in rows),
        files=[(row, _state(row)) for row in rows[:ROWS]],
        more=len(rows) - ROWS,
    )


# What failed comes first, then what is being worked on.
_URGENCY = {"failed": 0, "not done": 0, "embedding": 1, "reading": 1, "embedded": 2, "read": 2,
            "waiting": 3}  # fmt: skip


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


def summary(
    report: UpdateReport,
    paragraphs: int,
    *,
    only: Iterable[str] | None = None,
    names: Mapping[str, str] = NO_NAMES,
) -> str:
    """What an update changed, as one line of plain text (not yet escaped).

    Args:
        report: What the library says it did.
        paragraphs: How many paragraphs the library gained; negative when it lost some.
        only: File names whose failures matter; None for all of them.
        names: What the documents are called, by id.
    """
    wanted = None if only is None else set(only)
    failed = [
        f
        for f in report.failed
        if wanted is None or f.path.replace("\\", "/").split("/")[-1] in wanted
    ]
    changes = ((report.added, "added"), (report.updated, "read again"), (report.removed, "removed"))
    parts = [f"{_named(ids, names)} {word}" for ids, word in changes if ids]
    if parts:
        parts[-1] += f": {paragraphs:+d} {'paragraph' if abs(paragraphs) == 1 else 'paragraphs'}"
    else:
        parts = ["Nothing new"]
    if report.unchanged:
        parts.append(f"{plural(len(report.unchanged), 'document')} unchanged")
    if report.unreachable:
        count = sum(len(place.documents) for place in report.unreachable)
        first = report.unreachable[0]
        parts.append(f"{plural(count, 'document')} kept unseen: {first.path}: {first.reason}")
    if report.left_out:
        parts.append(f"{plural(len(report.left_out), 'removed document')} left out")
    if report.skipped and only is None:
        parts.append(f"{plural(len(report.skipped), 'file')} skipped")
    if failed:
        # of several the rows say which and why
        path = failed[0].path if "://" in failed[0].path else failed[0].path.split("/")[-1]
        named = f": {path}: {failed[0].reason}" if len(failed) == 1 else ""
        parts.append(f"{len(failed)} failed{named}")
    return "; ".join(parts)


def _named(ids: Sequence[str], names: Mapping[str, str]) -> str:
    """`“Moon”`, `“Moon” and “Mars”`, `12 documents (“Moon”, “Mars” and 10 more)`."""
    shown = [f"“{names.get(id_, id_)}”" for id_ in ids[:NAMED]]
    if len(ids) <= NAMED:
        return " and ".join(shown)
    return f"{plural(len(ids), 'document')} ({', '.join(shown)} and {len(ids) - NAMED} more)"
