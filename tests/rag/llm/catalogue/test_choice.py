"""A larger model is taken where the machine can carry it, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.errors import ModelFailed
from index.system.memory import Memory
from rag.llm.catalogue.choice import LIMITS, RECOMMENDED, Room, foretold, obstacle, room_for
from rag.llm.catalogue.entries import BUNDLED, known_entry
from rag.llm.catalogue.folder import ModelFolder, Speed
from rag.llm.catalogue.speed import FirstWord

QWEN = known_entry(RECOMMENDED)
GOOD = Room(Memory(8_000_000_000, 5_000_000_000), 10_000_000_000)
SOON = FirstWord(9.0, measured=False)


def test_a_good_machine_takes_it() -> None:
    assert obstacle(QWEN, SOON, GOOD, 0) == ""


@pytest.mark.parametrize(
    ("wait", "room", "come", "words"),
    [
        (None, GOOD, 0, "how fast it would be here is not known"),
        (FirstWord(21, measured=True), GOOD, 0, "its first word would take about 21 s"),
        (SOON, replace(GOOD, memory=None), 0, "how much memory is free here is not known"),
        (SOON, replace(GOOD, memory=Memory(8 * 10**9, 39 * 10**8)), 0, "3.9 GB of memory are free"),
        (SOON, replace(GOOD, disk=10**9), 0, "needs 1.3 GB of disk, and 1.0 GB are free"),
    ],
)
def test_what_is_lacking_is_named(
    wait: FirstWord | None, room: Room, come: int, words: str
) -> None:
    assert words in obstacle(QWEN, wait, room, come)


def test_what_has_come_of_it_needs_no_more_disk() -> None:
    assert obstacle(QWEN, SOON, replace(GOOD, disk=10**9), 900_000_000) == ""


@given(
    st.floats(0.1, 100), st.integers(0, 10**10), st.integers(0, 10**10), st.integers(0, QWEN.bytes)
)
def test_it_is_taken_only_within_every_limit(
    seconds: float, free: int, disk: int, come: int
) -> None:
    room = Room(Memory(10**10, free), disk)
    taken = obstacle(QWEN, FirstWord(seconds, measured=True), room, come) == ""
    enough = free >= LIMITS.free_memory and disk >= QWEN.bytes - come + 200_000_000
    assert taken == (seconds <= LIMITS.longest and enough)


class Stopwatch:
    """Measures the packaged model as fast as it is told, or not at all."""

    def __init__(self, *readings: float) -> None:
        self.left = list(readings)
        self.announced = 0

    def announce(self) -> None:
        self.announced += 1

    def __call__(self, path: Path, threads: int, sha256: str, within: float) -> Speed:
        assert path.is_file() and sha256 and within == LIMITS.measuring and self.announced
        if not self.left:
            raise ModelFailed("it was not measured in time")
        return Speed(self.left.pop(0), 40.0, threads)

    def foretell(self, folder: ModelFolder) -> int | None:
        wait = foretold(QWEN, folder, 1, self.announce, self)
        return round(wait.seconds) if wait else None


def test_a_fast_machine_is_measured_once(tmp_path: Path) -> None:
    folder, watch = ModelFolder(tmp_path), Stopwatch(400.0)
    assert watch.foretell(folder) == watch.foretell(folder) == 14
    assert folder.speeds() == {BUNDLED: Speed(400.0, 40.0, 1)}
    assert watch.announced == 1


def test_a_machine_that_was_slow_is_measured_again(tmp_path: Path) -> None:
    """Something else may have been running when it was measured before."""
    folder, watch = ModelFolder(tmp_path), Stopwatch(63.0, 400.0)
    assert watch.foretell(folder) == 86
    assert watch.foretell(folder) == 14
    assert watch.announced == 2


def test_where_nothing_can_be_measured_nothing_new_is_known(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path)
    assert Stopwatch().foretell(folder) is None
    folder.remember(BUNDLED, Speed(63.0, 10.0, 1))
    assert Stopwatch().foretell(folder) == 86


def test_a_model_that_was_measured_itself_is_not_measured_by_another(tmp_path: Path) -> None:
    folder, watch = ModelFolder(tmp_path), Stopwatch(400.0)
    folder.remember(QWEN.name, Speed(10.0, 2.0, 1))
    assert watch.foretell(folder) == 65 and watch.announced == 0


def test_room_is_looked_for_where_the_models_will_be(tmp_path: Path) -> None:
    room = room_for(ModelFolder(tmp_path / "not" / "there"))
    assert room.disk > 0
    assert not (tmp_path / "not").exists()
