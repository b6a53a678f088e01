"""A small network reads question and sentence together, word piece by word piece.

Nothing is encoded for it: it takes the word pieces' vectors that the library stores anyway. The
question's pieces look for what they ask among the sentence's and back (cross attention, helped by
the cosine of two pieces and by their being the same word); out comes where in the sentence the
answer begins and ends. Two more heads, how well a sentence answers and whether it answers at all,
are learnt beside it and not used: on other articles they are no better than the first rung.

Trained by `train_network.py`; plain numpy here, so that asking a question needs no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.lexical import ASKING
from index.projection import Packed, Projected, unpack
from index.types import Span
from rag.kinds import Kind

Floats = NDArray[np.float32]
Weights = Mapping[str, Floats]

FILE = "network.npz"
MOST_ASKED, MOST_READ = 32, 64
"""Word pieces of a question and of a sentence that are read; the rest is cut off."""
KINDS: tuple[Kind, ...] = ("number", "when", "who", "where", "why", "other")
HEADS, VIEWS = 4, 4
"""Attention heads, and views of late interaction in the end."""
WINDOW = 5
"""Word pieces that are mixed with their neighbours."""
_FAR_AWAY = np.float32(-1e4)
_EPSILON = np.float32(1e-5)
_SHARP = np.float32(8.0)


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A question as the network sees it."""

    vectors: Projected
    """Its word pieces, shape (pieces, width)."""
    pieces: Sequence[str]
    kind: Kind


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A sentence as the network sees it."""

    vectors: Packed
    """Its word pieces, shape (pieces, width)."""
    pieces: Sequence[str]
    spans: Sequence[Span]
    """Where each piece stands in `text`."""
    text: str
    features: Floats
    """What the first rung sees of it, standardised, shape (features,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What the network makes of a question's sentences."""

    support: Floats
    """How much better (in nats) each answers than the first rung thinks, shape (n,); not used."""
    answers: Floats
    """How much likelier (in nats) it is that each answers at all, shape (n,); not used."""
    places: Floats
    """How well an answer begins and ends at each piece, shape (n, longest, 2)."""


def judge(asked: Asked, sentences: Sequence[Read], weights: Weights | None = None) -> Judged:
    """Read a question with some sentences; no more than a few dozen at once.

    Args:
        asked: the question.
        sentences: at least one, each with at least one piece.
        weights: of the network; the packaged ones when None.
    """
    return forward(inputs(asked, sentences), weights or packaged())


def inputs(asked: Asked, sentences: Sequence[Read]) -> dict[str, Any]:
    """The network's input as padded arrays; used for training as well.

    Returns:
        `read` (n, longest, width), `asked` (n, pieces, width), `read_mask`, `asked_mask` (bool),
        `read_marks` (n, longest, 7), `asked_marks` (n, pieces, 4), `kind` (n,), `near` and `same`
        (n, longest, pieces), `late` (n,), `features` (n, f).
    """
    n, wide = len(sentences), min(len(asked.pieces), MOST_ASKED)
    longest = min(max(len(one.pieces) for one in sentences), MOST_READ)
    question = np.asarray(asked.vectors[:wide], np.float32)
    marks = asked_marks(asked.pieces[:wide])
    read = np.zeros((n, longest, question.shape[1]), np.float32)
    mask = np.zeros((n, longest), bool)
    read_marks = np.zeros((n, longest, 7), np.float32)
    same = np.zeros((n, longest, wide), np.float32)
    for i, one in enumerate(sentences):
        k = min(len(one.pieces), MOST_READ)
        read[i, :k], mask[i, :k] = unpack(one.vectors[:k]), True
        read_marks[i, :k, :4] = marks_of(one.pieces[:k], one.spans[:k], one.text)
        for j, piece in enumerate(asked.pieces[:wide]):
            same[i, :k, j] = [piece == other for other in one.pieces[:k]]
    near = read @ question.T
    told = (same * marks[:, 2]).max(axis=2)
    read_marks[:, :, 4], read_marks[:, :, 5] = near.max(axis=2), told
    read_marks[:, :, 6] = _widest(told)
    late = np.where(mask[:, :, None], near, -1).max(axis=1).mean(axis=1)
    return {
        "read": read,
        "asked": np.repeat(question[None], n, axis=0),
        "read_mask": mask,
        "asked_mask": np.ones((n, wide), bool),
        "read_marks": read_marks,
        "asked_marks": np.repeat(marks[None], n, axis=0),
        "kind": np.full(n, KINDS.index(asked.kind)),
        "near": near,
        "same": same,
        "late": late.astype(np.float32),
        "features": np.stack([one.features for one in sentences]).astype(np.float32),
    }


def asked_marks(pieces: Sequence[str]) -> Floats:
    """Of each piece of a question: does it ask, does it go on a word, does it tell, is it a number.

    Shape (pieces, 4).
    """
    rows = [
        (
            piece in ASKING,
            piece.startswith("##"),
            piece.startswith("##") or (piece.isalnum() and piece not in ASKING),
            any(c.isdigit() for c in piece),
        )
        for piece in pieces
    ]
    return np.array(rows, np.float32).reshape(-1, 4)


def marks_of(pieces: Sequence[str], spans: Sequence[Span], text: str) -> Floats:
    """Of each piece of a sentence: number, capital, goes on a word, punctuation; shape (n, 4)."""
    rows = []
    for piece, span in zip(pieces, spans, strict=True):
        word = text[span.start : span.end]
        rows.append(
            (
                any(c.isdigit() for c in word),
                word[:1].isupper(),
                piece.startswith("##"),
                not any(c.isalnum() for c in word),
            )
        )
    return np.array(rows, np.float32).reshape(-1, 4)


def forward(given: Mapping[str, Any], w: Weights) -> Judged:
    """The network itself; see `inputs` for its shapes and `train_network.py` for its twin."""
    read_mask, asked_mask = given["read_mask"], given["asked_mask"]
    hints = np.stack([given["near"], given["same"]], axis=1)
    back = hints.transpose(0, 1, 3, 2)
    p = _linear(given["read"], w, "inp") + _linear(given["read_marks"], w, "pflags")
    q = _linear(given["asked"], w, "inq") + _linear(given["asked_marks"], w, "qflags")
    q += w["kind.weight"][given["kind"]][:, None]
    for layer in range(layers(w)):
        at = f"blocks.{layer}"
        own, other = _norm(p, w, f"{at}.np1"), _norm(q, w, f"{at}.nq1")
        p = p + _attend(own, other, asked_mask, hints, w, f"{at}.pq")
        p += _mixed(own * read_mask[:, :, None], w, f"{at}.conv")
        q = q + _attend(other, own, read_mask, back, w, f"{at}.qp")
        p = p + _feed(_norm(p, w, f"{at}.np2"), w, f"{at}.pf")
        q = q + _feed(_norm(q, w, f"{at}.nq2"), w, f"{at}.qf")
    return _heads(_norm(p, w, "nP"), _norm(q, w, "nQ"), given, w)


def layers(w: Weights) -> int:
    """How many layers the weights have."""
    return sum(name.endswith(".np1.weight") for name in w)


def _heads(p: Floats, q: Floats, given: Mapping[str, Any], w: Weights) -> Judged:
    """Late interaction in a few learnt views, the sentence in short, and the places in it."""
    read_mask, asked_mask = given["read_mask"], given["asked_mask"]
    n, longest, wide = len(p), p.shape[1], q.shape[1]
    sought = _unit(_linear(q, w, "su").reshape(n, wide, VIEWS, -1)).transpose(0, 2, 1, 3)
    there = _unit(_linear(p, w, "sv").reshape(n, longest, VIEWS, -1)).transpose(0, 2, 3, 1)
    close = np.where(read_mask[:, None, None], sought @ there, -1).max(axis=3)
    unasked = ~asked_mask[:, None]
    share = _softmax(np.where(unasked, _FAR_AWAY, _linear(q, w, "sw").transpose(0, 2, 1)))
    late = (close * share).sum(axis=2)
    worst = -_log_sum(np.where(unasked, _FAR_AWAY, -_SHARP * close)) / _SHARP
    told = _softmax(np.where(read_mask, _linear(p, w, "pool")[:, :, 0], _FAR_AWAY))
    sentence = (told[:, None] @ p)[:, 0]
    question = (share.mean(axis=1)[:, None] @ q)[:, 0]
    places = np.where(read_mask[:, :, None], _linear(p, w, "span"), _FAR_AWAY)
    best = np.clip(places.max(axis=1), -20, 20) * np.float32(0.1)
    seen = [late, worst, sentence, question, given["late"][:, None], best, given["features"]]
    hidden = np.maximum(_linear(np.concatenate(seen, axis=1), w, "hid.0"), 0)
    out = _linear(hidden, w, "hid.3")
    return Judged(out[:, 0], out[:, 1], places)


def _attend(x: Floats, y: Floats, mask: Any, hints: Floats, w: Weights, at: str) -> Floats:
    """What each row of `x` finds in `y`; hints (n, 2, rows of x, rows of y) pull the eye."""
    n, rows, width = x.shape
    size = width // HEADS

    def heads(name: str, of: Floats) -> Floats:
        made = _linear(of, w, f"{at}.{name}").reshape(n, of.shape[1], HEADS, size)
        return made.transpose(0, 2, 1, 3)

    drawn = heads("q", x) @ heads("k", y).transpose(0, 1, 3, 2) / np.float32(size**0.5)
    for hint, strength in enumerate(w[f"{at}.bias"]):
        drawn += hints[:, hint, None] * strength[None, :, None, None]
    drawn = np.where(mask[:, None, None], drawn, _FAR_AWAY)
    found = (_softmax(drawn) @ heads("v", y)).transpose(0, 2, 1, 3).reshape(n, rows, width)
    return _linear(found, w, f"{at}.o")


def _mixed(x: Floats, w: Weights, at: str) -> Floats:
    """Each piece with its neighbours, every direction by itself (a depthwise convolution)."""
    kernel, half = w[f"{at}.weight"][:, 0], WINDOW // 2
    padded = np.pad(x, ((0, 0), (half, half), (0, 0)))
    made = w[f"{at}.bias"] + sum(
        padded[:, k : k + x.shape[1]] * kernel[:, k] for k in range(WINDOW)
    )
    return np.asarray(made, np.float32)


def _feed(x: Floats, w: Weights, at: str) -> Floats:
    return _linear(np.maximum(_linear(x, w, f"{at}.0"), 0), w, f"{at}.2")


def _linear(x: Floats, w: Weights, at: str) -> Floats:
    made: Floats = x.reshape(-1, x.shape[-1]) @ w[f"{at}.weight"].T
    bias = w.get(f"{at}.bias")
    if bias is not None:
        made += bias
    return made.reshape(*x.shape[:-1], -1)


def _norm(x: Floats, w: Weights, at: str) -> Floats:
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + _EPSILON)
    return np.asarray(centred / spread * w[f"{at}.weight"] + w[f"{at}.bias"], np.float32)


def _softmax(x: Floats) -> Floats:
    grown = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True), np.float32)


def _log_sum(x: Floats) -> Floats:
    top = x.max(axis=-1)
    return np.asarray(top + np.log(np.exp(x - top[..., None]).sum(axis=-1)), np.float32)


def _unit(x: Floats) -> Floats:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12), np.float32)


def _widest(told: Floats) -> Floats:
    """For each piece the most that it or a neighbour within the window holds."""
    half, longest = WINDOW // 2, told.shape[1]
    padded = np.pad(told, ((0, 0), (half, half)))
    widest: Floats = np.stack([padded[:, k : k + longest] for k in range(WINDOW)]).max(axis=0)
    return widest


@cache
def packaged() -> Weights:
    """The trained weights of this package, float32, by name."""
    with files("rag.reader").joinpath(FILE).open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        return {name: stored[name].astype(np.float32) for name in stored.files}
