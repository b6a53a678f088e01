"""Folders that keep themselves up to date: what the system says has changed is looked at again.

Nothing is polled. Writes are waited out for a moment; a file that is still being written when it
is read is read again at its next write. A person who changes the library at the same time goes
first: what was seen meanwhile is kept and taken in afterwards.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from index.errors import InputError, LibraryBusy, PilcrowError
from index.library import Library
from index.system import roots
from index.types import UpdateReport

log = logging.getLogger(__name__)

_QUIET = 400
"""Milliseconds without a change, after which what has changed is taken in."""
_LONGEST = 1_500
"""Milliseconds that changes are gathered at most."""
_LOOK = 500
"""Milliseconds between two looks at whether to stop, and at what had to wait."""


def watch(
    library: Library,
    folders: Iterable[str | Path],
    stop: threading.Event,
    ready: Callable[[], None] = lambda: None,
) -> Iterator[UpdateReport]:
    """What each change of some folders brought, as it comes, until `stop` is set.

    The first report is that of adding the folders; reports of nothing new are left out after it.

    Args:
        library: what is kept up to date.
        folders: what is watched, with everything below.
        stop: ends it, within half a second.
        ready: called once, when changes are seen from now on.

    Raises:
        InputError: when something is no folder, or the system watches no more.
    """
    from watchfiles import watch as changes

    wanted = [roots.settled(folder) for folder in folders]
    for folder in wanted:
        if roots.look(folder).kind != "folder":
            raise InputError(f"{str(folder)!r} is no folder that can be watched")
    waiting = set[Path](wanted)
    told = False
    try:
        seen = changes(
            *wanted, stop_event=stop, watch_filter=None, debounce=_LONGEST, step=_QUIET,
            rust_timeout=_LOOK, yield_on_timeout=True, raise_interrupt=True,
        )  # fmt: skip
        for found in seen:
            waiting |= {Path(path) for _, path in found}
            report = _taken_in(library, waiting, stop)
            if report is not None:
                waiting.clear()
                if not told or report.added or report.updated or report.removed or report.failed:
                    yield report
                if not told:
                    told = True
                    ready()
    except (OSError, RuntimeError) as error:
        raise InputError(f"these folders cannot be watched: {error}") from error


class FolderWatches:
    """Folders that are watched beside other work, each in a thread, until they are let be."""

    def __init__(self, library: Library) -> None:
        """Keep folders of `library` up to date."""
        self._library = library
        self._lock = threading.Lock()
        self._watched: dict[Path, tuple[threading.Event, threading.Thread]] = {}
        self._problems: dict[Path, str] = {}

    @property
    def states(self) -> dict[Path, str]:
        """The folders that are watched, each with what keeps it from being; empty for nothing."""
        with self._lock:
            return dict.fromkeys(self._watched, "") | self._problems

    def begin(self, folder: Path) -> None:
        """Watches a folder from now on, which is remembered as one that was added."""
        with self._lock:
            self._problems.pop(folder, None)
            if folder not in self._watched:
                stop = threading.Event()
                thread = threading.Thread(
                    target=self._watch, args=(folder, stop), name=f"watch {folder}", daemon=True
                )
                self._watched[folder] = stop, thread
                thread.start()

    def end(self, folder: Path) -> None:
        """Watches a folder no longer; what was seen before may still be taken in."""
        with self._lock:
            self._problems.pop(folder, None)
            stop, _ = self._watched.pop(folder, (threading.Event(), None))
        stop.set()

    def close(self) -> None:
        """Ends all of it, and waits until nothing changes the library any more."""
        with self._lock:
            watched = list(self._watched.values())
            self._watched.clear()
        for stop, _ in watched:
            stop.set()
        for _, thread in watched:
            thread.join()

    def _watch(self, folder: Path, stop: threading.Event) -> None:
        problem = ""
        try:
            for _ in watch(self._library, [folder], stop):
                pass
        except PilcrowError as error:
            problem = str(error)
        except Exception:
            log.exception("a folder can no longer be watched")
            problem = "something went wrong inside Pilcrow; the terminal says more"
        with self._lock:
            if problem and not stop.is_set():
                self._watched.pop(folder, None)
                self._problems[folder] = problem


def _taken_in(
    library: Library, paths: Iterable[Path], stop: threading.Event
) -> UpdateReport | None:
    """What became of changed paths; None while somebody else changes the library, or for none."""
    changed = list(paths)
    if not changed:
        return None
    try:
        return library.look_again(changed, cancelled=stop.is_set)
    except LibraryBusy:
        return None
