"""Anything at all is sent to the programs' server: no bug, no header missing, nothing left behind.

`PILCROW_FUZZ_REQUESTS=20000 python -m pytest tests/ui/api/test_fuzz.py` sends as many, others each
time; `make test` always sends the same few.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag import Assistant
from tests.support.fire import Fire, Request, complaints, paths_of, under_fire
from tests.support.page_fakes import ARTICLES, HOSTILE, HeldLibrary, make_library
from ui.api.app import ApiOptions, build_api
from ui.api.guard import HEADERS

REQUESTS = int(os.environ.get("PILCROW_FUZZ_REQUESTS", "400"))
KEY = "sesame"
SECRET = "Only this computer's owner reads that."
UNAVAILABLE = 503
"""What a model that is not there costs; nothing else here may say 5xx."""


@dataclass
class Server:
    """The application, running."""

    fire: Fire
    library: HeldLibrary
    routes: list[str]
    key: str
    complaints: list[str]

    def refill(self) -> None:
        """Brings back what was removed."""
        if len(self.library.documents()) < len(ARTICLES):
            folder = self.library.path.parent / "articles"
            self.library.update([folder / name for name in ARTICLES])


@pytest.fixture(scope="module", params=["", KEY], ids=["open", "key"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("programs")
    (folder / "b.md").write_text(SECRET)
    with make_library(folder) as library, complaints() as said:
        options = ApiOptions(key=request.param or None, allow_changes=True)
        app = build_api(Assistant(library, None, reader="none"), library, options)
        routes = sorted(set(paths_of(app.routes)))
        with under_fire(app) as fire:
            yield Server(fire, library, routes, request.param, said)


def test_every_route_is_found(server: Server) -> None:
    assert {"/v1/answers", "/v1/chat/completions", "/v1/documents", "/mcp"} <= {*server.routes}


# --- requests ---------------------------------------------------------------------------------

IDS = st.sampled_from([*ARTICLES])
ODD = st.sampled_from([
    "", "x", "0", "-1", "../../../../etc/passwd", "..%2f..%2fetc/passwd", "%00", "%ff%fe", "\0",
    "{{7*7}}", "'", "file:///etc/passwd", "http://127.0.0.1:9/", "/proc/self/environ", "a" * 3000,
    "\ud800", "é", "1e999", "2024-02-31", "2024", ".pdf", "#sky", HOSTILE, "\n\nNote: " * 5000,
    "pilcrow",
])  # fmt: skip
TEXT = st.text(max_size=20) | ODD | IDS
QUESTION = TEXT | st.sampled_from(["How many participants registered in Kyoto?", "And there?"])
LEAVES = (
    st.none() | st.booleans() | st.integers(-2, 40) | st.floats() | TEXT
    | st.sampled_from([10**30, "user", "text"])
)  # fmt: skip
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
WHERE = st.dictionaries(
    st.sampled_from(["documents", "authors", "sources", "tags", "folders", "types", "sections",
                     "collections"]),
    st.lists(TEXT, max_size=2), max_size=2,
) | st.dictionaries(st.sampled_from(["since", "until"]), TEXT, max_size=2)  # fmt: skip
TURN = st.fixed_dictionaries({"question": QUESTION, "answer": TEXT})
ASKED = st.fixed_dictionaries(
    {"question": QUESTION},
    optional={
        "history": st.lists(TURN, max_size=2), "explain": st.booleans(), "stream": st.booleans()
    },
)  # fmt: skip
SOUGHT = st.fixed_dictionaries({"query": QUESTION}, optional={"k": st.integers(-1, 2000)})
MESSAGE = st.fixed_dictionaries({
    "role": st.sampled_from(["user", "user", "assistant", "system", "x"]),
    "content": QUESTION | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXT})),
})  # fmt: skip
CHAT = st.fixed_dictionaries(
    {"model": st.just("pilcrow") | ODD, "messages": st.lists(MESSAGE, max_size=3)},
    optional={"stream": st.booleans(), "pilcrow": WHERE, "n": LEAVES, "temperature": LEAVES},
)
TOOL = st.fixed_dictionaries({
    "name": st.sampled_from(["search", "fetch", "ask", "list_documents", "add_document",
                             "remove_document", "rebuild", "x"]),
    "arguments": st.dictionaries(
        st.sampled_from(["query", "id", "question", "name", "text", "limit", "offset", "history",
                         "documents", "since"]),
        LEAVES | st.lists(TEXT, max_size=2), max_size=3,
    ),
})  # fmt: skip
INITIALISE = {
    "protocolVersion": "2025-06-18", "capabilities": {},
    "clientInfo": {"name": "fuzz", "version": "1"},
}  # fmt: skip
CALL = st.fixed_dictionaries({
    "jsonrpc": st.just("2.0") | LEAVES, "id": st.integers(0, 9) | LEAVES,
    "method": st.sampled_from(["initialize", "tools/call", "tools/list", "ping", "x", ""]),
    "params": st.just(INITIALISE) | TOOL | JSON,
})  # fmt: skip
NAMED = b'--b\r\nContent-Disposition: form-data; name="file"; filename='
FORM = st.sampled_from([
    NAMED + b'"a.txt"\r\n\r\nText of a tide.\r\n--b--\r\n',
    NAMED + b'"../\xff"\r\n\r\n\r\n--b--\r\n', NAMED + b'""\r\n\r\n\r\n--b--\r\n',
    NAMED + b'"' + b"n" * 400 + b'.txt"\r\n\r\nx\r\n--b--\r\n',
    NAMED + b'"kyoto.txt"\r\n\r\nAnother one.\r\n--b--\r\n',
    b"--b\r\nContent-Disposition: form-data\r\n\r\nx", b"--b\r\n\r\n--b", b"--b--", b"x=1",
])  # fmt: skip
REBUILD = st.dictionaries(st.sampled_from(["full", "forget", "stream"]), st.booleans())
POSTED: tuple[tuple[str, st.SearchStrategy[Any]], ...] = (
    ("/v1/answers", ASKED), ("/v1/answers", st.builds(dict.__or__, ASKED, WHERE)),
    ("/v1/search", st.builds(dict.__or__, SOUGHT, WHERE)), ("/v1/chat/completions", CHAT),
    ("/v1/rebuild", REBUILD), ("/v1/documents", FORM), ("/mcp", CALL), ("/mcp", CALL),
)  # fmt: skip
NAMES = st.sampled_from([
    "accept", "authorization", "content-length", "content-type", "cookie", "host", "origin",
    "sec-fetch-site", "sec-fetch-mode", "mcp-session-id", "mcp-protocol-version", "last-event-id",
    "range", "transfer-encoding", "x-forwarded-for",
])  # fmt: skip
VALUES = ODD.filter(lambda value: "\n" not in value) | st.sampled_from([
    "[::1", "null", "same-origin", "cross-site", "application/json", "text/event-stream", "-5",
    "multipart/form-data", "multipart/form-data; boundary=b", "Bearer", f"Bearer {KEY}",
    "Bearer é", "Basic x", "chunked", "2025-06-18",
])  # fmt: skip
METHODS = st.sampled_from(["GET", "GET", "DELETE", "POST", "HEAD", "PUT", "OPTIONS", "get", "X"])
QUERIES = st.sampled_from(["", "?limit=0", "?limit=2&offset=1", "?limit=é", "?seal=é", "?%ff=%00"])


@st.composite
def requests(draw: st.DrawFn, server: Server) -> Request:
    """A request: mostly one that a program could make, else anything to anywhere."""
    headers = {"host": "localhost", "content-type": "application/json",
               "accept": "application/json, text/event-stream"}  # fmt: skip
    if server.key and draw(st.integers(0, 9)):
        headers["authorization"] = f"Bearer {server.key}"
    if draw(st.integers(0, 2)):
        method, (path, told) = "POST", draw(st.sampled_from(POSTED))
        sent = draw(told)
        body = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
        if isinstance(sent, bytes):
            headers["content-type"] = "multipart/form-data; boundary=b"
        headers |= draw(st.dictionaries(NAMES, VALUES, max_size=1))
    else:
        method, parts = draw(METHODS), draw(st.sampled_from(server.routes)).split("{")
        path = parts[0] + "".join(draw(TEXT) + part.partition("}")[2] for part in parts[1:])
        path += draw(QUERIES)
        body = draw(st.just(b"") | st.binary(max_size=50) | JSON.map(json.dumps).map(str.encode))
        headers |= draw(st.dictionaries(NAMES, VALUES, max_size=3))
    raw = [(k.encode(), v.encode("utf-8", "surrogatepass")) for k, v in headers.items()]
    encoded = quote(path.encode("utf-8", "surrogatepass"), safe="/?&=%#:+,;@*'{}[]<>!$()~.")
    return Request(method, encoded.encode(), tuple(raw), body)


# --- what must hold ---------------------------------------------------------------------------


@settings(
    max_examples=REQUESTS, derandomize="PILCROW_FUZZ_REQUESTS" not in os.environ, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(st.data())
@pytest.mark.fault("G16")
@pytest.mark.timeout(0)
# the server, in a thread of its own, does
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
def test_whatever_a_program_sends_nothing_breaks(server: Server, data: st.DataObject) -> None:
    server.refill()
    request = data.draw(requests(server))
    response = server.fire(request)
    assert response.error is None, (request, response)
    assert not server.complaints, (request, server.complaints)
    assert len(response.statuses) == 1, (request, response)
    assert response.statuses[0] < 500 or response.statuses[0] == UNAVAILABLE, (request, response)
    told = {name.decode().lower(): value.decode("latin-1") for name, value in response.headers}
    missing = {k for k, v in HEADERS.items() if told.get(k.lower()) != v}
    assert not missing, (request, response)
    assert SECRET.encode() not in response.body and b"root:" not in response.body, request
    assert not [*(server.library.path / "received").rglob("*")]


@pytest.mark.fault("G16")
def test_long_messages_of_notes_cost_no_time(server: Server) -> None:
    """What stands at the end of an answer of ours is taken off it in linear time."""
    said = ("Who?", "\n\nNote: " * 90_000 + "\nx", "Who met in Kyoto?")
    roles = ("user", "assistant", "user")
    messages = [{"role": r, "content": c} for r, c in zip(roles, said, strict=True)]
    body = json.dumps({"model": "pilcrow", "messages": messages}).encode()
    head = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    if server.key:
        head.append((b"authorization", f"Bearer {server.key}".encode()))
    response = server.fire(Request("POST", b"/v1/chat/completions", tuple(head), body))
    assert response.statuses == [200]
