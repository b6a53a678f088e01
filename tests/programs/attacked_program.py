"""The page in a program of its own, for those who attack it: FOLDER [PASSWORD].

This computer's own addresses count as public here, for Gradio's guard against fetching from private
ones: an attacker on the network has a public address, and no test may ask one.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from index.types import Document
from tests.support.page_fakes import ARTICLES, FakeAssistant, FakeLibrary
from ui.page import app


def main(folder: str, password: str = "") -> None:
    vars(importlib.import_module("safehttpx"))["is_public_ip"] = lambda _: True
    library = FakeLibrary(Path(folder))
    for name, (title, source, date, text) in ARTICLES.items():
        library.shelf[name] = Document(name, title, text, source, "", date)

    def ready(address: str) -> None:
        print(address, flush=True)  # noqa: T201

    app.serve(FakeAssistant(library), library, port=0, password=password or None, on_ready=ready)


if __name__ == "__main__":
    main(*sys.argv[1:])
