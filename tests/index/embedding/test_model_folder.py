"""A folder says how its network is read; a packed file becomes such a folder, number for number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from index.embedding import centring
from index.embedding.centring import Centre
from index.embedding.encoder import Embeddable, SentenceTransformerEncoder
from index.embedding.model_folder import WINDOW, Prompts, read_settings
from index.embedding.packed_weights import unpack_weights
from index.errors import ModelMissing
from index.types import Span
from tests.support.made.packed_encoder import PLACES, WIDTH, packed_encoder

PROMPTS = Prompts("query: ", "passage: ")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder unpacked from a small packed file."""
    (tmp_path / "packed.bin").write_bytes(packed_encoder()[0])
    made = tmp_path / "model"
    made.mkdir()
    unpack_weights(tmp_path / "packed.bin", made, PROMPTS)
    return made


def test_every_number_of_a_packed_file_is_in_the_folder(folder: Path) -> None:
    from safetensors.numpy import load_file

    written = load_file(folder / "model.safetensors")
    _, tensors = packed_encoder()
    expected = {
        "emb.word": "embeddings.word_embeddings.weight",
        "l0.q.w": "encoder.layer.0.attention.self.query.weight",
        "l0.fi.w": "encoder.layer.0.intermediate.dense.weight",
        "l0.fo.w": "encoder.layer.0.output.dense.weight",
        "l0.oln.b": "encoder.layer.0.output.LayerNorm.bias",
    }
    assert len(written) == len(tensors)
    for short, name in expected.items():
        assert np.array_equal(written[name], tensors[short].astype(np.float16)), short


def test_what_was_packed_is_read_with_its_prompts_window_and_pooling(folder: Path) -> None:
    read = read_settings(folder)
    assert (read.dimension, read.max_pieces, read.pooling) == (WIDTH, PLACES, "mean")
    assert read.prompts == PROMPTS


def test_another_file_is_no_packed_one(tmp_path: Path) -> None:
    whole, _ = packed_encoder()
    (tmp_path / "other.bin").write_bytes(b"GGUF" + whole[4:])
    with pytest.raises(ValueError, match="not a packed encoder"):
        unpack_weights(tmp_path / "other.bin", tmp_path / "nowhere", PROMPTS)


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("pooling", "kind"),
    [
        ({"pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode_mean_tokens": False, "pooling_mode_lasttoken": True}, None),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, None),
    ],
)
def test_pooling_is_read_or_refused(folder: Path, pooling: dict[str, Any], kind: str) -> None:
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    if kind:
        assert read_settings(folder).pooling == kind
    else:
        with pytest.raises(ModelMissing, match="mean or the first"):
            read_settings(folder)


def test_a_layer_that_is_not_known_is_refused(folder: Path) -> None:
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 3, "name": "3", "path": "3", "type": "sentence_transformers.Dense"})
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(ModelMissing, match="ends in Dense, which is not read here"):
        read_settings(folder)


@pytest.mark.parametrize("name", ["config.json", "1_Pooling/config.json", "modules.json"])
def test_a_file_that_is_no_json_is_told(folder: Path, name: str) -> None:
    (folder / name).write_text("{")
    with pytest.raises(ModelMissing, match="cannot be read"):
        read_settings(folder)


def test_a_wide_window_is_not_used_whole_and_an_unnamed_prompt_is_none(folder: Path) -> None:
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 8192}')
    change(folder / "config_sentence_transformers.json", prompts={"web": "w: "})
    read = read_settings(folder)
    assert read.max_pieces == WINDOW
    assert read.prompts == Prompts()
    change(folder / "config_sentence_transformers.json", default_prompt_name="web")
    assert read_settings(folder).prompts == Prompts("w: ", "w: ")


class Numbers:
    """A network that gives each word piece a direction of its own."""

    pieces_per_pass, passes = 512, 1

    def forward(self, ids: Any) -> NDArray[np.float32]:
        longest = max(map(len, ids))
        read = np.zeros((len(ids), longest, WIDTH), np.float32)
        for row, pieces in enumerate(ids):
            read[row, range(len(pieces)), pieces] = 2.0
        return read


@pytest.fixture
def encoder(folder: Path, tmp_path: Path) -> SentenceTransformerEncoder:
    made = SentenceTransformerEncoder(folder)
    made._loaded = Numbers()
    return made


def test_pieces_stand_where_their_letters_do_and_prompts_are_none_of_them(
    encoder: SentenceTransformerEncoder,
) -> None:
    asked = encoder.encode_query("die br\u00fccke?")
    assert asked.pieces == ("die", "br\u00fccke", "?")
    assert asked.spans == (Span(0, 3), Span(4, 10), Span(10, 11))
    assert len(asked.tokens) == 3
    assert encoder.pieces("die \u5317\u4eac").pieces[-1] == "##\u5317\u4eac"
    assert encoder.identity.max_pieces == PLACES - 2
    assert not encoder.is_english or SentenceTransformerEncoder().is_english


def test_each_sentence_has_its_own_pieces_the_first_ones_too(
    encoder: SentenceTransformerEncoder,
) -> None:
    text = "die a? br\u00fccke a?"
    (made,) = encoder.encode([Embeddable("a", text, (Span(0, 6), Span(7, len(text))))])
    assert made.counts == (3, 3)
    assert np.allclose(np.linalg.norm(made.sentences, axis=1), 1, atol=1e-5)


def test_a_centre_is_measured_once_and_again_where_it_cannot_be_read(tmp_path: Path) -> None:
    measured = []

    def make() -> Centre:
        measured.append(1)
        return Centre(np.ones(3, np.float32), np.zeros(3, np.float32))

    path = tmp_path / "cache" / "centre.npz"
    for _ in range(2):
        assert centring.kept(path, make).texts.tolist() == [1, 1, 1]
    path.write_bytes(path.read_bytes()[:40])
    assert centring.kept(path, make).tokens.tolist() == [0, 0, 0]
    assert len(measured) == 2


def test_what_all_texts_share_is_taken_away() -> None:
    rng = np.random.default_rng(1)
    common = 5 * np.ones(16, np.float32)

    def read(texts: Any) -> list[NDArray[np.float32]]:
        return [common + rng.standard_normal((4, 16)).astype(np.float32) for _ in texts]

    centre = centring.measure(read, lambda pieces: centring.unit(pieces.mean(axis=0)))
    one, other = (centring.unit(pieces.mean(axis=0)) for pieces in read(("one", "other")))
    assert one @ other > 0.9
    assert abs(centring.unit(one - centre.texts) @ centring.unit(other - centre.texts)) < 0.8
