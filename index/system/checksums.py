"""Is a file of weights the very file it should be? SHA-256, computed once and remembered.

A digest of 90 MB takes a fifth of a second, too long for every start. What was computed is kept by
path, size, time of change and inode: a file that was replaced or written to is looked at again.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from index.system.files import cache_folder, make_folder, replacing

_MOST = 64  # files remembered


def sha256(path: Path, memory: Path | None = None) -> str:
    """The SHA-256 of a file, in hex.

    Args:
        path: the file.
        memory: where digests are remembered; a file in the user's cache folder when None.

    Raises:
        OSError: when it cannot be read.
    """
    memory = memory or cache_folder() / "digests.json"
    known = _recalled(memory)
    status = path.stat()
    name = str(path.resolve())
    identity = [status.st_size, status.st_mtime_ns, status.st_ino]
    if name in known and known[name][:-1] == identity:
        return str(known[name][-1])
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    known.pop(name, None)
    kept = dict(list(known.items())[1 - _MOST :])
    _remember(memory, {**kept, name: [*identity, found]})
    return found


def _recalled(memory: Path) -> dict[str, list[object]]:
    try:
        found = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: one for name, one in found.items() if isinstance(one, list) and len(one) == 4}


def _remember(memory: Path, known: dict[str, list[object]]) -> None:
    with suppress(OSError):  # without a cache folder it is computed each time
        make_folder(memory.parent)
        with replacing(memory) as file:
            file.write(json.dumps(known).encode("ascii"))
