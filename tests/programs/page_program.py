"""The page in a program of its own, which can be killed: FOLDER PORT [held].

When held, an answer stops before its first word. "What did I ask before?" is answered with the
questions that the page handed on as history.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from rag.types import Answer
from tests.support.page_fakes import ScriptedAssistant, make_library
from ui.page import server

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Server:
    """The page in a process of its own."""

    folder: Path
    port: str = "0"
    address: str = ""
    process: subprocess.Popen[str] | None = None

    def start(self, *how: str) -> None:
        """Starts it, where it was before when it was there before."""
        self.kill()
        program = [
            sys.executable,
            "-m",
            "tests.programs.page_program",
            str(self.folder),
            self.port,
            *how,
        ]
        self.process = subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.address = self.process.stdout.readline().strip()
        self.port = str(httpx.URL(self.address).port)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        if self.process and self.process.stdout and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


class Remembering(ScriptedAssistant):
    def stream(
        self, question: str, history: Sequence[tuple[str, str]] = (), **options: Any
    ) -> Iterator[Answer]:
        if question != "What did I ask before?":
            yield from super().stream(question, history, **options)
            return
        said = "You asked: " + " | ".join(asked for asked, _ in history)
        yield Answer(question, "answered", said, complete=True, stage="done")


def main(folder: str, port: str, held: str = "") -> None:
    library = make_library(Path(folder))
    assistant = Remembering(library)
    if held:
        assistant.go_on.clear()

    def ready(address: str) -> None:
        print(address, flush=True)  # noqa: T201

    server.serve(assistant, library, port=int(port), on_ready=ready)


if __name__ == "__main__":
    main(*sys.argv[1:])
