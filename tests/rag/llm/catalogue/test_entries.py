"""What the catalogue says of each model is whole and fits together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from index.errors import InputError
from rag.llm.catalogue import entries as module
from rag.llm.catalogue.entries import CatalogueEntry, entries, entry_named, known_entry

OPEN = {"Apache-2.0", "MIT"}


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.name)
def test_an_entry_is_whole(entry: CatalogueEntry) -> None:
    assert entry.licence in OPEN
    assert re.fullmatch(r"[0-9a-f]{64}", entry.sha256)
    assert re.fullmatch(r"[0-9a-f]{40}", entry.revision)
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", entry.repository)
    assert re.fullmatch(r"[a-z0-9.-]+", entry.name) and re.fullmatch(r"[\w.-]+\.gguf", entry.file)
    assert 0 < entry.bytes < entry.memory and entry.parameters > 0 and entry.context >= 2048
    assert entry.stated
    if entry.parts:
        assert (entry.parts.count - 1) * entry.parts.bytes < entry.bytes
        assert entry.bytes <= entry.parts.count * entry.parts.bytes


def test_names_files_and_digests_are_not_shared() -> None:
    for field in ("name", "file", "sha256"):
        values = [getattr(entry, field) for entry in entries()]
        assert len(set(values)) == len(values), field


def test_no_address_stands_in_it() -> None:
    text = Path(module.__file__).with_name("models.json").read_text(encoding="utf-8")
    assert "://" not in text


def test_a_name_that_is_none() -> None:
    assert entry_named("qwen-1.5B") is None
    with pytest.raises(
        InputError, match=r"no model is called 'gpt'; there are bundled, qwen-1\.5b"
    ):
        known_entry("gpt")
