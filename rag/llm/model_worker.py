"""What the model's process does: `rag.llm.client` starts it, nobody else needs it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread

from index.system.subprocesses import Message, WorkerChannel
from rag.errors import ModelMissing
from rag.llm.generator import Engine, PrefixReuse
from rag.llm.llama import Llama
from rag.llm.model_files import verify
from rag.llm.quantization import fastest_variant

LONGEST = 50_000_000  # bytes of one message


def main(arguments: Sequence[str]) -> None:
    """Load the model at a path and write with it until the parent is gone."""
    path, threads, context_tokens, sha256 = arguments

    def load() -> Engine:
        verify(Path(path), sha256)
        best = fastest_variant(Path(path), sha256, int(threads))
        return Llama(best, int(threads), int(context_tokens))

    serve(load)


def serve(load: Callable[[], Engine]) -> None:
    """Do what the parent says. It is heard all the time; a thread of its own writes."""
    parent = WorkerChannel(LONGEST)
    inbox = parent.inbox()
    engine, jobs, cancelled = _Loaded(load), SimpleQueue[Message](), Event()
    Thread(target=_work, args=(engine, jobs, cancelled, parent), daemon=True).start()
    while True:
        request, _ = inbox.get()
        match request["do"]:
            case "write":
                cancelled.clear()
                jobs.put(request)
            case "cancel":
                cancelled.set()
            case "tokens":
                _tokens(engine, request, parent)


class _Loaded:
    """The engine, loaded once, whoever asks first."""

    def __init__(self, load: Callable[[], Engine]) -> None:
        self._load = load
        self._lock = Lock()
        self._engine: Engine | None = None

    def __call__(self) -> Engine:
        with self._lock:
            if self._engine is None:
                self._engine = self._load()
            return self._engine


def _work(
    engine: _Loaded, jobs: SimpleQueue[Message], cancelled: Event, parent: WorkerChannel
) -> None:
    """Write one answer after the other; a thread of its own."""
    with suppress(Exception):  # it comes again with the first job, and is told then
        engine()
    while True:
        job = jobs.get()
        try:
            engine()
            parent.say({"channel": "written", "begun": True})
            for one in engine().write(job["prompt"], job["grammar"], job["max_tokens"], cancelled):
                said = {"reused": one.reused} if isinstance(one, PrefixReuse) else {"piece": one}
                parent.say({"channel": "written", **said})
            parent.say({"channel": "written", "done": True})
        except Exception as error:
            parent.say({"channel": "written", **_complaint(error)})


def _tokens(engine: _Loaded, request: Message, parent: WorkerChannel) -> None:
    try:
        loaded = engine()
        parent.say({"channel": "tokens", "begun": True})
        if "text" in request:
            tokens = loaded.encode(request["text"])
        else:
            tokens = loaded.prompt(request["messages"])
        parent.say({"channel": "tokens", "tokens": tokens})
    except Exception as error:
        parent.say({"channel": "tokens", **_complaint(error)})


def _complaint(error: Exception) -> Message:
    """An error on its way to the parent: one for the person, or a bug with its traceback."""
    if isinstance(error, ModelMissing):
        return {"missing": str(error)}
    return {"failed": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}
