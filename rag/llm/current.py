"""The model that answers are written with; another one may take its place between two answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from rag.llm.generator import Generator


def _nothing() -> None:
    """There is nothing to let go of."""


@dataclass(frozen=True, slots=True, eq=False)
class ModelChoice:
    """A model, or that there is none."""

    generator: Generator | None
    """None where nothing writes."""
    named: bool = False
    """Whether it was asked for: a small one writes only then."""
    missing: str = ""
    """Why there is none and how to get one; empty when there is one."""
    let_go: Callable[[], None] = _nothing
    """Gives back what it holds, once nothing is written with it any more."""

    @property
    def writer(self) -> Generator | None:
        """The model that words answers; a small one only where it was asked for.

        What it says of a sentence helps nobody who has the sentence (tests/benchmarks/RESULTS.md).
        """
        return self.generator if self.named or is_capable(self.generator) else None


class CurrentModel:
    """The choice that holds now. Usable from many threads."""

    def __init__(self, choice: ModelChoice) -> None:
        """Begin with this one."""
        self._choice = choice
        self._answers = Counter[ModelChoice]()
        """How many are being written with each."""
        self._lock = Lock()

    @property
    def choice(self) -> ModelChoice:
        """What the next answer is written with."""
        return self._choice

    @contextmanager
    def in_use(self) -> Iterator[ModelChoice]:
        """The choice for one answer; it is not let go while this lasts."""
        with self._lock:
            choice = self._choice
            self._answers[choice] += 1
        try:
            yield choice
        finally:
            with self._lock:
                self._answers[choice] -= 1
                over = not self._answers[choice] and choice is not self._choice
                if over:
                    del self._answers[choice]
            if over:
                choice.let_go()

    def change(self, choice: ModelChoice) -> None:
        """Write the next answers with this one; the old one goes when its answers have ended."""
        with self._lock:
            old, self._choice = self._choice, choice
            over = not self._answers[old]
        if over:
            old.let_go()

    def lose(self, generator: Generator | None, why: str) -> None:
        """Write nothing more with a model that cannot be used, if it is still this one."""
        with self._lock:
            lost = generator is not None and self._choice.generator is generator
            if lost:
                self._choice = ModelChoice(None, missing=why)


def is_capable(generator: Generator | None) -> bool:
    """Whether a model can be trusted with words of its own."""
    return generator is not None and not generator.small
