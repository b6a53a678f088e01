"""`make torture`: a few kills of it, and that it notices what it is there to notice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from index import Library
from tests.programs.torture import ROOT, Finding, State, judge
from tests.support.fakes import BagOfWordsEncoder

LOSES_ALL_AFTER_A_KILL = """
import os, shutil, sys
from pathlib import Path

store = Path(sys.argv[sys.argv.index("--store") + 1])
begun = store.with_suffix(".begun")
if begun.exists():
    shutil.rmtree(store, ignore_errors=True)
    raise SystemExit
begun.touch()
status = 0
try:
    from tests.programs.pilcrow_by_words import main

    main()
except SystemExit as end:
    status = int(end.code or 0)
begun.unlink()
os._exit(status)  # at once: a kill while Python tidies up would be one after the work was done
"""


def torture(folder: Path, *options: str) -> tuple[int, str]:
    """The exit status of a small campaign, and all it said."""
    command = [
        sys.executable,
        "-m",
        "tests.programs.torture",
        "--cheap",
        "--folder",
        str(folder),
        *options,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.fault("G58")
def test_a_few_kills_find_nothing_and_leave_nothing(tmp_path: Path) -> None:
    code, said = torture(tmp_path, "--kills", "3", "--seed", "1")
    assert code == 0, said
    assert said.startswith("torture with seed 1 in ")
    assert " kills in " in said.splitlines()[-1]
    assert said.rstrip().endswith(": 0 findings")
    assert not list(tmp_path.iterdir())


def test_a_command_line_that_loses_everything_is_found_out(tmp_path: Path) -> None:
    (script := tmp_path / "bad.py").write_text(LOSES_ALL_AFTER_A_KILL)
    pilcrow = f"{sys.executable} {script}"
    code, said = torture(
        tmp_path, "--kills", "9", "--findings", "1", "--seed", "1", "--pilcrow", pilcrow
    )
    assert code == 1, said
    assert "again: make torture TORTURE=" in said
    where = Path(said.split("FOUND in ")[1].splitlines()[0])
    assert (where / "articles").is_dir(), "the folder has to be kept"


def state(**texts: str) -> State:
    return State({one: ("", "", "", "", text) for one, text in texts.items()})


OLD, NEW = state(a="old", b="gone", c="same"), state(a="new", c="same", d="came")


@pytest.mark.parametrize(
    ("now", "atomic", "sound"),
    [
        (OLD, True, True),
        (NEW, True, True),
        (state(a="new", b="gone", c="same"), False, True),
        (state(a="new", b="gone", c="same"), True, False),
        (state(a="old", c="same", d="came"), False, True),
        (state(a="half", b="gone", c="same"), False, False),
        (state(a="old", b="gone"), False, False),
        (state(b="gone", c="same"), False, False),
        (state(a="old", b="gone", c="same", e="whose?"), False, False),
    ],
)
def test_every_document_is_old_or_new(now: State, atomic: bool, sound: bool) -> None:
    if sound:
        judge(now.documents, OLD, NEW, atomic)
    else:
        with pytest.raises(Finding, match="neither"):
            judge(now.documents, OLD, NEW, atomic)


def test_states_differ_in_documents_hits_and_scores() -> None:
    hit, other = ("a", 0, 3, "old"), ("a", 4, 7, "old")
    whole = State(OLD.documents, ({hit: 0.5}, {}, {}, {}))
    assert whole.differs(State(OLD.documents, ({hit: 0.50001}, {}, {}, {}))) == ""
    assert "'a', 'b', 'd'" in whole.differs(State(NEW.documents, whole.found))
    assert "what is found" in whole.differs(State(OLD.documents, ({other: 0.5}, {}, {}, {})))
    assert "scores" in whole.differs(State(OLD.documents, ({hit: 0.6}, {}, {}, {})))


@pytest.mark.fault("G59")
@pytest.mark.parametrize("blocks", [1, 8, 64, 200])
def test_a_disk_that_takes_no_more_of_a_file_costs_one_line(tmp_path: Path, blocks: int) -> None:
    (articles := tmp_path / "articles").mkdir()
    for number in range(20):
        (articles / f"{number}.txt").write_text(f"Cable {number} lies under the sea.\n" * 40)
    store = tmp_path / "library"
    add = [
        sys.executable,
        "-m",
        "tests.programs.pilcrow_by_words",
        "--store",
        str(store),
        "add",
        str(articles),
    ]
    limited = ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh", *add]
    done = subprocess.run(limited, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 74 or (done.returncode == 0 and blocks > 8), done.stderr
    assert "Traceback" not in done.stderr
    if done.returncode:
        assert done.stderr.splitlines()[-1].startswith("pilcrow: ")
    assert subprocess.run(add, cwd=ROOT, capture_output=True, check=False).returncode == 0
    with Library.open(store, encoder=BagOfWordsEncoder(64)) as library:
        assert len(library.documents()) == 20
        assert library.check().ok
