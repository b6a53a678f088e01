"""Questions that wait at the same time are read in one pass, and each gets its own vectors."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from index.embedding.shared_passes import SharedPasses
from tests.support.programs import PATIENCE

Row = Sequence[int]


class Network:
    """Vectors that say whose they are; it can be held up, and refuses what it is told to."""

    def __init__(self, refused: Callable[[Row], bool] = lambda row: False) -> None:
        self.open = threading.Event()
        self.began = threading.Event()
        self.passes: list[int] = []
        """Rows of each pass, in the order they ended."""
        self._refused = refused

    def forward(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        self.began.set()
        assert self.open.wait(PATIENCE)
        self.passes.append(len(rows))
        if bad := [row for row in rows if self._refused(row)]:
            raise ValueError(f"cannot read {list(bad[0])}")
        made = np.zeros((len(rows), max(map(len, rows)), 2), np.float32)
        for at, row in enumerate(rows):
            made[at, : len(row), 0] = row
        return made


def waiting(passes: SharedPasses, count: int) -> None:
    """Wait until so many are in the line."""
    began = monotonic()
    while len(passes._rows) < count:
        threading.Event().wait(0.005)
        assert monotonic() - began < PATIENCE


def own(vectors: NDArray[np.float32]) -> list[int]:
    return [int(number) for number in vectors[:, 0]]


def test_who_waits_goes_along_with_the_next_and_who_is_alone_starts_at_once() -> None:
    network = Network()
    passes = SharedPasses(network.forward, 1)
    rows = [[number] * (number % 5 + 1) for number in range(1, 10)]
    with ThreadPoolExecutor(len(rows)) as pool:
        first = pool.submit(passes.forward, rows[0])
        assert network.began.wait(PATIENCE)
        others = [pool.submit(passes.forward, row) for row in rows[1:]]
        waiting(passes, len(rows) - 1)
        network.open.set()
        assert [own(future.result()) for future in (first, *others)] == rows
    assert network.passes == [1, 8]


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=12), min_size=1, max_size=24),
    at_once=st.integers(1, 3),
    refused=st.sets(st.integers(1, 99), max_size=4),
)
def test_everybody_gets_their_own_vectors_or_their_own_error(
    rows: list[list[int]], at_once: int, refused: set[int]
) -> None:
    network = Network(lambda row: not refused.isdisjoint(row))
    network.open.set()
    passes = SharedPasses(network.forward, at_once)

    def ask(row: list[int]) -> list[int] | str:
        try:
            return own(passes.forward(row))
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(len(rows)) as pool:
        told = list(pool.map(ask, rows))
    wanted = [row if refused.isdisjoint(row) else f"cannot read {row}" for row in rows]
    assert told == wanted
    assert not passes._rows and passes._free == at_once
    assert max(network.passes) <= 8


def test_an_error_is_that_of_whose_question_it_is_and_no_object_is_shared() -> None:
    network = Network(lambda row: 7 in row)
    passes = SharedPasses(network.forward, 1)
    errors: list[Exception] = []

    def ask(row: list[int]) -> list[int] | None:
        try:
            return own(passes.forward(row))
        except ValueError as error:
            errors.append(error)
            return None

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask, [1])
        assert network.began.wait(PATIENCE)
        rest = [pool.submit(ask, row) for row in ([7], [2, 3], [7, 7])]
        waiting(passes, 3)
        network.open.set()
        assert first.result() == [1]
        assert [future.result() for future in rest] == [None, [2, 3], None]
    assert sorted(map(str, errors)) == ["cannot read [7, 7]", "cannot read [7]"]
    assert errors[0] is not errors[1]


def test_who_leaves_while_waiting_is_not_read_and_leaves_the_others() -> None:
    network = Network()
    passes = SharedPasses(network.forward, 1)

    class Left(BaseException):
        """Ctrl-C, say, in whoever reads."""

    class Leaving(Network):
        def forward(self, rows: Sequence[Row]) -> NDArray[np.float32]:
            made = network.forward(rows)
            if [1] in map(list, rows):
                raise Left
            return made

    passes._forward = Leaving().forward
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(passes.forward, [1])
        assert network.began.wait(PATIENCE)
        others = [pool.submit(passes.forward, row) for row in ([2], [3, 4])]
        waiting(passes, 2)
        network.open.set()
        with pytest.raises(Left):
            first.result()
        assert [own(future.result()) for future in others] == [[2], [3, 4]]
    assert not passes._rows and passes._free == 1
