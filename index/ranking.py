"""Four opinions about each candidate passage, one ranking. Pure numbers, no database.

A passage is judged by its own vector, by its best sentence's vector, by BM25, and by late
interaction: each word piece of the question looks for its nearest in one sentence (Khattab and
Zaharia 2020, with the vectors the encoder makes anyway). The weighted sum beat each opinion alone,
reciprocal-rank fusion and min-max averaging on the visible sets; late interaction alone moved SQuAD
from .83 to .88 recall@1. BM25 enters as b / (b + 10): bounded, and comparable between questions.
"""

from __future__ import annotations

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
# Two passages sharing this share of their distinct words say the same thing.
_SAME = 0.9


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
    hits = [_hit(one, question, matched.get(one.id, 0.0), weight, documents) for one in found]
    hits.sort(key=lambda hit: (-hit.score, hit.passage_id))
    return [replace(hit, rank=i) for i, hit in enumerate(_folded(hits, k), start=1)]


def _hit(
    passage: StoredPassage,
    question: QuestionVectors,
    bm25: float,
    weight: float,
    documents: Collection[str] | None,
) -> Hit:
    """A candidate with its scores and their weighted mean, which lies in [0, 1]."""
    dense = float(passage.vector @ question.vector)
    compared = _sentences(passage, question)
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


def _sentences(passage: StoredPassage, question: QuestionVectors) -> tuple[ScoredSentence, ...]:
    """The passage's sentences, each compared with the question."""
    cosines = passage.sentence_vectors.astype(np.float32) @ question.vector
    nearness = question.tokens @ unpack(passage.tokens).T  # (pieces asked, pieces read)
    compared, at = [], 0
    for span, count, cosine in zip(passage.sentences, passage.token_counts, cosines, strict=True):
        closest = _closest(nearness[:, at : at + count])
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


def _folded(hits: Sequence[Hit], k: int) -> list[Hit]:
    """The first `k` hits; one that repeats a better one only lends it its documents."""
    kept: list[Hit] = []
    told: list[frozenset[str]] = []
    for hit in hits:
        if len(kept) == k:
            break
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
