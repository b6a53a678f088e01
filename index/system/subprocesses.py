"""A Python process of ours beside this one, and the messages between the two.

What may crash, hang or eat all memory (parsers of foreign files, a language model) runs in one, so
that it costs one file or one answer. `WorkerProcess` is this process's end, `WorkerChannel` the
child's.

Messages are JSON objects, one a line; one with `"bytes": n` is followed by that many bytes. Plain
pipes and a command line of our own, rather than `multiprocessing`, because that starts its children
by running the caller's main program again: in a notebook, in `python -c` or in a program without
its `if __name__` guard this fails.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any
from weakref import finalize

from index.system.offline import OFFLINE

Message = dict[str, Any]

__all__ = [
    "LOCALE_AND_LOADER", "Empty", "Message", "WorkerChannel", "WorkerExited", "WorkerProcess",
]  # fmt: skip

LOCALE_AND_LOADER = (
    "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT",
)  # fmt: skip
"""The variables that a program needs to start and to tell language and time: no secret, and nothing
by which a library tells a continuous integration from a person's machine."""

# The child imports from where this process does, and us from where we are, whatever lies in its
# folder or PYTHONPATH says (`-I`).
_BEGIN = (
    "import json, sys; from importlib import import_module; sys.path[:] = json.loads(sys.argv[1]); "
    "import_module(sys.argv[2]).main(sys.argv[3:])"
)
_HOME = str(Path(__file__).resolve().parents[2])
_LAST_LINES = 20


class WorkerExited(Exception):
    """The child has ended or does not keep to the protocol; the message says how, in one line."""

    def __init__(self, how: str, last_words: str = "", status: int | None = None) -> None:
        super().__init__(how)
        self.last_words = last_words
        """The end of what it wrote on stderr."""
        self.status = status
        """Its exit status as `subprocess` gives it: negative for a signal. None when it was alive
        but could not be understood."""


class WorkerProcess:
    """A process running `main` of one of our modules. It ends with this process, however that ends.

    Nothing here blocks except `receive`: a thread writes what is sent, a thread reads what comes.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str] = (),
        *,
        channels: Sequence[str] = ("",),
        longest: int = 1_000_000,
        environment: Mapping[str, str] | None = None,
        inherited: Collection[str] | None = None,
    ) -> None:
        """Start it.

        Args:
            module: dotted name; its `main(arguments)` is called.
            arguments: what `main` is given.
            channels: the values of `"channel"` in its messages, "" standing for none; each has a
                queue of its own.
            longest: bytes of one message.
            environment: variables beside those of this process.
            inherited: which variables of this process it may see; all when None.
        """
        ours = os.environ if inherited is None else _chosen(inherited)
        path = json.dumps([_HOME, *filter(None, sys.path)])
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-c", _BEGIN, path, module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**ours, **OFFLINE, **(environment or {})},
        )
        self.owner = os.getpid()
        """The process that may talk to it: a fork of that one may not."""
        self._inboxes: dict[str, SimpleQueue[Message | WorkerExited]] = {
            channel: SimpleQueue() for channel in channels
        }
        self._outbox: SimpleQueue[tuple[Message, bytes] | None] = SimpleQueue()
        threads = (
            threading.Thread(target=_write, args=(self._process, self._outbox), daemon=True),
            threading.Thread(
                target=_read, args=(self._process, self._inboxes, longest), daemon=True
            ),
        )
        for thread in threads:
            thread.start()
        self._end = finalize(self, _end, self._process, self._outbox, self.owner)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs and is ours."""
        return os.getpid() == self.owner and self._process.poll() is None

    def send(self, message: Message, data: bytes = b"") -> None:
        """Hand it a message; one that it does not live to read is lost."""
        self._outbox.put((message, data))

    def receive(self, timeout: float, channel: str = "") -> Message:
        """Its next message on a channel.

        Raises:
            Empty: nothing came for so many seconds.
            Gone: nothing will come any more.
        """
        message = self._inboxes[channel].get(timeout=timeout)
        if isinstance(message, WorkerExited):
            self._inboxes[channel].put(message)  # for whoever asks next
            raise message
        return message

    def end(self) -> None:
        """Kill it, whatever it does, and wait until it is gone."""
        self._end()


def _chosen(names: Collection[str]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


def _end(process: subprocess.Popen[bytes], outbox: SimpleQueue[Any], owner: int) -> None:
    if os.getpid() != owner:  # a fork of its owner ends: not our child
        return
    outbox.put(None)
    with suppress(OSError):
        process.kill()
    process.wait()


def _write(
    process: subprocess.Popen[bytes], outbox: SimpleQueue[tuple[Message, bytes] | None]
) -> None:
    """Write what is sent until there is no more; a thread of its own."""
    assert process.stdin is not None
    with suppress(OSError, ValueError), process.stdin as pipe:
        while (one := outbox.get()) is not None:
            _put(pipe, *one)


def _read(
    process: subprocess.Popen[bytes],
    inboxes: dict[str, SimpleQueue[Message | WorkerExited]],
    longest: int,
) -> None:
    """Sort what comes into its channels until the child is gone; a thread of its own."""
    assert process.stdout is not None and process.stderr is not None
    said: deque[bytes] = deque(maxlen=_LAST_LINES)
    listener = threading.Thread(target=_listen, args=(process.stderr, said), daemon=True)
    listener.start()
    strange = ""
    with process.stdout as pipe:
        try:
            for message, _ in _messages(pipe, longest):
                inboxes[message.pop("channel", "")].put(message)
        except (ValueError, KeyError, TypeError, AttributeError):
            strange = "it wrote what is no message"
            with suppress(OSError):
                process.kill()
        except OSError as error:
            strange = str(error)
    status = process.wait()
    listener.join(1)
    words = b"".join(said).decode("utf-8", "replace").strip()
    for inbox in inboxes.values():
        inbox.put(WorkerExited(strange or _how(status), words, None if strange else status))


def _listen(stderr: IO[bytes], said: deque[bytes]) -> None:
    with suppress(OSError, ValueError), stderr:
        while line := stderr.readline(2_000):
            said.append(line)


def _how(status: int) -> str:
    """What an exit status means."""
    if status >= 0:
        return f"it ended by itself (exit status {status})"
    try:
        return f"it was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"it was ended by signal {-status}"


def _put(pipe: IO[bytes], message: Message, data: bytes = b"") -> None:
    if data:
        message = {**message, "bytes": len(data)}
    line = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")
    pipe.write(line + b"\n" + data)
    pipe.flush()


def _messages(pipe: IO[bytes], longest: int) -> Iterator[tuple[Message, bytes]]:
    """Messages with their bytes, until the pipe ends.

    Raises:
        ValueError: what comes is no message, or a longer one than `longest`.
    """
    while line := pipe.readline(longest + 1):
        if not line.endswith(b"\n"):
            raise ValueError("too long, or cut off")
        message = json.loads(line.decode("utf-8", "surrogatepass"))
        size = message.get("bytes", 0)
        yield message, pipe.read(size) if 0 < size <= longest else b""


class WorkerChannel:
    """The child's end: what its parent says, and the way to answer.

    Made first thing in a child: from then on stdout belongs to the protocol alone, whatever a
    library prints; Ctrl-C is the parent's business; and when memory runs out, the system takes
    this process rather than its parent.
    """

    def __init__(self, longest: int = 1_000_000) -> None:
        """Take over the pipes.

        Args:
            longest: bytes of one message.
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._in = os.fdopen(os.dup(0), "rb")
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 0)
        self._longest = longest
        self._speaking = threading.Lock()
        with suppress(OSError):  # Linux only
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")

    def send(self, message: Message) -> None:
        """Send a message. Safe from several threads."""
        with self._speaking, suppress(BrokenPipeError):
            _put(self._out, message)

    def inbox(self) -> SimpleQueue[tuple[Message, bytes]]:
        """Messages and their bytes as they come, read by a thread of its own.

        When the parent is gone, so is this process, whatever its other threads are doing.
        """
        inbox: SimpleQueue[tuple[Message, bytes]] = SimpleQueue()

        def read() -> None:
            try:
                for message in _messages(self._in, self._longest):
                    inbox.put(message)
            finally:
                os._exit(0)

        threading.Thread(target=read, daemon=True).start()
        return inbox
