"""What comes in over HTTP, from anybody: which doors there are, and what each may be asked."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from rag.types import Answer
from tests.support.attacks import PASSWORD, pilcrow, spellings
from tests.support.page_fakes import ScriptedAssistant, make_library
from tests.support.programs import LOCAL
from ui.http.attempts import ATTEMPTS
from ui.http.body_limit import MOST_BYTES
from ui.http.server import make_server
from ui.page import app as page_app
from ui.page.chat import AskRequest
from ui.page.middleware import uploads
from ui.page.middleware.body_limit import MOST_NAMES
from ui.page.middleware.page_policy import FILE_POLICY, PagePolicy
from ui.page.middleware.security import SAFETY_HEADERS, SecurityHeaders
from ui.page.views import answers, panes

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Message

HOME = "127.0.0.1:7860"
NOTHING_THERE = "Pilcrow's page has nothing there."
REQUESTS = int(os.environ.get("PILCROW_HTTP_REQUESTS", "400"))
"""Requests that are made up at random; before a release, 20,000."""


# --- speaking to it -------------------------------------------------------------------------------


@dataclass
class Heard:
    """One response, as the server handed it to the network."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)
    body: bytes = b""
    taken: int = 0
    """Bytes of the request that were taken."""

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def is_safe(self) -> bool:
        """Whether it wears every header that it should."""
        return (
            {k: self.headers.get(k.lower()) for k in SAFETY_HEADERS} == SAFETY_HEADERS
            and "content-security-policy" in self.headers
            and not any(name.startswith("access-control-") for name in self.headers)
        )


Headers = dict[str, str]


async def speak(
    app: ASGIApp, method: str, path: str, headers: Headers, body: Iterable[bytes]
) -> Heard:
    """Sends one request, and hangs up when the body has been sent and the response begins."""
    heard, pieces, begun = Heard(), iter(body), asyncio.Event()

    async def receive() -> Message:
        piece = next(pieces, None)
        if piece is None:
            await begun.wait()
            return {"type": "http.disconnect"}
        heard.taken += len(piece)
        return {"type": "http.request", "body": piece, "more_body": piece != b""}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            begun.set()
            heard.status = message["status"]
            pairs = [
                (k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in message["headers"]
            ]
            heard.headers = dict(pairs)
            heard.cookies = [value for name, value in pairs if name == "set-cookie"]
        else:
            heard.body += message.get("body", b"")

    where, _, query = path.partition("?")
    sent = {"host": HOME} | headers
    await app(
        {
            "type": "http", "http_version": "1.1", "method": method, "path": where,
            "raw_path": where.encode(), "root_path": "", "scheme": "http",
            "query_string": query.encode("utf-8", "surrogatepass"),
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 7860),
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in sent.items()],
        },
        receive,
        send,
    )  # fmt: skip
    return heard


@dataclass
class Door:
    """The page, without a network before it; its loop turns only while it is asked."""

    app: FastAPI
    loop: asyncio.Runner

    def ask(
        self,
        method: str,
        path: str,
        headers: Headers | None = None,
        body: Iterable[bytes] = (b"",),
    ) -> Heard:
        """Sends one request."""
        return self.loop.run(speak(self.app, method, path, headers or {}, body))

    def post(self, path: str, given: object) -> Heard:
        """Sends JSON."""
        body = given if isinstance(given, bytes) else json.dumps(given).encode()
        return self.ask("POST", path, {"content-type": "application/json"}, [body, b""])

    @property
    def config(self) -> dict[str, Any]:
        """What the page knows of itself."""
        found = re.search(r"window\.gradio_config = (.*?);</script>", self.ask("GET", "/").text)
        assert found
        config: dict[str, Any] = json.loads(found.group(1))
        return config


@pytest.fixture(scope="module", params=["", PASSWORD], ids=["open", "password"])
def any_door(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("store"), request.param) as door:
        yield door


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("store"), "") as door:
        yield door


@contextmanager
def opened(folder: Path, password: str, *, by_path: bool = False) -> Iterator[Door]:
    with make_library(folder) as library, asyncio.Runner() as loop:
        assistant = ScriptedAssistant(library)
        options = page_app.PageOptions(by_path=by_path)
        app = page_app.build_app(assistant, library, password=password or None, options=options)
        life = app.router.lifespan_context(app)
        loop.run(life.__aenter__())
        yield Door(app, loop)
        loop.run(life.__aexit__(None, None, None))


# --- which doors there are ------------------------------------------------------------------------

OURS = "/pilcrow/{hash}/main.js"
NEEDED = {
    ("GET", "/"), ("HEAD", "/"), ("GET", OURS), ("HEAD", OURS),
    ("GET", "/favicon.ico"), ("GET", "/manifest.json"), ("GET", "/theme.css"), ("GET", "/logout"),
    ("GET", "/assets/{path:path}"), ("GET", "/static/{path:path}"), ("POST", "/login"),
    ("GET", "/gradio_api/app_id"), ("GET", "/gradio_api/heartbeat/{session_hash}"),
    ("GET", "/gradio_api/queue/data"), ("GET", "/gradio_api/upload_progress"),
    ("POST", "/gradio_api/queue/join"), ("POST", "/gradio_api/run/{api_name}"),
    ("POST", "/gradio_api/component_server"), ("POST", "/gradio_api/component_server/"),
    ("POST", "/gradio_api/upload"), ("POST", "/gradio_api/cancel"), ("POST", "/gradio_api/reset"),
}  # fmt: skip
"""What the page asks for, as seen in a browser; everything else that is served is not reachable."""
FILLED = {"api_name": "predict", "path": "js/x.js", "session_hash": "abc"}


def routes(app: Any) -> Iterator[tuple[str, str]]:
    """Method and path of everything that an application serves, mounted or not."""
    for route in app.routes:
        if hasattr(route, "original_router"):
            yield from routes(route.original_router)
        elif getattr(route, "methods", None):
            yield from ((method, route.path) for method in route.methods)
        elif hasattr(route.app, "routes"):
            yield from ((method, route.path + path) for method, path in routes(route.app))
        else:  # a folder of files
            yield from ((method, OURS) for method in ("GET", "HEAD"))


def filled(path: str) -> str:
    """A path without placeholders."""
    files = page_app.assets_address()
    path = path.replace(OURS, f"{files}/main.js").replace("/assets/{path:path}", "/assets/x.js")
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: FILLED.get(m.group(1), "x"), path)


@pytest.mark.fault("G4")
def test_only_what_the_page_needs_can_be_reached(any_door: Door) -> None:
    served = set(routes(any_door.app))
    assert len(served) > 80, "routes are no longer found"
    assert served >= NEEDED
    for method, path in served:
        heard = any_door.ask(method, filled(path))
        assert heard.is_safe, path
        refused = heard.status == 404 and heard.text == NOTHING_THERE
        assert refused != ((method, path) in NEEDED), (method, path, heard)
    for method in ("OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "BREW"):
        assert any_door.ask(method, "/").text == NOTHING_THERE


@pytest.mark.fault("G2")
def test_no_address_of_another_host_is_taken(any_door: Door) -> None:
    for sent in spellings("http://attacker.example"):
        for path in (f"/{sent}", httpx.URL(f"http://{HOME}").join(f"/{sent}").path):
            heard = any_door.ask("GET", path)
            assert (heard.status, heard.text) == (404, NOTHING_THERE), path


@pytest.mark.fault("G4")
def test_the_terminal_cannot_be_written_on(door: Door, capfd: pytest.CaptureFixture[str]) -> None:
    door.ask("GET", "/gradio_api/custom_component/\x1b]0;PWNED\x07/client/x/y")
    assert capfd.readouterr() == ("", "")


# --- what a browser may do with an answer ---------------------------------------------------------


@pytest.mark.fault("G3")
def test_only_the_page_runs_script(any_door: Door) -> None:
    page = any_door.ask("GET", "/")
    policy = page.headers["content-security-policy"]
    assert page.status == 200
    assert len(re.findall(r"'sha256-", policy)) == 5, "an inline script of Gradio's is not known"
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    script = f"{page_app.assets_address()}/main.js"
    for path in ("/favicon.ico", "/theme.css", "/manifest.json", script,
                 "/gradio_api/app_id", "/gradio_api/queue/data", "/nope", "/login"):  # fmt: skip
        heard = any_door.ask("GET", path)
        assert heard.headers["content-security-policy"] == FILE_POLICY
        assert heard.is_safe


TEMPLATE = "<html><head><script>window.config = {{ config | toorjson }};</script></head></html>"


@pytest.mark.fault("G3")
@pytest.mark.parametrize(
    ("script", "runs"),
    [
        ('window.config = {"a": [1, "b"]};', True),
        ("window.config = 1; alert(1);", False),
        ("window.config = alert(1);", False),
        ("window.config = `${alert(1)}`;", False),
        ("alert(1)", False),
        ("", False),
        ("window.config = " + "[" * 100_000 + ";", False),
    ],
)
def test_a_script_that_is_not_the_templates_is_not_allowed(script: str, runs: bool) -> None:
    policy = PagePolicy(TEMPLATE, panes.first_script("/first.js"))
    page = policy.prepared(f"<head></head><SCRIPT>{script}</SCRIPT>".encode())
    assert b'<script src="/first.js">' in page
    assert ("sha256-" in policy.of(page)) is runs


@pytest.mark.fault("G3")
@pytest.mark.parametrize("path", ["/theme.css", "/gradio_api/app_id", "/logout", "/assets/a.js"])
def test_a_page_that_passes_by_is_inert(path: str) -> None:
    def hostile(_: object) -> Response:
        return HTMLResponse("<head></head><script>window.config = 1;</script>")

    inner = Starlette(routes=[Route(path, hostile)])
    guarded = SecurityHeaders(
        inner,
        any_host=False,
        files="/p",
        policy=PagePolicy(TEMPLATE, panes.first_script("/first.js")),
    )
    heard = TestClient(guarded, base_url=f"http://{HOME}").get(path)
    assert heard.headers["content-security-policy"] == FILE_POLICY
    assert "first.js" not in heard.text


# --- who may ask ----------------------------------------------------------------------------------


@pytest.mark.fault("G1")
@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_another_site_may_only_send_somebody_to_the_page(any_door: Door, site: str) -> None:
    visit = {"sec-fetch-site": site, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert any_door.ask("GET", "/", visit).status == 200
    assert any_door.ask("GET", "/?x=1", visit).status == 200
    assert any_door.ask("GET", "/", visit | {"sec-fetch-dest": "iframe"}).status == 403
    assert any_door.ask("GET", "/", visit | {"sec-fetch-mode": "no-cors"}).status == 403
    assert any_door.ask("GET", "/", {"sec-fetch-site": site}).status == 403
    assert any_door.ask("POST", "/", visit).status == 403
    for method, path in NEEDED - {("GET", "/")}:
        assert any_door.ask(method, filled(path), visit).status == 403
    for own in ("none", "same-origin"):
        assert any_door.ask("GET", "/theme.css", {"sec-fetch-site": own}).status == 200


@pytest.mark.fault("G5")
def test_cookies_are_for_our_own_page_only(any_door: Door) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    sent = [f"username=pilcrow&password={PASSWORD}".replace(" ", "+").encode(), b""]
    heard = any_door.ask("POST", "/login", form, sent)
    cookies = heard.cookies
    if heard.status == 302:  # there is no password
        assert cookies == []
        return
    assert len(cookies) == 2
    for cookie in cookies:
        assert re.findall(r"samesite=\w+", cookie, re.IGNORECASE) == ["SameSite=Strict"]
        assert "httponly" in cookie.lower()


@pytest.mark.fault("G8")
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "[::1"}, {"host": "["}, {"host": ""}, {"host": "a b"}, {"host": "x@127.0.0.1"},
        {"host": "127.0.0.1:"}, {"host": "127.0.0.1/x"}, {"host": "127.0.0.1\u00e9"},
        {"origin": "http://["}, {"origin": "http://[::1"}, {"origin": ""}, {"origin": "//x"},
        {"origin": "http://127.0.0.1:7860/"}, {"origin": "javascript:alert(1)"},
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(any_door: Door, headers: Headers) -> None:
    heard = any_door.ask("GET", "/", headers)
    assert (heard.status, heard.is_safe) == (400, True)
    assert heard.headers["content-security-policy"] == FILE_POLICY


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "[::1]:7860"}, 200), ({"host": "LOCALHOST"}, 200), ({"host": "a.localhost"}, 200),
        ({"host": "127.0.0.1.evil.example"}, 403), ({"host": "evil.example:7860"}, 403),
        ({"host": "[:::::]"}, 403), ({"host": "localhost."}, 403),
        ({"origin": f"http://{HOME}"}, 200), ({"origin": f"https://{HOME}"}, 200),
        ({"origin": "null"}, 403), ({"origin": "http://127.0.0.1:7861"}, 403),
        ({"origin": f"ftp://{HOME}"}, 403),
    ],
)  # fmt: skip
def test_only_the_own_address_is_answered(door: Door, headers: Headers, status: int) -> None:
    heard = door.ask("GET", "/", headers)
    assert (heard.status, heard.is_safe) == (status, True)


@pytest.mark.fault("G17")
@pytest.mark.parametrize("by_path", [True, False])
def test_a_page_that_may_name_folders_is_for_this_computer_whoever_knows_the_password(
    tmp_path: Path, by_path: bool
) -> None:
    with opened(tmp_path, PASSWORD, by_path=by_path) as door:
        assert door.ask("GET", "/", {"host": "localhost:7860"}).status == 200
        told = door.ask("GET", "/", {"host": "tunnel.example"})
        assert (told.status, told.is_safe) == (403 if by_path else 200, True)


def test_what_others_say_of_our_address_is_not_believed(door: Door) -> None:
    page = door.ask("GET", "/", {"x-forwarded-host": "[", "x-gradio-server": "http://evil.example"})
    assert page.status == 200
    assert "evil.example" not in page.text
    assert "https://" not in json.dumps(door.config["root"])


@pytest.mark.fault("G7")
def test_an_address_that_is_only_claimed_does_not_count(tmp_path: Path) -> None:
    with (
        pilcrow(tmp_path, PASSWORD) as victim,
        httpx.Client(base_url=victim.address, **LOCAL) as guesser,
    ):
        for number in range(ATTEMPTS + 1):
            tried = guesser.post(
                "login", data={"username": "pilcrow", "password": f"guess {number}"},
                headers={"X-Forwarded-For": f"203.0.113.{number}"},
            )  # fmt: skip
        assert tried.status_code == 429


@pytest.mark.fault("G7")
def test_a_proxy_is_believed_when_it_was_named(tmp_path: Path) -> None:
    with make_library(tmp_path, {}) as library:
        app = page_app.build_app(ScriptedAssistant(library), library)
    alone = make_server(app, lambda: None, "").config
    assert alone.proxy_headers is False
    behind = make_server(app, lambda: None, "192.0.2.7/32").config
    assert (behind.proxy_headers, behind.forwarded_allow_ips) == (True, "192.0.2.7/32")


# --- how much may come ----------------------------------------------------------------------------

FORM = "multipart/form-data; boundary=b"
FIELD = b'--b\r\nContent-Disposition: form-data; name="username"; filename="a.txt"\r\n\r\n'
DOORS = sorted(path for method, path in NEEDED if method == "POST" and "upload" not in path)


@pytest.mark.fault("G6")
@pytest.mark.parametrize("path", DOORS)
@pytest.mark.parametrize("kind", ["application/json", FORM, "text/plain"])
def test_a_body_without_end_is_not_read(any_door: Door, path: str, kind: str) -> None:
    most = MOST_NAMES if path.endswith("queue/join") else MOST_BYTES
    endless = repeat(b"x" * 65_536, 200)  # to whoever reads on, it ends

    def pieces() -> Iterator[bytes]:
        yield FIELD if kind == FORM else b'{"data": "'
        yield from endless

    def tell(length: str | None) -> Heard:
        headers = {"content-type": kind} | ({} if length is None else {"content-length": length})
        return any_door.ask("POST", filled(path), headers, pieces())

    told = tell(None)
    assert 400 <= told.status < 500
    assert told.is_safe
    assert told.taken <= most + 2 * 65_536
    for length in (f"{most + 1}", "-1", "1e3", "x"):
        announced = tell(length)
        assert (announced.status, announced.taken, announced.is_safe) == (413, 0, True)


@pytest.mark.fault("G6")
def test_no_file_comes_in_by_another_door(any_door: Door, tmp_path: Path) -> None:
    incoming = Path(os.environ["GRADIO_TEMP_DIR"])
    before = {*incoming.rglob("*")}
    part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n\r\nxxx\r\n'
    for path in DOORS:
        any_door.ask("POST", filled(path), {"content-type": FORM}, [part, b"--b--\r\n", b""])
    assert {*incoming.rglob("*")} == before


# --- what may be said -----------------------------------------------------------------------------

DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.fault("G10")
def test_what_is_nested_too_deep_is_as_if_it_were_not_there(door: Door) -> None:
    assert AskRequest.read(DEEP) == AskRequest()
    assert AskRequest.read('{"question": ' + DEEP + "}") == AskRequest()
    assert uploads.left_behind(DEEP) == ()
    (begin,) = (
        one for one in door.config["dependencies"] if one["js"] and "askRequest(" in str(one["js"])
    )
    call = {"data": ["", DEEP, None], "fn_index": begin["id"], "session_hash": "x"}
    assert door.post("/gradio_api/run/predict", call).status == 200
    for data in (DEEP, '{"name": ' + DEEP + "}"):
        sent = f'{{"data": {data}, "fn_index": {begin["id"]}, "session_hash": "x"}}'.encode()
        assert door.post("/gradio_api/run/predict", sent).status == 400


@pytest.mark.fault("G9")
def test_an_id_from_a_browser_stays_in_its_attribute(door: Door) -> None:
    hostile = '"><img src=x onerror=alert(1)>'
    mark = answers.TurnMeta(hostile, hostile, hostile, hostile)
    drawn = answers.waiting("Why?", 1, mark) + answers.sources(
        Answer("Why?", "answered", ""), 1, {}, hostile
    )
    assert "<img" not in drawn


def calls(config: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every call that the page can make without a file, filled in as a page would."""
    kinds = {one["id"]: one["type"] for one in config["components"]}
    made = []
    for one in config["dependencies"]:
        if not one["backend_fn"] or "file" in [kinds[given] for given in one["inputs"]]:
            continue
        data = [None if kinds[given] == "state" else "" for given in one["inputs"]]
        path = "queue/join" if one["queue"] is not False else "run/predict"
        call = {"data": data, "fn_index": one["id"], "session_hash": "abc", "event_data": None}
        made.append((f"/gradio_api/{path}", call))
    api = next(one["id"] for one in config["components"] if one["props"].get("elem_id") == "api")
    request = {"component_id": api, "fn_name": "ask", "data": {"name": "names", "words": "x"}}
    return [*made, ("/gradio_api/component_server/", request | {"session_hash": "abc"})]


WRONG: list[object] = [999, -1, "0", 1.0, True, None, [], {}, "__init__"]
"""Neither the number of a component or function, nor the name of one."""


@pytest.mark.fault("G11")
def test_only_calls_of_the_page_are_made(door: Door) -> None:
    made = calls(door.config)
    assert len(made) >= 10
    for path, call in made:
        assert door.post(path, call).status == 200, call
        other = "/gradio_api/run/predict" if "join" in path else "/gradio_api/queue/join"
        wrong: list[dict[str, Any]] = [
            call | {"session_hash": None}, call | {"session_hash": "../x"}, call | {"more": 1},
            call | {"data": "x"}, call | {"data": None}, call | {"data": [[[]]] * 9},
        ]  # fmt: skip
        if "fn_index" in call:
            wrong += [call | {"fn_index": n} for n in WRONG]
            wrong += [call | {"data": [*call["data"], None]}, call | {"event_data": {"a": []}}]
            wrong += [call | {"data": [5, *call["data"][1:]]}, call | {"trigger_id": "x"}]
        else:
            wrong += [call | {"component_id": n} for n in WRONG]
            wrong += [call | {"fn_name": n} for n in WRONG]
            wrong += [call | {"data": {"name": []}}, call | {"data": {"name": {}}}]
        for bad in wrong:
            assert door.post(path, bad).status == 400, bad
        assert door.post(other, call).status == 400
    for path in ("/gradio_api/cancel", "/gradio_api/reset"):
        for body in (b"", b"\x80", b'{"a": []}', '{"event_id": "x"}'.encode("utf-16")):
            assert door.post(path, body).status == 400
    assert door.post("/gradio_api/reset", {"event_id": "x"}).status == 200


def test_an_idle_page_rests(door: Door) -> None:
    """Gradio's queue looks for work a thousand times a second, of a laptop's core a twelfth."""
    mounted = (getattr(route, "app", None) for route in door.app.routes)
    (queue,) = (app.blocks._queue for app in mounted if app and hasattr(app, "blocks"))
    for loop, name in (
        (queue.start_processing, "sleep_when_free"),
        (queue.start_progress_updates, "progress_update_sleep_when_free"),
    ):
        assert f"asyncio.sleep(self.{name})" in inspect.getsource(loop)
        assert getattr(queue, name) >= 0.01


# --- anything at all ------------------------------------------------------------------------------

PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=8,
)
ENTRIES = st.sampled_from(
    "name words id ids folder order tag off key title number start conversation document kind way "
    "sure".split()
)
NAMES = st.sampled_from(
    "library conversations open turn rename delete undelete sources read why rate copy export "
    "remove restore suggest follow names in-text all more-documents find tag".split()
)
ODD_HEADERS = st.dictionaries(
    st.sampled_from("content-type content-length cookie range origin host accept if-none-match "
                    "x-forwarded-host x-forwarded-proto x-gradio-server sec-fetch-site "
                    "accept-encoding authorization transfer-encoding".split()),
    st.sampled_from(["", "0", "-1", "x", "bytes=0-5", "gzip", "null", "http://[", FORM, "a=b",
                     "application/json", "same-origin", "multipart/form-data", "chunked",
                     "text/plain; charset=nonsense", HOME, f"http://{HOME}"])
    | st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=20),
    max_size=3,
)  # fmt: skip


@pytest.mark.fault("G12")
@pytest.mark.timeout(max(300, REQUESTS))
def test_nothing_that_is_sent_ends_in_an_error_of_ours(door: Door) -> None:
    """No 500 and no missing header, whatever is asked of whichever route there is."""
    known = sorted(set(routes(door.app)))
    made = calls(door.config)
    statuses: set[int] = set()

    @settings(max_examples=REQUESTS, database=None)
    @given(st.data())
    def probe(data: st.DataObject) -> None:
        method, path = data.draw(st.sampled_from(known) | st.sampled_from(sorted(NEEDED)))
        path = filled(path)
        headers: dict[str, str] = {"content-type": "application/json"}
        body: bytes = data.draw(st.binary(max_size=200))
        if data.draw(st.booleans()):  # nearly what the page says
            path, call = data.draw(st.sampled_from(made))
            method, call = "POST", dict(call)
            if "fn_name" in call and data.draw(st.booleans()):
                given = data.draw(st.dictionaries(ENTRIES, PLAIN, max_size=4))
                call["data"] = given | {"name": data.draw(NAMES)}
            if isinstance(call["data"], list) and data.draw(st.booleans()):
                text = st.text(max_size=20)
                call["data"] = [v if v is None else data.draw(text) for v in call["data"]]
            if data.draw(st.booleans()):
                call[data.draw(st.sampled_from(sorted(call)))] = data.draw(VALUES)
            body = json.dumps(call).encode()
        if data.draw(st.booleans()):
            headers |= data.draw(ODD_HEADERS)
        query = data.draw(st.sampled_from(["", "?session_hash=abc", "?page=x&deep_link=../y"]))
        heard = door.ask(method, path + query, headers, [body, b""])
        statuses.add(heard.status)
        assert heard.status < 500, heard
        assert heard.status == 0 or heard.is_safe, heard  # 0: it was already hung up

    probe()
    assert {200, 400, 404} <= statuses
