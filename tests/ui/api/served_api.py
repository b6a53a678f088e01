"""What programs are served, in a program of its own: FOLDER [KEY | --stdio].

Its first line is its address, or what agents speak. Questions with certain words do certain things:
`hold` waits until it is stopped and then leaves a file `stopped`; `echo` answers with the history;
`crash` is a bug.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rag.types import Answer
from tests.support.page_fakes import ScriptedAssistant, make_library
from ui.api.server import serve_api, serve_mcp


class ObedientAssistant(ScriptedAssistant):
    """Does what certain words say."""

    def stream(
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        *,
        stop: Callable[[], bool] | None = None,
        **options: Any,
    ) -> Iterator[Answer]:
        if "echo" in question:
            yield Answer(question, "answered", json.dumps(history), complete=True, stage="done")
        elif "hold" in question:
            now = Answer(question, "answered", "", stage="reading")
            try:
                yield now
                while not (stop and stop()):
                    time.sleep(0.01)
            finally:
                (self.library.path.parent / "stopped").touch()
            yield replace(now, complete=True, stage="done")
        else:
            yield from super().stream(question, history, stop=stop, **options)


def main(folder: str, key: str = "") -> None:
    library = make_library(Path(folder))
    if key == "--stdio":
        serve_mcp(ObedientAssistant(library), library, page="http://127.0.0.1:7860")
        return

    def ready(address: str) -> None:
        print(address, flush=True)  # noqa: T201

    serve_api(
        ObedientAssistant(library),
        library,
        port=0,
        key=key or None,
        allow_changes=True,
        on_ready=ready,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
