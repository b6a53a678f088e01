"""How fast a model reads and writes here, measured or estimated, and how long a first word takes.

As a program, `python -m rag.llm.catalogue.speed FILE THREADS SHA256` measures one file and prints
it: in a process of its own, because llama.cpp ends the one it runs in when a check of its own
fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path
from threading import Event

from index.errors import ModelFailed, PilcrowError
from rag.llm.catalogue.entries import BUNDLED, CatalogueEntry, entry_named
from rag.llm.catalogue.folder import Speed
from rag.settings import load_settings

PROMPT_TOKENS, BUNDLED_PROMPT_TOKENS = 650, 350
"""Of a question with its evidence, for a model of 1 B and more and for the bundled one."""
_SIZE_EXPONENT = 0.87
"""How a speed falls with the number of parameters, where another model was measured."""
_MEASURING_SECONDS = 120.0
"""After which a model that is measured counts as too slow."""
_WRITTEN_TOKENS = 48


@dataclass(frozen=True, slots=True)
class FirstWord:
    """How long a person waits for a model's first word."""

    seconds: float
    measured: bool
    """Whether this very model was measured; else it is worked out from another one."""


def first_word(entry: CatalogueEntry, speeds: Mapping[str, Speed]) -> FirstWord | None:
    """The wait for the first word of an answer; None while no model was ever measured.

    A model that was not measured is taken to be as fast as the one nearest to it in size, less what
    its size costs.
    """
    known = [other for name in speeds if (other := entry_named(name))]
    if not known:
        return None
    nearest = min(known, key=lambda other: abs(log(other.parameters / entry.parameters)))
    if entry.name in speeds:
        nearest = entry
    slower = (entry.parameters / nearest.parameters) ** _SIZE_EXPONENT
    tokens = BUNDLED_PROMPT_TOKENS if entry.name == BUNDLED else PROMPT_TOKENS
    seconds = tokens / speeds[nearest.name].reading * slower
    return FirstWord(seconds, measured=nearest == entry)


def measured(
    path: Path, threads: int, sha256: str = "", within: float = _MEASURING_SECONDS
) -> Speed:
    """How fast a model file is here, a few seconds' work in another process.

    Args:
        path: the file.
        threads: cores it will run on.
        sha256: its digest where it is known: the packaged one is run in its fastest variant.
        within: seconds that it may take.

    Raises:
        ModelFailed: when it cannot be run, or is too slow to be measured.
    """
    program = [sys.executable, "-m", "rag.llm.catalogue.speed"]
    try:
        done = subprocess.run(
            [*program, str(path), str(threads), sha256],
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        return Speed(**json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        raise ModelFailed(
            f"{path.name} was not measured within {within:.0f} s: a smaller model is "
            "faster (pilcrow model list)"
        ) from None
    except (ValueError, TypeError):
        last = " ".join(done.stderr.splitlines()[-1:])[:200] or f"it ended with {done.returncode}"
        raise ModelFailed(f"{path.name} cannot be measured: {last}") from None


def _measure(path: Path, threads: int, sha256: str) -> Speed:
    from rag.llm.generator import PrefixReuse
    from rag.llm.llama import Llama, reading_speed
    from rag.llm.weights.quantization import fastest_variant

    path, layers = fastest_variant(path, sha256, threads), load_settings().gpu_layers
    reading = reading_speed(path, threads, layers)
    llama = Llama(path, threads, 512, layers)
    prompt = llama.encode("The harbour lies in the north, and the ships that come there carry")
    pieces = llama.write(prompt, r"root ::= [^\x00-\x1f]+", _WRITTEN_TOKENS, Event())
    while isinstance(next(pieces, ""), PrefixReuse):  # the first token waits for the prompt
        continue
    began = time.perf_counter()
    tokens = sum(1 for _ in pieces)
    return Speed(reading, max(tokens, 1) / (time.perf_counter() - began), threads)


if __name__ == "__main__":
    try:
        speed = _measure(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
        sys.stdout.write(json.dumps(asdict(speed)))
    except PilcrowError as error:
        sys.exit(str(error))
