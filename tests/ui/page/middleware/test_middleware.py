"""What stands before the page: wrong passwords in a row, uploads too large or too many."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from pathlib import Path

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message

from tests.support.page_fakes import ScriptedAssistant, make_library
from ui.http import attempts
from ui.http.attempts import ATTEMPTS, PAUSE
from ui.page import app as page_app
from ui.page import upload_copies
from ui.page.middleware import uploads
from ui.page.middleware.login_throttle import LoginThrottle
from ui.page.middleware.uploads import MOST_FILES, UploadLimit

OTHER = "198.51.100.7"
ENTRY = "/gradio_api/upload_progress?upload_id=x"
"""Something that only those see who are in."""


class Clock:
    """Time that passes when it is told to."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def come(tmp_path: Path, clock: Clock) -> Callable[[str], TestClient]:
    """Somebody at the page with a password, from an address."""
    library = make_library(tmp_path, {})
    app = page_app.build_app(ScriptedAssistant(library), library, password="sesame", clock=clock)
    return lambda host: TestClient(app, base_url="http://pilcrow.lan", client=(host, 50_000))


def attempt(client: TestClient, password: str) -> int:
    form = {"username": "pilcrow", "password": password}
    return client.post("/login", data=form).status_code


@pytest.mark.fault("E12")
def test_guessing_the_password_is_slowed_down(
    come: Callable[[str], TestClient], clock: Clock
) -> None:
    guesser, other = come("203.0.113.5"), come(OTHER)
    assert [attempt(guesser, f"guess {n}") for n in range(ATTEMPTS)] == [400] * ATTEMPTS
    refused = guesser.post("/login", data={"username": "pilcrow", "password": "sesame"})
    assert refused.status_code == 429
    assert "Too many wrong passwords" in refused.text
    assert int(refused.headers["retry-after"]) == PAUSE
    assert guesser.get(ENTRY).status_code == 401
    # somebody else is not kept out
    assert attempt(other, "sesame") == 200
    assert other.get(ENTRY).status_code != 401
    clock.now += PAUSE - 1
    assert attempt(guesser, "sesame") == 429
    clock.now += 1
    assert attempt(guesser, "sesame") == 200


@pytest.mark.fault("E12")
def test_the_right_password_forgets_the_wrong_ones(come: Callable[[str], TestClient]) -> None:
    client = come("203.0.113.5")
    for _ in range(3):
        assert [attempt(client, "wrong") for _ in range(ATTEMPTS - 1)] == [400] * (ATTEMPTS - 1)
        assert attempt(client, "sesame") == 200


@pytest.mark.fault("E12")
def test_many_addresses_take_no_more_memory_than_some(clock: Clock) -> None:
    def wrong(request: Request) -> PlainTextResponse:
        return PlainTextResponse("no", 400)

    gate = LoginThrottle(Starlette(routes=[Route("/login", wrong, methods=["POST"])]), clock=clock)
    gate._attempts._made.update({f"{n}": (1, clock.now) for n in range(attempts._REMEMBERED)})
    for host in (OTHER, "2001:db8:1:2::1", "2001:db8:1:2:3::1", "2001:db8:1:2:3::2"):
        assert TestClient(gate, client=(host, 1)).post("/login").status_code == 400
    assert len(gate._attempts) == attempts._REMEMBERED
    assert [*gate._attempts._made][-2:] == [OTHER, "2001:db8:1:2::/64"]
    assert gate._attempts._made["2001:db8:1:2::/64"][0] == 3, "one house, one count"


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    return tmp_path / "library" / "incoming"


@pytest.fixture
def page(tmp_path: Path, incoming: Path) -> Iterator[TestClient]:
    """A page whose folder for uploads holds 100 kB."""
    library = make_library(tmp_path, {})
    app = page_app.build_app(ScriptedAssistant(library), library)
    yield TestClient(UploadLimit(app, folder=incoming, most=100_000), base_url="http://localhost")


UPLOAD = {
    "type": "http", "method": "POST", "path": "/gradio_api/upload", "raw_path": b"",
    "root_path": "", "scheme": "http", "query_string": b"", "client": ("127.0.0.1", 1),
    "headers": [(b"host", b"localhost"), (b"content-type", b"multipart/form-data; boundary=b")],
}  # fmt: skip
HEAD = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\n'


def send(page: TestClient, size: int, files: int = 1) -> int:
    body = [("files", (f"{n}.txt", os.urandom(size // files))) for n in range(files)]
    return page.post("/gradio_api/upload", files=body).status_code


@pytest.mark.fault("E11")
def test_many_uploads_are_bounded_in_size(page: TestClient, incoming: Path) -> None:
    sent = [send(page, 20_000) for _ in range(8)]
    assert sent == [200] * 4 + [413] * 4
    assert sum(p.stat().st_size for p in incoming.rglob("*") if p.is_file()) == 80_000


@pytest.mark.fault("E11")
def test_an_upload_of_unknown_length_is_cut_off(page: TestClient, incoming: Path) -> None:
    pieces, told = chain([HEAD], repeat(b"x" * 10_000)), []

    async def receive() -> Message:
        return {"type": "http.request", "body": next(pieces), "more_body": True}

    async def send_on(message: Message) -> None:
        told.append(message)

    anyio.run(page.app, dict(UPLOAD), receive, send_on)
    assert told[0]["status"] == 413
    assert b"Too much is being uploaded" in told[1]["body"]
    left = [p for p in incoming.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in left) <= 100_000
    for path in left:  # what was cut off takes its room for a minute only
        os.utime(path, (path.stat().st_mtime - 61,) * 2)
    assert send(page, 20_000) == 200
    assert not any(path.exists() for path in left)


@pytest.mark.fault("E11")
def test_a_tab_closed_in_the_middle_of_an_upload_is_no_error(page: TestClient) -> None:
    messages: Iterator[Message] = iter([
        {"type": "http.request", "body": HEAD + b"Some", "more_body": True},
        {"type": "http.disconnect"},
    ])  # fmt: skip

    async def receive() -> Message:
        return next(messages)

    async def send_on(_: Message) -> None:
        pass

    anyio.run(page.app, dict(UPLOAD), receive, send_on)
    assert next(messages, None) is None
    assert send(page, 20_000) == 200


@pytest.mark.fault("E11")
def test_many_uploads_are_bounded_in_number(page: TestClient, incoming: Path) -> None:
    incoming.mkdir(exist_ok=True)
    for number in range(MOST_FILES - 1):
        (incoming / f"{number}.txt").touch()
    assert [send(page, 10), send(page, 10)] == [200, 413]


@pytest.mark.fault("E11")
def test_what_nobody_fetched_is_cleared_away(page: TestClient, incoming: Path) -> None:
    assert send(page, 90_000) == 200
    assert send(page, 20_000) == 413
    (old,) = (p for p in incoming.rglob("*") if p.is_file())
    hour_ago = old.stat().st_mtime - 3_700
    os.utime(old, (hour_ago, hour_ago))
    assert send(page, 20_000) == 200
    assert not old.exists()
    assert not old.parent.exists()


@pytest.mark.fault("E11")
def test_what_was_added_does_not_stay_in_the_folder_for_uploads(tmp_path: Path) -> None:
    coming = tmp_path / "incoming" / "0a1b"
    coming.mkdir(parents=True)
    (coming / "moon.txt").write_text("The moon is far.")
    kept = upload_copies.take_in([str(coming / "moon.txt")], tmp_path / "uploads", {}).names
    assert kept == ("moon.txt",)
    assert [p.name for p in (tmp_path / "uploads").iterdir()] == ["moon.txt"]
    uploads.clear(tmp_path / "incoming")
    assert [*(tmp_path / "incoming").iterdir()] == []
