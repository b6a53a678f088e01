"""Model servers that stream, stall, babble, break off, refuse or are not there."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from index.errors import InputError, ModelFailed
from index.storage.postgres.address import parse_address
from rag import Assistant
from rag.llm.client import default_choice
from rag.llm.server_model import Patience, ServerChoice, ServerModel
from tests.support.page_fakes import make_library
from tests.support.programs import PATIENCE
from ui.page.views import panes

QUESTION = "How many participants from 178 countries registered?"
TRUE = "More than 9,000 participants registered for the forum."
ASK: Any = [{"role": "user", "content": "[1] A sentence.\n\nQuestion: what?"}]


def event(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


@dataclass
class FakeServer:
    """An OpenAI-compatible server that does what its model's name says."""

    url: str = ""
    owner: str = "somebody"
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    """Set when a client has gone while it was being answered."""

    def pieces(self, body: Any) -> Iterator[bytes]:
        """What is answered; waits where a server stalls."""
        prompt = body["messages"][-1]["content"]
        found = re.findall(r"^\[(\d+)\] .*9,000", prompt, re.MULTILINE)
        pointer = found[0] if found else "1"
        match body["model"]:
            case "good":
                for word in f"[{pointer}] {TRUE}\n".split(" "):
                    yield event(word + " ")
                yield event("", "stop")
                yield b"data: [DONE]\n\n"
            case "thinks":
                yield from map(event, ("<thi", "nk>Let me [1] see", ".</think>\n", f"[1] {TRUE}\n"))
                yield b"data: [DONE]\n\n"
            case "liar":
                yield event(f"[{pointer}] The forum was cancelled after 12 participants died.\n")
                yield b"data: [DONE]\n\n"
            case "garbage":
                yield b"<html>Welcome to my router</html>\n\n"
            case "shapeless":
                yield b'data: {"choices": [7]}\n\n'
            case "deep":
                yield b"data: " + b"[" * 100_000 + b"\n\n"
            case "cut":
                yield event(f"[{pointer}] {TRUE}\n[{pointer}] Half a sen")
            case "endless line":
                while True:
                    yield b"x" * 100_000
            case "endless":
                while True:
                    yield event("words and more words that never end ")
            case "error":
                yield b'data: {"error": {"message": "out of\\u001b[31m memory"}}\n\n'
            case "stalls" | "silent":
                if body["model"] == "stalls":
                    yield event("[1] It be")
                while not self.go_on.wait(0.01):
                    yield b": still here\n\n" if body["model"] == "stalls" else b""


@contextmanager
def serving(server: FakeServer) -> Iterator[FakeServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_GET(self) -> None:
            server.asked.append((self.path, dict(self.headers), None))
            models = {"data": [{"id": "good", "owned_by": server.owner}]}
            self._reply(200, json.dumps(models).encode())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            server.asked.append((self.path, dict(self.headers), body))
            if body["model"].isdigit():
                error = {"error": {"message": "no such\nmodel here"}}
                self.send_response(int(body["model"]))
                if body["model"] == "302":
                    self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()
                self.wfile.write(json.dumps(error).encode())
                return
            self.send_response(200)
            self.end_headers()
            try:
                for piece in server.pieces(body):
                    self.wfile.write(piece)
                    self.wfile.flush()
            except OSError:
                server.left.set()

        def _reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server.url = f"http://127.0.0.1:{listening.server_port}/v1"
    threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.go_on.set()
        listening.shutdown()
        listening.server_close()


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with serving(FakeServer()) as made:
        yield made


Model = Callable[[str], ServerModel]


@pytest.fixture
def model(server: FakeServer) -> Model:
    patience = Patience(connect=5, silent=0.5, whole=20)
    return lambda name: ServerModel(ServerChoice(name, server.url), "sesame", patience)


def written(model: ServerModel, stop: Callable[[], bool] | None = None) -> str:
    pieces = model.stream(ASK, ids=[1], max_tokens=50, stop=stop)
    return "".join(piece for piece in pieces if isinstance(piece, str))


def test_it_writes_what_the_server_streams(server: FakeServer, model: Model) -> None:
    assert written(model("good")).split() == f"[1] {TRUE}".split()
    (path, headers, body) = server.asked[-1]
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == "Bearer sesame"
    assert (body["model"], body["stream"], body["max_tokens"]) == ("good", True, 50)
    assert "grammar" not in body


def test_a_llama_server_gets_the_grammar(model: Model, server: FakeServer) -> None:
    server.owner = "llamacpp"
    written(model("good"))
    assert 'pointer ::= "1"' in server.asked[-1][2]["grammar"]


def test_what_it_says_to_itself_is_left_out(model: Model) -> None:
    assert written(model("thinks")).strip() == f"[1] {TRUE}"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("garbage", "does not speak OpenAI's protocol"),
        ("shapeless", "does not speak OpenAI's protocol"),
        ("deep", "does not speak OpenAI's protocol"),
        ("endless line", "does not speak OpenAI's protocol"),
        ("endless", "does not stop writing"),
        ("cut", "broke off its answer"),
        ("silent", "was silent for 0 seconds"),
        ("error", "says: out of [31m memory"),
        ("404", "answered 404: no such model here"),
        ("401", "wants another key than PILCROW_MODEL_KEY"),
        ("302", "answered 302"),
        ("500", "answered 500"),
    ],
)
def test_what_goes_wrong_is_one_line(model: Model, name: str, words: str) -> None:
    with pytest.raises(ModelFailed) as raised:
        written(model(name))
    told = str(raised.value)
    assert told.startswith("the model server at http://127.0.0.1:") and words in told
    assert "\n" not in told and "\x1b" not in told and "sesame" not in told


def test_a_server_that_is_not_there_is_told(server: FakeServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    gone = ServerModel(ServerChoice("good", f"http://127.0.0.1:{port}/v1"))
    with pytest.raises(ModelFailed, match="does not answer: is it running"):
        written(gone)


def test_stopping_hangs_up(model: Model, server: FakeServer) -> None:
    pieces = model("stalls").stream(ASK, ids=[1], max_tokens=50)
    assert "[1] It be" in "".join(str(next(pieces)) for _ in range(1))
    pieces.close()  # type: ignore[attr-defined]
    assert server.left.wait(PATIENCE)


def test_an_answer_that_is_stopped_frees_the_queue(model: Model, server: FakeServer) -> None:
    stalls = model("stalls")
    stopped = threading.Event()
    pieces = stalls.stream(ASK, ids=[1], max_tokens=50, stop=stopped.is_set)
    assert next(pieces)
    stopped.set()
    assert list(pieces) == []
    assert server.left.wait(PATIENCE)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("good", ""),
        ("liar", ""),
        ("garbage", "does not speak OpenAI's protocol"),
        ("cut", "broke off its answer"),
        ("silent", "was silent"),
        ("503", "answered 503"),
    ],
)
def test_every_answer_has_its_sentences(tmp_path: Path, model: Model, name: str, note: str) -> None:
    with make_library(tmp_path) as library:
        answer = Assistant(library, model(name), reader="none").answer(QUESTION)
        assert answer.complete and answer.state == "answered"
        assert answer.citations and "9,000" in answer.text
        assert "12 participants died" not in answer.text, "no sentence says so"
        for citation in answer.citations:
            text = library.document(citation.document_id).text
            assert text[citation.start : citation.end] == citation.quote
        assert len([line for line in answer.notes if "model server" in line]) == bool(note)
        assert note in " ".join(answer.notes)


def test_only_the_named_address_is_asked(
    model: Model, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(FakeServer()) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        written(model("good"))
        assert server.asked and not proxy.asked


def test_the_key_is_never_told(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PILCROW_MODEL_KEY", "sesame")
    choice = default_choice(f"openai:good@{server.url}", 1)
    made = choice.writer
    assert made is not None and not choice.missing and made.name == "good"
    with caplog.at_level(logging.DEBUG):
        assert isinstance(made, ServerModel)
        written(made)
    assert server.asked[-1][1]["Authorization"] == "Bearer sesame"
    assert "sesame" not in caplog.text + repr(made) + repr(vars(made)["_choice"])


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("openai:", "names no model server"),
        ("openai:m", "openai:MODEL@http://127.0.0.1:11434/v1"),
        ("openai:m@ftp://x/v1", "names no model server"),
        ("openai:m@http:///v1", "names no model server"),
        ("openai:m@http://x/v1?key=1", "names no model server"),
        ("openai:m@http://me:secret@x/v1", "PILCROW_MODEL_KEY"),
    ],
)
def test_what_names_no_server_is_refused(choice: str, words: str) -> None:
    with pytest.raises(InputError) as raised:
        default_choice(choice, 1)
    assert words in str(raised.value) and "secret" not in str(raised.value)


@pytest.mark.parametrize("model_name", ["qwen3:4b", "org/model@rev", "m"])
def test_a_name_may_hold_what_names_hold(model_name: str) -> None:
    choice = ServerChoice.read(f"openai:{model_name}@http://127.0.0.1:11434/v1/")
    assert choice == ServerChoice(model_name, "http://127.0.0.1:11434/v1")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://127.0.0.1:11434/v1", ""),
        ("http://localhost/v1", ""),
        ("http://[::1]:8000/v1", ""),
        ("https://models.example.org/v1", "models.example.org"),
        ("http://192.168.1.7:8000/v1", "192.168.1.7"),
    ],
)
def test_who_reads_along_is_said(tmp_path: Path, url: str, host: str) -> None:
    with make_library(tmp_path) as library:
        model = ServerModel(ServerChoice.read(f"openai:big@{url}"))
        assistant = Assistant(library, model)
        said = assistant.answer("where does my data go?").text
    assert assistant.sends_to == host
    assert ("everything stays on this computer" in said) == (not host)
    assert not host or f"chosen at {host}" in said
    assert (host or "everything stays on this computer") in panes.masthead(assistant.sends_to)


@pytest.mark.parametrize("host", ["", "models.example.org"])
def test_a_library_on_a_server_is_not_said_to_stay_on_this_computer(
    tmp_path: Path, host: str
) -> None:
    place = parse_address("postgresql://anna@db.example.org/archive")
    with make_library(tmp_path) as library:
        library.place = place
        model = ServerModel(ServerChoice.read(f"openai:big@https://{host}/v1")) if host else None
        assistant = Assistant(library, model)
        said = assistant.answer("where does my data go?").text
        drawn = panes.masthead(assistant.sends_to, library.elsewhere)
        welcome = panes.welcome(0, 0, kept_on=library.elsewhere)
    assert "kept with your library, on db.example.org" in said
    for text in (said, drawn, welcome):
        assert "db.example.org" in text
        assert "this computer" not in text
        assert "anna" not in text
    assert (host or "nothing is sent anywhere else") in said
    assert host in drawn


@pytest.mark.parametrize(
    ("address", "elsewhere"),
    [
        ("postgresql://anna:secret@db.example.org:5432/archive", "db.example.org"),
        ("postgresql://[2001:db8::7]:5432/archive", "2001:db8::7"),
        ("postgresql://one:5432,two/archive", "one, two"),
        ("postgresql://localhost,two/archive", "two"),
        ("postgresql:///archive?host=db", "db"),
        ("postgresql:///archive?host=/run/postgresql", ""),
        ("postgresql://%2Frun%2Fpostgresql/archive", ""),
        ("postgresql://anna@LOCALHOST:5433/archive", ""),
        ("postgresql://127.0.0.1/archive", ""),
        ("postgresql://[::1]:5432/archive", ""),
    ],
)
def test_which_computer_a_library_is_kept_on(address: str, elsewhere: str) -> None:
    assert parse_address(address).elsewhere == elsewhere
