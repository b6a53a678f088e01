"""How much one request to the page may send; uploads have a gate of their own, `UploadLimit`."""

from __future__ import annotations

from ui.http.body_limit import MOST_BYTES

MOST_NAMES = 4_000_000
"""Where a parcel is added by the names of its files, which may be 2,000."""
_PARCEL, _UPLOAD = "/gradio_api/queue/join", "/gradio_api/upload"


def most_bytes(path: str) -> int | None:
    """Bytes that a request to this path may have; None for uploads."""
    if path == _UPLOAD:
        return None
    return MOST_NAMES if path == _PARCEL else MOST_BYTES
