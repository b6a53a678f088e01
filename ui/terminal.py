"""What the command line shows: hits, findings and progress on a rich console.

Everything shown may come from a hostile document, title or file name, so nothing reaches the
terminal before `clean` has taken the means to steer it, and `harmless_output` sees to what others
print.
"""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING, Any, TextIO, cast

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from index.formats.pictures.recognition import EXTRA
from index.tokenization import INVISIBLE
from index.types import NOWHERE, title_from_id

if TYPE_CHECKING:
    from index.types import (
        CheckLine,
        DocumentRecord,
        Hit,
        Location,
        Progress,
        Unreachable,
        UpdateReport,
    )

_NAMED = 3

# Lone surrogates (file names that are not UTF-8) cannot be printed at all.
_HARMFUL = re.compile(rf"[{INVISIBLE}\ud800-\udfff]")


def harmless(text: str) -> str:
    """`text`, its layout kept, unable to steer a terminal; what is harmful shows as U+FFFD."""
    return _HARMFUL.sub("\ufffd", text)


def clean(text: str) -> str:
    """`text`, harmless and on one line."""
    return " ".join(harmless(text).split())


def to_json(value: Any) -> str:
    """`value` as JSON; harmful characters stay as escapes, so nothing is lost and nothing acts."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    # Outside strings JSON has only newlines and ASCII, so each match lies inside a string.
    return _HARMFUL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
    return "".join(f"\\u{unit}" for unit in units)


def open_console(*, stderr: bool = False) -> Console:
    """A console without rich's readings of `[1]` and `:smile:`; rich itself honours NO_COLOR.

    What it is given is clean, so its colours pass where everybody else's output is cleaned.
    """
    stream: Any = sys.stderr if stderr else sys.stdout
    return Console(
        file=stream.uncleaned if isinstance(stream, _Harmless) else None,
        stderr=stderr,
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=True,
    )


@contextmanager
def harmless_output() -> Iterator[None]:
    """While this lasts, nothing that any library prints can steer the terminal.

    A server's libraries print what strangers send: parts of addresses, headers, error messages.
    What native code writes past Python is not seen here.
    """
    with (
        redirect_stdout(cast("TextIO", _Harmless(sys.stdout))),
        redirect_stderr(cast("TextIO", _Harmless(sys.stderr))),
    ):
        yield


class _Harmless:
    """A text stream that takes the means to steer a terminal out of what is written to it."""

    def __init__(self, stream: TextIO) -> None:
        self.uncleaned = stream

    def write(self, text: str) -> int:
        self.uncleaned.write(harmless(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> _HarmlessBytes:
        return _HarmlessBytes(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.uncleaned, name)


class _HarmlessBytes:
    """The same for those who write bytes."""

    def __init__(self, stream: _Harmless) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        self._stream.write(bytes(data).decode(self._stream.encoding or "utf-8", "replace"))
        return len(data)

    def flush(self) -> None:
        self._stream.flush()


# --- Long jobs ---------------------------------------------------------------------------------


class _Rate(ProgressColumn):
    """Units per second, once known."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="dim")


@contextmanager
def progress_bar(console: Console) -> Iterator[Callable[[Progress], None] | None]:
    """A callback that draws stage, rate and time left; None when `console` is no terminal."""
    if not console.is_terminal:
        yield None
        return
    stage = TextColumn("{task.description}", markup=False)
    columns = (SpinnerColumn(), stage, BarColumn(), MofNCompleteColumn(), _Rate())
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        tasks = {"": bar.add_task("starting", total=None)}

        def draw(report: Progress) -> None:
            if not report.total:  # news of one file; a bar has nothing to show for it
                return
            if report.stage not in tasks:
                bar.update(tasks.get("", bar.task_ids[0]), visible=False)
                tasks[report.stage] = bar.add_task(clean(report.stage), total=report.total)
            bar.update(tasks[report.stage], completed=report.done, total=report.total)

        yield draw


@contextmanager
def download_bar(console: Console) -> Iterator[Callable[[Progress], None] | None]:
    """A callback that draws bytes, rate and time left; None when `console` is no terminal."""
    if not console.is_terminal:
        yield None
        return
    stage = TextColumn("{task.description}", markup=False)
    columns = (stage, BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def draw(report: Progress) -> None:
            if bar.tasks[task].total is None:  # what was there before counts for no rate
                bar.reset(task, completed=report.done, total=report.total)
            bar.update(task, description=clean(report.stage), completed=report.done)

        yield draw


def update_summary(
    report: UpdateReport, *, dry_run: bool, list_skipped: bool = False
) -> Iterator[str]:
    """What an update did, or would do: a line for each path in trouble, then the counts."""
    if list_skipped:
        for skipped in report.skipped:
            yield f"skipped: {skipped.path}: {skipped.reason}"
    elif unread := sum(skipped.reason.endswith(EXTRA) for skipped in report.skipped):
        yield f"not read: {unread} {'picture' if unread == 1 else 'pictures'}; {EXTRA}"
    for failed in report.failed:
        yield f"failed: {failed.path}: {failed.reason}"
    yield from map(unreachable_line, report.unreachable)
    if report.left_out:
        first, more = report.left_out[0], len(report.left_out) - 1
        yield (
            f"left out, since you removed it: {first}{f' and {more} more' if more else ''}; "
            "to have one back, add the file itself"
        )
    kinds = ("added", "updated", "unchanged", "removed", "failed")
    counts = ", ".join(f"{len(getattr(report, kind))} {kind}" for kind in kinds)
    if report.skipped:
        counts += f", {len(report.skipped)} skipped"
        counts += "" if list_skipped else " (which: --skipped)"
    kept = sum(len(place.documents) for place in report.unreachable)
    counts += f", {kept} unreachable" if kept else ""
    yield f"would be: {counts}" if dry_run else counts


def unreachable_line(place: Unreachable) -> str:
    """Which documents are kept though their files cannot be seen, why, and the way out."""
    few = ", ".join(place.documents[:_NAMED])
    few += f" and {len(place.documents) - _NAMED} more" if len(place.documents) > _NAMED else ""
    way = "pilcrow rebuild --forget" if place.lost else f"pilcrow forget {shlex.quote(place.path)}"
    return f"unreachable, kept: {place.path}: {place.reason} ({few}). Gone for good? {way}"


# --- Documents, hits, findings -----------------------------------------------------------------


def about(
    document_id: str,
    title: str,
    source: str,
    date: str,
    paragraph: int = 0,
    location: Location = NOWHERE,
) -> str:
    """`Title · source · date · page 3 · Methods · paragraph 7`, without what is not known."""
    known = [title or title_from_id(document_id), source, date]
    known += [location.page_name, location.section, location.recognition]
    if paragraph:
        known.append(f"paragraph {paragraph}")
    return " · ".join(clean(part) for part in known if part)


def show_documents(records: Iterable[DocumentRecord], console: Console) -> None:
    """One line per document: its id, then what is known about it."""
    for record in records:
        line = Text(clean(record.id), style="bold")
        line.append("  " + about(record.id, record.title, record.source, record.date), style="none")
        if record.collection:
            line.append(f"  [{clean(record.collection)}]", style="dim")
        console.print(line)


def show_hits(hits: Iterable[Hit], console: Console) -> None:
    """Ranked passages with where they stand."""
    for hit in hits:
        at = hit.location(hit.start, hit.end)
        where = about(hit.document_id, hit.title, hit.source, hit.date, hit.paragraph, at)
        console.print(Text(f"{hit.rank}. {where}", style="bold"), Text(f"{hit.score:.2f}", "dim"))
        console.print(indented(hit.text))


def show_lines(lines: Iterable[CheckLine], console: Console) -> None:
    """Findings, one line each: `ok` or `FIX`, the name, the detail."""
    for line in lines:
        mark = Text("ok  ", style="green") if line.ok else Text("FIX ", style="bold red")
        console.print(mark + Text(f"{clean(line.name)}: {clean(line.detail)}", style="none"))


def indented(text: str) -> Text:
    """A text that stands back behind the line above it."""
    return Text("    " + clean(text), style="dim")
