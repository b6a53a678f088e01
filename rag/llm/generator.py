r"""What a language model is to the rest of Pilcrow: messages in, pieces of text out.

A capable model writes prose, and what each statement rests on is looked for afterwards. A small
one is asked for lines of `[id] statement`, pointer first, and a grammar lets it write nothing else.
What either states is not believed here: `rag.grounding` checks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypedDict


class Message(TypedDict):
    """One turn of the conversation with the model; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """An answer's place in the queue before the model."""

    ahead: int
    """How many answers are written before this one; 0 when it is being written."""


@dataclass(frozen=True, slots=True)
class PrefixReuse:
    """How much of a prompt a model need not read, said once before its first piece of text."""

    reused: int
    """Tokens at its beginning that are in the model's cache from the prompt before."""


Piece = QueuePosition | PrefixReuse | str
"""What a stream of a model's answer is made of; the text is its strings, joined."""


class Generator(Protocol):
    """Whatever turns messages into text."""

    name: str
    """As shown to people: `SmolLM2-135M-Instruct`."""
    context_tokens: int
    """Tokens of prompt and answer together."""
    small: bool
    """Whether it is too small to be trusted with words of its own: it may shorten a sentence."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of sources that it reads in the time that a person waits for a first word."""

    def load(self) -> None:
        """Make ready, so that the first answer need not wait; may go on after it returns."""

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt that these messages make, chat markup included."""

    def count_text(self, text: str) -> int:
        """Tokens of a text on its own."""

    def stream(
        self,
        messages: Sequence[Message],
        *,
        ids: Sequence[int],
        max_tokens: int,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Piece]:
        r"""Pieces of an answer: free prose, or lines `[id] statement\n` where there are `ids`.

        With ids these are one to three lines, each id one of them; who cannot keep a model to that
        may let it write as it likes, for nothing it says is believed. The last line is cut short
        when `max_tokens` is reached or `stop()` turns true. A generator that keeps a cache yields
        `PrefixReuse` before the first text, one with a queue yields `QueuePosition` whenever
        another number of answers comes before this one.
        """

    def log_odds(
        self, messages: Sequence[Message], stop: Callable[[], bool] | None = None
    ) -> float | None:
        """How much likelier a yes than a no is as the answer's first word, in nats.

        None from a model that cannot say, and when `stop()` turns true.
        """
