"""Four opinions about each candidate passage, one ranking. Pure numbers, no database.

A passage is judged by its own vector, by its best sentence's vector, by BM25, and by late
interaction: each word piece of the question looks for its nearest in one sentence (Khattab and
Zaharia 2020, with the vectors the encoder makes anyway). The weighted sum beat each opinion alone,
reciprocal-rank fusion and min-max averaging on the visible sets; late interaction alone moved SQuAD
from .83 to .88 recall@1. BM25 enters as b / (b + 10): bounded, and comparable between questions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from index.encoder import QuestionVectors
from index.lexical import words
from index.passages import has_cjk
from index.projection import unpack
from index.store import StoredPassage
from index.types import Hit, ScoredSentence, title_from_id

_PASSAGE, _SENTENCE, _WORDS, _LATE = 0.5, 0.5, 1.0, 2.0
# The default encoder has hardly seen CJK (nDCG@10 .24 on XQuAD-zh): there words decide.
_WORDS_CJK = 8.0
_HALF_BM25 = 10.0
# How near the word pieces of a year are to a sentence that its document dates to that year: what
# a year's pieces reach on average where the sentence spells it out (seeds, 14 articles).
_DATED = 0.8
_YEAR = re.compile(r"\b[12]\d{3}\b")
# What it is worth that a question names the article's outlet or author ("as The Verge reported"),
# and what each earlier hit of its document costs one in the second half of the list. On 300
# MultiHop-RAG questions the latter moves recall@10 from .884 to .901 (.05 no further), on 300 of
# SQuAD, whose answers lie in one of 29 long articles, from .987 to .980.
_NAMED, _AGAIN = 0.04, 0.03
# Two passages sharing this share of their distinct words say the same thing.
_SAME = 0.9
# How many times the wanted number of hits are compared with one another for repetition and spread.
_POOL = 3


def rank(
    query: str,
    question: QuestionVectors,
    found: Sequence[StoredPassage],
    matched: Mapping[int, float],
    k: int,
    documents: Collection[str] | None = None,
) -> list[Hit]:
    """The `k` best candidates as hits, best first, near-duplicates folded into the better one.

    Args:
        query: the question as typed.
        question: its vectors.
        found: the candidates.
        matched: BM25 by passage id, for those that matched a word.
        k: how many at most.
        documents: the documents asked for, so that a text at two paths is named by the right one.
    """
    weight = _WORDS_CJK if has_cjk(query) else _WORDS
    years = _spelled_years(question.pieces)
    hits = [
        _hit(one, question, matched.get(one.id, 0.0), weight, documents, years) for one in found
    ]
    hits = [replace(h, score=min(h.score + _NAMED, 1.0)) if _named(query, h) else h for h in hits]
    hits.sort(key=lambda hit: (-hit.score, hit.passage_id))
    return [
        replace(hit, rank=i)
        for i, hit in enumerate(_spread(_folded(hits[: _POOL * k]), k), start=1)
    ]


def _hit(
    passage: StoredPassage,
    question: QuestionVectors,
    bm25: float,
    weight: float,
    documents: Collection[str] | None,
    years: Mapping[str, Sequence[int]],
) -> Hit:
    """A candidate with its scores and their weighted mean, which lies in [0, 1]."""
    dense = float(passage.vector @ question.vector)
    compared = _sentences(passage, question, _dated(passage, years))
    best = max((one.score for one in compared), default=dense)
    late = max((one.late for one in compared), default=0.0)
    total = (
        _PASSAGE * max(dense, 0.0)
        + _SENTENCE * max(best, 0.0)
        + _LATE * max(late, 0.0)
        + weight * bm25 / (bm25 + _HALF_BM25)
    )
    asked = [one for one in passage.document_ids if documents is None or one in documents]
    first, *also = asked or passage.document_ids
    return Hit(
        document_id=first,
        title=passage.title or title_from_id(first),
        source=passage.source,
        start=passage.start,
        end=passage.end,
        text=passage.text,
        score=min(total / (_PASSAGE + _SENTENCE + _LATE + weight), 1.0),
        rank=0,
        passage_id=passage.id,
        paragraph=passage.paragraph,
        author=passage.author,
        date=passage.date,
        dense=dense,
        lexical=bm25,
        sentence=best,
        late=late,
        sentences=compared,
        also=tuple(also),
    )


def _spelled_years(pieces: Sequence[str]) -> dict[str, list[int]]:
    """The years in a question, and which of its word pieces spell each (`202`, `##3`)."""
    found: dict[str, list[int]] = {}
    for first in range(len(pieces)):
        spelled = ""
        for last in range(first, min(first + 4, len(pieces))):
            spelled += pieces[last].removeprefix("##")
            if _YEAR.fullmatch(spelled):
                found.setdefault(spelled, []).extend(range(first, last + 1))
    return found


def _dated(passage: StoredPassage, years: Mapping[str, Sequence[int]]) -> Sequence[int]:
    """Which word pieces of the question spell the year of the passage's document.

    None when the passage names years itself: then those count, not the date of publication.
    """
    spelled = years.get(passage.date[:4], ())
    return () if spelled and _YEAR.search(passage.text) else spelled


def _sentences(
    passage: StoredPassage, question: QuestionVectors, dated: Sequence[int]
) -> tuple[ScoredSentence, ...]:
    """The passage's sentences, each compared with the question; `dated` pieces are known here."""
    cosines = passage.sentence_vectors.astype(np.float32) @ question.vector
    nearness = question.tokens @ unpack(passage.tokens).T  # (pieces asked, pieces read)
    compared, at = [], 0
    for span, count, cosine in zip(passage.sentences, passage.token_counts, cosines, strict=True):
        closest = _closest(nearness[:, at : at + count])
        if dated and len(closest):
            closest[list(dated)] = np.maximum(closest[list(dated)], _DATED)
        at += count
        compared.append(
            ScoredSentence(
                start=span.start,
                end=span.end,
                text=passage.text[span.start - passage.start : span.end - passage.start],
                score=float(cosine),
                late=float(closest.mean()) if len(closest) else 0.0,
                closeness=tuple(closest.tolist()),
            )
        )
    return tuple(compared)


def _closest(nearness: NDArray[np.float32]) -> NDArray[np.float32]:
    """For each piece asked the best cosine among the pieces read; nothing when either is empty."""
    if not nearness.size:
        return np.zeros(0, np.float32)
    best: NDArray[np.float32] = nearness.max(axis=1)
    return best


def _named(query: str, hit: Hit) -> bool:
    """Whether a question names the outlet or the author of a hit, spelled as it is there."""
    return any(
        len(name) > 1 and name in query and re.search(rf"\b{re.escape(name)}\b", query) is not None
        for name in (hit.source.removeprefix("The "), hit.author)
    )


def _spread(hits: Sequence[Hit], k: int) -> list[Hit]:
    """`k` hits: the first half as ranked, in the second a document's next hit counts for less.

    Several documents may speak to a question, and one long article must not fill the list.
    """
    chosen, rest = list(hits[: (k + 1) // 2]), list(hits[(k + 1) // 2 :])
    often = Counter(hit.document_id for hit in chosen)
    while rest and len(chosen) < k:
        at = max(
            range(len(rest)), key=lambda i: rest[i].score - _AGAIN * often[rest[i].document_id]
        )
        often[rest[at].document_id] += 1
        chosen.append(rest.pop(at))
    return chosen


def _folded(hits: Sequence[Hit]) -> list[Hit]:
    """The hits in order; one that repeats a better one only lends it its documents."""
    kept: list[Hit] = []
    told: list[frozenset[str]] = []
    for hit in hits:
        mine = frozenset(words(hit.text))
        twin = next((i for i, other in enumerate(told) if _same(mine, other)), None)
        if twin is None:
            kept.append(hit)
            told.append(mine)
        else:
            names = (hit.document_id, *hit.also)
            known = (kept[twin].document_id, *kept[twin].also)
            more = tuple(name for name in names if name not in known)
            kept[twin] = replace(kept[twin], also=kept[twin].also + more)
    return kept


def _same(a: frozenset[str], b: frozenset[str]) -> bool:
    return bool(a) and len(a & b) >= _SAME * len(a | b)
