"""Where libraries are made in these tests: in a folder, and on a server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.index.storage import postgres_server
from tests.index.storage.postgres_server import Given, Server

BACKENDS = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgres", id="postgres", marks=pytest.mark.adapters),
]


@pytest.fixture(scope="session")
def server() -> Iterator[Given | Server]:
    """A real server, the same for every test that does it no harm."""
    if reason := postgres_server.missing():
        pytest.skip(f"PostgreSQL: {reason}")
    with postgres_server.anyones() as server:
        yield server


@pytest.fixture(scope="session")
def own_server() -> Iterator[Server]:
    """A real server that tests stop, kill and fill; each leaves it running."""
    if reason := postgres_server.missing(own=True):
        pytest.skip(f"PostgreSQL: {reason}")
    with postgres_server.running(can_fill=shutil.which("cc") is not None) as server:
        yield server


@pytest.fixture(autouse=True)
def _own_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a library on a server keeps on this machine is not kept in anybody's home."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture(params=BACKENDS)
def new_place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Where another new library may be, on either backend."""
    if request.param == "postgres":
        return request.getfixturevalue("server").address  # type: ignore[no-any-return]
    numbers = iter(range(100))
    return lambda: str(tmp_path / f"library-{next(numbers)}")


@pytest.fixture
def place(new_place: Callable[[], str]) -> str:
    """Where a new library may be, on either backend."""
    return new_place()
