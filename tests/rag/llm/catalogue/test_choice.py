"""A larger model is taken where the machine can carry it, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


def test_what_was_measured_before_is_not_measured_again(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path)
    folder.remember(BUNDLED, Speed(400.0, 50.0, 1))
    wait = foretold(QWEN, folder, 10_000)  # no machine has so many
    assert wait is not None and 10 < wait.seconds < 20


@pytest.mark.model
def test_a_machine_is_measured_once_and_remembers(tmp_path: Path) -> None:
    folder = ModelFolder(tmp_path)
    wait = foretold(QWEN, folder, 1)
    assert wait is not None and not wait.measured
    assert list(folder.speeds()) == [BUNDLED]
    assert foretold(QWEN, folder, 10_000) == wait


def test_room_is_looked_for_where_the_models_will_be(tmp_path: Path) -> None:
    room = room_for(ModelFolder(tmp_path / "not" / "there"))
    assert room.disk > 0
    assert not (tmp_path / "not").exists()
