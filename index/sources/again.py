"""A new look at everything that was ever added, wherever it came from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from index.errors import InputError
from index.library import Library
from index.sources import web, zotero
from index.sources.fetching import Fetcher
from index.types import Progress, UpdateReport


def rebuild(
    library: Library,
    fetcher: Fetcher | None = None,
    *,
    full: bool = False,
    forget: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> UpdateReport:
    """What a new look at every place, address and Zotero library that was added brought.

    Only what a person starts may call this: it asks the web for addresses that were typed before.
    An address that cannot be reached, or that is no more, keeps its document, and is told as
    unreachable. The other arguments are those of `Library.rebuild`.
    """
    news = [web.look_again(library, fetcher or Fetcher(), progress, cancelled)]
    for folder in zotero.places(library):
        with suppress(InputError):  # it cannot be read now; its files are looked at all the same
            typed = f"{zotero.SCHEME}{folder}"
            news.append(zotero.add(library, typed, progress=progress, cancelled=cancelled))
    report = library.rebuild(full=full, forget=forget, progress=progress, cancelled=cancelled)
    if forget:
        report = replace(report, removed=(*report.removed, *web.let_go(library)))
    for before in news:
        report = _joined(before, report)
    return replace(report, unreachable=(*report.unreachable, *web.unreachable(library)))


def _joined(before: UpdateReport, report: UpdateReport) -> UpdateReport:
    """A report of everything, with what was done just before it as part of it."""
    done = {*before.added, *before.updated}
    failed = [file for file in before.failed if file not in report.failed]
    return replace(
        report,
        added=(*before.added, *report.added),
        updated=(*before.updated, *(id_ for id_ in report.updated if id_ not in done)),
        unchanged=tuple(id_ for id_ in report.unchanged if id_ not in done),
        removed=(*before.removed, *report.removed),
        failed=(*failed, *report.failed),
        embedded=before.embedded + report.embedded,
        reused=before.reused + report.reused,
    )
