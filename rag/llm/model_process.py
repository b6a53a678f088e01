"""The language model in a process of its own, watched over by this one: deadline and restart.

llama.cpp ends the process it runs in when a check of its own fails, may hang, and takes as much
memory as the model is large. Here that costs one answer: the process is ended and started again
for the next question.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event, Lock
from typing import NoReturn

from index.errors import ModelFailed, ModelMissing
from index.system.subprocesses import Empty, WorkerExited, WorkerProcess
from index.system.subprocesses import Message as WorkerMessage
from rag.llm.generator import Message, PrefixReuse
from rag.llm.weights.model_files import ModelFile

DEADLINE = 120.0
"""Seconds for one answer, loading included; the default model takes three to ten."""
MAX_MESSAGE_BYTES = 50_000_000
"""Of one message, in either direction."""
COUNTING_SECONDS = 10.0
"""In which a loaded model makes a prompt of a conversation, which takes milliseconds; the template
in its file is a program, and one that is not done by then never will be."""
_GRACE_SECONDS = 0.8
"""In which a model stops when asked to, before its process is ended."""
_POLL_SECONDS = 0.05
_MAX_CRASHES = 3
"""In a row, after which the model stays off."""


class ModelProcess:
    """A loaded model in a child process; `encode`, `prompt` and `write` are those of `Llama`."""

    def __init__(
        self,
        model: ModelFile,
        threads: int,
        context_tokens: int,
        deadline: float,
        counting: float,
        worker: str,
        gpu_layers: int | None = None,
        most_threads: int = 0,
    ) -> None:
        """Prepare; nothing is started.

        Args:
            model: the file to load.
            threads: cores for it.
            context_tokens: tokens of prompt and answer together.
            deadline: seconds for one answer.
            counting: seconds for the tokens of one text or conversation, once it is loaded.
            worker: the module whose `main` the process runs.
            gpu_layers: layers that run on a GPU; None is all, where there is one.
            most_threads: cores for it while that is faster.
        """
        self._model = model
        layers = "" if gpu_layers is None else str(gpu_layers)
        sizes = str(threads), str(context_tokens)
        self._arguments = [str(model.path), *sizes, model.sha256, layers, str(most_threads)]
        self._deadline = deadline
        self._longest_count = counting
        self._worker = worker
        self._guard = Lock()  # of the three below
        self._child: WorkerProcess | None = None
        self._crashes = 0
        self._disabled = ""
        self._counting = Lock()  # one count at a time; `LlamaClient` sees to one text at a time

    def start(self) -> None:
        """Start the process unless it runs.

        Raises:
            ModelMissing: after too many crashes.
            ModelFailed: when the system starts no more processes.
        """
        self._running()

    def close(self) -> None:
        """End the process."""
        with self._guard:
            child, self._child = self._child, None
        if child is not None:
            child.end()

    @property
    def pid(self) -> int | None:
        """The process's id, None when it does not run."""
        child = self._child
        return child.pid if child is not None and child.alive else None

    def encode(self, text: str) -> list[int]:
        """The ids of plain text."""
        return self._tokens({"text": text})

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The prompt in the model's own chat format."""
        return self._tokens({"messages": list(messages)})

    def write(
        self, prompt: Sequence[int], grammar: str, max_tokens: int, cancelled: Event
    ) -> Iterator[PrefixReuse | str]:
        """How much of the prompt need not be read, then pieces of text.

        Ends within a second when `cancelled` is set: the model is asked to stop, and when it does
        not hear, its process is ended.
        """
        if cancelled.is_set():
            return
        child = self._running()
        job = {"prompt": list(prompt), "grammar": grammar, "max_tokens": max_tokens}
        child.send({"do": "write", **job})
        pieces = 0
        for message in self._written(child, cancelled):
            if "piece" in message and pieces < max_tokens:
                pieces += 1
                yield str(message["piece"])
            elif "reused" in message:
                yield PrefixReuse(int(message["reused"]))
            elif "done" in message:
                self._crashes = 0
            elif "begun" not in message:
                self._raise_reported(child, message)

    def log_odds(self, prompt: Sequence[int], cancelled: Event) -> float | None:
        """How much likelier a yes than a no is as the next word, in nats; None when cancelled."""
        if cancelled.is_set():
            return None
        child = self._running()
        child.send({"do": "judge", "prompt": list(prompt)})
        odds: float | None = None
        for message in self._written(child, cancelled):
            if "odds" in message:
                odds = message["odds"]
            elif "done" in message:
                self._crashes = 0
            elif "begun" not in message:
                self._raise_reported(child, message)
        return odds

    def _written(self, child: WorkerProcess, cancelled: Event) -> Iterator[WorkerMessage]:
        """What the child says until it is done, in time; it stops early when asked to."""
        end = time.monotonic() + self._deadline
        begun = late = stopping = False
        while True:
            if not stopping and (cancelled.is_set() or time.monotonic() > end):
                late, stopping = not cancelled.is_set(), True
                child.send({"do": "cancel"})
                # one that still loads the model goes on with that: the next question needs it too
                end = time.monotonic() + _GRACE_SECONDS if begun or late else end
            try:
                message = child.receive(_POLL_SECONDS, "written")
            except Empty:
                message = {}
            except WorkerExited as gone:
                if stopping and not late:
                    self._discard(child)
                    return
                self._record_crash(child, _how_it_ended(gone, self._model.path))
            if "begun" in message:
                begun = True
                end = time.monotonic() + _GRACE_SECONDS if stopping else end
            if message and not (stopping and "piece" in message):
                yield message
            if "done" in message:
                break
            if stopping and time.monotonic() > end:
                if late:
                    self._record_crash(child, f"it did not answer within {self._deadline:.0f} s")
                self._discard(child)
                return
        if late:
            raise ModelFailed(
                f"the language model was not done after {self._deadline:.0f} s and was stopped; "
                "a smaller one is faster (--model)"
            )

    def _tokens(self, request: WorkerMessage) -> list[int]:
        with self._counting:
            child = self._running()
            child.send({"do": "tokens", **request})
            message = self._counted(child, self._deadline)
            if message is not None and "begun" in message:
                message = self._counted(child, self._longest_count)
                if message is None:
                    self._give_up(child)
            if message is None:
                self._record_crash(child, f"it did not answer within {self._deadline:.0f} s")
            if "tokens" not in message:
                self._raise_reported(child, message)
            return [int(token) for token in message["tokens"]]

    def _counted(self, child: WorkerProcess, seconds: float) -> WorkerMessage | None:
        try:
            return child.receive(seconds, "tokens")
        except Empty:
            return None
        except WorkerExited as gone:
            self._record_crash(child, _how_it_ended(gone, self._model.path))

    def _give_up(self, child: WorkerProcess) -> NoReturn:
        """A model whose chat format never ends is never asked again."""
        with self._guard:
            self._disabled = (
                f"the chat template in {str(self._model.path)!r} does not come to an end: choose "
                "another language model with --model"
            )
        self._discard(child)
        raise ModelMissing(self._disabled)

    def _running(self) -> WorkerProcess:
        with self._guard:
            if self._disabled:
                raise ModelMissing(self._disabled)
            if self._child is not None and not self._child.alive:
                self._child.end()  # it died between two answers, or we are a fork of its owner
                self._child = None
            if self._child is None:
                try:
                    self._child = WorkerProcess(
                        self._worker,
                        self._arguments,
                        channels=("written", "tokens"),
                        longest=MAX_MESSAGE_BYTES,
                    )
                except OSError as error:
                    raise ModelFailed(
                        f"the language model's process cannot be started ({error.strerror}): "
                        "close other programs and ask again"
                    ) from None
            return self._child

    def _raise_reported(self, child: WorkerProcess, message: WorkerMessage) -> NoReturn:
        """The child's own words for what went wrong."""
        if "missing" in message:
            self._discard(child)
            raise ModelMissing(str(message["missing"]))
        trace = RuntimeError(str(message.get("trace", "it wrote more than it was asked for")))
        self._record_crash(child, f"it failed: {message.get('failed', trace)}", trace)

    def _record_crash(
        self, child: WorkerProcess, how: str, cause: Exception | None = None
    ) -> NoReturn:
        """End a child that crashed or hung, count that, and say so."""
        with self._guard:
            if self._child is child:  # else somebody else saw it before
                self._crashes += 1
                if self._crashes >= _MAX_CRASHES:
                    self._disabled = (
                        f"the language model failed {self._crashes} times in a row (last: {how}) "
                        "and stays off until Pilcrow is started again; another one: --model"
                    )
        self._discard(child)
        if self._disabled:
            raise ModelMissing(self._disabled) from cause
        raise ModelFailed(
            f"the language model failed ({how}); it is started again for the next question"
        ) from cause

    def _discard(self, child: WorkerProcess) -> None:
        with self._guard:
            if self._child is child:
                self._child = None
        child.end()


def _how_it_ended(gone: WorkerExited, model: Path) -> str:
    """How a child ended, in one line, with what to do where something can be done."""
    if str(gone).endswith("SIGKILL"):
        needed, free = model.stat().st_size if model.is_file() else 0, free_memory()
        if free is not None and needed:
            return (
                f"{gone}: out of memory? its file has {needed / 1e9:.1f} GB and {free / 1e9:.1f} "
                "GB are free; a smaller one: --model"
            )
    last = gone.last_words.splitlines()[-1:]
    return " ".join(f"{gone}{': ' if last else ''}{''.join(last)}".split())[:300]


def free_memory() -> int | None:
    """Bytes of memory that a new program could have; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        field = next(line for line in lines if line.startswith("MemAvailable:"))
        return int(field.split()[1]) * 1024
    except (OSError, ValueError, IndexError, StopIteration):
        return None
