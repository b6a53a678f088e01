"""The page in a program of its own, for those who attack it: FOLDER [PASSWORD].

This computer's own addresses count as public here, for Gradio's guard against fetching from private
ones: an attacker on the network has a public address, and no test may ask one.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from tests.support.page_fakes import ScriptedAssistant, make_library
from ui.page import server


def main(folder: str, password: str = "") -> None:
    vars(importlib.import_module("safehttpx"))["is_public_ip"] = lambda _: True
    library = make_library(Path(folder))

    def ready(address: str) -> None:
        print(address, flush=True)  # noqa: T201

    assistant = ScriptedAssistant(library)
    server.serve(assistant, library, port=0, password=password or None, on_ready=ready)


if __name__ == "__main__":
    main(*sys.argv[1:])
