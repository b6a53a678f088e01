"""The network at question time: which words of the best sentence answer.

Its correction to the order of the sentences is not used, nor its doubt whether they answer at all:
neither was better than the first rung beyond chance (see CARD.md). So it reads one sentence only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from index import Hit
from index.library import Library
from rag.kinds import fits, question_kind
from rag.reader import network
from rag.reader.features import NAMES
from rag.reader.network import Asked, Read
from rag.reader.reader import ReadSentence

LONGEST = 14
"""Word pieces of a short answer at most."""
SURE_OF = frozenset({"number", "when", "who", "where"})
"""Kinds of question with short answers. Of the others too few are right (63 % on the tuning
articles), and a question in a language the network has not learnt is never of these kinds."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Fitted:
    """What `train_network.py` fitted beside the weights."""

    encoder: str
    """Revision of the encoder whose word pieces the network knows."""
    certain: float
    """A short answer is shown when the belief in its sentence times the likelihood of its place
    there is at least this."""


Place = tuple[Hit, int]
"""A sentence: a hit, and which of its sentences."""


def answer_in(library: Library, question: str, sentence: ReadSentence) -> str | None:
    """The words of a sentence that answer, character for character; None unless nearly certain.

    Args:
        library: where the sentence was found.
        question: as typed.
        sentence: the reader's best.
    """
    known = fitted()
    if library.encoder.identity.revision != known.encoder:
        return None  # the vectors of another encoder mean nothing to the network
    about = asked(library, question)
    if about.kind not in SURE_OF or not about.pieces:
        return None
    nothing = np.zeros((1, len(NAMES)))  # only the order of sentences would depend on features
    found = sentences(library, [(sentence.hit, sentence.position)], nothing, [0], 1)
    if not found:
        return None
    text, likely = short(found[0][1], network.judge(about, [found[0][1]]).places[0])
    return text if sentence.score * likely >= known.certain and right_sort(question, text) else None


def right_sort(question: str, text: str) -> bool:
    """Whether words may answer at all: a number where one is asked for, a time likewise."""
    return question_kind(question) not in ("number", "when") or fits(question, text) is True


def asked(library: Library, question: str) -> Asked:
    """A question as the network sees it."""
    made = library.question(question)
    return Asked(made.tokens, made.pieces, question_kind(question))


def sentences(
    library: Library,
    places: Sequence[Place],
    standard: NDArray[np.float64],
    order: Sequence[int],
    most: int,
) -> list[tuple[int, Read]]:
    """The first sentences in an order, as the network sees them; each with its place's number.

    One whose passage has just gone, or whose word pieces are not what was stored, is left out.
    """
    first = order[:most]
    stored = library.word_vectors({places[i][0].passage_id for i in first})
    found = []
    for i in first:
        hit, position = places[i]
        vectors = stored.get(hit.passage_id, ())
        text = hit.sentences[position].text
        made = library.encoder.pieces(text)
        if position < len(vectors) and len(made.pieces) == len(vectors[position]) > 0:
            features = np.clip(standard[i], -4, 4).astype(np.float32)
            found.append((i, Read(vectors[position], made.pieces, made.spans, text, features)))
    return found


def short(read: Read, places: NDArray[np.float32]) -> tuple[str, float]:
    """The likeliest answer within a sentence, character for character, and how likely it is."""
    first, last, likely = best_span(places, len(read.pieces))
    start, end = whole_numbers(read.text, read.spans[first].start, read.spans[last].end)
    return read.text[start:end], likely


def whole_numbers(text: str, start: int, end: int) -> tuple[int, int]:
    """A part of a text, widened where it begins or ends inside a number.

    Word pieces end at every comma: the network may point at the `900` of `5,900`.
    """
    for number in _NUMBER.finditer(text):
        if number.start() < end and start < number.end():
            start, end = min(start, number.start()), max(end, number.end())
    return start, end


def best_span(places: NDArray[np.float32], pieces: int) -> tuple[int, int, float]:
    """The likeliest first and last word piece of the answer, and how likely they are.

    Args:
        places: of one sentence, from the network, shape (longest, 2).
        pieces: how many word pieces the sentence has.
    """
    known = places[: min(pieces, len(places))].astype(np.float64)
    known -= known.max(axis=0)
    starts, ends = (known - np.log(np.exp(known).sum(axis=0))).T
    both = starts[:, None] + ends[None, :]
    allowed = np.triu(np.ones_like(both)) - np.triu(np.ones_like(both), LONGEST)
    both = np.where(allowed > 0, both, -np.inf)
    first, last = np.unravel_index(int(np.argmax(both)), both.shape)
    return int(first), int(last), float(np.exp(both[first, last]))


@cache
def fitted() -> Fitted:
    """The fitted numbers of this package."""
    data = json.loads(files("rag.reader").joinpath("network.json").read_text("utf-8"))
    return Fitted(**data["fitted"])
