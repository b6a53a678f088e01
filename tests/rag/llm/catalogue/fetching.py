"""Fetches the small model in a process of its own, and prints one line of JSON.

`python -m tests.rag.llm.catalogue.fetching FOLDER URL` from an address;
`… FOLDER refuse AT ERROR` from memory, while the disk refuses the AT-th act with that error number
(needs `disk_faults.c` preloaded).
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


def main(folder: ModelFolder, source: str, at: str = "0", error: str = "0") -> object:
    refuses = source == "refuse"
    mirror: Mirror = CutOff(CONTENT) if refuses else Address(source)
    if refuses:
        faults = ctypes.CDLL(None)
        faults.disk_faults_begin(os.fsencode(folder.path), REFUSE, int(at), int(error))
    try:
        fetch(small_entry(), mirror, folder, waiting=lambda: print("waiting", flush=True))  # noqa: T201
    except PilcrowError as problem:
        return [problem.exit_code, str(problem)]
    return [0, ""]


if __name__ == "__main__":
    print(json.dumps(main(ModelFolder(Path(sys.argv[1])), *sys.argv[2:])))  # noqa: T201
