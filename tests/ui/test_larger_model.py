"""`pilcrow chat --get`: what is fetched while one chats, and when nothing is."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from index.errors import InputError
from index.system.memory import Memory
from rag.llm.catalogue import choice
from rag.llm.catalogue.entries import known_entry
from rag.llm.catalogue.folder import ModelFolder, Speed
from rag.settings import Settings, load_settings
from tests.support.gguf_files import vocabulary, write_gguf
from ui.commands.larger_model import model_to_get

ROOT = Path(__file__).resolve().parents[2]
QWEN = known_entry("qwen-1.5b")
Room = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFolder:
    """The folder of models of a person whose machine was measured and is fast enough."""
    monkeypatch.setenv("PILCROW_MODELS", str(tmp_path / "models"))
    for name in ("PILCROW_MODEL", "CI"):
        monkeypatch.delenv(name, raising=False)
    folder = ModelFolder(tmp_path / "models")
    folder.remember("bundled", Speed(352.0, 44.0, 1))
    return folder


def roomy() -> choice.Room:
    return choice.Room(Memory(16 * 10**9, 9 * 10**9), 10**11)


def get(
    name: str = "auto", *, named: bool = False, terminal: bool = True, room: Any = roomy
) -> str:
    settings: Settings = load_settings()
    return model_to_get(name, settings, named, lambda: terminal, lambda _: room())


def put(folder: ModelFolder) -> None:
    """A file in the larger model's place: its head and its size, and no weights."""
    os.truncate(write_gguf(folder.file(QWEN), vocabulary(["h e"])), QWEN.bytes)


def test_a_good_machine_is_told_what_is_fetched_and_how_to_decline(
    folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert get() == "qwen-1.5b"
    said = capsys.readouterr().err
    assert "a 1.5 B model, Qwen2.5 Coder 1.5B Instruct, is fetched while you chat: 1.1 GB" in said
    assert "first words after about 15 s on this machine" in said
    assert "MODEL=bundled, or pilcrow model use bundled, declines" in said
    assert folder.default is None, "it is none before it is here"


def test_nothing_is_fetched_where_nobody_would_see_it(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert get(terminal=False) == ""
    assert get(named=True) == ""
    monkeypatch.setenv("CI", "true")
    assert get() == ""
    assert capsys.readouterr().err == ""


def test_whoever_declined_is_not_asked_again(
    folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.set_default(None)
    assert get() == ""
    folder.set_default(QWEN)
    assert get() == ""
    assert capsys.readouterr().err == ""


@pytest.mark.fault("E15")
@pytest.mark.parametrize(
    ("room", "words"),
    [
        (choice.Room(Memory(16 * 10**9, 3 * 10**9), 10**11), "3.0 GB of memory are free"),
        (choice.Room(Memory(16 * 10**9, 9 * 10**9), 10**9), "1.0 GB are free"),
        (choice.Room(None, 10**11), "how much memory is free here is not known"),
    ],
)
def test_a_machine_without_room_is_left_alone_and_told_why(
    folder: ModelFolder, capsys: pytest.CaptureFixture[str], room: choice.Room, words: str
) -> None:
    assert get(room=lambda: room) == ""
    said = capsys.readouterr().err
    assert words in said and "all the same: pilcrow model get qwen-1.5b" in said


def test_a_slow_machine_is_left_alone_and_told_why(
    folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.remember("qwen-1.5b", Speed(12.0, 2.0, 1))
    assert get() == ""
    assert "its first word would take about 54 s here" in capsys.readouterr().err


def test_what_is_here_already_is_used_at_once(
    folder: ModelFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder)
    assert get() == ""
    assert folder.default == "qwen-1.5b"
    assert "is here and words some answers from now on" in capsys.readouterr().err
    assert get("qwen-1.5b") == ""
    assert capsys.readouterr().err == "", "it is the default by now"


def test_a_name_is_fetched_wherever_it_is_asked_for(
    folder: ModelFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CI", "true")
    folder.set_default(None)
    assert get("qwen-1.5b", terminal=False) == "qwen-1.5b"
    assert "fetching Qwen2.5 Coder 1.5B Instruct, 1.1 GB, Apache-2.0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "named", "words"),
    [
        ("gpt", False, "no model is called 'gpt'; there are bundled, qwen-1.5b"),
        ("bundled", False, "--get fetches a larger model"),
        ("qwen-1.5b", True, "needs no other one named"),
    ],
)
def test_what_cannot_be_fetched_is_told_before_anything_starts(
    folder: ModelFolder, name: str, named: bool, words: str
) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        get(name, named=named)


@pytest.mark.parametrize(
    ("model", "command"),
    [
        ("", "pilcrow chat --get auto"),
        ("qwen-1.5b", "pilcrow chat --get qwen-1.5b"),
        ("models/mine.gguf", "pilcrow chat --model models/mine.gguf"),
        ("mine.gguf", "pilcrow chat --model mine.gguf"),
        ("openai:m@http://127.0.0.1:1/v1", "pilcrow chat --model openai:m@http://127.0.0.1:1/v1"),
        ("bundled", "pilcrow chat"),
    ],
)
def test_make_chat_hands_on_which_model_is_meant(tmp_path: Path, model: str, command: str) -> None:
    """Its recipe, run with a stand-in for the command."""
    stand_in = tmp_path / "pilcrow"
    stand_in.write_text("#!/bin/sh\necho pilcrow $*\n")
    stand_in.chmod(0o755)
    made = subprocess.run(
        ["make", "--no-print-directory", "-o", ".venv/.installed", "chat", f"BIN={tmp_path}",
         f"MODEL={model}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = made.stdout.splitlines()
    assert lines[-1] == command
    assert ("pilcrow model use bundled" in lines) == (model == "bundled")
