"""The seal of an exported answer: made with a key that never leaves the library's folder.

A plain digest could be computed anew by whoever changes the file. An HMAC cannot, without the key;
for the same reason only the library that made a seal can check it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from index import Library
from index.system.files import replacing

FILE = "seal.key"
Verdict = Literal["ours", "another's", "broken"]
_SIZE = 32
_making = Lock()


def key_in(folder: Path, *, create: bool = False) -> bytes | None:
    """The key of the library in a folder; None when there is none, or none can be kept.

    Args:
        folder: the library's.
        create: whether to make a key where there is none.
    """
    path = folder / FILE
    try:
        with _making:
            if path.is_file() and len(key := path.read_bytes()) == _SIZE:
                return key
            if not create:
                return None
            with replacing(path) as file:  # its owner's alone, like everything there
                file.write(key := secrets.token_bytes(_SIZE))
            return key
    except OSError:
        return None


def key_of(library: Library, *, create: bool = False) -> bytes | None:
    """The key of a library, the same on every machine that opens it; None as in `key_in`.

    Args:
        library: which one.
        create: whether to make a key where there is none; on a server one is always made.
    """
    if isinstance(library.place, Path):
        return key_in(library.place, create=create)
    from index.storage.postgres.tables import PeoplesTables

    new = key_in(library.path) or secrets.token_bytes(_SIZE)
    with closing(PeoplesTables(library.place)) as tables:
        return tables.secret(FILE, new)


def seal(content: Mapping[str, Any], key: bytes) -> dict[str, str]:
    """The seal over some JSON values, and which key made it.

    Args:
        content: everything but the seal.
        key: from `key_in`.
    """
    plain = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    made = hmac.new(key, plain.encode("ascii"), hashlib.sha256)
    return {"key": _name(key), "hmac": made.hexdigest()}


def judge(sealed: Mapping[str, Any], key: bytes | None) -> Verdict:
    """What to think of the seal in `sealed["seal"]`.

    Args:
        sealed: JSON values with a seal.
        key: this library's; None when it has none.
    """
    found = sealed.get("seal")
    if not isinstance(found, dict) or not all(isinstance(found.get(n), str) for n in _NAMES):
        return "broken"
    if key is None or found["key"] != _name(key):
        return "another's"
    try:
        made = seal({name: value for name, value in sealed.items() if name != "seal"}, key)
    except RecursionError:  # nothing of ours is so deep
        return "broken"
    same = hmac.compare_digest(made["hmac"].encode(), found["hmac"].encode("utf-8", "replace"))
    return "ours" if same else "broken"


_NAMES = ("key", "hmac")


def _name(key: bytes) -> str:
    """What a key is called; the key cannot be found from it."""
    return hashlib.sha256(b"pilcrow seal key\0" + key).hexdigest()[:16]
