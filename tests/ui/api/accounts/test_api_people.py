"""What programs are served where several people share it: each by a key of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.page_fakes import HeldLibrary
from tests.ui.api.accounts.sharing_people import make_shared, shared_api
from ui.http.accounts.audit import audit_of
from ui.http.accounts.store import accounts_of

HIDDEN = ("zyxword", "zyxcable", "qwertzing", "harbour", "hushword", "vladivostok", "secret")
"""Words of what `rita` may not see."""
NEEDS_NO_KEY = {"/health", "/ready"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeldLibrary]:
    with make_shared(tmp_path_factory.mktemp("programs")) as made:
        yield made


@pytest.fixture(scope="module")
def clients(library: HeldLibrary) -> Iterator[dict[str, TestClient]]:
    with shared_api(library, accounts_of(library)) as made:
        yield made


def routes(client: TestClient) -> list[tuple[str, str]]:
    """Every method and path that there is, a document in the place of an id."""
    app: Any = client.app
    listed = {(m.upper(), path) for path, ways in app.openapi()["paths"].items() for m in ways}
    for route in app.routes:  # those that stand in no schema
        if path := getattr(route, "path", ""):
            listed |= {(method, path) for method in getattr(route, "methods", None) or ["POST"]}
    found = set()
    for method, path in listed:
        path = re.sub(r"{id(:path)?}", "harbour/cables.md", path)
        found.add((method, re.sub(r"{model(:path)?}", "pilcrow", path)))
    assert {("POST", "/mcp"), ("GET", "/metrics"), ("POST", "/v1/answers")} <= found
    assert ("GET", "/read/harbour/cables.md") in found
    return sorted(found)


BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "json": {"model": "pilcrow", "messages": [{"role": "user", "content": "Which ship plan?"}]}
    },
    "/v1/answers": {"json": {"question": "Which ship needs eight days? zyx plan"}},
    "/v1/search": {"json": {"query": "the ship, the plan and the fault", "k": 50}},
    "/v1/documents": {"files": {"file": ("new.txt", b"New one\n\nIt is a new one.\n")}},
    "/v1/rebuild": {"json": {}},
    "/mcp": {"json": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}},
}


@pytest.mark.fault("U1")
def test_every_address_asks_who_is_there(clients: dict[str, TestClient]) -> None:
    nobody = clients[""]
    for method, path in routes(nobody):
        if path in NEEDS_NO_KEY or method in ("HEAD", "OPTIONS"):
            continue
        given = BODIES.get(path, {}) if method == "POST" else {}
        status = nobody.request(method, path, **given).status_code
        assert status == (403 if path.startswith("/read/") else 401), (method, path)
        wrong = {"Authorization": "Bearer pcw_wrong"}
    assert nobody.get("/v1/documents", headers=wrong).status_code == 401
    assert nobody.get("/ready").status_code == 200
    lines = list(map(json.loads, audit_of_client(clients)))
    assert lines[-1]["what"] == "key refused"


def audit_of_client(clients: dict[str, TestClient]) -> list[str]:
    del clients
    return list(_AUDIT[0].lines())


_AUDIT: list[Any] = []


@pytest.fixture(autouse=True, scope="module")
def _audit(library: HeldLibrary) -> None:
    _AUDIT[:] = [audit_of(library)]


@pytest.mark.fault("U9")
def test_a_reader_finds_nothing_hidden_at_any_address(
    library: HeldLibrary, clients: dict[str, TestClient]
) -> None:
    rita, change = clients["rita"], library.change
    told = 0
    for method, path in routes(rita):
        if method in ("HEAD", "OPTIONS"):
            continue
        given = BODIES.get(path, {}) if method == "POST" else {}
        response = rita.request(method, path, **given)
        text = response.text.casefold().replace("harbour/cables.md", "")
        if path == "/openapi.json":
            continue
        told += response.status_code == 200
        for word in HIDDEN:
            assert word not in text, (method, path, text)
    assert told >= 6
    assert library.change == change, "and changes nothing"
    changing = [("DELETE", "/v1/documents/forum/kyoto.txt"), ("POST", "/v1/documents"),
                ("POST", "/v1/rebuild"), ("GET", "/metrics")]  # fmt: skip
    for method, path in changing:
        given = BODIES.get(path, {}) if method == "POST" else {}
        assert rita.request(method, path, **given).status_code == 403, path
    stream = rita.post("/v1/rebuild", json={"stream": True})
    assert stream.status_code == 403


@pytest.mark.fault("U8")
@pytest.mark.parametrize(
    "where",
    [
        {"documents": ["harbour/cables.md"]}, {"documents": ["Cables under the sea"]},
        {"collections": ["harbour"]}, {"tags": ["zyxcable"]}, {"sources": ["Harbour Review"]},
        {"folders": ["harbour"]}, {"sections": ["Qwertzing"]},
    ],
)  # fmt: skip
def test_no_field_widens_what_is_permitted(clients: dict[str, TestClient], where: Any) -> None:
    sent = json.dumps(where).casefold()
    for path, body in (
        ("/v1/answers", {"question": "Which ship needs eight days?"}),
        ("/v1/search", {"query": "ship"}),
    ):
        response = clients["rita"].post(path, json=body | where)
        text = response.text.casefold()
        for value in json.loads(sent).values():
            text = text.replace(value[0], "")
        assert not any(word in text for word in HIDDEN), text
        assert clients["edda"].post(path, json=body | where).status_code == 200
    chat = {"model": "pilcrow", "messages": [{"role": "user", "content": "ship days"}]}
    text = clients["rita"].post("/v1/chat/completions", json=chat | {"pilcrow": where}).text
    assert "eight days" not in text


@pytest.mark.fault("U7")
def test_each_is_answered_from_their_own(clients: dict[str, TestClient]) -> None:
    question = {"question": "How many days does a ship need to reach a fault?"}
    assert clients["rita"].post("/v1/answers", json=question).json()["state"] == "not_found"
    assert clients["edda"].post("/v1/answers", json=question).json()["state"] == "answered"
    totals = [clients[n].get("/v1/documents").json()["total"] for n in ("rita", "edda", "adam")]
    assert totals == [1, 1, 3]
    streamed = clients["edda"].post("/v1/answers", json=question | {"stream": True}).text
    last = [line[4:] for line in streamed.splitlines() if line.startswith("id: ")][-2]
    resumed = (
        clients["rita"]
        .post("/v1/answers", json=question | {"stream": True}, headers={"Last-Event-ID": last})
        .text
    )
    assert "eight days" in streamed
    assert "eight days" not in resumed, "going on with another's stream"


def test_a_link_opens_what_its_account_may_see(
    library: HeldLibrary, clients: dict[str, TestClient]
) -> None:
    accounts = accounts_of(library)
    accounts.add("lent", "reader", ["harbour"])
    key = {"Authorization": f"Bearer {accounts.new_key('lent')}"}
    found = clients[""].post("/v1/search", json={"query": "ship"}, headers=key).json()
    link = found["data"][0]["url"].partition("#")[0].partition("7860")[2]
    assert "eight days" in clients[""].get(link).text
    other = link.replace("harbour/cables.md", "secret.txt")
    assert clients[""].get(other).status_code == 403
    accounts.set_collections("lent", ["forum"])
    assert clients[""].get(link).status_code == 404, "not theirs to see any more"
    accounts.set_collections("lent", ["harbour"])
    accounts.remove("lent")
    assert clients[""].get(link).status_code == 403


def call_tool(client: TestClient, tool: str, **given: object) -> str:
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call",
            "params": {"name": tool, "arguments": given}}  # fmt: skip
    headers = {"Accept": "application/json, text/event-stream"}
    return client.post("/mcp", json=call, headers=headers).text


def test_agents_get_what_their_account_may_see(clients: dict[str, TestClient]) -> None:
    assert "zyxword" in call_tool(clients["edda"], "fetch", id="harbour/cables.md")
    for name, given in (
        ("fetch", {"id": "harbour/cables.md"}), ("search", {"query": "ship days"}),
        ("list_documents", {}), ("ask", {"question": "Which ship needs eight days?"}),
        ("remove_document", {"id": "forum/kyoto.txt"}), ("rebuild", {}),
        ("add_document", {"name": "x.txt", "text": "X\n\nIt is x.\n"}),
    ):  # fmt: skip
        text = call_tool(clients["rita"], name, **given).casefold()
        text = text.replace("harbour/cables.md", "")
        assert not any(word in text for word in HIDDEN), (name, text)
        if name in ("remove_document", "rebuild", "add_document"):
            assert "change nothing" in text, text
    assert clients["adam"].get("/v1/documents").json()["total"] == 3


def test_an_editor_adds_into_their_collection(
    library: HeldLibrary, clients: dict[str, TestClient]
) -> None:
    edda = clients["edda"]
    added = edda.post("/v1/documents", **BODIES["/v1/documents"]).json()
    (id_,) = added["added"]
    (record,) = [r for r in library.documents() if r.id == id_]
    assert record.collection == "harbour"
    assert clients["rita"].delete(f"/v1/documents/{id_}").status_code == 403
    # the very text that somebody else has already is taken in for who may not see it
    hidden = (library.path.parent / "articles" / "secret.txt").read_bytes()
    twin = edda.post("/v1/documents", files={"file": ("mine.txt", hidden)}).json()
    assert "secret.txt" not in json.dumps(twin)
    assert twin["added"]
    for gone in (id_, *twin["added"]):
        assert edda.delete(f"/v1/documents/{gone}").status_code == 200
    assert edda.post("/v1/rebuild", json={}).status_code == 403
    noted = [json.loads(line) for line in audit_of(library).lines()]
    assert [n["what"] for n in noted if n["who"] == "edda"][-4:] == [
        "add", "add", "remove", "remove",
    ]  # fmt: skip


@pytest.mark.fault("U2")
def test_a_key_that_was_taken_away_opens_nothing(tmp_path: Path) -> None:
    with make_shared(tmp_path) as library:
        accounts = accounts_of(library)
        with shared_api(library, accounts) as clients:
            assert clients["rita"].get("/v1/documents").status_code == 200
            accounts.end_key("rita")
            assert clients["rita"].get("/v1/documents").status_code == 401
            accounts.remove("edda")
            assert clients["edda"].get("/v1/documents").status_code == 401
