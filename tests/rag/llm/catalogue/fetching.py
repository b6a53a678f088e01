"""Fetches the small model in a process of its own, and prints one line of JSON.

`python -m tests.rag.llm.catalogue.fetching FOLDER URL` from an address;
`… FOLDER refuse POINTS ERROR` from memory, POINTS times and each time into a folder of its own,
`FOLDER/1`, `FOLDER/2` …, while the disk refuses the act of that number with that error number
(needs `disk_faults.c` preloaded); it prints a list of what came of each.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

from index.errors import PilcrowError
from rag.llm.catalogue.download import fetch
from rag.llm.catalogue.folder import ModelFolder
from rag.llm.catalogue.mirrors import Address, Mirror
from tests.programs.crash_points import REFUSE
from tests.rag.llm.catalogue.small_models import CONTENT, CutOff, small_entry


def main(folder: Path, source: str, points: str = "0", error: str = "0") -> object:
    if source != "refuse":
        return outcome(ModelFolder(folder), Address(source))
    faults, outcomes = ctypes.CDLL(None), []
    for at in range(1, int(points) + 1):
        faults.disk_faults_begin(os.fsencode(folder / str(at)), REFUSE, at, int(error))
        outcomes.append(outcome(ModelFolder(folder / str(at)), CutOff(CONTENT)))
        faults.disk_faults_end()
    return outcomes


def outcome(folder: ModelFolder, mirror: Mirror) -> tuple[int, str]:
    """The exit code of a fetch, and what was said."""
    try:
        fetch(small_entry(), mirror, folder, waiting=lambda: print("waiting", flush=True))  # noqa: T201
    except PilcrowError as problem:
        return problem.exit_code, str(problem)
    return 0, ""


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), *sys.argv[2:])))  # noqa: T201
