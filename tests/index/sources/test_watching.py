"""Folders that keep themselves up to date: what happens in them is in the library soon after."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest

from index import InputError, Library, UpdateReport
from index.sources.watching import watch
from index.system.ignoring import FILE
from tests.support.fakes import BagOfWordsEncoder
from tests.support.programs import PATIENCE


class Watched:
    """A folder that is watched in a thread, and what came of it."""

    def __init__(self, library: Library, folder: Path) -> None:
        self.library, self.folder = library, folder
        self.reports = Queue[UpdateReport]()
        self.stop = threading.Event()
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        for report in watch(self.library, [self.folder], self.stop, self.ready.set):
            self.reports.put(report)

    def next(self) -> UpdateReport:
        return self.reports.get(timeout=PATIENCE)

    def ids(self) -> set[str]:
        return {record.id for record in self.library.documents()}


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    (tmp_path / "notes").mkdir()
    for name in ("a", "b", "c", "d"):
        (tmp_path / "notes" / f"{name}.txt").write_text(f"The note {name} speaks of boats.")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        made = Watched(library, tmp_path / "notes")
        yield made
        made.stop.set()
        made.thread.join(PATIENCE)
        assert not made.thread.is_alive()


def test_what_is_added_changed_moved_and_deleted_is_taken_in(watched: Watched) -> None:
    assert len(watched.next().added) == 4
    assert watched.ready.wait(PATIENCE)
    (watched.folder / "new.txt").write_text("The ferry sails at nine.")
    assert watched.next().added == ("new.txt",)
    (watched.folder / "new.txt").write_text("The ferry sails at ten.")
    assert watched.next().updated == ("new.txt",)
    assert "at ten" in watched.library.search("When does the ferry sail?", 1)[0].text
    (watched.folder / "sub").mkdir()
    (watched.folder / "new.txt").rename(watched.folder / "sub" / "moved.txt")
    seen = watched.next()
    while "sub/moved.txt" not in watched.ids() or "new.txt" in watched.ids():
        seen = watched.next()
    assert seen.embedded == 0
    (watched.folder / "a.txt").unlink()
    assert watched.next().removed == ("a.txt",)


def test_what_a_person_removed_or_ignores_stays_out(watched: Watched) -> None:
    watched.next()
    assert watched.ready.wait(PATIENCE)
    watched.library.remove(["a.txt"])
    (watched.folder / "a.txt").write_text("The note a has changed.")
    (watched.folder / FILE).write_text("secret*\n")
    (watched.folder / "secret.txt").write_text("Nobody reads this.")
    (watched.folder / "photo.png").write_bytes(b"\x89PNG")
    (watched.folder / "last.txt").write_text("This is read.")
    while "last.txt" not in watched.ids():
        assert watched.next().failed == ()
    assert watched.ids() == {"b.txt", "c.txt", "d.txt", "last.txt"}


def test_most_of_a_folder_gone_at_once_is_kept(watched: Watched) -> None:
    watched.next()
    assert watched.ready.wait(PATIENCE)
    (watched.folder / "sub").mkdir()
    for name in ("a", "b", "c"):
        (watched.folder / f"{name}.txt").rename(watched.folder / "sub" / f"{name}.txt")
    kept = {"sub/a.txt", "sub/b.txt", "sub/c.txt"}
    while watched.ids() != {*kept, "d.txt"}:
        watched.next()
    (watched.folder / "sub").rename(watched.folder.parent / "elsewhere")  # all at one instant
    (watched.folder / "sign.txt").write_text("This comes after.")
    while "sign.txt" not in watched.ids():
        watched.next()
    assert watched.ids() >= kept


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    with (
        Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library,
        pytest.raises(InputError, match="no folder"),
    ):
        next(iter(watch(library, [tmp_path / "nowhere"], threading.Event())))
