"""How much a model reads for one answer, and where: by its speed, memory, a GPU, its own limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """What a person waits for while the composed answer is on screen already."""

    comfortable: float = 8.0
    """Seconds until the first word, where the sources then hold enough."""
    longest: float = 20.0
    """Seconds until it at most, to read as much as `least` tokens."""
    least: int = 400
    """Tokens below which a comfortable wait is too short for an answer."""
    unknown: int = 650
    """Tokens while the speed is not known."""
    most: int = 3000
    """Tokens: more passages than these say nothing new of a question."""
    step: int = 64
    """Whole steps only, so that two measurements nearly alike give the same prompt."""
    fastest_context: int = 8192
    context: int = 4096
    """Tokens of prompt and answer together, with much and with some memory left."""
    ample_memory: int = 8_000_000_000
    """Bytes free from which on there is the larger one: 8,192 tokens take about 0.5 GB."""


LIMITS = ReadingLimits()
CHUNK_TOKENS = 64
"""Tokens of a prompt read at a time. More is faster (tests/benchmarks/RESULTS.md, Numbers), but
what is remembered of the prompt before is whole chunks, and a stop waits for one."""
GPU_CHUNK_TOKENS = 512
"""The same where a GPU reads, which 64 at a time leave mostly idle; llama.cpp's own default."""
_ALL_LAYERS = 999


def prompt_tokens(speeds: Sequence[float], context_tokens: int, answer_tokens: int) -> int:
    """Tokens of sources worth reading for one answer.

    Args:
        speeds: tokens a second, measured here; the median counts.
        context_tokens: that the model can hold.
        answer_tokens: to be left free, the fixed part of the prompt included.
    """
    wanted = LIMITS.unknown
    if speeds:
        speed = median(speeds)
        least = min(LIMITS.least, int(speed * LIMITS.longest))
        wanted = min(max(int(speed * LIMITS.comfortable), least), LIMITS.most)
    room = min(wanted, context_tokens - answer_tokens)
    return max(room // LIMITS.step, 1) * LIMITS.step


def context_tokens(own: int | None, free_memory: int | None) -> int:
    """Tokens of prompt and answer together for a capable model.

    Args:
        own: what the model was made for; None when its file does not say.
        free_memory: bytes; None when the system does not say.
    """
    ample = free_memory is not None and free_memory >= LIMITS.ample_memory
    wanted = LIMITS.fastest_context if ample else LIMITS.context
    return min(wanted, own or LIMITS.context)


def gpu_layers(wanted: int | None, *, offloads: bool) -> int:
    """How many layers of a model run on a GPU: as wanted, else all; none where there is none.

    Args:
        wanted: by the person; None is as many as there are.
        offloads: whether llama.cpp was built for a GPU that is here.
    """
    if not offloads:
        return 0
    return _ALL_LAYERS if wanted is None else wanted


def chunk_tokens(layers: int) -> int:
    """Tokens of a prompt to read at a time with so many layers on a GPU."""
    return GPU_CHUNK_TOKENS if layers else CHUNK_TOKENS
