"""What the model's process does: `rag.llm.model_process` starts it, nobody else needs it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import Protocol

from index.errors import ModelMissing
from index.system.subprocesses import Message as WorkerMessage
from index.system.subprocesses import WorkerChannel
from rag.llm.generator import Message, PrefixReuse
from rag.llm.llama import Llama
from rag.llm.model_process import MAX_MESSAGE_BYTES
from rag.llm.weights.model_files import check_digest
from rag.llm.weights.quantization import fastest_variant


class LoadedModel(Protocol):
    """What is served: a `Llama`, or a stand-in. Only `encode` and `prompt` are thread-safe."""

    def encode(self, text: str) -> list[int]:
        """The ids of plain text: control tokens spelled out in it stay text."""
        ...

    def prompt(self, messages: Sequence[Message]) -> list[int]:
        """The prompt in the model's own chat format."""
        ...

    def write(
        self, prompt: Sequence[int], grammar: str, max_tokens: int, cancelled: Event
    ) -> Iterator[PrefixReuse | str]:
        """How much of the prompt need not be read, then pieces of text."""
        ...

    def log_odds(self, prompt: Sequence[int], cancelled: Event) -> float | None:
        """How much likelier a yes than a no is as the next word, in nats."""
        ...


def main(arguments: Sequence[str]) -> None:
    """Load the model at a path and write with it until the parent is gone."""
    path, threads, context_tokens, sha256, layers, most = arguments
    gpu_layers = int(layers) if layers else None
    settings = int(threads), int(context_tokens), gpu_layers, int(most)
    serve(lambda: load_llama(Path(path), sha256, *settings))


def load_llama(
    path: Path,
    sha256: str,
    threads: int,
    context_tokens: int,
    gpu_layers: int | None = 0,
    most_threads: int = 0,
) -> Llama:
    """The model of a file, checked, in the variant that this machine reads fastest.

    Raises:
        ModelMissing: when it is another file than the digest says, or none that can be run.
    """
    check_digest(path, sha256)
    file = fastest_variant(path, sha256, threads)
    return Llama(file, threads, context_tokens, gpu_layers, most_threads)


def serve(load: Callable[[], LoadedModel]) -> None:
    """Do what the parent says. It is heard all the time; a thread of its own writes."""
    parent = WorkerChannel(MAX_MESSAGE_BYTES)
    inbox = parent.inbox()
    model, jobs, cancelled = _LazyModel(load), SimpleQueue[WorkerMessage](), Event()
    Thread(target=_write_answers, args=(model, jobs, cancelled, parent), daemon=True).start()
    while True:
        request, _ = inbox.get()
        match request["do"]:
            case "write" | "judge":
                cancelled.clear()
                jobs.put(request)
            case "cancel":
                cancelled.set()
            case "tokens":
                _tokens(model, request, parent)


class _LazyModel:
    """The model, loaded once, whoever asks first."""

    def __init__(self, load: Callable[[], LoadedModel]) -> None:
        self._load = load
        self._lock = Lock()
        self._model: LoadedModel | None = None

    def get(self) -> LoadedModel:
        with self._lock:
            if self._model is None:
                self._model = self._load()
            return self._model


def _write_answers(
    model: _LazyModel, jobs: SimpleQueue[WorkerMessage], cancelled: Event, parent: WorkerChannel
) -> None:
    """Write one answer after the other; a thread of its own."""
    with suppress(Exception):  # it comes again with the first job, and is told then
        model.get()
    while True:
        job = jobs.get()
        try:
            loaded = model.get()
            parent.send({"channel": "written", "begun": True})
            if job["do"] == "judge":
                odds = loaded.log_odds(job["prompt"], cancelled)
                parent.send({"channel": "written", "odds": odds})
            else:
                pieces = loaded.write(job["prompt"], job["grammar"], job["max_tokens"], cancelled)
                for piece in pieces:
                    parent.send({"channel": "written", **_as_message(piece)})
            parent.send({"channel": "written", "done": True})
        except Exception as error:
            parent.send({"channel": "written", **_reported(error)})


def _as_message(piece: PrefixReuse | str) -> WorkerMessage:
    return {"reused": piece.reused} if isinstance(piece, PrefixReuse) else {"piece": piece}


def _tokens(model: _LazyModel, request: WorkerMessage, parent: WorkerChannel) -> None:
    try:
        loaded = model.get()
        parent.send({"channel": "tokens", "begun": True})
        if "text" in request:
            tokens = loaded.encode(request["text"])
        else:
            tokens = loaded.prompt(request["messages"])
        parent.send({"channel": "tokens", "tokens": tokens})
    except Exception as error:
        parent.send({"channel": "tokens", **_reported(error)})


def _reported(error: Exception) -> WorkerMessage:
    """An error on its way to the parent: one for the person, or a bug with its traceback."""
    if isinstance(error, ModelMissing):
        return {"missing": str(error)}
    return {"failed": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
