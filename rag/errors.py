"""The answering floor's errors; one base for the whole project lives in `index.errors`."""

from __future__ import annotations

from index.errors import InputError, LibraryMissing, ModelFailed, ModelMissing, PilcrowError

__all__ = [
    "InputError",
    "LibraryMissing",
    "ModelFailed",
    "ModelMissing",
    "PilcrowError",
    "QuestionError",
]


class QuestionError(InputError):
    """The question is empty, too long or not text."""
