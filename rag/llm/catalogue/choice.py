"""Whether a larger model is worth taking on this machine: by its speed, memory and disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from index.errors import PilcrowError
from index.system.memory import Memory
from rag.llm.catalogue.download import DISK_RESERVE
from rag.llm.catalogue.entries import BUNDLED, CatalogueEntry
from rag.llm.catalogue.folder import ModelFolder, Speed
from rag.llm.catalogue.mirrors import free_disk
from rag.llm.catalogue.speed import FirstWord, first_word, measured

RECOMMENDED = "qwen-1.5b"
"""The one that is taken where nobody names another: a package index has it, and it was measured."""


@dataclass(frozen=True, slots=True)
class WorthLimits:
    """What a machine must have for a model to be taken without anybody naming it."""

    longest: float = 20.0
    """Seconds until the first word at most; the quotes are on screen meanwhile."""
    free_memory: int = 4_000_000_000
    """Bytes: the model takes half of it, and whoever reads has other programs open."""
    measuring: float = 20.0
    """Seconds to measure the packaged model; slower machines are too slow for larger ones."""


LIMITS = WorthLimits()


@dataclass(frozen=True, slots=True)
class Room:
    """What is free on this machine."""

    memory: Memory | None
    """None where the system does not say."""
    disk: int
    """Bytes where the models are kept."""


def obstacle(entry: CatalogueEntry, wait: FirstWord | None, room: Room, come: int) -> str:
    """Why a model is not worth taking here, in words; empty when nothing speaks against it.

    Args:
        entry: the model.
        wait: until its first word; None when nothing was measured.
        room: what is free.
        come: bytes of it that are there already.
    """
    if wait is None:
        return "how fast it would be here is not known"
    if wait.seconds > LIMITS.longest:
        return f"its first word would take about {wait.seconds:.0f} s here"
    if room.memory is None:
        return "how much memory is free here is not known"
    if room.memory.free < LIMITS.free_memory:
        free = room.memory.free / 1e9
        return f"{free:.1f} GB of memory are free, and it wants {LIMITS.free_memory / 1e9:.0f}"
    if (needed := entry.bytes - come + DISK_RESERVE) > room.disk:
        return f"it needs {needed / 1e9:.1f} GB of disk, and {room.disk / 1e9:.1f} GB are free"
    return ""


def can_run() -> bool:
    """Whether there is an engine that any model could run on."""
    return util.find_spec("llama_cpp") is not None


def foretold(
    entry: CatalogueEntry,
    folder: ModelFolder,
    threads: int,
    measuring: Callable[[], None] = lambda: None,
    measure: Callable[[Path, int, str, float], Speed] = measured,
) -> FirstWord | None:
    """The wait for a model's first word here; the packaged one is measured where that must be.

    That is when nothing ever was, and when it was too slow the last time: something else may have
    been running then. Takes some seconds. None where it cannot be measured, or not in time.

    Args:
        entry: the model.
        folder: where measurements are remembered.
        threads: cores that a model runs on.
        measuring: called before anything is measured.
        measure: how that is done.
    """
    from rag.llm.weights.model_files import find_model

    wait = first_word(entry, folder.speeds())
    if wait and (wait.measured or wait.seconds <= LIMITS.longest):
        return wait
    measuring()
    try:
        packaged = find_model(BUNDLED, folder)
        speed = measure(packaged.path, threads, packaged.sha256, LIMITS.measuring)
        folder.remember(BUNDLED, speed)
    except PilcrowError:
        return wait
    return first_word(entry, {BUNDLED: speed})


def room_for(folder: ModelFolder) -> Room:
    """What is free here for a model in this folder."""
    from index.system.memory import memory

    return Room(memory(), free_disk(folder.path))
