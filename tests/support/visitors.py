"""People at the page without a browser: each speaks the interface that the page's script speaks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from html import unescape
from typing import Any
from uuid import uuid4

import httpx
from gradio_client.utils import apply_diff

from tests.support.programs import LOCAL


@dataclass(frozen=True)
class Seen:
    """What stands on the screen at one moment of an answer."""

    turn: str
    """The turn's HTML."""
    sources: str

    @property
    def status(self) -> str:
        """`Writing · 0.3 s`, `Answered in …`; the reason when it could not be answered."""
        found = re.search(r'<p class="(?:status|problem)"[^>]*>(.*?)</p>', self.turn, re.DOTALL)
        return _plain(found.group(1)) if found else ""

    @property
    def evidence(self) -> str:
        """The best sentence, while no statement repeats it."""
        found = re.search(r'<figure class="headline">.*?<blockquote[^>]*>(.*?)</bl', self.turn)
        return _plain(found.group(1)) if found else ""

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return "data-running" in self.turn

    @property
    def text(self) -> str:
        """All of it, question included."""
        return _plain(self.turn)

    @property
    def conversation(self) -> str:
        """The conversation's id."""
        return _attribute("data-conversation", self.turn)

    @property
    def key(self) -> str:
        """The turn's id."""
        return _attribute("data-key", self.turn)


@dataclass
class Visitor:
    """One tab: a session of its own on the page at `address`."""

    address: str
    session: str = field(default_factory=lambda: uuid4().hex)
    conversation: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    @cached_property
    def http(self) -> httpx.Client:
        """The tab's connections."""
        return httpx.Client(base_url=self.address, cookies=self.cookies, **LOCAL)

    @cached_property
    def _page(self) -> dict[str, Any]:
        return _config(self.address, **self.cookies)

    def ask(self, question: str) -> Seen:
        """Sends a question; returns what is on screen before anything is known."""
        request = json.dumps({"conversation": self.conversation})
        data = self._run("question", "submit", [question, request, None])
        seen = Seen(data[0], data[1])
        self.conversation = seen.conversation
        return seen

    def watch(self) -> Iterator[Seen]:
        """The answer to what was asked, as it grows. Closing this closes the tab's stream."""
        begin = self._dependency("question", "submit")
        (answer,) = (d for d in self._page["dependencies"] if d["trigger_after"] == begin["id"])
        body = {"data": [None], "fn_index": answer["id"], "session_hash": self.session}
        self.http.post("gradio_api/queue/join", json=body).raise_for_status()
        shown: list[Any] = []
        with self.http.stream("GET", f"gradio_api/queue/data?session_hash={self.session}") as told:
            for line in told.iter_lines():
                message = json.loads(line.removeprefix("data: ") or "{}")
                if message.get("msg") == "process_completed":
                    assert message["success"], message
                    return
                if message.get("msg") == "process_generating":
                    new = message["output"]["data"]
                    shown = list(map(apply_diff, shown, new)) if shown else new
                    yield Seen(*(one if isinstance(one, str) else "" for one in shown))

    def watch_until_cut(self, cut: Callable[[], None]) -> Iterator[Seen]:
        """As `watch`; calls `cut`, which is to end the server, when the evidence is there."""
        try:
            for seen in self.watch():
                yield seen
                if seen.evidence:
                    cut()
        except httpx.TransportError:
            return
        raise AssertionError("the server went on")

    def answer(self, question: str) -> Seen:
        """Asks and waits for the end."""
        self.ask(question)
        *_, last = self.watch()
        return last

    def stop(self) -> None:
        """Presses Stop."""
        self._run("stop", "click", [None])

    def api(self, name: str, **given: Any) -> dict[str, Any]:
        """What the page's API replies to a small request."""
        body = {
            "session_hash": self.session, "component_id": self._id("api"), "fn_name": "ask",
            "data": {"name": name, **given},
        }  # fmt: skip
        reply: dict[str, Any] = self.http.post("gradio_api/component_server", json=body).json()
        return reply

    def close(self) -> None:
        """Closes the tab."""
        self.http.close()

    def _run(self, element: str, event: str, data: list[Any]) -> list[Any]:
        body = {"data": data, "fn_index": self._dependency(element, event)["id"],
                "session_hash": self.session}  # fmt: skip
        reply = self.http.post("gradio_api/run/predict", json=body).raise_for_status().json()
        values: list[Any] = reply["data"]
        return values

    def _dependency(self, element: str, event: str) -> dict[str, Any]:
        target = [self._id(element), event]
        found: dict[str, Any] = next(
            d for d in self._page["dependencies"] if target in d["targets"]
        )
        return found

    def _id(self, element: str) -> int:
        found: int = next(
            c["id"] for c in self._page["components"] if c["props"].get("elem_id") == element
        )
        return found


@cache
def _config(address: str, **cookies: str) -> dict[str, Any]:
    page = httpx.get(address, cookies=cookies, **LOCAL).text
    found = re.search(r"<script>window\.gradio_config = (.*?);</script>", page)
    assert found, page
    config: dict[str, Any] = json.loads(found.group(1))
    return config


def _plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def _attribute(name: str, html: str) -> str:
    found = re.search(rf'{name}="([^"]*)"', html)
    return found.group(1) if found else ""
