"""The plug is pulled, and the disk refuses, at every single point of every change."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from index import Library
from tests.programs.crash_points import READ_ONLY, REFUSE
from tests.support.fakes import BagOfWordsEncoder

ROOT = Path(__file__).resolve().parents[3]
CHANGES = ("add", "update", "rebuild --full", "remove", "check --repair")


@pytest.fixture(scope="session")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that stands between a child process and the disk."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform != "linux":
        pytest.skip("fault injection needs Linux and a C compiler")
    built = tmp_path_factory.mktemp("faults") / "disk_faults.so"
    source = str(ROOT / "tests" / "support" / "disk_faults.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", built, source, "-ldl"], check=True)
    return built


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: what is tested is the order of acts, not the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as made:
        yield Path(made)


def run(faults: Path, *arguments: str | Path) -> str:
    """What a program of ours prints that runs behind the faults."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "LD_PRELOAD": str(faults)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.fault("S3")
@pytest.mark.parametrize("change", CHANGES)
def test_before_or_after_whatever_happens_at_whichever_point(
    change: str, faults: Path, folder: Path
) -> None:
    report = json.loads(run(faults, "-m", "tests.programs.crash_points", folder, change))
    points, wrong = report["points"], report["wrong"]
    print(f"{change}: {points} points, {report['tried']} trials")  # noqa: T201
    assert points > 40, "it must have counted what a change does to the disk"
    assert not any(wrong.values()), json.dumps(wrong, indent=1)


def test_in_a_folder_where_nothing_may_be_written_one_can_still_ask(
    faults: Path, folder: Path
) -> None:
    (folder / "articles").mkdir()
    (folder / "articles" / "sea.txt").write_text("Cables lie under the sea.\n")
    with Library.open(folder / "library", encoder=BagOfWordsEncoder(64)) as library:
        library.update([folder / "articles"])
    told = run(faults, "-m", "tests.programs.other_process", "read_only", folder)
    found, unsound, refused, found_again = json.loads(told)
    assert found == found_again == ["sea.txt"]
    assert unsound == []
    assert [code for code, _ in refused] == [74, 74, 74]
    assert all("Make the folder writable" in line and "\n" not in line for _, line in refused)


@pytest.mark.fault("G41")
@pytest.mark.parametrize(("mode", "error"), [(REFUSE, errno.ENOSPC), (READ_ONLY, 0)])
def test_a_conversation_that_cannot_be_kept_goes_on_and_says_so_once(
    mode: int, error: int, faults: Path, folder: Path
) -> None:
    told = run(faults, "-m", "tests.programs.other_process", "chat", folder, str(mode), str(error))
    drawn, kept, remembered, problem = json.loads(told)
    assert [page.count("It says so in these words") > 0 for page in drawn] == [True] * 3
    assert ["not kept" in page for page in drawn] == [False, True, False]
    assert kept == ["Which cables are under the sea?"]
    assert remembered == [
        "Which cables are under the sea?",
        "Which ships mend cables?",
        "Cables under what?",
    ]
    assert "Free some space" in problem and "\n" not in problem
