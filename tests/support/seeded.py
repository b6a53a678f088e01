"""A library of the sample articles with the packaged encoder, made once for all who read it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

import seeds
from index import Library


def seeded_copy(factory: pytest.TempPathFactory) -> Path:
    """A copy of one's own of that library's folder; embedding takes many times as long.

    It is made by whichever worker of a run is first to want it.
    """
    base = factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    made, making = shared / "seeded", shared / "seeded.making"
    with FileLock(shared / "seeded.lock"):
        if not made.exists():
            shutil.rmtree(making, ignore_errors=True)
            with Library.open(making) as library:
                library.update([seeds.articles()])
            making.rename(made)
    return Path(shutil.copytree(made, factory.mktemp("seeds") / "library"))
