"""New files beside old ones: a writer that lives keeps its own, whoever tidies up meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from index import Library
from index.system.files import replacing, replacing_folder, sweep
from rag.types import Answer
from tests.support.fakes import BagOfWordsEncoder
from ui.page import feedback


@pytest.fixture
def swept(tmp_path: Path) -> Iterator[Path]:
    """A folder in which somebody tidies up all the time."""
    over = Event()

    def tidy() -> None:
        while not over.is_set():
            sweep(tmp_path)

    tidying = Thread(target=tidy)
    tidying.start()
    yield tmp_path
    over.set()
    tidying.join()


def test_a_change_of_the_library_takes_nothing_from_another_writer(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("It met in Kyoto.")
    with (
        Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library,
        replacing(tmp_path / "library" / "suggestions.json") as file,
    ):
        file.write(b"{")
        library.update([tmp_path / "a.txt"])
        file.write(b"}")
    assert (tmp_path / "library" / "suggestions.json").read_text() == "{}"


def test_whoever_writes_while_somebody_tidies_up_is_not_disturbed(swept: Path) -> None:
    for number in range(300):
        with replacing(swept / "file") as file:
            file.write(b"%d" % number)
        assert (swept / "file").read_text() == f"{number}"
    for number in range(50):
        answer = Answer(f"Question {number}?", "not_found", "")
        feedback.record(swept, f"{number:032}", answer, "up")
    assert len((swept / feedback.GOOD).read_text().splitlines()) == 50


def test_what_a_killed_writer_left_is_taken_away(tmp_path: Path) -> None:
    (tmp_path / "feedback.jsonl.0123.new").write_bytes(b"half")
    sweep(tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "file") as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "before"


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "one"
    for content in ("old", "new"):
        with replacing_folder(folder) as new:
            (new / "file").write_text(content)
    assert (folder / "file").read_text() == "new"
    with pytest.raises(ValueError, match="half"), replacing_folder(folder) as new:
        (new / "file").write_text("half")
        raise ValueError("half made")
    assert (folder / "file").read_text() == "new"
    assert list(folder.parent.iterdir()) == [folder]


def test_a_folder_that_somebody_killed_was_making_goes_and_a_living_ones_stays(
    tmp_path: Path,
) -> None:
    dead, alive = tmp_path / "making-dead", tmp_path / "making-alive"
    for one in (dead, alive):
        (one / "new").mkdir(parents=True)
    long_ago = dead.stat().st_mtime - 100_000
    os.utime(dead, (long_ago, long_ago))
    with replacing_folder(tmp_path / "one"):
        pass
    assert not dead.exists()
    assert alive.exists()


def test_of_two_who_make_the_same_folder_one_wins_whole(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    with replacing_folder(folder) as slow:
        (slow / "file").write_text("slow")
        with replacing_folder(folder) as quick:
            (quick / "file").write_text("quick")
    assert (folder / "file").read_text() in ("slow", "quick")
    assert list(tmp_path.iterdir()) == [folder]
