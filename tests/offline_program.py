"""Adds articles, asks and opens the page: `python -m tests.offline_program FOLDER`.

Prints one line of JSON: the answer, and every attempt to reach anything but this machine.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

calls: list[str] = []
_HERE = ("127.0.0.1", "localhost", "::1", "testserver")


def watch(event: str, arguments: tuple[object, ...]) -> None:
    """Note who is called; local sockets are nobody's business."""
    if event == "socket.getaddrinfo" and str(arguments[0]) not in _HERE:
        calls.append(f"{event} {arguments[0]!r}")
    if event == "socket.connect":
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in _HERE:
            calls.append(f"{event} {address!r}")


def main(folder: Path) -> None:
    sys.addaudithook(watch)
    from index import Library
    from rag import Assistant
    from ui.web import build_app

    shelf = folder / "articles"
    shelf.mkdir()
    (shelf / "cable.html").write_text(
        "<html><head><title>Cut off</title></head><body><article><h1>Cut off</h1><p>The ship "
        "lifted the broken end of the cable from ninety metres of water on Tuesday.</p></article>"
    )
    (shelf / "bank.txt").write_text("Banks\n\nThe banks on the island closed for nine hours.\n")
    with Library.open(folder / "library") as library:
        report = library.update([shelf])
        assert sorted(report.added) == ["bank.txt", "cable.html"]
        assistant = Assistant(library)
        answer = assistant.answer("From how deep did the ship lift the broken end of the cable?")
        from starlette.testclient import TestClient

        app = build_app(assistant, library)
        page = TestClient(app, base_url="http://127.0.0.1").get("/").status_code
    told = {
        "calls": calls,
        "state": answer.state,
        "text": answer.text,
        "model": answer.model,
        "notes": answer.notes,
        "page": page,
        "environment": {
            name: os.environ.get(name) in ("1", "True")
            for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "GRADIO_ANALYTICS_ENABLED")
        },
    }
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
