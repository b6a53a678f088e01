"""The real model's process, a `worker=`, on a machine with hardly any memory."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from pathlib import Path

from rag.llm import model_worker

_LEFT = 60_000_000  # bytes: the default model's file alone has 98 million


def main(arguments: Sequence[str]) -> None:
    import llama_cpp  # noqa: F401  (before memory is short: what is tested is the model)
    import numpy  # noqa: F401

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + _LEFT
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    model_worker.main(arguments)
