"""A model behind somebody's server that speaks OpenAI's protocol: Ollama, LM Studio, llama-server.

Only the address that the person names is asked, directly: no proxy, no redirect. What comes back is
as hostile as a document, and believed as little as any other model's words. A llama-server is given
the grammar that lets only living numbers be written; what others write is read as it comes.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from index.errors import InputError, ModelFailed
from index.system.offline import is_loopback
from rag.llm.generator import Message, Piece
from rag.llm.grammar import is_complete, pointer_grammar
from rag.llm.queue import FairLock, received

if TYPE_CHECKING:
    import httpx

PREFIX = "openai:"
_FORM = "openai:MODEL@http://127.0.0.1:11434/v1"
_CHOICE = re.compile(r"openai:(?P<model>[^\s@][^\s]*)@(?P<url>https?://\S+)")
_BYTES_PER_TOKEN = 3
"""A guess on the low side: a server's words are not counted by us."""
_LONGEST_LINE = 1_000_000
"""Bytes of one event."""
_LONGEST_ANSWER = 20_000
"""Characters that are read of one answer."""
_THOUGHT = re.compile(r"\s*<think>(?:.*?</think>|.*\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ServerChoice:
    """A model and where it is served."""

    model: str
    url: str
    """`http://127.0.0.1:11434/v1`, without a slash at its end."""

    @classmethod
    def read(cls, choice: str) -> ServerChoice:
        """What `openai:MODEL@URL` names.

        Raises:
            InputError: when it is not of this form.
        """
        found = _CHOICE.fullmatch(choice)
        parts = urlsplit(found["url"]) if found else None
        if not found or not parts or not parts.hostname or parts.query or parts.fragment:
            raise InputError(f"{choice!r:.100} names no model server: write {_FORM}")
        if parts.username is not None or parts.password is not None:
            raise InputError("a key does not belong in the address: set PILCROW_MODEL_KEY")
        return cls(found["model"], found["url"].rstrip("/"))

    @property
    def elsewhere(self) -> str:
        """The host that questions and passages are sent to; empty when it is this computer."""
        host = urlsplit(self.url).hostname or ""
        return "" if is_loopback(host) else host


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for, in seconds."""

    connect: float = 5.0
    silent: float = 60.0
    """Without a word; the first one may have to wait until the model is loaded."""
    whole: float = 180.0
    """For one answer."""


class ServerModel:
    """Writes through a server; the sentences that the words rest on are checked all the same."""

    small = False
    context_tokens = 4096
    """What servers give when nothing else is said."""

    def __init__(
        self, choice: ServerChoice, key: str | None = None, patience: Patience = Patience()
    ) -> None:
        """Write with the model of `choice`; nothing is asked yet.

        Args:
            choice: which model, and where.
            key: sent as bearer token, to this server alone; never shown or logged.
            patience: how long it is waited for.
        """
        self.name = choice.model
        self.sends_to = choice.elsewhere
        """Another computer that reads the questions and the passages; empty for none."""
        self._choice = choice
        self._key = key
        self._patience = patience
        self._lock = FairLock()
        self._takes_grammar: bool | None = None

    @property
    def prompt_tokens(self) -> int:
        """Tokens of sources that it reads while a person waits for a first word."""
        return self.context_tokens // 4

    def load(self) -> None:
        """Nothing to be made ready: the server does that when it is asked."""

    def count(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt, estimated."""
        return sum(self.count_text(message["content"]) + 4 for message in messages)

    def count_text(self, text: str) -> int:
        """Tokens of a text on its own, estimated."""
        return len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1

    def log_odds(
        self, messages: Sequence[Message], stop: Callable[[], bool] | None = None
    ) -> float | None:
        """None: servers do not say."""
        del messages, stop
        return None

    def stream(
        self,
        messages: Sequence[Message],
        *,
        ids: Sequence[int],
        max_tokens: int,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Piece]:
        """Pieces of what the server's model writes; see `Generator.stream`.

        Raises:
            ModelFailed: when it is down, refuses, is silent too long, breaks off or makes no sense.
        """
        pieces: SimpleQueue[str | Exception | None] = SimpleQueue()
        call = _Call()
        ticket = self._lock.join()

        def write() -> None:
            try:
                if ticket.wait() and not call.cancelled.is_set():
                    for piece in self._written(messages, ids, max_tokens, call):
                        pieces.put(piece)
                pieces.put(None)
            except Exception as error:  # goes on in the caller's thread
                pieces.put(error)
            finally:
                ticket.end()

        Thread(target=write, name="pilcrow-model-server", daemon=True).start()
        try:
            yield from received(pieces, ticket, stop)
        finally:
            call.cancel()
            ticket.give_up()

    def _written(
        self, messages: Sequence[Message], ids: Sequence[int], max_tokens: int, call: _Call
    ) -> Iterator[str]:
        """What the model writes, without what it says to itself first."""
        whole, shown = "", 0
        for piece in self._asked(messages, ids, max_tokens, call):
            whole += piece
            if len(whole) > _LONGEST_ANSWER:
                raise ModelFailed(f"{self._where} does not stop writing")
            said = _THOUGHT.sub("", whole)
            if "<think>".startswith(said.strip()[:7]):
                continue  # it may yet turn out to be a thought
            yield said[shown:]
            shown = len(said)
            if ids and is_complete(said):
                return

    def _asked(
        self, messages: Sequence[Message], ids: Sequence[int], max_tokens: int, call: _Call
    ) -> Iterator[str]:
        """The server's pieces of text."""
        import httpx

        body: dict[str, Any] = {
            "model": self._choice.model,
            "messages": list(messages),
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
        }
        try:
            with self._client() as client:
                if ids and self._is_llama_server(client):
                    body["grammar"] = pointer_grammar(ids)
                url = f"{self._choice.url}/chat/completions"
                with client.stream("POST", url, json=body) as response:
                    call.began(response)
                    if response.status_code != 200:
                        raise ModelFailed(f"{self._where} {_refusal(response)}")
                    deadline = monotonic() + self._patience.whole
                    yield from self._read(response, deadline)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            if not call.cancelled.is_set():
                raise ModelFailed(f"{self._where} {_trouble(error, self._patience)}") from error

    def _client(self) -> httpx.Client:
        import httpx

        patience = self._patience
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        timeout = httpx.Timeout(patience.silent, connect=patience.connect)
        return httpx.Client(
            headers=headers, timeout=timeout, trust_env=False, follow_redirects=False
        )

    def _is_llama_server(self, client: httpx.Client) -> bool:
        """Whether the server understands llama.cpp's grammars; asked once."""
        if self._takes_grammar is None:
            reply = client.get(f"{self._choice.url}/models")
            listed: Any = None
            with suppress(ValueError, RecursionError):
                listed = reply.json() if len(reply.content) < _LONGEST_LINE else None
            models = listed.get("data") if isinstance(listed, dict) else None
            owners = [m.get("owned_by") for m in models or () if isinstance(m, dict)]
            self._takes_grammar = reply.status_code == 200 and "llamacpp" in owners
        return self._takes_grammar

    def _read(self, response: httpx.Response, deadline: float) -> Iterator[str]:
        """The text of a response's events.

        Raises:
            ModelFailed: when it ends before its end, or is no such response.
        """
        for line in self._lines(response):
            if monotonic() > deadline:
                raise ModelFailed(
                    f"{self._where} took longer than {self._patience.whole:.0f} seconds"
                )
            data = line.removeprefix("data:").strip()
            if not line.startswith("data:") or not data:
                if line and not line.startswith((":", "event:", "id:", "retry:")):
                    raise ModelFailed(f"{self._where} does not speak OpenAI's protocol")
                continue
            if data == "[DONE]":
                return
            text, ended = self._event(data)
            if text:
                yield text
            if ended:
                return
        raise ModelFailed(f"{self._where} broke off its answer")

    def _lines(self, response: httpx.Response) -> Iterator[str]:
        held = b""
        for piece in response.iter_bytes():
            *lines, held = (held + piece).split(b"\n")
            if len(held) > _LONGEST_LINE:
                raise ModelFailed(f"{self._where} does not speak OpenAI's protocol")
            yield from (line.decode("utf-8", "replace").strip("\r") for line in lines)
        if held:
            yield held.decode("utf-8", "replace")

    def _event(self, data: str) -> tuple[str, bool]:
        """The text of one event, and whether it is the last."""
        try:
            event = json.loads(data)
            if "error" in event:
                raise ModelFailed(f"{self._where} says: {_said(event)}")
            if not event["choices"]:
                return "", False
            choice = event["choices"][0]
            text = choice["delta"].get("content") or ""
            if not isinstance(text, str):
                raise TypeError
            return text, choice.get("finish_reason") is not None
        except (ValueError, RecursionError, TypeError, KeyError, IndexError, AttributeError):
            raise ModelFailed(f"{self._where} does not speak OpenAI's protocol") from None

    @property
    def _where(self) -> str:
        return f"the model server at {self._choice.url}"


class _Call:
    """One request, which another thread may end."""

    def __init__(self) -> None:
        self.cancelled = Event()
        self._socket: socket.socket | None = None

    def began(self, response: httpx.Response) -> None:
        """The response has begun."""
        stream = response.extensions.get("network_stream")
        self._socket = stream.get_extra_info("socket") if stream is not None else None
        if self.cancelled.is_set():
            self.cancel()

    def cancel(self) -> None:
        """Ends it, also while it waits for a word."""
        self.cancelled.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


def _refusal(response: httpx.Response) -> str:
    """What a server says instead of answering."""
    held = b""
    for piece in response.iter_bytes():
        held += piece
        if len(held) > _LONGEST_LINE:
            break
    said = ""
    with suppress(ValueError, RecursionError):
        said = _said(json.loads(held))
    if response.status_code in (401, 403):
        return f"wants another key than PILCROW_MODEL_KEY (it answered {response.status_code})"
    return f"answered {response.status_code}{f': {said}' if said else ''}"


def _said(event: Any) -> str:
    """A server's own words about an error, on one short line."""
    error = event.get("error") if isinstance(event, dict) else None
    words = error.get("message") if isinstance(error, dict) else error
    shown = "".join(c if c.isprintable() else " " for c in str(words or ""))
    return " ".join(shown.split())[:200]


def _trouble(error: Exception, patience: Patience) -> str:
    import httpx

    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout():
            return "does not answer: is it running?"
        case httpx.ReadTimeout():
            return f"was silent for {patience.silent:.0f} seconds"
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return "has no address that can be asked"
        case _:
            return "broke off its answer"
