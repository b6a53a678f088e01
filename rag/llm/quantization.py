"""The packaged model in the form that this machine reads fastest, made once and kept.

llama.cpp reads a prompt at very different speeds from different forms of the same weights.
SmolLM2-135M, tokens a second by one core with AVX2 (64 tokens at a time) and by two with AVX-512:

    Q4_1, as shipped  105  150
    Q4_0              254  331
    Q8_0              198  226
    F16               251  305     three times the memory, writes half as fast: not tried

As good, with quotes beside it: right .600 on 60 SQuAD questions in all of the first three forms; of
87 drafts 9, 2 and 8 were shown in the model's words.

So the first start on a machine makes the others and times them, about six seconds; a busy moment
may pick the wrong one, which costs speed and nothing else. It lies in the user's cache folder, for
the weights and the instructions it was made for. A model that a person chose is run as it is.
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

VARIANTS = ("Q4_0", "Q8_0")
_CHOICE = "choice.json"
# Another form must be this much faster than the file as it is, which is nearest to the original.
_WORTH = 1.2


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
        path: the packaged file, verified.
        expected: its SHA-256; empty for a person's own file, which stays as it is.
        threads: cores it will run on.
        folder: where the forms are kept; in the user's cache folder when None.
        speed: tokens a second that a file is read with.
    """
    if not expected:
        return path
    folder = folder or _place(expected)
    try:
        return _kept(folder, path) or _chosen(folder, path, threads, speed)
    except Exception as error:  # a full disk, another llama.cpp: as shipped it runs all the same
        logging.getLogger(__name__).warning("the model is used as shipped: %s", error)
        return path


def _place(expected: str) -> Path:
    here = hashlib.sha256(llama.instructions().encode()).hexdigest()
    return cache_folder() / "models" / f"{expected[:16]}-{here[:8]}"


def _kept(folder: Path, shipped: Path) -> Path | None:
    """What was chosen before; None when nothing was, or it is not as it was written."""
    try:
        choice = json.loads((folder / _CHOICE).read_text(encoding="utf-8"))
        form, digest = str(choice["form"]), choice["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not form:
        return shipped
    path = folder / f"{form}.gguf"
    return path if form in VARIANTS and path.is_file() and sha256(path) == digest else None


def _chosen(folder: Path, shipped: Path, threads: int, speed: Callable[[Path, int], float]) -> Path:
    """Make and time the forms; keep the fastest, and what was found."""
    with replacing_folder(folder) as trial:
        speeds = {"": speed(shipped, threads) * _WORTH}
        for form in VARIANTS:
            llama.requantise(shipped, trial / f"{form}.gguf", form)
            speeds[form] = speed(trial / f"{form}.gguf", threads)
        best = max(speeds, key=lambda form: speeds[form])
        for form in VARIANTS:
            if form != best:
                (trial / f"{form}.gguf").unlink()
        digest = sha256(trial / f"{best}.gguf") if best else ""
        told = {"form": best, "sha256": digest, "tokens_per_s": speeds}
        (trial / _CHOICE).write_text(json.dumps(told), encoding="utf-8")
    return _kept(folder, shipped) or shipped
