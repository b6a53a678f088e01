"""One line of news about a long run."""

from __future__ import annotations

import sys


def report(line: str) -> None:
    """Write a line to stderr at once; what a run makes goes to files."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
