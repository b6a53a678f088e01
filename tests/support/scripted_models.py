"""A model's process, a `worker=`, that does what a file beside the model says.

The file is read anew for every answer: its first word is the deed, the rest what is written.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event

from index.errors import ModelMissing
from rag.llm.generator import Message, PrefixReuse
from rag.llm.model_worker import serve


def script(model: Path, deed: str) -> None:
    """What the next answer of this model will be."""
    model.with_suffix(".deed").write_text(deed)


def main(arguments: Sequence[str]) -> None:
    path = Path(arguments[0]).with_suffix(".deed")
    if path.read_text() == "die at once":
        os.abort()
    serve(lambda: ScriptedModel(path))


class ScriptedModel:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: list[int] = []
        if path.read_text() == "no model":
            raise ModelMissing("cannot use this file as language model: it is a poem")

    def encode(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        if self._path.read_text() == "loop":
            while True:
                pass
        return self.encode(" ".join(message["content"] for message in messages))

    def write(
        self, prompt: Sequence[int], grammar: str, max_tokens: int, cancelled: Event
    ) -> Iterator[PrefixReuse | str]:
        yield PrefixReuse(shared(prompt, self._read))
        self._read = list(prompt)
        deed, _, text = self._path.read_text().partition(" ")
        yield from (text[at : at + 5] for at in range(0, len(text), 5))
        match deed:
            case "abort":
                os.write(2, b"GGML_ASSERT(n_tokens > 0) failed\n")
                os.abort()
            case "leave":
                os._exit(3)
            case "killed":  # as the system does when memory runs out
                os.kill(os.getpid(), signal.SIGKILL)
            case "babble":
                os.write(4, b"no message\n" * 3)
            case "hang":
                while True:
                    signal.pause()
            case "polite":
                cancelled.wait()
            case "endless":
                while True:
                    yield "word "
            case "fail":
                raise RuntimeError("llama.cpp could not compute 32 tokens (-3)")
            case "print":
                sys.stdout.write("libraries print what they like\n")
                sys.stdout.flush()

    def log_odds(self, prompt: Sequence[int], cancelled: Event) -> float | None:
        deed, _, text = self._path.read_text().partition(" ")
        if deed == "abort":
            os.abort()
        return float(text) if deed == "judge" else None


def shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many numbers two lists begin with alike."""
    unlike = (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(unlike, min(len(one), len(other)))
