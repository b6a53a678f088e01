"""Work on the library as HTML and in words: what is being done, to which file, what it changed.

Pure. As in `ui.page.views.answers`, every text is hostile and escaped on its way into a template.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from index.types import UpdateReport
from ui.language.catalogue import decimal, duration, gettext, gettext_noop, number, plural
from ui.page.views.html import render

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
    cancelled: bool = False
    """Whether it was ended early."""


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
        ready=sum(row.state == "done" for row in view.rows),
        open=view.running or any(r.detail and r.state != "unchanged" for r in rows),
        files=[(row, _state(row)) for row in rows[:ROWS]],
        more=len(rows) - ROWS,
    )


# What failed comes first, then what is being worked on.
_URGENCY = {"failed": 0, "not done": 0, "embedding": 1, "reading": 1, "embedded": 2, "read": 2,
            "waiting": 3}  # fmt: skip


_STATES = (
    gettext_noop("failed"), gettext_noop("not done"), gettext_noop("embedding"),
    gettext_noop("reading"), gettext_noop("embedded"), gettext_noop("read"),
    gettext_noop("waiting"), gettext_noop("done"), gettext_noop("unchanged"),
    gettext_noop("removed"), gettext_noop("fetching"), gettext_noop("checking"),
    gettext_noop("writing"), gettext_noop("starting"),
)  # fmt: skip
"""What a file or a stage is said to be: the library's own words."""


def stage_word(stage: str) -> str:
    """What is being done, in a word."""
    return gettext(stage or "starting")


def time_left(seconds: float) -> str:
    """`3 min left`."""
    return gettext("{time} left", time=duration(seconds))


def _state(row: JobRow) -> str:
    between = " " if row.state == "embedding" else ": "
    state = gettext(row.state)
    return f"{state}{between}{row.detail}" if row.detail else state


def pace(view: JobView) -> str:
    """`embedding 12/48 · 30/s · 3 s left`."""
    parts = [stage_word(view.stage)]
    if view.total:
        parts[0] += f" {view.done}/{view.total}"
    if view.rate is not None:
        rate = f"{view.rate:.0f}" if view.rate >= 1 else decimal(view.rate, 1)
        parts.append(gettext("{n}/s", n=rate))
    if view.eta is not None:
        parts.append(time_left(view.eta))
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
    changes = (
        (report.added, gettext("{documents} added")),
        (report.updated, gettext("{documents} read again")),
        (report.removed, gettext("{documents} removed")),
    )
    parts = [words.format(documents=_named(ids, names)) for ids, words in changes if ids]
    if parts:
        sign = "-" if paragraphs < 0 else "+"
        parts[-1] += f": {sign}{plural(abs(paragraphs), 'paragraph')}"
    else:
        parts = [gettext("Nothing new")]
    if report.unchanged:
        same = plural(len(report.unchanged), "document")
        parts.append(gettext("{documents} unchanged", documents=same))
    if report.unreachable:
        count = sum(len(place.documents) for place in report.unreachable)
        first = report.unreachable[0]
        unseen = gettext_noop("{documents} kept unseen: {path}: {reason}")
        parts.append(gettext(unseen, documents=plural(count, "document"), path=first.path,
                             reason=first.reason))  # fmt: skip
    if report.left_out:
        gone = plural(len(report.left_out), "removed document")
        parts.append(gettext("{documents} left out", documents=gone))
    if report.skipped and only is None:
        parts.append(gettext("{files} skipped", files=plural(len(report.skipped), "file")))
    if failed:
        # of several the rows say which and why
        path = failed[0].path if "://" in failed[0].path else failed[0].path.split("/")[-1]
        named = f": {path}: {failed[0].reason}" if len(failed) == 1 else ""
        parts.append(gettext("{n} failed", n=number(len(failed))) + named)
    return "; ".join(parts)


def _named(ids: Sequence[str], names: Mapping[str, str]) -> str:
    """`“Moon”`, `“Moon” and “Mars”`, `12 documents (“Moon”, “Mars” and 10 more)`."""
    shown = [gettext("“{name}”", name=names.get(id_, id_)) for id_ in ids[:NAMED]]
    if len(ids) <= NAMED:
        return (
            gettext("{first} and {last}", first=shown[0], last=shown[1]) if shown[1:] else shown[0]
        )
    return gettext(
        "{documents} ({names} and {n} more)",
        documents=plural(len(ids), "document"),
        names=gettext(", ").join(shown),
        n=number(len(ids) - NAMED),
    )
