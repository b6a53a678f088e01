"""How much a model reads for one answer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.llm.budget import LIMITS, Pace, context_tokens, prompt_tokens
from rag.llm.grammar import says_again
from rag.llm.weights import gguf

FIXED = 420


@pytest.mark.parametrize(
    ("speeds", "tokens"),
    [
        ([], 640),  # not known yet
        ([65.0], 512),  # two idle cores: eight seconds
        ([27.0], 384),  # busy ones: a little longer, for enough to answer from
        ([10.0], 192),  # never longer than twenty seconds
        ([2000.0], 2944),  # a GPU: no more than says something new
        ([65.0, 1.0, 66.0], 512),  # one slow answer is no speed
    ],
)
def test_a_prompt_is_as_long_as_a_person_waits(speeds: list[float], tokens: int) -> None:
    assert prompt_tokens(speeds, 4096, FIXED) == tokens


@given(st.lists(st.floats(0.01, 1e5), max_size=5), st.integers(700, 9000))
def test_a_prompt_fits_the_context_and_a_patience(speeds: list[float], context: int) -> None:
    tokens = prompt_tokens(speeds, context, FIXED)
    assert LIMITS.step <= tokens <= max(context - FIXED, LIMITS.step)
    assert tokens <= LIMITS.most


def test_a_context_is_as_large_as_the_model_and_the_memory_allow() -> None:
    assert context_tokens(32768, 20_000_000_000) == 8192
    assert context_tokens(32768, 3_000_000_000) == context_tokens(32768, None) == 4096
    assert context_tokens(2048, 20_000_000_000) == 2048
    assert context_tokens(None, 20_000_000_000) == 4096


def test_a_file_says_what_its_model_was_made_for() -> None:
    assert gguf.context_length({"general.architecture": b"x", "x.context_length": 2048}) == 2048
    assert gguf.context_length({"general.architecture": b"x"}) is None
    assert gguf.context_length({"x.context_length": 2048}) is None


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("The forum met in Kyoto. The forum met in Kyoto. ", True),
        ("- The forum met in Kyoto\n- The forum met in Kyoto\n", True),
        ("The forum met in Kyoto. It was large. ", False),
        ("Yes. Yes. ", False),  # short words are said again
        ("The forum met in Kyoto. The forum met in Ky", False),  # not yet
    ],
)
def test_prose_that_says_a_sentence_again_is_stopped(text: str, again: bool) -> None:
    assert says_again(text) is again


def read(pace: Pace, chunks: int, speed_of: Callable[[int], float]) -> list[int]:
    """Threads that each chunk is read with, at these tokens a second."""
    used = []
    for _ in range(chunks):
        used.append(pace.threads)
        pace.took(used[-1], 64, 64 / speed_of(used[-1]))
    return used


@given(st.integers(1, 8), st.integers(0, 9), st.integers(1, 200))
def test_threads_are_of_those_allowed_and_the_faster_ones_read_most(
    threads: int, most: int, chunks: int
) -> None:
    pace = Pace(threads, most)
    used = read(pace, chunks, float)  # the more, the faster
    assert set(used) <= {threads, max(threads, most)}
    assert used.count(max(used)) >= chunks - 1 - chunks // 4
    assert pace.fastest == max(used)


def test_another_number_of_threads_is_tried_more_and_more_seldom_where_it_is_slower() -> None:
    used = read(Pace(1, 2), 400, lambda threads: 50.0 if threads == 1 else 13.0)
    tried = [at for at, threads in enumerate(used) if threads == 2]
    gaps = [after - before for before, after in pairwise(tried)]
    assert gaps == sorted(gaps)
    assert len(tried) < 15


def test_a_machine_that_falls_idle_or_gets_busy_is_noticed() -> None:
    pace = Pace(1, 2)
    read(pace, 200, lambda threads: 50.0 / threads)
    assert pace.fastest == 1
    read(pace, 60, lambda threads: 35.0 * threads)
    assert pace.fastest == 2
    read(pace, 60, lambda threads: 50.0 / threads)
    assert pace.fastest == 1
