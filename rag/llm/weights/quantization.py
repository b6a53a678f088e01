"""The packaged model in the variant that this machine reads fastest, made once and kept.

llama.cpp reads a prompt at very different speeds from different ways of storing the same weights;
tests/benchmarks/RESULTS.md has the figures. So the first start on a machine makes the variants and
times them, about six seconds; a busy moment may pick the wrong one, which costs speed and nothing
else. It lies in the user's cache folder, for the weights and the CPU instructions it was made for.
A model that a person chose or fetched is run as it is: large ones gain nothing by it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

from index.system.checksums import sha256
from index.system.files import cache_folder, replacing_folder
from rag.llm import llama
from rag.llm.weights.model_files import SMALL_MODEL_BYTES

VARIANTS = ("Q4_0", "Q8_0")
_CHOICE = "choice.json"
_MIN_SPEEDUP = 1.2
"""How many times as fast a variant must be as the file as shipped, the nearest to the original."""


def fastest_variant(
    path: Path,
    expected: str,
    threads: int,
    *,
    folder: Path | None = None,
    speed: Callable[[Path, int], float] = llama.reading_speed,
) -> Path:
    """The file to load in place of a packaged one; the same where nothing else is faster.

    Args:
        path: the packaged file, verified, or another one, which stays as it is.
        expected: its SHA-256; empty for a person's own file.
        threads: cores it will run on.
        folder: where the variants are kept; in the user's cache folder when None.
        speed: tokens a second that a file is read with.
    """
    if not expected or path.stat().st_size >= SMALL_MODEL_BYTES:
        return path
    folder = folder or _cache_path(expected)
    try:
        return _chosen_before(folder, path) or _choose(folder, path, threads, speed)
    except Exception as error:  # a full disk, another llama.cpp: as shipped it runs all the same
        logging.getLogger(__name__).warning("the model is used as shipped: %s", error)
        return path


def _cache_path(expected: str) -> Path:
    instructions = hashlib.sha256(llama.instructions().encode()).hexdigest()
    return cache_folder() / "models" / f"{expected[:16]}-{instructions[:8]}"


def _chosen_before(folder: Path, shipped: Path) -> Path | None:
    """What was chosen before; None when nothing was, or it is not as it was written."""
    try:
        choice = json.loads((folder / _CHOICE).read_text(encoding="utf-8"))
        variant, digest = str(choice["form"]), choice["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not variant:
        return shipped
    path = folder / f"{variant}.gguf"
    return path if variant in VARIANTS and path.is_file() and sha256(path) == digest else None


def _choose(folder: Path, shipped: Path, threads: int, speed: Callable[[Path, int], float]) -> Path:
    """The fastest file, after making and timing the variants; it is kept with what was measured."""
    with replacing_folder(folder) as trial:
        speeds = {"": speed(shipped, threads) * _MIN_SPEEDUP}
        for variant in VARIANTS:
            llama.quantize(shipped, trial / f"{variant}.gguf", variant)
            speeds[variant] = speed(trial / f"{variant}.gguf", threads)
        best = max(speeds, key=lambda variant: speeds[variant])
        for variant in VARIANTS:
            if variant != best:
                (trial / f"{variant}.gguf").unlink()
        digest = sha256(trial / f"{best}.gguf") if best else ""
        choice = {"form": best, "sha256": digest, "tokens_per_s": speeds}
        (trial / _CHOICE).write_text(json.dumps(choice), encoding="utf-8")
    return _chosen_before(folder, shipped) or shipped
