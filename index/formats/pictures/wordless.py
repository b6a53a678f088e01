"""Pictures that were looked at and hold no words, so that a folder of photos is looked at once.

Recognition takes seconds a picture, and what holds no words is in no library. Remembered by a
digest of the bytes, in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from index.system.files import cache_folder, make_folder, replacing

_MOST = 20_000
"""Pictures remembered; of more, the ones that came first are forgotten."""


def is_remembered(data: bytes, memory: Path | None = None) -> bool:
    """Whether this picture was seen to hold no words.

    Args:
        data: the whole file.
        memory: where that is remembered; a file in the user's cache folder when None.
    """
    return _digest(data) in _recalled(memory or _memory())


def remember(data: bytes, memory: Path | None = None) -> None:
    """Keeps that this picture holds no words; without a cache folder it is looked at again."""
    memory = memory or _memory()
    known = [one for one in _recalled(memory) if one != _digest(data)]
    with suppress(OSError):
        make_folder(memory.parent)
        with replacing(memory) as file:
            file.write(json.dumps([*known, _digest(data)][-_MOST:]).encode("ascii"))


def _memory() -> Path:
    return cache_folder() / "wordless.json"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _recalled(memory: Path) -> list[str]:
    try:
        found = json.loads(memory.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return []
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []
