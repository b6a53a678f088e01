"""Servers of ours in processes of their own, and what they say on their terminals."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
"""Seconds that a busy machine may need for what takes one on an idle one. Tests wait so long."""
LOCAL: dict[str, Any] = {"timeout": PATIENCE, "verify": False}
"""How to ask a server of this machine with httpx. Nothing is encrypted, so nobody's certificates
are read: that takes longer than an answer."""


@dataclass
class Program:
    """A running server."""

    address: str
    """Without a slash at its end."""
    folder: Path
    terminal: Path
    """The file that its messages go to."""


@contextmanager
def running(module: str, folder: Path, *arguments: str) -> Iterator[Program]:
    """A module run as a program, whose first line is its address."""
    folder.mkdir(parents=True, exist_ok=True)
    terminal = folder / "terminal"
    with terminal.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(folder), *arguments],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=said, text=True,
        )  # fmt: skip
        assert process.stdout
        try:
            address = process.stdout.readline().strip().rstrip("/")
            assert address, terminal.read_text()
            yield Program(address, folder, terminal)
        finally:
            process.kill()
            process.communicate()
