"""Which files a request may name: what was uploaded by whoever asks. No other is opened."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from gradio.exceptions import InvalidPathError
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from index import Library
from tests.programs.page_program import Server
from tests.support.page_fakes import ScriptedAssistant, document_ids, make_library
from tests.support.programs import LOCAL
from ui.page import app as page_app
from ui.page.jobs import JobRunner
from ui.page.middleware.file_data import FileDataGate, files_in, is_upload, whole_characters

SECRET = "The secret is kept."
PASSWORD = "sesame"


def named(path: object) -> dict[str, Any]:
    """A file as the page's script names it."""
    return {"path": path, "orig_name": "a.txt", "meta": {"_type": "gradio.FileData"}}


def adding(config: Mapping[str, Any]) -> int:
    """The number of the function that adds uploaded files."""
    (upload,) = (c["id"] for c in config["components"] if c["props"].get("elem_id") == "upload")
    wired = ((d["id"], target) for d in config["dependencies"] for target in d["targets"])
    number: int = next(fn for fn, target in wired if tuple(target) == (upload, "upload"))
    return number


def shown(page: str) -> Any:
    """What the page is told about itself."""
    found = re.search(r"<script>window\.gradio_config = (.*?);</script>", page)
    assert found
    return json.loads(found.group(1))


def joining(fn: int, *paths: object) -> dict[str, Any]:
    """A request to add files."""
    return {
        "fn_index": fn, "session_hash": "s", "event_data": None, "trigger_id": None,
        "data": [[named(path) for path in paths], "[]"],
    }  # fmt: skip


# --- from outside, as an attacker does --------------------------------------------------------


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A page in a process of its own, which may hang; beside it what it must not touch."""
    folder = tmp_path_factory.mktemp("attacked")
    server = Server(folder)
    (folder / ".hidden").mkdir()
    for file in (folder / "b.md", folder / ".b.md", folder / ".hidden" / "b.md"):
        file.write_text(SECRET)
    os.mkfifo(folder / "fifo.txt")
    os.link(folder / "b.md", folder / "hard.md")
    inside = folder / "library" / "incoming"
    inside.mkdir(parents=True)
    (inside / "0a").mkdir()
    (inside / "0a" / "theirs.txt").write_text(SECRET)
    (inside / "half.txt").write_text(SECRET)
    (inside / "0a" / "link.txt").symlink_to(folder / "b.md")
    os.mkfifo(inside / "0a" / "fifo.txt")
    server.start()
    yield server
    server.kill()


HERE = "{}/library/incoming"
PATHS = (
    "/dev/zero", "/dev/random", "/dev/stdin", "/dev/fd/0", "/proc/self/environ", "/proc/self/mem",
    "/proc/self/root{}/b.md", "/etc/passwd", "{}/b.md", "{}/.b.md", "{}/.hidden/b.md",
    "{}/hard.md", "{}/fifo.txt", f"{HERE}/../../b.md", f"{HERE}/0a/link.txt",
    f"{HERE}/0a/fifo.txt", f"{HERE}/0a/theirs.txt", f"{HERE}/0a", f"{HERE}/half.txt",
    f"{HERE}/0a/no.txt", "{}/library/conversations.sqlite", "http://127.0.0.1:9/a.txt",
    "file:///etc/passwd", "", "README.md", "~/b.md", "a\0b.txt", "\ud800.txt", "a" * 5000,
)  # fmt: skip
"""Much for a request that is refused; a server that hangs is waited for no longer."""


@pytest.mark.fault("G13")
@pytest.mark.parametrize("path", PATHS)
def test_no_other_file_of_the_computer_can_be_named(attacked: Server, path: str) -> None:
    folder = attacked.folder
    before = sorted(folder.rglob("*"))
    with httpx.Client(base_url=attacked.address, **LOCAL) as http:
        body = joining(adding(shown(http.get("").text)), path.format(folder))
        assert http.post("gradio_api/queue/join", content=json.dumps(body)).status_code == 403
        assert http.get("").status_code == 200
    assert sorted(folder.rglob("*")) == before


# --- every door -------------------------------------------------------------------------------


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    with make_library(tmp_path, {"a.txt": "An article.\n"}) as made:
        yield made


@pytest.fixture
def visit(library: Library) -> Iterator[Callable[[], TestClient]]:
    """Somebody at a page with a password, logged in."""
    app = page_app.build_app(ScriptedAssistant(library), library, password=PASSWORD)
    with TestClient(app, base_url="http://localhost") as first:

        def come() -> TestClient:
            visitor = TestClient(app, base_url="http://localhost")
            visitor.portal = first.portal  # one event loop for all, as in a server
            given = {"username": "pilcrow", "password": PASSWORD}
            assert visitor.post("/login", data=given).status_code == 200
            return visitor

        yield come


def upload(visitor: TestClient, text: str = "The moon is far.", name: str = "moon.txt") -> str:
    """Uploads a file; where it lies now."""
    sent = visitor.post("/gradio_api/upload", files=[("files", (name, text.encode()))])
    (path,) = sent.json()
    return str(path)


def add(visitor: TestClient, *paths: str) -> int:
    """Asks for uploads to be added, and waits for the end; the status of the request."""
    fn = adding(shown(visitor.get("/").text))
    status = visitor.post("/gradio_api/queue/join", json=joining(fn, *paths)).status_code
    if status == 200:
        with visitor.stream("GET", "/gradio_api/queue/data?session_hash=s") as told:
            assert any("process_completed" in line for line in told.iter_lines())
    return status


DOORS = (
    "/gradio_api/queue/join", "/gradio_api/queue/join/", "/gradio_api/run/predict",
    "/gradio_api/run/upload", "/gradio_api/api/x", "/gradio_api/call/x", "/gradio_api/call/v2/x",
    "/gradio_api/component_server", "/gradio_api/stream/x", "/gradio_api/login", "/nowhere",
)  # fmt: skip


@pytest.mark.fault("G13")
def test_no_door_takes_a_strangers_file(tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text(SECRET)
    reached = []

    async def within(scope: Scope, receive: Receive, send: Send) -> None:
        reached.append((scope["path"], await receive()))
        await PlainTextResponse("reached")(scope, receive, send)

    visitor = TestClient(FileDataGate(within, folder=tmp_path / "incoming"))
    path, meta = str(tmp_path / "b.md"), {"_type": "gradio.FileData"}
    bodies = (
        joining(3, path),
        {"data": {"name": "library", "more": [[{"x": {"path": path, "meta": meta}}]]}},
        {"path": path},
        [{"path": path, "meta": meta, "is_stream": True}],
        {"data": [{"path": [path], "meta": meta}]},
    )
    kinds = ("application/json", "text/plain", "multipart/form-data; boundary=b", "")
    for door, body, kind in product(DOORS, bodies, kinds):
        sent = visitor.post(door, content=json.dumps(body), headers={"Content-Type": kind})
        assert sent.status_code == 403, door
    for door in DOORS:
        form = visitor.post(door, files=[("file", ("a.txt", b"text"))], data={"data": "x"})
        assert form.status_code == 400, door
    assert reached == []
    for sent_on in (b"", b"{}", b'{"data": {"name": "library"}}', "[]".encode("utf-16")):
        assert visitor.post("/gradio_api/component_server", content=sent_on).text == "reached"
        assert reached[-1][1]["body"] == sent_on


@pytest.mark.fault("G13")
def test_what_was_uploaded_is_added(visit: Callable[[], TestClient], library: Library) -> None:
    visitor = visit()
    one, other = upload(visitor), upload(visitor, "The sun is hot.", "sun.txt")
    assert add(visitor, one, other) == 200
    assert library.document("moon.txt").text == "The moon is far."
    assert library.document("sun.txt").text == "The sun is hot."
    assert add(visitor, one) == 403  # it went into the library


@pytest.mark.fault("G14")
def test_nobody_adds_what_somebody_else_uploaded(
    visit: Callable[[], TestClient], library: Library
) -> None:
    hers, his = visit(), visit()
    path = upload(hers)
    assert add(his, path) == 403
    assert document_ids(library) == ["a.txt"]
    assert upload(his) == path  # the same text under the same name is in the same place
    assert add(hers, path) == 200
    assert "moon.txt" in document_ids(library)


@pytest.mark.fault("G14")
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "nothing"])
def test_an_upload_that_became_something_else_is_refused(
    visit: Callable[[], TestClient], tmp_path: Path, kind: str
) -> None:
    visitor = visit()
    path = Path(upload(visitor))
    path.unlink()
    (tmp_path / "b.txt").write_text(SECRET)
    become: dict[str, Callable[[], object]] = {
        "link": partial(path.symlink_to, tmp_path / "b.txt"),
        "pipe": partial(os.mkfifo, path),
        "folder": path.mkdir,
        "nothing": lambda: None,
    }
    become[kind]()
    assert add(visitor, str(path)) == 403


# --- behind the door --------------------------------------------------------------------------


@pytest.mark.fault("G15")
def test_the_pages_own_file_checks_are_on(library: Library, tmp_path: Path) -> None:
    (tmp_path / "b.md").write_text(SECRET)
    app = page_app.build_app(ScriptedAssistant(library), library)
    page = app.routes[-1].app.get_blocks()  # type: ignore[attr-defined]
    add = page.fns[adding(page.config)]
    with pytest.raises(InvalidPathError, match="not uploaded"):
        anyio.run(page.process_api, add, [[named(str(tmp_path / "b.md"))], "[]"])
    assert not list(tmp_path.rglob("incoming/*"))


@pytest.mark.fault("G15")
def test_files_that_are_no_uploads_are_neither_moved_nor_read(
    library: Library, tmp_path: Path
) -> None:
    upload = library.path / "incoming" / "0a" / "moon.txt"
    upload.parent.mkdir(parents=True)
    upload.write_text("The moon is far.")
    (tmp_path / "b.md").write_text(SECRET)
    (upload.parent / "link.txt").symlink_to(tmp_path / "b.md")
    os.mkfifo(upload.parent / "pipe.txt")
    others = [tmp_path / "b.md", upload.parent / "link.txt", upload.parent / "pipe.txt"]
    *_, last = JobRunner(library).add([str(path) for path in (upload, *others)])
    assert {row.document_id: (row.state, row.detail) for row in last.rows} == {
        "moon.txt": ("done", ""),
        **{path.name: ("failed", "was not uploaded here") for path in others},
    }
    assert document_ids(library) == ["a.txt", "moon.txt"]
    assert all(path.is_symlink() or path.exists() for path in others)


# --- properties -------------------------------------------------------------------------------

LEAVES = st.none() | st.booleans() | st.integers() | st.text()
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)
STEPS = st.lists(st.integers(0, 3) | st.text(max_size=3), max_size=25)


@given(JSON, STEPS)
def test_a_file_is_found_wherever_it_is_named(beside: object, steps: list[int | str]) -> None:
    body: Any = named("/etc/passwd")
    for step in steps:
        body = [beside] * step + [body] if isinstance(step, int) else {"z": beside, step: body}
    assert named("/etc/passwd") in list(files_in(json.loads(json.dumps(body))))


@given(st.integers(33, 5_000))
def test_what_is_nested_without_end_is_not_looked_through(depth: int) -> None:
    body: Any = []
    for _ in range(depth):
        body = [body]
    with pytest.raises(ValueError, match="too deeply"):
        list(files_in(body))


@given(st.text() | st.sampled_from([*PATHS, "/", ".", "..", "//", "/dev", "/proc"]))
def test_no_path_but_an_uploads_is_one(path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert not is_upload(path, Path(folder))
        assert not is_upload(f"{folder}/{path}", Path(folder))


@given(st.text(st.characters()), JSON)  # lone surrogates too: browsers send what they have
def test_json_comes_without_halves_of_characters(text: str, beside: object) -> None:
    body = json.dumps([text, beside]).encode()
    said, same = json.loads(whole_characters(body).decode("utf-8"))
    assert said == text.encode("utf-8", "replace").decode()
    assert same == beside
    assert whole_characters(body + b"]") == body + b"]"  # what is no JSON stays
