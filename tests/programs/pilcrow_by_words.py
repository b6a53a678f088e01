"""The real command line with a cheap encoder: python -m tests.programs.pilcrow_by_words ARGS."""

from __future__ import annotations

from pathlib import Path

from index import Library
from tests.support.fakes import BagOfWordsEncoder
from ui.cli import app
from ui.commands.session import Parts


def open_library(path: Path, create: bool, threads: int) -> Library:
    encoder = BagOfWordsEncoder(64)
    return Library.open(path, encoder=encoder, create=create, threads=threads)


def main(*arguments: str) -> None:
    """Run one command; those given here, or those of the process."""
    app(list(arguments) or None, prog_name="pilcrow", obj=Parts(open_library=open_library))


if __name__ == "__main__":
    main()
