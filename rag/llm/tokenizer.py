"""Token counts on the model's own vocabulary, offline, before the model is loaded.

A GGUF file carries its whole tokenizer: the vocabulary, the merges in the order they were learned
and the name of the rule that cuts text into words first. From these `tiktoken` is handed exactly
what it needs, so nothing is downloaded and the counts are the model's, not another model's.

The only import of tiktoken.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from rag.llm.weights import gguf

if TYPE_CHECKING:
    from tiktoken import Encoding

# tiktoken's regular expressions keep a step per blank: a million of them in a row abort it.
_LONGEST = 100_000
_NORMAL, _CONTROL, _USER_DEFINED = 1, 3, 4  # `enum llama_token_type`

_ENGLISH = r"'s|'t|'re|'ve|'m|'ll|'d"
_ENGLISH_ANY_CASE = r"'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
# How `tokenizer.ggml.pre` cuts text into words, as one regular expression each. The languages they
# describe are those of llama.cpp's llama-vocab.cpp; whatever is not listed is left to llama.cpp.
_WORDS = {
    "gpt-2": rf"{_ENGLISH}| ?\p{{L}}+| ?\p{{N}}+| ?[^\s\p{{L}}\p{{N}}]+|\s+(?!\S)|\s+",
    # Two stages in llama.cpp: every numeral is cut out first, then the rule of gpt-2 runs on each
    # piece between. A piece ends before a numeral as the text ends at its end, so a run of spaces
    # gives its last one away only when something that is neither a space nor a numeral follows.
    "smollm": rf"\p{{N}}|{_ENGLISH}| ?\p{{L}}+| ?[^\s\p{{L}}\p{{N}}]+|\s+(?![^\s\p{{N}}])|\s+",
    "qwen2": rf"{_ENGLISH_ANY_CASE}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "llama-bpe": rf"{_ENGLISH_ANY_CASE}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}


class Tokenizer:
    """Cuts text into the token ids of one model.

    Plain text only: a control token spelled out in a document (`<|im_end|>`) is cut like any other
    text. The ids of control tokens are in `control`, for whoever builds a prompt.
    """

    def __init__(
        self,
        encoding: Encoding,
        ids: Sequence[int | None],
        control: dict[str, int],
        bos: int | None,
    ) -> None:
        self._encoding = encoding
        self._ids = ids  # rank -> token id; None for a byte the vocabulary lacks
        self.control = control
        self.bos = bos
        """The id a prompt must begin with, or None."""

    def encode(self, text: str) -> list[int]:
        """The token ids of `text`; bytes the vocabulary lacks are dropped, as llama.cpp does.

        Equal to llama.cpp's up to 100,000 characters; a longer text is cut there first, which can
        add a token per cut.
        """
        ids, encode = self._ids, self._encoding.encode_ordinary
        ranks = chain.from_iterable(
            encode(text[start : start + _LONGEST]) for start in range(0, len(text), _LONGEST)
        )
        return [token for rank in ranks if (token := ids[rank]) is not None]

    def count(self, text: str) -> int:
        """How many tokens `text` is."""
        return len(self.encode(text))


def load_tokenizer(path: Path) -> Tokenizer | None:
    """The tokenizer inside the GGUF file at `path`.

    None when its vocabulary is of a kind this module cannot reproduce exactly (SentencePiece, a
    word rule not listed here, words added on top of the merges): ask llama.cpp then.
    Raises `GgufError` for a file that is not a sound GGUF, `OSError` for one that cannot be read.
    """
    head = gguf.read(path)
    rule = _text(head.get("tokenizer.ggml.pre"))
    if rule not in _WORDS or head.get("tokenizer.ggml.model") != b"gpt2":
        return None
    tokens, merges = _texts(head, "tokenizer.ggml.tokens"), _texts(head, "tokenizer.ggml.merges")
    kinds = head.get("tokenizer.ggml.token_type")
    if not isinstance(kinds, list) or len(kinds) != len(tokens):
        return None
    vocabulary = {text: token for token, text in enumerate(tokens)}
    pieces = _pieces(merges)
    if pieces is None or not _nothing_else(tokens, kinds, pieces):
        return None
    ids = [vocabulary.get(text) for text in pieces]
    if None in ids[256:]:
        return None  # llama.cpp would spell such a word in bytes
    from tiktoken import Encoding

    ranks = {piece: rank for rank, piece in enumerate(pieces.values())}
    encoding = Encoding(path.name, pat_str=_WORDS[rule], mergeable_ranks=ranks, special_tokens={})
    control = {text: token for text, token in vocabulary.items() if kinds[token] == _CONTROL}
    return Tokenizer(encoding, ids, control, _bos(head, rule))


def _pieces(merges: Sequence[str]) -> dict[str, bytes] | None:
    """Every word the merges make, as written in the file and in bytes, single bytes first.

    The order is the order of the merges, by which tiktoken ranks. Token ids mostly follow it too,
    but nothing in the format says so. None when a merge holds a letter that stands for no byte.
    """
    byte_of = {letter: byte for byte, letter in enumerate(_letters())}
    pieces = {letter: bytes([byte]) for letter, byte in byte_of.items()}
    try:
        for merge in merges:
            text = merge.replace(" ", "", 1)
            if text not in pieces:  # llama-bpe lists every two halves of a word; the first counts
                pieces[text] = bytes(map(byte_of.__getitem__, text))
    except KeyError:
        return None
    return pieces


def _nothing_else(
    tokens: Sequence[str], kinds: Sequence[gguf.Value], pieces: dict[str, bytes]
) -> bool:
    """Whether the merges make every ordinary token and nothing is cut out of a text before them.

    llama.cpp cuts user-defined tokens out first. Those in brackets (`<tool_call>`) do not occur in
    articles, and if one does we want it as text; runs of spaces and the like would change counts.
    """
    for text, kind in zip(tokens, kinds, strict=True):
        if kind == _NORMAL and text not in pieces:
            return False
        if kind == _USER_DEFINED and (text[:1], text[-1:]) not in {("<", ">"), ("[", "]")}:
            return False
    return True


@cache
def _letters() -> tuple[str, ...]:
    """The printable letter that stands for each byte in a byte-level vocabulary, by byte.

    GPT-2's convention: printable Latin-1 stands for itself, the rest follow from U+0100 on.
    """
    itself = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return tuple(chr(byte if byte in itself else next(others)) for byte in range(256))


def _bos(head: dict[str, gguf.Value], rule: str) -> int | None:
    wanted = head.get("tokenizer.ggml.add_bos_token", rule == "llama-bpe")
    bos = head.get("tokenizer.ggml.bos_token_id")
    return bos if wanted and isinstance(bos, int) else None


def _text(value: gguf.Value | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _texts(head: dict[str, gguf.Value], key: str) -> list[str]:
    values = head.get(key)
    if not isinstance(values, list):
        return []
    return [value.decode("utf-8", "replace") for value in values if isinstance(value, bytes)]
