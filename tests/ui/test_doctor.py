"""The look over machine and installation: each line is fine or says what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from index import Library
from index.errors import LibraryMissing
from index.types import CheckLine
from rag.settings import Settings
from tests.support.fakes import BagOfWordsEncoder
from tests.support.gguf_files import gguf_bytes, vocabulary, write_gguf
from ui import calls_home
from ui.doctor import examine


def findings(store: Path, **settings: object) -> dict[str, CheckLine]:
    def open_library(path: Path, create: bool, threads: int) -> Library:
        return Library.open(path, encoder=BagOfWordsEncoder(), create=create)

    lines = examine(store, Settings(**settings), open_library, ["json"])  # type: ignore[arg-type]
    assert all(line.detail and "\n" not in line.detail for line in lines)
    return {line.name: line for line in lines}


def test_a_sound_installation_has_nothing_to_mend(tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()):
        pass
    found = findings(tmp_path / "library")
    assert list(found) == [
        "Python", "processor", "memory", "disk", "packages", "compiler", "llama.cpp",
        "language model", "embedding model", "network", "calling home", "parsers", "scans",
        "library",
    ]  # fmt: skip
    for name in found.keys() - {"processor", "memory", "disk", "compiler", "llama.cpp"}:
        assert found[name].ok, found[name]
    assert found["language model"].detail.endswith("MB, checksum verified")
    assert found["embedding model"].detail.endswith("checksum verified")
    assert "none is needed" in found["network"].detail
    assert found["calling home"].detail.startswith("json: loaded, prepared no report")
    assert found["scans"].detail.startswith("not read; pip install 'pilcrow-rag[ocr]'")
    if sys.platform == "linux":
        assert "shut out from" in found["parsers"].detail


@pytest.mark.fault("G20")
def test_our_switches_silence_what_would_report() -> None:
    found = calls_home.heard()
    assert found.loaded == calls_home.REPORTERS
    assert not found.wrong


@pytest.mark.fault("G20")
def test_a_report_in_preparation_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_BUILD", "True")  # under a CI's variables onnxruntime keeps quiet
    found = calls_home.heard(["onnxruntime"], {"ORT_DISABLE_TELEMETRY": "0"})
    assert found.wrong == "onnxruntime prepares reports to its maker"


@pytest.mark.fault("G20")
def test_a_library_that_calls_out_is_found_out() -> None:
    found = calls_home.heard(["json", "tests.programs.calls_out"])
    if not found.watched:
        pytest.skip("this kernel has no seccomp filters")
    assert found.loaded == ("json",)
    assert found.wrong == "another machine is called while tests.programs.calls_out is loaded"


def test_what_cannot_be_loaded_is_said() -> None:
    assert calls_home.heard(["tests.no_such_module"]).wrong.startswith(
        "tests.no_such_module cannot be loaded (it ended by itself"
    )


def test_looking_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(LibraryMissing):
        Library.open(tmp_path / "none", create=False)
    assert "pilcrow add" in findings(tmp_path / "none")["library"].detail
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_ones_own_is_looked_at(tmp_path: Path) -> None:
    mine = write_gguf(tmp_path / "mine.gguf", vocabulary(["h e"]))
    assert findings(tmp_path, model=str(mine))["language model"].detail.endswith(
        "your own file, no checksum known"
    )
    mine.write_bytes(gguf_bytes(vocabulary(["h e"]))[:-9])
    line = findings(tmp_path, model=str(mine))["language model"]
    assert not line.ok
    assert "quotes only" in line.detail and "cut short" in line.detail


@pytest.mark.parametrize(
    ("host", "password", "ok"),
    [("127.0.0.1", None, True), ("0.0.0.0", None, False), ("0.0.0.0", "sesame", True)],
)
def test_a_page_for_others_needs_a_password(
    tmp_path: Path, host: str, password: str | None, ok: bool
) -> None:
    line = findings(tmp_path, host=host, password=SecretStr(password) if password else None)
    assert line["network"].ok is ok
    assert ok or "PILCROW_PASSWORD" in line["network"].detail
    assert "sesame" not in line["network"].detail
