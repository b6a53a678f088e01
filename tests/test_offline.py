"""Nothing calls home: what every process of ours asks of the network, told by the kernel."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from index.system.offline import OFFLINE
from tests.programs.offline_program import ANSWER, QUESTION, put_articles
from tests.programs.wiretap import STRACE, calls_out, tapped
from tests.support.made import web_site
from tests.support.made.web_site import article
from tests.support.visitors import Visitor

ROOT = Path(__file__).resolve().parent.parent
# onnxruntime makes its first report nine seconds after it was loaded, on an idle machine.
_IDLE = 15
_SWITCHES = tuple(OFFLINE)

needs_strace = pytest.mark.skipif(STRACE is None, reason="needs strace to see system calls")


@dataclass(frozen=True)
class Home:
    """A person's home folder in which Pilcrow is used for the first time."""

    folder: Path

    def environment(self) -> dict[str, str]:
        """Of a person who has set no switch."""
        kept = {k: v for k, v in os.environ.items() if k not in _SWITCHES and k[:4] != "XDG_"}
        return {**kept, "HOME": str(self.folder)}

    def run(self, *command: str, cut: Sequence[str] = (), site: int = 0) -> str:
        """What a program prints that reaches for nobody but a web site of this machine, by port."""
        log = self.folder / "calls"
        done = subprocess.run(
            [*cut, *tapped([sys.executable, *command], log)],
            cwd=ROOT,
            env={**self.environment(), "PILCROW_OWN_NETWORK": "127.0.0.1" if site else ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        called = calls_out(log, loopback=True)
        assert [call for call in called if not (site and f"htons({site})" in call)] == []
        assert bool(called) is bool(site)
        return done.stdout

    def pilcrow(self, *arguments: str) -> str:
        """What the command prints."""
        return self.run("-m", "ui.cli", "--store", self.library, *arguments)

    @property
    def library(self) -> str:
        return str(self.folder / "library")

    @property
    def reports(self) -> list[Path]:
        """Where onnxruntime keeps what it will report."""
        return list(self.folder.rglob("Microsoft"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    home.pilcrow("add", str(put_articles(home.folder / "articles")))
    return home


def network_cut() -> list[str]:
    """The command that starts a program without a network; empty where the system has none."""
    cut = ["unshare", "--map-root-user", "--net"]
    try:
        allowed = subprocess.run([*cut, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return []
    return cut if allowed else []


@needs_strace
@pytest.mark.parametrize(
    ("deed", "seen"),
    [
        ("s = socket.socket(type=socket.SOCK_DGRAM); s.connect(('192.0.2.1', 9))", "192.0.2.1"),
        ("s = socket.socket(socket.AF_INET6, 2); s.connect_ex(('2001:db8::1', 9))", "2001:db8::1"),
        ("s = socket.socket(type=socket.SOCK_DGRAM); s.sendto(b'x', ('127.0.0.53', 53))", "(53)"),
        ("s = socket.socket(); s.connect_ex(('127.0.0.1', 9))", ""),
        ("os.fork() or socket.socket(type=2).connect(('192.0.2.1', 9)); os.wait()", "192.0.2.1"),
    ],
)
def test_the_tap_hears_whoever_calls_out(tmp_path: Path, deed: str, seen: str) -> None:
    """None of these sends anything: they name an address, or ask this machine."""
    program = f"import os, socket\ntry:\n    {deed}\nexcept OSError:\n    pass"
    subprocess.run(tapped([sys.executable, "-c", program], tmp_path / "log"), check=True)
    assert len(calls_out(tmp_path / "log", loopback=True)) == 1
    out = calls_out(tmp_path / "log")
    assert [one for one in out if seen in one] == out
    assert bool(out) is bool(seen)


@needs_strace
@pytest.mark.model
@pytest.mark.fault("G20")
@pytest.mark.usefixtures("chat")
def test_adding_and_asking_reach_for_nobody(home: Home) -> None:
    """The encoder is exported on the way, and read by onnxruntime in the next process."""
    told = json.loads(home.pilcrow("ask", "--model", "bundled", "--json", QUESTION))
    assert told["state"] == "answered" and ANSWER in told["text"]
    assert told["model"].startswith("SmolLM2")
    assert told["notes"] == []
    assert home.reports == []


@needs_strace
@pytest.mark.model
@pytest.mark.fault("E10", "G20")
def test_a_program_works_with_the_network_cut_and_reaches_for_nobody(home: Home) -> None:
    folder = home.folder / "program"
    folder.mkdir()
    told = json.loads(
        home.run("-m", "tests.programs.offline_program", str(folder), cut=network_cut())
    )
    assert told["state"] == "answered" and ANSWER in told["text"]
    assert told["model"].startswith("SmolLM2")
    assert told["notes"] == []
    assert told["page"] == 200
    assert told["stubs"] == [], "importing the page's framework describes it for editors"
    assert told["environment"].pop("HF_HUB_DISABLE_TELEMETRY") in ("1", "True")  # gradio's own
    assert told["environment"].items() <= OFFLINE.items()
    assert home.reports == []


@needs_strace
@pytest.mark.model
@pytest.mark.fault("G20")
def test_a_page_that_is_typed_is_asked_for_and_nothing_that_it_names(home: Home) -> None:
    """By `add` and by `rebuild`; who asks about it afterwards reaches for nobody again."""
    store = str(home.folder / "pages of the web")
    with web_site.site() as site:
        named = '<img src="https://192.0.2.7/x.png"><script src="http://192.0.2.8/x.js"></script>'
        page = article("New hours", f"The ferry sails at nine.{named}", head=named)
        typed = ["-m", "ui.cli", "--store", store]
        home.run(*typed, "add", site.put("/ferry", page), site=site.port)
        home.run(*typed, "rebuild", site=site.port)
        assert site.asked == [("/ferry", 200), ("/ferry", 304)]
        told = home.run(*typed, "ask", "--no-model", "When does the ferry sail?")
    assert "nine" in told


@dataclass(frozen=True)
class Chat:
    """A chat that runs, and a tab of it."""

    process: subprocess.Popen[str]
    visitor: Visitor
    log: Path
    """Where its calls are written down."""
    begun: float

    def idle(self) -> None:
        """Waits until nobody has done anything with it for long enough."""
        # That nothing happens can only be waited for.
        with pytest.raises(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, self.begun + _IDLE - time.monotonic()))


@pytest.fixture(scope="module")
def chat(home: Home) -> Iterator[Chat]:
    """A chat that idles while others of this module work on the same library."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = home.folder / "calls of the chat"
    command = ["-m", "ui.cli", "--store", home.library, "chat", "--port", str(port)]
    command += ["--get", "auto"]  # as `make chat` has it: nobody sits at a terminal here
    process = subprocess.Popen(
        tapped([sys.executable, *command], log),
        cwd=ROOT,
        env=home.environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stderr is not None
        said = [process.stderr.readline()]
        while (line := said[-1]) and "Pilcrow is at" not in line:
            said.append(process.stderr.readline())
        found = re.search(r"http://\S+", said[-1])
        assert found, said
        with closing(Visitor(found[0])) as visitor:
            yield Chat(process, visitor, log, time.monotonic())
        os.killpg(process.pid, signal.SIGINT)


@needs_strace
@pytest.mark.model
@pytest.mark.fault("G20")
def test_a_chat_reaches_for_nobody_idle_or_busy(home: Home, chat: Chat) -> None:
    chat.idle()
    assert calls_out(chat.log) == []
    assert "nine hours" in chat.visitor.answer("How long were the banks closed?").text
    assert "in your documents" in chat.visitor.answer("Who sank the ship?").text
    assert ANSWER in chat.visitor.answer(QUESTION).text
    assert calls_out(chat.log) == []
    assert home.reports == []
