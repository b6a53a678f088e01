"""The memory: documents, passages, sentences, vectors and words in one library."""

from index.errors import (
    InputError,
    LibraryBusy,
    LibraryDamaged,
    LibraryMismatch,
    LibraryMissing,
    LibraryUnwritable,
    ModelMissing,
    PilcrowError,
)
from index.library import Library
from index.types import (
    CheckReport,
    Document,
    DocumentRecord,
    Hit,
    LibraryStats,
    Origin,
    Passage,
    Progress,
    Receipt,
    SearchScope,
    Sentence,
    Unreachable,
    UpdateReport,
)

__all__ = [
    "CheckReport",
    "Document",
    "DocumentRecord",
    "Hit",
    "InputError",
    "Library",
    "LibraryBusy",
    "LibraryDamaged",
    "LibraryMismatch",
    "LibraryMissing",
    "LibraryStats",
    "LibraryUnwritable",
    "ModelMissing",
    "Origin",
    "Passage",
    "PilcrowError",
    "Progress",
    "Receipt",
    "SearchScope",
    "Sentence",
    "Unreachable",
    "UpdateReport",
]
