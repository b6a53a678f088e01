"""Our own form over HTTP: answers, events, documents, and everything that hostile programs send."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from rag import Assistant
from rag.types import VERSION
from tests.support.page_fakes import ARTICLES, make_library
from ui.api.app import ApiOptions, build_api
from ui.http.body_limit import MOST_BYTES

QUESTION = "How many participants registered for the forum held in Kyoto?"
HOME = "http://127.0.0.1:7861"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """A program on this computer; the library is real and answers with quotes."""
    with make_library(tmp_path) as library:
        app = build_api(Assistant(library, None, reader="none"), library, ApiOptions())
        with TestClient(app, base_url=HOME, raise_server_exceptions=False) as made:
            yield made


def events(reply: Any) -> list[tuple[str, Any]]:
    pairs = []
    for block in reply.text.strip().split("\n\n"):
        *_, name, data = block.split("\n")  # before them its number
        pairs.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return pairs


def problem(reply: Any) -> str:
    """The sentence of an error; there is one shape of them."""
    assert set(reply.json()) == {"error"}
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    message: str = error["message"]
    assert message and "\n" not in message and "Traceback" not in message
    return message


def test_an_answer_is_complete_and_exact(client: TestClient) -> None:
    answer = client.post("/v1/answers", json={"question": QUESTION}).raise_for_status().json()
    assert answer["version"] == VERSION
    assert answer["state"] != "not_found"
    assert answer["citations"]
    for citation in answer["citations"]:
        text = client.get(f"/v1/documents/{citation['document_id']}").json()["text"]
        assert text[citation["start"] : citation["end"]] == citation["quote"]
        assert citation["url"].startswith(f"{HOME}/read/kyoto.txt?start=")


def test_events_come_in_order_and_the_last_is_the_answer(client: TestClient) -> None:
    reply = client.post("/v1/answers", json={"question": QUESTION, "stream": True})
    assert reply.headers["content-type"].startswith("text/event-stream")
    seen = events(reply)
    names = [name for name, _ in seen]
    assert names[:2] == ["searching", "evidence"] and names[-1] == "done"
    assert "statement" in names
    whole = client.post("/v1/answers", json={"question": QUESTION}).json()
    last = seen[-1][1]["answer"]
    assert last | {"timings": 0} == whole | {"timings": 0}


def test_a_follow_up_knows_what_was_said(client: TestClient) -> None:
    first = client.post("/v1/answers", json={"question": QUESTION}).json()
    history = [{"question": QUESTION, "answer": first["text"]}]
    body = {"question": "And from how many countries?", "history": history}
    assert "178 countries" in client.post("/v1/answers", json=body).json()["text"]


def test_passages_are_found_in_what_is_chosen(client: TestClient) -> None:
    body = {"query": "cables between continents", "k": 2}
    (first, *_) = client.post("/v1/search", json=body).json()["data"]
    text = client.get(f"/v1/documents/{first['document_id']}").json()["text"]
    assert first["document_id"] == "cables.md"
    assert text[first["start"] : first["end"]] == first["text"]
    elsewhere = client.post("/v1/search", json=body | {"documents": ["kyoto.txt"]}).json()["data"]
    assert {hit["document_id"] for hit in elsewhere} == {"kyoto.txt"}


def test_documents_come_and_go(client: TestClient) -> None:
    before = client.get("/v1/documents").json()
    assert before["total"] == len(ARTICLES)
    files = [
        ("file", ("../../wind.txt", b"Wind turbines\n\nA turbine on the Velmora hill turns.\n")),
        ("file", ("wind.txt", b"Wind again\n\nAnother text about turbines on a hill.\n")),
        ("file", ("picture.png", b"\x89PNG")),
        ("file", ("large.txt", b"x" * 20_000_001)),
    ]
    reply = client.post("/v1/documents", files=files)
    assert reply.status_code == 201
    report = reply.json()
    assert sorted(report["added"]) == ["wind (2).txt", "wind.txt"]
    assert report["renamed"] == {"wind (2).txt": "wind.txt"}
    assert {one["name"] for one in report["failed"]} == {"picture.png", "large.txt"}
    answer = client.post("/v1/answers", json={"question": "What turns on the Velmora hill?"}).json()
    assert answer["citations"][0]["document_id"] == "wind.txt"

    receipt = client.delete("/v1/documents/wind.txt").raise_for_status().json()
    assert (receipt["documents"], receipt["left"]) == (["wind.txt"], 0)
    gone = client.get("/v1/documents/wind.txt")
    assert gone.status_code == 404 and "no document 'wind.txt'" in problem(gone)
    assert client.delete("/v1/documents/wind.txt").status_code == 404


def test_what_was_sent_does_not_stay_behind(client: TestClient, tmp_path: Path) -> None:
    reply = client.post("/v1/documents", files=[("file", ("a.png", b"no"))])
    assert reply.status_code == 422
    assert not [path for path in (tmp_path / "library" / "received").rglob("*")]
    assert not list((tmp_path / "library" / "uploads").glob("*.png"))


@pytest.mark.fault("G41")
def test_what_the_disk_does_not_take_is_one_line_and_leaves_nothing(
    client: TestClient, tmp_path: Path
) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    try:
        reply = client.post("/v1/documents", files=[("file", ("a.txt", b"word " * 150_000))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert reply.status_code == 507
    assert "Make room, then send it again" in problem(reply)
    assert not [*(tmp_path / "library" / "received").rglob("*")]


def test_a_rebuild_says_how_far_it_is(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "articles" / "new.txt").write_text("New\n\nThe newest article of all.\n")
    seen = events(client.post("/v1/rebuild", json={"stream": True}))
    assert {name for name, _ in seen[:-1]} == {"progress"}
    assert seen[-1][1]["report"]["added"] == ["new.txt"]
    assert "added" in client.post("/v1/rebuild").raise_for_status().json()


def test_one_change_at_a_time(client: TestClient, tmp_path: Path) -> None:
    with make_library(tmp_path, {}) as other, other._store.changing():
        for reply in (
            client.post("/v1/rebuild", json={"stream": True}),
            client.delete("/v1/documents/kyoto.txt"),
        ):
            assert reply.status_code == 409 and "retry-after" in reply.headers
            assert "is changing this library" in problem(reply)
    assert client.delete("/v1/documents/kyoto.txt").status_code == 200


def test_it_says_how_it_is(client: TestClient) -> None:
    state = client.post("/v1/answers", json={"question": QUESTION}).json()["state"]
    assert client.get("/health").json() == {"status": "ok"}
    told = client.get("/metrics").text
    assert f'pilcrow_questions_total{{interface="native",state="{state}"}} 1.0' in told
    assert f"pilcrow_documents {len(ARTICLES)}.0" in told
    assert 'pilcrow_stage_seconds_count{stage="evidence"} 1.0' in told
    assert "Kyoto" not in told


def test_the_schema_is_published(client: TestClient) -> None:
    schema = client.get("/openapi.json").json()
    assert schema["info"]["title"] == "Pilcrow"
    assert {"/v1/chat/completions", "/v1/answers", "/v1/documents/{id}"} <= set(schema["paths"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "no JSON"),
        (b"[" * 100_000, ""),
        (b'{"question":' + b'{"a":' * 50_000, ""),
        (b"\xff\xfe", ""),
        (b"[]", ""),
        (b"{}", "question"),
        (b'{"question": 5}', "question"),
        (b'{"question": ""}', "is empty"),
        (b'{"question": "\\ud800"}', "is empty"),
        (json.dumps({"question": "x" * 2001}).encode(), "2,001 characters"),
        (b'{"question": "Who?", "history": [["a"]]}', "history"),
        (b'{"question": "Who?", "since": "soon"}', "'soon' is no date"),
        (b'{"question": "Who?", "until": "2024-02-31"}', "'2024-02-31' is no date"),
        (b'{"question": "Who?", "tags": ["x"]}', "none has any"),
        (b'{"question": "Who?", "documents": ["../../etc/passwd"]}', "no such document"),
        (b'{"question": "Who?", "documents": ["kyoto"]}', "'kyoto.txt'"),
        (b'{"question": "Who?", "stream": "yes"}', "stream"),
    ],
)
def test_what_is_wrong_is_a_4xx_in_one_sentence(
    client: TestClient, body: bytes, words: str
) -> None:
    reply = client.post("/v1/answers", content=body, headers={"content-type": "application/json"})
    assert 400 <= reply.status_code < 500, reply.text
    assert words in problem(reply)


def test_a_large_body_is_not_read(client: TestClient) -> None:
    for path in ("/v1/answers", "/v1/chat/completions", "/v1/search", "/v1/rebuild"):
        for content in (
            b'{"question": "' + b"x" * 10_000_000,
            (b"x" * 100_000 for _ in range(100)),
        ):
            reply = client.post(path, content=content)  # its length told, and not told
            assert reply.status_code == 413
            assert f"{MOST_BYTES:,} bytes" in problem(reply)


@pytest.mark.parametrize("id_", ["../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "a\x00b", "%ff"])
@pytest.mark.parametrize("where", ["/v1/documents/", "/read/"])
def test_an_id_is_no_path(client: TestClient, where: str, id_: str) -> None:
    reply = client.get(f"{where}{id_.replace(chr(0), '%00')}")
    assert reply.status_code == 404
    assert "root:" not in problem(reply)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "a b"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/health", "/metrics", "/openapi.json", "/nope"])
def test_other_sites_are_not_answered(
    client: TestClient, headers: dict[str, str], path: str
) -> None:
    reply = client.get(path, headers=headers)
    assert reply.status_code in (400, 403)
    assert problem(reply)
    assert "access-control-allow-origin" not in reply.headers
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_strangers_are_not_told_where_a_library_lies_that_cannot_be_read(tmp_path: Path) -> None:
    with make_library(tmp_path) as library:
        assistant = Assistant(library, None, reader="none")
        apps = [build_api(assistant, library, ApiOptions(key=key)) for key in ("sesame", None)]
        with (
            TestClient(apps[0], base_url="http://pilcrow.lan") as stranger,
            TestClient(apps[1], base_url="http://localhost") as here,
        ):
            assert stranger.get("/ready").json() == {"status": "ready"}
            assert here.get("/ready").json() == {"status": "ready", "change": library.change}
            for file in library.path.glob("library.sqlite*"):
                file.write_bytes(b"x" * 10_000)
            away = stranger.get("/ready")
            assert away.status_code == 503 and "cannot be read" in problem(away)
            assert str(tmp_path) not in away.text
            assert str(tmp_path) in problem(here.get("/ready"))


def test_with_a_key_nothing_is_told_without_it(tmp_path: Path) -> None:
    with make_library(tmp_path) as library:
        assistant = Assistant(library, None, reader="none")
        app = build_api(assistant, library, ApiOptions(key="sesame"))
        with TestClient(app, base_url="http://pilcrow.lan") as client:
            for path in ("/v1/models", "/v1/documents", "/metrics", "/openapi.json", "/nope"):
                reply = client.get(path)
                assert reply.status_code == 401, path
                assert "PILCROW_API_KEY" in problem(reply)
            assert client.get("/health").status_code == 200
            known = {"Authorization": "Bearer sesame"}
            assert client.get("/v1/models", headers=known).status_code == 200
            for _ in range(5):
                wrong = client.get("/v1/models", headers={"Authorization": "Bearer guess"})
                assert wrong.status_code == 401
            tired = client.get("/v1/models", headers=known)
            assert tired.status_code == 429 and "try again in 60 seconds" in problem(tired)
