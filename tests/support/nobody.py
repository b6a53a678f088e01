"""The command line as nobody special: `python -m tests.support.nobody FOLDER < STEPS`.

Root may read everything, so a test that runs as root hands its commands to this program, which
becomes nobody first. STEPS is a JSON list of commands, each a list of words: `chmod MODE PATH`, or
what comes after `pilcrow`. Paths are relative to FOLDER, which becomes nobody's with all it holds.
Prints, as JSON, the exit code and what was said on stdout and stderr, for each step.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
from pathlib import Path

from typer.testing import CliRunner

from index.library import Library
from tests.support.fakes import BagOfWordsEncoder
from ui import doctor  # noqa: F401  (nobody may not be allowed to read them later)
from ui.api import app as api_app  # noqa: F401
from ui.cli import app
from ui.commands.session import Parts
from ui.page import app as page_app  # noqa: F401

NOBODY = 65534


def open_library(path: Path, create: bool, threads: int) -> Library:
    return Library.open(path, encoder=BagOfWordsEncoder(), create=create, threads=threads)


def become_nobody(folder: Path) -> None:
    if os.geteuid():
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def warm_up(commands: set[str]) -> None:
    """Import what these commands import late, while it can be read for certain."""
    with tempfile.TemporaryDirectory() as made:
        (Path(made) / "a.txt").write_text("It met in Kyoto.")
        for words in (["add", f"{made}/a.txt"], ["search", "Kyoto"], ["list"], ["doctor"]):
            if words[0] != "doctor" or "doctor" in commands:  # which takes seconds
                run(["--store", f"{made}/library", *words])


def run(words: list[str]) -> tuple[int, str, str]:
    if words[0] == "chmod":
        Path(words[2]).chmod(int(words[1], 8))
        return 0, "", ""
    done = CliRunner().invoke(app, words, obj=Parts(open_library=open_library))
    bug = "" if done.exception is None or isinstance(done.exception, SystemExit) else "Traceback"
    if bug:
        bug += "".join(traceback.format_exception(done.exception))
    return done.exit_code, done.stdout, done.stderr + bug


def main(folder: Path) -> None:
    steps = json.load(sys.stdin)
    warm_up({word for words in steps for word in words})
    os.chdir(folder)
    become_nobody(folder)
    print(json.dumps([run(words) for words in steps]))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
