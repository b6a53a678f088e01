"""A clock that jumps moves nothing but the dates that are shown: no change hangs on it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *t) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int failed = real(id, t);
    FILE *file = id == CLOCK_REALTIME ? fopen(getenv("CLOCK_FILE"), "r") : NULL;
    long seconds = 0;
    if (file && fscanf(file, "%ld", &seconds) == 1) t->tv_sec += seconds;
    if (file) fclose(file);
    return failed;
}
"""
"""The time of day, so many seconds off as a file says; preloaded into a test's child process."""
CHILD = """
import json, os, sys, time
from pathlib import Path
from index import Library
from tests.support.fakes import BagOfWordsEncoder

home, clock, jumps = Path(sys.argv[1]), Path(os.environ["CLOCK_FILE"]), json.loads(sys.argv[2])
shelf, told, years = home / "articles", [], set()
library = Library.open(home / "library", encoder=BagOfWordsEncoder())
other = Library.open(home / "library", encoder=BagOfWordsEncoder())

def jump():
    clock.write_text(str(jumps.pop(0)))
    years.add(time.gmtime(time.time()).tm_year)

def tell(report):
    told.append([report.added, report.updated, report.removed, report.unchanged])
    for each in (library, other):
        told.append([[hit.document_id, hit.text] for hit in each.search("ferry lake", 5)])

shelf.mkdir()
(shelf / "one.txt").write_text("The ferry crosses the lake.\\n")
(shelf / "two.txt").write_text("The bridge is closed.\\n")
tell(library.update([shelf]))
jump()
status = (shelf / "one.txt").stat()
(shelf / "one.txt").write_text("The lake froze and no ferry.\\n")
os.utime(shelf / "one.txt", ns=(status.st_atime_ns, status.st_mtime_ns - 10**18))
tell(library.rebuild())
jump()
receipt = library.remove(["one.txt"])
told.append(receipt.left)
tell(other.rebuild())
jump()
tell(other.restore(receipt))
jump()
(shelf / "two.txt").unlink()
(shelf / "three.txt").write_text("Three ferries sail.\\n")
os.utime(shelf / "three.txt", (0, 2**33))
tell(library.rebuild())
told.append([library.check().ok, library.change, [record.id for record in other.documents()]])
print(json.dumps([told, sorted(years)], default=list))
"""
YEARS = 365 * 24 * 3600


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that stands between a child process and the time of day."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform != "linux":
        pytest.skip("another clock needs Linux and a C compiler")
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(CLOCK)
    built, source = folder / "clock.so", str(folder / "clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", built, source, "-ldl"], check=True)
    return built


@pytest.fixture(scope="module")
def plain(clock: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[object, list[int]]:
    """The same with a clock that goes as it should."""
    return lived(tmp_path_factory.mktemp("plain") / "home", clock, [0] * 4)


@pytest.mark.fault("S1")
@pytest.mark.parametrize(
    "jumps",
    [
        pytest.param([10 * YEARS] * 4, id="ahead"),
        pytest.param([-10 * YEARS] * 4, id="back"),
        pytest.param([20 * YEARS, -30 * YEARS, 3600, -3600], id="to and fro"),
    ],
)
def test_changes_go_on_whatever_the_clock_says(
    jumps: list[int], clock: Path, plain: tuple[object, list[int]], tmp_path: Path
) -> None:
    told, years = lived(tmp_path / "home", clock, jumps)
    assert told == plain[0]
    assert not {*years} & {*plain[1]} or len(years) > 1, "its clock did jump"


def lived(home: Path, clock: Path, jumps: list[int]) -> tuple[object, list[int]]:
    """What a library tells while the clock jumps between its changes, and the years it showed."""
    home.mkdir()
    (home / "clock").write_text("0")
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(home), json.dumps(jumps)],
        env={**os.environ, "LD_PRELOAD": str(clock), "CLOCK_FILE": str(home / "clock")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told, years = json.loads(done.stdout)
    return told, years
