"""Pulls the plug, or lets the disk refuse, at every single act of a change to a library.

Runs as a program of its own with `disk_faults.c` preloaded:

    LD_PRELOAD=disk_faults.so python -m tests.programs.crash_points FOLDER CHANGE

It runs CHANGE once undisturbed, counting what it does to the disk, then for every fault once for
every such act, each time in a fork that dies or fails there. Afterwards the library has to be as
before or as after, `check` has to pass, the same change has to go through, and nothing may be left
lying about. Prints, by fault, how many points were tried and what went wrong, as JSON.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import json
import os
import shutil
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss  # noqa: F401  (loaded once, before the forks)

from index import Library, LibraryUnwritable, PilcrowError
from tests.support.fakes import BagOfWordsEncoder

COUNT, KILL, LOSE_DATA, LOSE_ALL, REFUSE, READ_ONLY = range(6)
FAULTS: dict[str, tuple[int, int]] = {
    "killed": (KILL, 0),
    "killed, unsynced bytes lost": (LOSE_DATA, 0),
    "killed, unsynced bytes and names lost": (LOSE_ALL, 0),
    "disk full": (REFUSE, errno.ENOSPC),
    "disk failing": (REFUSE, errno.EIO),
    "access denied": (REFUSE, errno.EACCES),
}
_WORKERS = 2
# `make test` tries every sixth point of each fault, together every point once, in a minute or two;
# PILCROW_FAULT_POINTS=all tries them all, in five to ten.
_EVERY = 1 if os.environ.get("PILCROW_FAULT_POINTS") == "all" else 6
_DONE, _REFUSED = 0, 74
_QUESTIONS = ("kyoto cables under the sea", "parliament act and harvest of rice")

_KYOTO = "The forum met in Kyoto.\n\nCables lie under the sea.\n"
_BRUSSELS = "The parliament voted on the act.\n"
_RICE = "The harvest of rice was good.\n"


def _open(library: Path) -> Library:
    return Library.open(library, encoder=BagOfWordsEncoder(16), threads=1)


def _make_articles(articles: Path) -> None:
    articles.mkdir()
    (articles / "kyoto.txt").write_text(_KYOTO)
    (articles / "brussels.txt").write_text(_BRUSSELS)
    (articles / "rice.txt").write_text(_RICE)


def _change_articles(articles: Path) -> None:
    """One file changes, one moves, one goes, one comes."""
    (articles / "kyoto.txt").write_text(_KYOTO.replace("under the sea", "below the ice"))
    (articles / "brussels.txt").rename(articles / "moved.txt")
    (articles / "rice.txt").unlink()
    (articles / "new.txt").write_text("A new treaty was signed in Geneva.\n")


def _harm(library: Path) -> None:
    """Damage to all that can be mended: a vector, the text index, the counts, the cache."""
    with _open(library) as opened:
        opened.search("kyoto")
    connection = sqlite3.connect(library / "library.sqlite")
    connection.execute("UPDATE passages SET vector = zeroblob(length(vector)) WHERE id = 1")
    connection.execute("DELETE FROM words WHERE rowid = 2")
    connection.execute("UPDATE meta SET value = 7 WHERE key = 'passages'")
    connection.commit()
    connection.close()
    cache = library / "vectors.cache"
    cache.write_bytes(cache.read_bytes()[:-9])


def _add(library: Path, articles: Path) -> None:
    with _open(library) as opened:
        opened.update([articles])


def _rebuild(library: Path, articles: Path) -> None:
    with _open(library) as opened:
        opened.rebuild()


def _rebuild_full(library: Path, articles: Path) -> None:
    with _open(library) as opened:
        opened.rebuild(full=True)


def _remove(library: Path, articles: Path) -> None:
    with _open(library) as opened:
        if any(document.id == "kyoto.txt" for document in opened.documents()):
            opened.remove(["kyoto.txt"])


def _repair(library: Path, articles: Path) -> None:
    with _open(library) as opened:
        if not opened.check(repair=True).ok:
            raise LibraryUnwritable("not all could be mended")


CHANGES: dict[str, Callable[[Path, Path], None]] = {
    "add": _add,
    "update": _rebuild,
    "rebuild --full": _rebuild_full,
    "remove": _remove,
    "check --repair": _repair,
}


def _prepare(change: str, folder: Path) -> tuple[Path, Path]:
    """A library and its articles as they are before the change."""
    articles, library = folder / "articles", folder / "library"
    _make_articles(articles)
    if change == "add":
        return library, articles
    _add(library, articles)
    if change in ("update", "rebuild --full"):
        _change_articles(articles)
    if change == "check --repair":
        _harm(library)
    return library, articles


def _state(library: Path) -> Any:
    """Everything a person could see of a library."""
    if not (library / "library.sqlite").exists():
        return "no library"
    with _open(library) as opened:
        try:
            records = [
                (r.id, r.title, r.content_hash, r.path, r.passages, r.sentences)
                for r in opened.documents()
            ]
            if not records:
                return "no library"
            return records, [
                [
                    (h.document_id, h.start, h.end, h.text, round(h.score, 5), h.also)
                    for h in opened.search(question)
                ]
                for question in _QUESTIONS
            ]
        except PilcrowError as error:
            return f"{type(error).__name__}"


class Trial:
    """One change, to be disturbed at every point."""

    def __init__(self, folder: Path, change: str) -> None:
        self._faults = ctypes.CDLL(None)
        self._change = CHANGES[change]
        self._repairs = change == "check --repair"
        self._folder = folder
        self._library, self._articles = _prepare(change, folder)
        self._before = _state(self._copy("before"))
        after = self._copy("after")
        self.acts = self._count(after)
        self._syncs = [self._faults.disk_faults_synced_at(n) for n in range(self.acts + 2)]
        self._after = _state(after)

    def run(self, fault: str, worker: int) -> list[str]:
        """What went wrong at the points of one worker."""
        wrong = []
        for at in self.points(fault)[worker::_WORKERS]:
            try:
                told = self._disturbed(*FAULTS[fault], at, self._copy(f"worker{worker}"))
            except Exception:  # told with its point, and the others are tried too
                told = traceback.format_exc()
            if told:
                wrong.append(f"point {at} of {self.acts}: {told}")
        return wrong

    def points(self, fault: str) -> list[int]:
        """The points to try: every one, or every few, beginning elsewhere for each fault."""
        begin = 1 + list(FAULTS).index(fault) % _EVERY
        return list(range(begin, self.acts + 2, _EVERY))  # the last is after all is done

    def _copy(self, name: str) -> Path:
        copy = self._folder / name / "library"
        shutil.rmtree(copy.parent, ignore_errors=True)
        copy.parent.mkdir()
        if self._library.exists():
            shutil.copytree(self._library, copy)
        return copy

    def _count(self, library: Path) -> int:
        self._faults.disk_faults_begin(os.fsencode(library), COUNT, 0, 0)
        self._change(library, self._articles)
        return int(self._faults.disk_faults_end())

    def _disturbed(self, what: int, error: int, at: int, library: Path) -> str:
        """What went wrong at one point; empty when nothing."""
        if what == REFUSE:
            code = self._suffer(what, error, at, library)
        else:
            child = os.fork()
            if not child:
                os._exit(self._suffer(what, error, at, library))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code not in ((_DONE, _REFUSED) if what == REFUSE else (-signal.SIGKILL,)):
            return f"ended with {code}"
        now = _state(library)
        if now not in (self._before, self._after):
            return f"neither before nor after: {now}"
        if at > self.acts and now != self._after:
            return "reported as done, yet lost"
        # (when a sync is refused, nobody can know what has reached the disk)
        if code == _REFUSED and now != self._before and not self._syncs[at] and not self._repairs:
            return "refused, yet changed"
        if now != "no library" and not self._repairs:
            with _open(library) as opened:
                bad = [line for line in opened.check().lines if not line.ok]
                if bad:
                    return f"check: {bad}"
        self._change(library, self._articles)
        left = [file.name for file in library.iterdir() if ".new" in file.name]
        with _open(library) as opened:
            if left:  # the next change will have been one that needs no writer
                opened.rebuild()
            if _state(library) != self._after or not opened.check().ok:
                return f"the next run ends in {_state(library)}, {opened.check()}"
        left = [file.name for file in library.iterdir() if ".new" in file.name]
        return f"left behind: {left}" if left else ""

    def _suffer(self, what: int, error: int, at: int, library: Path) -> int:
        """The change, disturbed; its exit code, when it lives to have one."""
        try:
            self._faults.disk_faults_begin(os.fsencode(library), what, at, error)
            self._change(library, self._articles)
            if what != REFUSE:
                self._faults.disk_faults_pull_the_plug()
            return _DONE
        except PilcrowError as caught:
            return caught.exit_code
        finally:
            self._faults.disk_faults_end()


def main(folder: Path, change: str) -> None:
    trial = Trial(folder.resolve(), change)
    gc.freeze()  # so that a fork does not copy what it merely counts
    wrong: dict[str, list[str]] = {fault: [] for fault in FAULTS}
    pipes = []
    for worker in range(_WORKERS):
        read, write = os.pipe()
        if not os.fork():
            with os.fdopen(write, "w") as out:
                json.dump({fault: trial.run(fault, worker) for fault in FAULTS}, out)
            os._exit(0)
        os.close(write)
        pipes.append(read)
    for read in pipes:
        with os.fdopen(read) as told:
            for fault, lines in json.load(told).items():
                wrong[fault] += lines
        os.wait()
    tried = sum(len(trial.points(fault)) for fault in FAULTS)
    print(json.dumps({"points": trial.acts, "tried": tried, "wrong": wrong}))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
