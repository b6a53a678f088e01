"""Programs are served by two processes, in a program of its own: FOLDER [KEY].

Its first line is its address, its number stands in a file `parent`. A question with `hold` says
which process answers it, in a file `answering`, and waits in the middle for a file `go-on`.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from index import Library
from rag.types import Answer
from tests.support.fakes import BagOfWordsEncoder
from tests.support.page_fakes import ScriptedAssistant, make_library
from ui.api.app import ApiOptions
from ui.api.workers import Worker, serve_by_many


class WaitingAssistant(ScriptedAssistant):
    """Waits in the middle where it is told to."""

    def warm_up(self) -> None:
        """Nothing to load."""

    def stream(
        self, question: str, history: Sequence[tuple[str, str]] = (), **options: Any
    ) -> Iterator[Answer]:
        folder = self.library.path.parent
        for number, snapshot in enumerate(super().stream(question, history, **options)):
            yield snapshot
            if number == 0 and "hold" in question:
                (folder / "answering").write_text(str(os.getpid()))
                while not (folder / "go-on").exists():
                    time.sleep(0.01)


def opened(folder: Path) -> tuple[Any, Library]:
    """What each process answers with and from."""
    library = Library.open(folder / "library", encoder=BagOfWordsEncoder())
    return WaitingAssistant(library), library


def main(folder: str, key: str = "") -> None:
    make_library(Path(folder)).close()
    (Path(folder) / "parent").write_text(str(os.getpid()))

    def ready(address: str) -> None:
        print(address, flush=True)  # noqa: T201

    options = ApiOptions(key=key or None)
    serve_by_many(Worker(partial(opened, Path(folder)), options), 2, port=0, on_ready=ready)


if __name__ == "__main__":
    main(*sys.argv[1:])
