"""A model is fetched from where it was cut off, checked, and there whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.errors import DownloadFailed, LibraryUnwritable
from index.types import Progress
from rag.llm.catalogue.download import fetch
from rag.llm.catalogue.folder import ModelFolder
from tests.index.storage.test_write_faults import faults, run
from tests.rag.llm.catalogue.small_models import CONTENT, CutOff, WebServer, serving, small_entry
from tests.support.programs import PATIENCE

__all__ = ["faults"]
ROOT = Path(__file__).resolve().parents[4]
ENTRY = small_entry()
PROGRAM = [sys.executable, "-m", "tests.rag.llm.catalogue.fetching"]


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    return ModelFolder(tmp_path / "models")


def names(folder: ModelFolder) -> set[str]:
    """What lies in the folder, but for the lock."""
    return {path.name for path in folder.path.iterdir()} - {f"{ENTRY.file}.lock"}


def test_it_is_there_whole_for_its_owner_alone_and_its_progress_was_told(
    folder: ModelFolder,
) -> None:
    told: list[Progress] = []
    path = fetch(ENTRY, CutOff(CONTENT), folder, progress=told.append)
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o077 == 0
    assert names(folder) == {ENTRY.file}
    done = [report.done for report in told if report.stage == "fetching"]
    assert done == sorted(done) and done[-1] == len(CONTENT)
    assert {report.total for report in told} == {len(CONTENT)}
    assert told[-1].stage == "checking"


def test_what_is_there_is_not_fetched_again(folder: ModelFolder) -> None:
    fetch(ENTRY, CutOff(CONTENT), folder)
    second = CutOff(CONTENT)
    fetch(ENTRY, second, folder)
    assert second.asked == []


@pytest.mark.fault("E13")
@settings(max_examples=60)
@given(st.lists(st.integers(0, len(CONTENT) - 1), max_size=6), st.integers(1, 1500))
def test_cut_off_anywhere_and_again_it_ends_whole(cuts: list[int], block: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = ModelFolder(Path(place))
        mirror, come, cuts_left = CutOff(CONTENT, list(cuts), block), 0, list(cuts)
        while come < len(CONTENT):
            cut = cuts_left.pop(0) if cuts_left else len(CONTENT)
            if come + cut < len(CONTENT):
                with pytest.raises(DownloadFailed, match=r"cut off after .* run the same command"):
                    fetch(ENTRY, mirror, folder)
                assert not folder.file(ENTRY).exists()
                assert mirror.asked[-1] == come
                come += cut
                assert folder.fetched(ENTRY) == come
            else:
                assert fetch(ENTRY, mirror, folder).read_bytes() == CONTENT
                come = len(CONTENT)
        assert names(folder) == {ENTRY.file}


@pytest.mark.fault("E13")
@settings(max_examples=40)
@given(st.integers(0, len(CONTENT)))
def test_whatever_a_killed_one_left_is_gone_on_with(come: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder, mirror = ModelFolder(Path(place)), CutOff(CONTENT)
        folder.partial_file(ENTRY).write_bytes(CONTENT[:come])
        assert fetch(ENTRY, mirror, folder).read_bytes() == CONTENT
        assert mirror.asked == ([come] if come < len(CONTENT) else [])


@pytest.mark.fault("E14")
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(CONTENT[:-1] + b"\0", id="one byte differs"),
        pytest.param(bytes(len(CONTENT)), id="zeros"),
        pytest.param(b"<html>" + CONTENT, id="something before it"),
        pytest.param(bytes(5000), id="longer"),
    ],
)
def test_another_file_is_not_kept(folder: ModelFolder, content: bytes) -> None:
    with pytest.raises(DownloadFailed, match=r"another file than tiny: its SHA-256 is") as caught:
        fetch(ENTRY, CutOff(content), folder)
    assert "--from" in str(caught.value) and "\n" not in str(caught.value)
    assert names(folder) == set()
    assert fetch(ENTRY, CutOff(CONTENT), folder).read_bytes() == CONTENT


def test_what_came_wrong_in_part_does_not_stay_for_ever(folder: ModelFolder) -> None:
    """A power cut may leave anything in the file that is being written."""
    folder.path.mkdir()
    folder.partial_file(ENTRY).write_bytes(bytes(300))
    with pytest.raises(DownloadFailed, match="nothing of it was kept"):
        fetch(ENTRY, CutOff(CONTENT), folder)
    assert fetch(ENTRY, CutOff(CONTENT), folder).read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_begun_anew(folder: ModelFolder) -> None:
    folder.path.mkdir()
    folder.partial_file(ENTRY).write_bytes(bytes(5000))
    assert fetch(ENTRY, CutOff(CONTENT), folder).read_bytes() == CONTENT


@pytest.mark.parametrize("damaged", [bytes(len(CONTENT)), CONTENT[:500], b""])
def test_one_that_was_damaged_since_is_fetched_again(folder: ModelFolder, damaged: bytes) -> None:
    folder.path.mkdir()
    folder.file(ENTRY).write_bytes(damaged)
    assert fetch(ENTRY, CutOff(CONTENT), folder).read_bytes() == CONTENT


@pytest.mark.fault("E15")
def test_the_disk_is_looked_at_before_anything_is_asked_for(folder: ModelFolder) -> None:
    mirror = CutOff(CONTENT)
    with pytest.raises(LibraryUnwritable, match=r"needs .* GB more .* PILCROW_MODELS") as caught:
        fetch(replace(ENTRY, bytes=10**18), mirror, folder)
    assert mirror.asked == [] and "\n" not in str(caught.value)


@pytest.mark.fault("E15")
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_the_disk_may_refuse_at_any_point(faults: Path, tmp_path: Path, error: int) -> None:
    refused = 0
    program = ("-m", "tests.rag.llm.catalogue.fetching", tmp_path, "refuse", "10", str(error))
    for at, (code, message) in enumerate(json.loads(run(faults, *program)), 1):
        folder = ModelFolder(tmp_path / str(at))
        if code:
            assert code == 74 and "\n" not in message
            words = "make room" if error == errno.ENOSPC else "PILCROW_MODELS"
            assert words in message
            refused += 1
        assert not folder.file(ENTRY).exists() or folder.file(ENTRY).read_bytes() == CONTENT
        assert fetch(ENTRY, CutOff(CONTENT), folder).read_bytes() == CONTENT
        assert names(folder) == {ENTRY.file}
    assert refused >= 4, "it writes, syncs and renames"


@pytest.mark.fault("E16")
def test_two_processes_at_once_fetch_it_once(folder: ModelFolder) -> None:
    with serving(WebServer(CONTENT, hold=Event())) as server:
        assert server.hold
        command = [*PROGRAM, str(folder.path), server.url]
        first = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert server.half.wait(PATIENCE)
        second = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert second.stdout and second.stdout.readline() == "waiting\n"
        server.hold.set()
        assert json.loads(first.communicate()[0]) == [0, ""]
        assert json.loads(second.communicate()[0]) == [0, ""]
        assert len(server.asked) == 1
    assert folder.file(ENTRY).read_bytes() == CONTENT


@pytest.mark.fault("E13")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_it_keeps_what_came(folder: ModelFolder, how: signal.Signals) -> None:
    with serving(WebServer(CONTENT, hold=Event())) as server:
        command = [*PROGRAM, str(folder.path), server.url]
        quiet = {"stderr": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        program = subprocess.Popen(command, cwd=ROOT, env=os.environ.copy(), **quiet)  # type: ignore[call-overload]
        assert server.half.wait(PATIENCE)
        program.send_signal(how)
        assert program.wait(PATIENCE) != 0
    assert not folder.file(ENTRY).exists()
    mirror = CutOff(CONTENT)
    assert fetch(ENTRY, mirror, folder).read_bytes() == CONTENT
    assert mirror.asked[0] <= len(CONTENT) // 2
