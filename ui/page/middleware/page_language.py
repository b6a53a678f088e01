"""The page in the language of whoever asks for it: its frame, its direction, its scripts' words.

Gradio keeps one page for all, in English. Here its frame is put into the visitor's language on the
way out, and every request is answered in that language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ui.language.catalogue import (
    ENGLISH,
    catalogue,
    direction,
    language_of,
    speaking,
)

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

FrameTexts = Callable[[], Mapping[str, Mapping[str, str]]]
_PAGE = "/"
_CONFIG = re.compile(rb"(<script>window\.gradio_config = )(\{.*?\})(;</script>)", re.DOTALL)
# what JSON may hold and a script element may not, as Gradio writes it
_IN_SCRIPT = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "'": "\\u0027"})


class PageLanguage:
    """Answers every request in its visitor's language."""

    def __init__(self, app: ASGIApp, *, texts: FrameTexts) -> None:
        """Wrap `app`; `texts` gives the frame's texts in the language that is spoken."""
        self._app = app
        self._texts = texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on; the page itself is read and put into the language on its way out."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        from starlette.datastructures import Headers

        language = language_of(Headers(scope=scope))
        if language != ENGLISH and scope["path"] == _PAGE:
            send = _Translating(send, language, self._texts)
        with speaking(language):
            await self._app(scope, receive, send)


class _Translating:
    """Holds one response back until it is whole; a page then goes out in another language."""

    def __init__(self, send: Send, language: str, texts: FrameTexts) -> None:
        self._send = send
        self._language = language
        self._texts = texts
        self._start: Message | None = None
        self._page = b""

    async def __call__(self, message: Message) -> None:
        """Sends one message of a response on."""
        from starlette.datastructures import MutableHeaders

        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if headers.get("content-type", "").startswith("text/html"):
                self._start = message
                return
        elif self._start is not None:
            self._page += message.get("body", b"")
            if message.get("more_body"):
                return
            page = translated(self._page, self._language, self._texts())
            headers = MutableHeaders(scope=self._start)
            headers["Content-Length"] = str(len(page))
            await self._send(self._start)
            message = {"type": "http.response.body", "body": page}
            self._start = None
        await self._send(message)


def translated(page: bytes, language: str, texts: Mapping[str, Mapping[str, str]]) -> bytes:
    """Gradio's page in another language.

    Args:
        page: as it is kept, in English.
        language: it is read in.
        texts: properties of its components in that language, by component.
    """

    def retold(match: re.Match[bytes]) -> bytes:
        config = json.loads(match[2])
        for component in config.get("components", ()):
            properties = component["props"]
            properties.update(texts.get(properties.get("elem_id"), {}))
        if "auth_message" in config:
            config.update(texts["login"])
        return match[1] + _as_script(config) + match[3] + _words_of_scripts(language)

    page = page.replace(b'lang="en"', f'lang="{language}" dir="{direction(language)}"'.encode(), 1)
    return _CONFIG.sub(retold, page, count=1)


def _words_of_scripts(language: str) -> bytes:
    """What the page's scripts say, as an element that holds data and runs nothing."""
    known = catalogue(language)
    texts = {"language": language, "texts": known.scripts, "plurals": known.plurals}
    return b'<script type="application/json" id="texts">%s</script>' % _as_script(texts)


def _as_script(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).translate(_IN_SCRIPT).encode()
