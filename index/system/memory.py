"""How much memory this machine has, and how much of it a new program could have."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Memory:
    """In bytes."""

    total: int
    free: int
    """What a new program could have; all of it where the system does not say."""


def memory(source: Path = Path("/proc/meminfo")) -> Memory | None:
    """The memory of this machine; None where the system does not say."""
    try:
        lines = source.read_text(encoding="ascii").splitlines()
        fields = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if " " in line}
        return Memory(fields["MemTotal"], fields["MemAvailable"])
    except (OSError, ValueError, IndexError, KeyError):
        pass
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None
    return Memory(total, total)
