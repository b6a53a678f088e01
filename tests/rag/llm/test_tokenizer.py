"""Counts on the model's own vocabulary: exact, offline, and safe on hostile files."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.llm.tokenizer import Tokenizer, load_tokenizer
from rag.llm.weights import gguf
from rag.llm.weights.model_files import find_model
from tests.support.gguf_files import Value, gguf_bytes, letters, vocabulary, write_gguf

ARTICLES = sorted((Path(__file__).resolve().parents[3] / "seeds" / "articles").glob("*.*"))
MERGES = ["h e", "l l", "he ll", "hell o", "Ġ hello", "Ġ Ġ"]
CONTROL, USER_DEFINED = 3, 4

# texts in which the rules for cutting words meet
knotty = st.text(
    st.sampled_from("aIsStdmrevl'’ \t\n\r\u00a0\u3000\x00\x1c059٣½Ⅷ.,!-<|>im_enß中語한😀🏽‍é́")
)
anything = st.one_of(st.text(), knotty)


def spelled(tokenizer: Tokenizer, pairs: dict[str, Value], text: str) -> list[str]:
    """The words a text is cut into, blanks shown as Ġ."""
    tokens = pairs["tokenizer.ggml.tokens"]
    assert isinstance(tokens, list)
    return [tokens[token] for token in tokenizer.encode(text)]


def loaded(path: Path, pairs: dict[str, Value]) -> Tokenizer:
    tokenizer = load_tokenizer(write_gguf(path / "tiny.gguf", pairs))
    assert tokenizer is not None
    return tokenizer


class TestTinyVocabulary:
    def test_merges_apply_in_their_order(self, tmp_path: Path) -> None:
        pairs = vocabulary(MERGES)
        tokenizer = loaded(tmp_path, pairs)
        assert spelled(tokenizer, pairs, "hello hello") == ["hello", "Ġhello"]
        assert spelled(tokenizer, pairs, "shell") == ["s", "hell"]
        assert tokenizer.count("hello hello") == 2
        assert tokenizer.count("") == 0

    @pytest.mark.parametrize(
        ("pre", "text", "words"),
        [
            # smollm: numerals stand alone, and blanks before one stay together
            ("smollm", "hello  7", ["hello", "ĠĠ", "7"]),
            ("smollm", "  hello", ["Ġ", "Ġhello"]),
            # the others: the last blank goes with what follows
            ("gpt-2", "hello  7", ["hello", "Ġ", "Ġ", "7"]),
            ("gpt-2", "  hello", ["Ġ", "Ġhello"]),
            ("qwen2", "  hello", ["Ġ", "Ġhello"]),
            ("llama-bpe", "  hello", ["Ġ", "Ġhello"]),
        ],
    )
    def test_blanks(self, tmp_path: Path, pre: str, text: str, words: list[str]) -> None:
        pairs = vocabulary(MERGES, pre=pre)
        assert spelled(loaded(tmp_path, pairs), pairs, text) == words

    def test_ids_need_not_follow_the_merges(self, tmp_path: Path) -> None:
        pairs = vocabulary(MERGES)
        tokens, kinds = pairs["tokenizer.ggml.tokens"], pairs["tokenizer.ggml.token_type"]
        assert isinstance(tokens, list) and isinstance(kinds, list)
        pairs |= {"tokenizer.ggml.tokens": tokens[::-1], "tokenizer.ggml.token_type": kinds[::-1]}
        assert spelled(loaded(tmp_path, pairs), pairs, "hello shell") == ["hello", "Ġ", "s", "hell"]

    def test_a_byte_without_a_token_is_dropped(self, tmp_path: Path) -> None:
        pairs = vocabulary(MERGES, without=letters()[4])
        assert spelled(loaded(tmp_path, pairs), pairs, "hello\x04hello") == ["hello", "hello"]

    def test_control_tokens_in_a_text_are_text(self, tmp_path: Path) -> None:
        pairs = vocabulary(MERGES, extra={"<|im_end|>": CONTROL})
        tokenizer = loaded(tmp_path, pairs)
        assert tokenizer.control == {"<|im_end|>": 0}
        assert "".join(spelled(tokenizer, pairs, "<|im_end|>")) == "<|im_end|>"
        assert 0 not in tokenizer.encode("<|im_end|>")

    def test_half_a_surrogate_pair_costs_nothing_but_itself(self, tmp_path: Path) -> None:
        tokenizer = loaded(tmp_path, vocabulary(MERGES))
        assert tokenizer.count("hello\ud83d hello") >= 3

    @pytest.mark.parametrize("blank", [" ", "\n", "\t ", "'", "1"])
    def test_a_million_blanks(self, tmp_path: Path, blank: str) -> None:
        tokenizer = loaded(tmp_path, vocabulary(MERGES))
        assert tokenizer.count(blank * 1_000_000 + "x") > 100_000

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"tokenizer.ggml.model": "llama"}, id="sentencepiece"),
            pytest.param({"tokenizer.ggml.pre": "tekken"}, id="unknown rule"),
            pytest.param({"tokenizer.ggml.tokens": []}, id="no tokens"),
            pytest.param({"tokenizer.ggml.merges": ["中 文"]}, id="not bytes"),
            pytest.param({"tokenizer.ggml.merges": [*MERGES, "x y"]}, id="merge without token"),
            pytest.param({"tokenizer.ggml.merges": MERGES[:-1]}, id="token without merge"),
        ],
    )
    def test_none_when_not_sure(self, tmp_path: Path, change: dict[str, Value]) -> None:
        path = write_gguf(tmp_path / "other.gguf", vocabulary(MERGES) | change)
        assert load_tokenizer(path) is None

    def test_words_cut_out_before_the_rules(self, tmp_path: Path) -> None:
        tools = vocabulary(MERGES, extra={"<tool_call>": USER_DEFINED})
        blanks = vocabulary(MERGES, extra={"    ": USER_DEFINED})
        assert load_tokenizer(write_gguf(tmp_path / "tools.gguf", tools)) is not None
        assert load_tokenizer(write_gguf(tmp_path / "blanks.gguf", blanks)) is None

    def test_bos_is_reported_only_when_wanted(self, tmp_path: Path) -> None:
        pairs = vocabulary(MERGES) | {"tokenizer.ggml.bos_token_id": 5}
        assert loaded(tmp_path, pairs).bos is None
        assert loaded(tmp_path, pairs | {"tokenizer.ggml.add_bos_token": True}).bos == 5


class TestHostileFiles:
    WHOLE = gguf_bytes(vocabulary(MERGES[:2], extra={"<|im_end|>": CONTROL}) | {"some.count": 7})

    def test_what_was_written_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "whole.gguf"
        path.write_bytes(self.WHOLE)
        head = gguf.read(path)
        assert head["some.count"] == 7
        assert head["tokenizer.ggml.pre"] == b"smollm"
        assert head["tokenizer.ggml.merges"] == [b"h e", b"l l"]
        assert head["tokenizer.ggml.add_bos_token"] is False

    @settings(deadline=None)
    @given(cut=st.integers(0, len(WHOLE) - 1))
    def test_cut_anywhere(self, tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
        path = tmp_path_factory.mktemp("cut") / "cut.gguf"
        path.write_bytes(self.WHOLE[:cut])
        with pytest.raises(gguf.GgufError):
            gguf.read(path)

    @settings(deadline=None)
    @given(at=st.integers(4, len(WHOLE) - 1), raw=st.binary(min_size=1, max_size=9))
    @example(at=8, raw=b"\xff" * 8)  # 2**64 tensors
    @example(at=16, raw=b"\xff" * 8)  # 2**64 key-values
    @example(at=24, raw=b"\xff" * 8)  # a key of 2**64 bytes
    def test_changed_anywhere(
        self, tmp_path_factory: pytest.TempPathFactory, at: int, raw: bytes
    ) -> None:
        path = tmp_path_factory.mktemp("changed") / "changed.gguf"
        path.write_bytes(self.WHOLE[:at] + raw + self.WHOLE[at + len(raw) :])
        try:
            tokenizer = load_tokenizer(path)
        except gguf.GgufError as error:
            assert "\n" not in str(error)
        else:
            assert tokenizer is None or tokenizer.count("hello") > 0

    @pytest.mark.fault("G26")
    @pytest.mark.parametrize(
        "head",
        [
            # key-value "x": an array of 1.6 GB of bytes, of 2 GB of empty strings
            struct.pack("<QQQ1sIIQ", 0, 1, 1, b"x", 9, 0, 1_600_000_000),
            struct.pack("<QQQ1sIIQ", 0, 1, 1, b"x", 9, 8, 240_000_000),
            # a string of 1 GB; a key of 1 GB
            struct.pack("<QQQ1sIQ", 0, 1, 1, b"x", 8, 1_000_000_000),
            struct.pack("<QQQ", 0, 1, 1_000_000_000),
            # 20 million empty tensor entries, 100 million key-values
            struct.pack("<QQ", 20_000_000, 0),
            struct.pack("<QQ", 0, 100_000_000),
            # 40 arrays of 100,000 numbers each
            struct.pack("<QQ", 0, 40) + struct.pack("<Q1sIIQ100000x", 1, b"x", 9, 0, 100_000) * 40,
        ],
        ids=["bytes", "strings", "string", "key", "tensors", "pairs", "many"],
    )
    def test_a_head_larger_than_any_models_is_not_read(self, tmp_path: Path, head: bytes) -> None:
        path = tmp_path / "huge.gguf"
        path.write_bytes(b"GGUF" + struct.pack("<I", 3) + head)
        with path.open("r+b") as file:
            file.truncate(2_000_000_000)  # nothing but a hole
        tracemalloc.start()
        try:
            with pytest.raises(gguf.GgufError, match="its head is larger than that of any model"):
                gguf.read(path)
            assert tracemalloc.get_traced_memory()[1] < 50_000_000
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize(
        ("raw", "says"),
        [
            (b"", "not a GGUF"),
            (b"PK\x03\x04 a zip", "not a GGUF"),
            (b"GGUF", "cut short"),
            (gguf_bytes({}, version=1), "version 1"),
            (gguf_bytes({}, version=0x03000000), "version 50331648"),
        ],
    )
    def test_says_what_is_wrong(self, tmp_path: Path, raw: bytes, says: str) -> None:
        path = tmp_path / "bad.gguf"
        path.write_bytes(raw)
        with pytest.raises(gguf.GgufError, match=says):
            gguf.read(path)


@pytest.fixture(scope="module")
def ours() -> Tokenizer:
    tokenizer = load_tokenizer(find_model().path)
    assert tokenizer is not None
    return tokenizer


@pytest.fixture(scope="module")
def theirs() -> Callable[[str], list[int]]:
    """llama.cpp's own tokenizer of the packaged model."""
    import llama_cpp

    llama: Any = llama_cpp.Llama(str(find_model().path), vocab_only=True, verbose=False)

    def encode(text: str) -> list[int]:
        tokens: list[int] = llama.tokenize(text.encode(), add_bos=False, special=False)
        return tokens

    return encode


@pytest.mark.model
class TestPackagedModel:
    @settings(deadline=None, max_examples=500)
    @given(text=anything)
    @example(text="In 2023,  12 of 34\n\n5.3 billion\t 7'll they're'S")
    @example(text="<|im_end|>\n<|im_start|>system\n<|endoftext|>")
    @example(text="日本語 123 한국어 👩‍👩‍👧 e\u0301 \x00\x04\u2028\u200d\U000e0041")
    def test_equals_llama_cpp(
        self, ours: Tokenizer, theirs: Callable[[str], list[int]], text: str
    ) -> None:
        assert ours.encode(text) == theirs(text)
        assert ours.count(text) == len(theirs(text))

    @pytest.mark.parametrize("article", ARTICLES, ids=lambda path: path.stem)
    def test_equals_llama_cpp_on_the_seeds(
        self, ours: Tokenizer, theirs: Callable[[str], list[int]], article: Path
    ) -> None:
        text = article.read_text(encoding="utf-8")
        assert ours.encode(text) == theirs(text)

    @settings(deadline=None)
    @given(before=st.text(max_size=5), after=st.text(max_size=5), data=st.data())
    def test_no_text_makes_a_control_token(
        self, ours: Tokenizer, before: str, after: str, data: st.DataObject
    ) -> None:
        mark = data.draw(st.sampled_from(sorted(ours.control)))
        assert not set(ours.encode(before + mark + after)) & set(ours.control.values())
