"""Anything at all is sent to the page's server: it does not break, forget its headers, or grow.

`PILCROW_FUZZ_REQUESTS=20000 python -m pytest tests/ui/page/test_fuzz.py` sends as many, others each
time; `make test` always sends the same few.
"""

from __future__ import annotations

import gc
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.fire import Fire, Request, complaints, paths_of, under_fire
from tests.support.page_fakes import (
    ARTICLES,
    HOSTILE,
    HeldLibrary,
    ScriptedAssistant,
    make_library,
)
from ui.page import app as page_app
from ui.page.chat import AskRequest
from ui.page.conversations import Conversations
from ui.page.layout import Services
from ui.page.middleware.security import SAFETY_HEADERS

REQUESTS = int(os.environ.get("PILCROW_FUZZ_REQUESTS", "400"))
PASSWORD = "sesame"
SECRET = "Only this computer's owner reads that."
STREAM = b"/gradio_api/queue/data"
SESSIONS = ("s", "a" * 10, "0")


# --- the server under fire --------------------------------------------------------------------


@dataclass
class Page:
    """The assembled application, running."""

    fire: Fire
    routes: list[str]
    folder: Path
    cookie: str
    """Of somebody who is logged in; empty where nobody has to."""
    complaints: list[str]


@pytest.fixture(scope="module", params=["", PASSWORD], ids=["open", "password"])
def page(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("fuzzed")
    (folder / "b.md").write_text(SECRET)
    library = make_library(folder)
    app = page_app.build_app(ScriptedAssistant(library), library, password=request.param or None)
    routes = sorted(set(paths_of(app.routes)))
    with library, under_fire(app) as fire, complaints() as said:
        yield Page(fire, routes, folder, log_in(fire) if request.param else "", said)


def log_in(fire: Fire) -> str:
    """Gives the password; the cookies that come back."""
    kind = (b"content-type", b"application/x-www-form-urlencoded")
    body = f"username=pilcrow&password={PASSWORD}".encode()
    response = fire(Request("POST", b"/login", ((b"host", b"localhost"), kind), body))
    assert response.statuses == [200]
    given = [value.decode() for name, value in response.headers if name == b"set-cookie"]
    assert given
    return "; ".join(one.partition(";")[0] for one in given)


def test_every_route_is_found(page: Page) -> None:
    assert {"/", "/config", "/login", "/gradio_api/queue/join", "/gradio_api/upload"} <= {
        *page.routes
    }
    assert len(page.routes) > 60


# --- requests ---------------------------------------------------------------------------------

ODD = st.sampled_from([
    "", "x", "0", "-1", "../../../../etc/passwd", "..%2f..%2fetc/passwd", "%00", "%ff%fe", "*",
    "%0d%0aX:1", "{{7*7}}", "'", "<b>", "http://127.0.0.1:9/", "//127.0.0.1:9/x", "/dev/zero",
    "/proc/self/environ", "a" * 3000, "\ud800", "é", "predict", "s", "%1b]0;x%07", ".", "null",
    "1e999", "html", "client",
])  # fmt: skip
NAMES = st.sampled_from([
    "accept", "accept-encoding", "authorization", "content-length", "content-type", "cookie",
    "host", "if-modified-since", "if-none-match", "origin", "range", "referer", "sec-fetch-dest",
    "sec-fetch-mode", "sec-fetch-site", "transfer-encoding", "upgrade", "x-forwarded-for",
    "x-forwarded-host", "x-forwarded-proto", "x-gradio-server", "x-gradio-target-url",
    "x-gradio-user", "x-http-method-override",
])  # fmt: skip
MULTIPART = "multipart/form-data; boundary=b"
VALUES = ODD | st.text(max_size=40) | st.sampled_from([
    "[::1", "http://[", "localhost", "127.0.0.1:7860", "http://localhost", "null", "same-origin",
    "cross-site", "navigate", "gzip, br", "bytes=0-1", "bytes=9-1,-1", "application/json",
    "text/plain", MULTIPART, "multipart/form-data", "multipart/form-data; b",
    "application/x-www-form-urlencoded", "chunked", "-5", "99999999999999999999",
    "access-token-unsecure=1", 'gradio-session="', "Mon, 99 Foo 9999", 'W/"x"',
])  # fmt: skip
METHODS = st.sampled_from(
    ["GET"] * 6 + ["POST"] * 6 + ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "X"]
)
QUERIES = st.sampled_from([
    "", "session_hash=s", "upload_id=s", "session_hash=s&session_hash=t", "=&=", "__theme=dark",
    "page=x", "view=x&deep_link=../x", "?", "%ff=%00",
])  # fmt: skip
LEAVES = (
    st.none() | st.booleans() | st.integers(-2, 40) | st.floats() | st.text(max_size=20) | ODD
    | st.sampled_from([*SESSIONS, HOSTILE, 10**30])
)  # fmt: skip
KEYS = st.sampled_from([
    "data", "name", "path", "meta", "_type", "url", "words", "id", "key", "document", "value",
    "__type__", "is_stream", "kind", "rate", "numbers", "title", "",
])  # fmt: skip
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
FILE = st.fixed_dictionaries(
    {"path": ODD, "meta": st.just({"_type": "gradio.FileData"}) | JSON},
    optional={"url": LEAVES, "is_stream": LEAVES, "orig_name": LEAVES, "size": LEAVES},
)
TEXT = st.text(max_size=20) | ODD | st.sampled_from([HOSTILE, "[" * 100_000, '{"again": 1}', "[]"])
INPUTS = st.sampled_from([0, 1, 1, 1, 2, 3]).flatmap(
    lambda count: st.lists(st.none() | TEXT | st.lists(FILE, max_size=2), min_size=count,
                           max_size=count)
)  # fmt: skip
NUMBERS = st.integers(-1, 25)
"""Of functions and of components, whether there are so many or not."""
SESSION = st.sampled_from([*SESSIONS] * 4 + ["../x", "é", ""])
EVENT = st.fixed_dictionaries(
    {"data": INPUTS, "fn_index": NUMBERS, "session_hash": SESSION},
    optional={"event_data": st.none(), "trigger_id": NUMBERS},
)
ODD_EVENT = st.fixed_dictionaries(
    {"data": JSON | INPUTS},
    optional={
        "fn_index": NUMBERS | LEAVES, "session_hash": SESSION | LEAVES, "event_data": JSON,
        "trigger_id": LEAVES, "event_id": LEAVES, "simple_format": LEAVES, "batched": LEAVES,
    },
)  # fmt: skip
WANTED = st.fixed_dictionaries(
    {"name": st.sampled_from([
        "library", "conversations", "open", "turn", "rename", "delete", "undelete", "sources",
        "read", "why", "rate", "copy", "export", "remove", "restore", "suggest",
        "follow", "names", "in-text", "all", "more-documents", "find", "tag", "x",
    ])},
    optional={key: LEAVES for key in (
        "id", "words", "key", "document", "conversation", "number", "numbers", "way", "kind",
        "title", "paragraph", "from", "ids", "folder", "order", "tag", "off",
    )},
)  # fmt: skip
SERVED = st.fixed_dictionaries({
    "data": WANTED | JSON, "fn_name": st.just("ask") | ODD, "component_id": NUMBERS | LEAVES,
    "session_hash": SESSION,
})  # fmt: skip
DEEP = st.integers(1, 200_000).map(lambda depth: b"[" * depth)
NAMED = b'--b\r\nContent-Disposition: form-data; name="files"; filename='
FORM = st.sampled_from([
    NAMED + b'"a.txt"\r\n\r\nText.\r\n--b--\r\n', NAMED + b'"../\xff"\r\n\r\n\r\n--b--\r\n',
    NAMED + b'""\r\n\r\n\r\n--b--\r\n', NAMED + b'"' + b"n" * 400 + b'.txt"\r\n\r\nx\r\n--b--\r\n',
    b"--b\r\nContent-Disposition: form-data\r\n\r\nx", b"--b\r\n\r\n--b", b"--b--",
    b"username=pilcrow", b"username=pilcrow&password=x", b"username=%ff&password=%00",
])  # fmt: skip
BODIES = (
    (EVENT | ODD_EVENT | SERVED | JSON).map(lambda told: json.dumps(told).encode())
    | st.just(b"") | st.binary(max_size=200) | FORM | DEEP
)  # fmt: skip
CALLS = (
    ("/gradio_api/queue/join", EVENT | ODD_EVENT), ("/gradio_api/run/predict", EVENT | ODD_EVENT),
    ("/gradio_api/component_server/", SERVED), ("/gradio_api/call/v2/x", ODD_EVENT),
    ("/gradio_api/cancel", ODD_EVENT), ("/gradio_api/reset", ODD_EVENT),
)  # fmt: skip


@st.composite
def addresses(draw: st.DrawFn, routes: list[str]) -> str:
    """Somewhere on the server: mostly a route that exists, with anything in its places."""
    parts = draw(st.sampled_from(routes) | ODD.map(lambda odd: f"/{odd}")).split("{")
    path = parts[0] + "".join(draw(ODD) + part.partition("}")[2] for part in parts[1:])
    query = draw(QUERIES)
    return f"{path}?{query}" if query else path


@st.composite
def requests(draw: st.DrawFn, page: Page) -> Request:
    """A request: often one like the page's own, else anything to anywhere."""
    headers = {"host": "localhost", "content-type": "application/json"}
    if page.cookie and draw(st.integers(0, 9)):
        headers["cookie"] = page.cookie
    if draw(st.booleans()):
        method, (path, told) = "POST", draw(st.sampled_from(CALLS))
        body = json.dumps(draw(told)).encode()
        headers |= draw(st.dictionaries(NAMES, VALUES, max_size=1))
    else:
        method, path, body = draw(METHODS), draw(addresses(page.routes)), draw(BODIES)
        headers |= draw(st.dictionaries(NAMES, VALUES, max_size=3))
    if path.startswith("/logout"):
        headers.pop("cookie", None)  # it would end the log-in of all that follow
    if body.startswith(b"--b") and draw(st.booleans()):
        headers["content-type"] = MULTIPART
    raw = [(k.encode(), v.encode("utf-8", "surrogatepass")) for k, v in headers.items()]
    safe = "/?&=%#:+,;@*'{}[]<>!$()~."
    encoded = quote(path.encode("utf-8", "surrogatepass"), safe=safe).encode()
    return Request(method, encoded, tuple(raw), body)


# --- what must hold ---------------------------------------------------------------------------


def check(page: Page, request: Request) -> None:
    """Sends it; nothing breaks, no header is missing, and no file of the computer is shown."""
    response = page.fire(request)
    # Gradio ends a stream of which nothing is known, once it has said so, with an error
    assert request.path.startswith(STREAM) or response.error is None, (request, response)
    assert not page.complaints, (request, page.complaints)
    assert len(response.statuses) == 1, (request, response)
    assert response.statuses[0] < 500, (request, response)
    told = {name.decode().lower(): value.decode("latin-1") for name, value in response.headers}
    missing = {k for k, v in SAFETY_HEADERS.items() if told.get(k.lower()) != v}
    assert not missing, (request, response)
    assert told.get("content-security-policy", "").startswith("default-src 'none'"), request
    assert SECRET.encode() not in response.body, request
    assert b"root:" not in response.body, request


@settings(
    max_examples=REQUESTS,
    derandomize="PILCROW_FUZZ_REQUESTS" not in os.environ,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
@given(st.data())
@pytest.mark.fault("G16")
@pytest.mark.timeout(0)
# the server, in a thread of its own, does
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
def test_whatever_is_sent_nothing_breaks(page: Page, data: st.DataObject) -> None:
    check(page, data.draw(requests(page)))


@pytest.mark.fault("G16")
def test_half_a_character_is_no_error(page: Page) -> None:
    """What Gradio's own refusal repeats could not be written."""
    head = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    if page.cookie:
        head.append((b"cookie", page.cookie.encode()))
    body = json.dumps({"data": "\ud800"}).encode()
    check(page, Request("POST", b"/gradio_api/cancel", tuple(head), body))


@pytest.mark.fault("G16")
def test_a_name_longer_than_any_files_is_nowhere(page: Page) -> None:
    """Asked for it the disk fails, which Gradio does not expect."""
    head = [(b"host", b"localhost")]
    if page.cookie:
        head.append((b"cookie", page.cookie.encode()))
    for place in (b"/assets/", b"/static/", b"/svelte/", b"/pilcrow/"):
        request = Request("GET", place + b"a" * 3000, tuple(head), b"")
        check(page, request)
        assert page.fire(request).statuses == [404]


@pytest.mark.fault("G16")
def test_nothing_grows(page: Page) -> None:
    head = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    if page.cookie:
        head.append((b"cookie", page.cookie.encode()))
    told: list[dict[str, Any]] = [
        {"data": [None], "fn_index": 3, "session_hash": "s"},
        {"data": {"name": "library"}, "fn_name": "ask", "component_id": 2, "session_hash": "s"},
        {"data": [[{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}], "[]"]},
    ]
    sent = [
        Request(method, re.sub("{[^}]*}", "x", path).encode(), tuple(head), body)
        for path in page.routes
        for method, body in [("GET", b""), *(("POST", json.dumps(one).encode()) for one in told)]
    ]

    def objects() -> int:
        for one in sent:
            page.fire(one)
        gc.collect()
        return len(gc.get_objects())

    objects()  # what is made once, is made here
    before = objects()
    grown = [objects() - before for _ in range(5)]
    # one object kept of each request would be five of them by now; other work comes and goes
    assert grown[-1] < 3 * len(sent), grown


# --- behind the doors: what the page asks for besides answers -----------------------------------

CONVERSATION = "c" * 32
ENTRIES = st.sampled_from([
    "id", "ids", "words", "key", "document", "conversation", "collection", "number", "way", "kind",
    "title", "from", "folder", "order", "tag", "off", "sure", "place", "first", "before", "start",
    "end", "page", "topic", "names", "paragraph",
])  # fmt: skip


@dataclass
class Room:
    """What stands behind the page, without Gradio."""

    services: Services
    library: HeldLibrary
    complaints: list[str]

    def tidy(self) -> str:
        """Brings back what requests have taken away; the key of the one turn there is."""
        articles = self.library.path.parent / "articles"
        if len(self.library.documents()) < len(ARTICLES):
            self.library.update([articles / name for name in ARTICLES])
        store = Conversations(self.library.path)
        if not (turns := store.turns(CONVERSATION)):
            asked = AskRequest(conversation=CONVERSATION)
            _, _, run = self.services.chat.begin("How many registered in Kyoto?", asked)
            assert list(self.services.chat.answer(run))
            turns = store.turns(CONVERSATION)
        return turns[0].key


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with make_library(tmp_path_factory.mktemp("room")) as library, complaints() as said:
        options = page_app.PageOptions(by_path=True)
        services = page_app.build_services(ScriptedAssistant(library), library, options)
        yield Room(services, library, said)
        services.watches.close()
        services.chat.close()


@settings(
    max_examples=REQUESTS, derandomize="PILCROW_FUZZ_REQUESTS" not in os.environ, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(st.data())
@pytest.mark.fault("G16")
@pytest.mark.timeout(0)
def test_nothing_that_the_page_can_ask_for_is_a_bug(room: Room, data: st.DataObject) -> None:
    """Any request with anything in it is done, or refused in a sentence; none costs a traceback."""
    known = [*ARTICLES, room.tidy(), CONVERSATION, json.dumps([*ARTICLES][:1]), ""]
    plain = st.none() | st.booleans() | st.integers(-2, 300) | TEXT | st.sampled_from([10**30, -1])
    name = data.draw(st.sampled_from(sorted(room.services.api._requests)))
    given_ = data.draw(st.dictionaries(ENTRIES, st.sampled_from(known) | plain, max_size=5))
    reply = room.services.api.ask({**given_, "name": name})
    assert not room.complaints, (name, given_, room.complaints)
    json.dumps(reply, allow_nan=False).encode()
