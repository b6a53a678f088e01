"""The recipes of ui/README.md for many servers: read as what they are, their command really run."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
import yaml
from typer.core import TyperGroup

from rag.settings import Settings
from tests.index.storage import postgres_server
from tests.support.programs import LOCAL, PATIENCE
from ui.api.workers import FINISHING
from ui.cli import app
from ui.http.server import listen

ROOT = Path(__file__).resolve().parents[3]
OTHERS = {"PGPASSFILE", "XDG_DATA_HOME", "XDG_CACHE_HOME"}
"""Variables that libraries of ours read."""


def recipe(kind: str, word: str) -> str:
    """The block of ui/README.md in a language, with a word in it."""
    text = (ROOT / "ui" / "README.md").read_text(encoding="utf-8")
    block: str
    (block,) = (b for b in re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL) if word in b)
    return block


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(recipe("yaml", "services:"))
    return loaded


@pytest.fixture(scope="module")
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(recipe("ini", "[Service]"))
    return parser


def words_of(command: str) -> list[str]:
    """What stands behind `pilcrow` in a command."""
    return shlex.split(command.partition("pilcrow ")[2].rstrip('"'))


def require_options(words: list[str]) -> None:
    """Make sure that a subcommand has these options."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    known = {option for param in root.commands[words[0]].params for option in param.opts}
    assert {word for word in words if word.startswith("--")} <= known


def ours(name: str) -> bool:
    return name in OTHERS or name.removeprefix("PILCROW_").lower() in Settings.model_fields


def test_the_compose_file_names_what_there_is(compose: dict[str, Any]) -> None:
    library, pilcrow = compose["services"]["library"], compose["services"]["pilcrow"]
    require_options(words_of(pilcrow["command"].rpartition("exec ")[2]))
    assert all(map(ours, pilcrow["environment"]))
    assert pilcrow["environment"]["PILCROW_STORE"] == "postgresql://pilcrow@library/pilcrow"
    assert set(library["secrets"]) | set(pilcrow["secrets"]) == compose["secrets"].keys()
    volumes = {v.partition(":")[0] for s in (library, pilcrow) for v in s["volumes"]}
    assert {v for v in volumes if v[0] not in "./"} == compose["volumes"].keys()
    assert pilcrow["ports"] == ["7861:7861"]
    assert int(pilcrow["stop_grace_period"][:-1]) > FINISHING


def test_the_unit_names_what_there_is(unit: configparser.ConfigParser) -> None:
    service = unit["Service"]
    require_options(words_of(service["ExecStart"]))
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert all(ours(pair.partition("=")[0]) for pair in service["Environment"].split())
    assert int(service["TimeoutStopSec"]) > FINISHING
    assert unit["Install"]["WantedBy"] == "multi-user.target"


@pytest.mark.adapters
@pytest.mark.model
def test_their_command_serves_a_library_on_a_server(
    compose: dict[str, Any], unit: configparser.ConfigParser, tmp_path: Path
) -> None:
    if reason := postgres_server.missing():
        pytest.skip(f"PostgreSQL: {reason}")
    words = words_of(unit["Service"]["ExecStart"])
    (articles := tmp_path / "articles").mkdir()
    (articles / "a.txt").write_text("The forum opened in Kyoto on Sunday. Nine people came.\n")
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    probe = compose["services"]["pilcrow"]["healthcheck"]["test"][3].replace("7861", str(port))
    with postgres_server.anyones() as server:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PILCROW_")}
        environment = kept | {
            "PILCROW_STORE": server.address(), "XDG_DATA_HOME": str(tmp_path / "data"),
            "PILCROW_API_KEY": "a-key",
        }  # fmt: skip
        pilcrow = [sys.executable, "-m", "ui.cli"]
        subprocess.run([*pilcrow, "add", articles], cwd=ROOT, env=environment, check=True)
        serving = subprocess.Popen(
            [*pilcrow, *words, "--no-model", "--port", str(port)],
            cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert serving.stderr is not None
            assert any("by 2 workers" in line for line in serving.stderr)
            subprocess.run([sys.executable, "-c", probe], check=True)
            body = {"question": "Where did the forum open?"}
            key = {"Authorization": "Bearer a-key"}
            url = f"http://127.0.0.1:{port}"
            assert httpx.post(f"{url}/v1/answers", json=body, **LOCAL).status_code == 401
            told = httpx.post(f"{url}/v1/answers", json=body, headers=key, **LOCAL).json()
            assert "Kyoto" in told["text"] and told["citations"][0]["document_id"] == "a.txt"
            serving.send_signal(signal.SIGTERM)
            assert serving.wait(PATIENCE) in (0, -signal.SIGTERM)
        finally:
            serving.kill()
            serving.communicate()
