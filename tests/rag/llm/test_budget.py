"""How much a model reads for one answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.llm.budget import (
    CHUNK_TOKENS,
    GPU_CHUNK_TOKENS,
    LIMITS,
    chunk_tokens,
    context_tokens,
    gpu_layers,
    prompt_tokens,
)
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


def test_a_gpu_takes_all_layers_or_as_many_as_are_wanted_and_reads_more_at_a_time() -> None:
    everything = gpu_layers(None, offloads=True)
    assert everything > 200, "no open model has as many layers"
    assert gpu_layers(20, offloads=True) == 20
    assert gpu_layers(0, offloads=True) == gpu_layers(None, offloads=False) == 0
    assert gpu_layers(20, offloads=False) == 0, "llama.cpp without a GPU is asked for none"
    assert chunk_tokens(everything) == chunk_tokens(1) == GPU_CHUNK_TOKENS
    assert chunk_tokens(0) == CHUNK_TOKENS < GPU_CHUNK_TOKENS
