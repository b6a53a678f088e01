"""How much a model reads for one answer: by its speed here, free memory and its own limits."""

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
_OFTEN, _SELDOM = 6, 48
"""Chunks of a prompt after which another number of threads is tried again: at first, and where it
is the slower one again and again."""


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


class Pace:
    """How many threads read fastest just now, found out while reading.

    On an idle machine all cores read nearly twice as fast as all but one; where something else runs
    they wait for each other, and read at half the speed. So the other number is tried now and then,
    the more seldom the longer it is the slower one.
    """

    def __init__(self, threads: int, most: int) -> None:
        """Choose between these.

        Args:
            threads: that are a good choice on a busy machine.
            most: on an idle one.
        """
        self._all = sorted({threads, max(threads, most)})
        self._speeds: dict[int, float] = {}
        self._wait = self._left = _OFTEN

    @property
    def threads(self) -> int:
        """How many to read the next tokens with."""
        untried = [one for one in self._all if one not in self._speeds]
        if untried:
            return untried[0]
        if self._left <= 0:
            return next((one for one in self._all if one != self.fastest), self.fastest)
        return self.fastest

    @property
    def fastest(self) -> int:
        """Those that were the fastest the last time."""
        return max(self._all, key=lambda one: self._speeds.get(one, 0.0))

    def took(self, threads: int, tokens: int, seconds: float) -> None:
        """Remember how long so many tokens took to read."""
        before = self.fastest
        is_trial = threads != before and len(self._speeds) == len(self._all) > 1
        self._speeds[threads] = tokens / max(seconds, 1e-9)
        self._left -= 1
        if is_trial:
            self._wait = _OFTEN if self.fastest == threads else min(2 * self._wait, _SELDOM)
            self._left = self._wait
