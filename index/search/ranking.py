"""Four opinions about each candidate passage, one ranking. Pure numbers, no database.

A passage is judged by its own vector, by its best sentence's vector, by BM25, and by late
interaction: each word piece of the question looks for its nearest in one sentence (Khattab and
Zaharia 2020, with the vectors the encoder makes anyway). They are summed by weight. BM25 enters as
b / (b + `half_bm25`): bounded, and comparable between questions.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from index.embedding.encoder import QuestionVectors
from index.embedding.projection import unpack
from index.languages.detection import LanguageGroup
from index.storage.records import StoredPassage
from index.tokenization import facts, words
from index.types import Hit, ScoredSentence, title_from_id


@dataclass(frozen=True, slots=True)
class RankingWeights:
    """The numbers set by hand; what chose each is in index/README.md."""

    passage: float = 0.5
    """Share of the cosine with the passage's own vector."""
    sentence: float = 0.5
    """Share of the cosine with its best sentence's vector."""
    words: float = 1.0
    """Share of BM25."""
    late_interaction: float = 2.0
    """Share of the best sentence's late interaction."""
    words_latin: float = 12.0
    """Share of BM25 for a passage in a language that the encoder was not made for."""
    words_other: float = 8.0
    """The same where it is not written with Latin letters either."""
    half_bm25: float = 10.0
    """The BM25 that counts as one half."""
    dated: float = 0.8
    """Cosine of a year's word pieces with a sentence whose document is dated to that year."""
    named: float = 0.04
    """Score, for a document whose outlet or author the question names."""
    repeated: float = 0.03
    """Score that each earlier hit of its document costs one, in the second half of the list."""
    digits: int = 6
    """Decimal places of a score: a product's last bits depend on what else is in the matrix."""
    same: float = 0.9
    """Share of distinct words in common, from which two passages say the same thing."""
    pool: int = 3
    """Times the wanted hits that are compared with one another for repetition and spread."""


_WEIGHTS = RankingWeights()
_YEAR = re.compile(r"\b[12]\d{3}\b")


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """Candidate passages and all their sentences, compared with a question."""

    scores: NDArray[np.float64]
    """Of each passage, in [0, 1]; shape (passages,)."""
    plain_scores: NDArray[np.float64]
    """The same with the shares of English for every passage."""
    dense: NDArray[np.float32]
    """Cosine of each passage, shape (passages,)."""
    first: NDArray[np.int64]
    """Where each passage's sentences begin below, and where the last one's end; (passages + 1,)."""
    cosines: NDArray[np.float32]
    """Of each sentence, shape (sentences,)."""
    late_interaction: NDArray[np.float32]
    """Of each sentence, shape (sentences,)."""
    token_max_similarities: NDArray[np.float32]
    """Shape (sentences, pieces asked)."""


def rank(
    query: str,
    question: QuestionVectors,
    candidates: Sequence[StoredPassage],
    matched: Mapping[int, float],
    k: int,
    documents: Collection[str] | None = None,
    unknown: Mapping[int, LanguageGroup] = MappingProxyType({}),
) -> list[Hit]:
    """The `k` best candidates as hits, best first, near-duplicates folded into the better one.

    Args:
        query: the question as typed.
        question: its vectors.
        candidates: the passages to compare.
        matched: BM25 by passage id, for those that matched a word.
        k: how many at most.
        documents: the documents asked for, so that a text at two paths is named by the right one.
        unknown: the contents in languages that the encoder was not made for, each with its group.
    """
    if not candidates:
        return []
    bm25 = np.array([matched.get(passage.id, 0.0) for passage in candidates])
    compared = _compare(candidates, question, bm25, unknown)
    order = sorted(
        (-min(score + _WEIGHTS.named * _named(query, passage), 1.0), passage.id, i)
        for i, (passage, score) in enumerate(zip(candidates, compared.scores.tolist(), strict=True))
    )
    hits = [
        _hit(candidates[i], compared, i, -score, matched.get(id_, 0.0), documents)
        for score, id_, i in order[: _WEIGHTS.pool * k]
    ]
    return [replace(hit, rank=i) for i, hit in enumerate(_spread(_folded(hits), k), start=1)]


def _compare(
    candidates: Sequence[StoredPassage],
    question: QuestionVectors,
    bm25: NDArray[np.float64],
    unknown: Mapping[int, LanguageGroup],
) -> _Compared:
    """All candidates at once: a few large products instead of many small ones."""
    first = np.cumsum([0, *(len(passage.sentences) for passage in candidates)])
    dense = np.stack([passage.vector for passage in candidates]) @ question.vector
    sentences = np.concatenate([passage.sentence_vectors for passage in candidates]).astype(
        np.float32
    )
    cosines = sentences @ question.vector
    token_max_similarities = _token_max_similarities(candidates, question)
    late_interaction = (
        token_max_similarities.mean(axis=1)
        if token_max_similarities.size
        else np.zeros(len(cosines), np.float32)
    )
    shares = {"latin": _WEIGHTS.words_latin, "other": _WEIGHTS.words_other}
    weight = np.array(
        [shares.get(unknown.get(p.content, ""), _WEIGHTS.words) for p in candidates], np.float64
    )
    vectors = (
        _WEIGHTS.passage * np.maximum(dense, 0.0).astype(np.float64)
        + _WEIGHTS.sentence * np.maximum(_best(cosines, first, dense), 0.0)
        + _WEIGHTS.late_interaction
        * np.maximum(_best(late_interaction, first, np.zeros_like(dense)), 0.0)
    )
    matched = bm25 / (bm25 + _WEIGHTS.half_bm25)
    plain = np.full_like(weight, _WEIGHTS.words)
    scores, plain_scores = (_summed(vectors, matched, share) for share in (weight, plain))
    return _Compared(
        scores, plain_scores, dense, first, cosines, late_interaction, token_max_similarities
    )


def _summed(
    vectors: NDArray[np.float64], matched: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Scores in [0, 1] of what vectors and words say, words counting with their share."""
    whole = _WEIGHTS.passage + _WEIGHTS.sentence + _WEIGHTS.late_interaction + share
    scores: NDArray[np.float64] = np.minimum((vectors + share * matched) / whole, 1.0)
    return scores.round(_WEIGHTS.digits)


def _token_max_similarities(
    candidates: Sequence[StoredPassage], question: QuestionVectors
) -> NDArray[np.float32]:
    """For each sentence and each piece asked the best cosine; shape (sentences, pieces asked)."""
    counts = np.array([n for passage in candidates for n in passage.token_counts], np.int64)
    closest = np.zeros((len(counts), len(question.pieces)), np.float32)
    full = counts > 0
    if not full.any() or not len(question.pieces):
        return closest
    tokens = unpack(
        np.concatenate([passage.tokens for passage in candidates if len(passage.tokens)])
    )
    begin = np.cumsum(counts) - counts
    closest[full] = np.maximum.reduceat(question.tokens @ tokens.T, begin[full], axis=1).T
    years = _spelled_years(question.pieces)
    row = 0
    for passage in candidates:
        rows = slice(row, row := row + len(passage.sentences))
        if dated := list(_dated(passage, years)):  # these pieces are known here
            known = np.where(full[rows, None], _WEIGHTS.dated, 0.0)
            closest[rows, dated] = np.maximum(closest[rows, dated], known)
    return closest


def _best(
    of_sentences: NDArray[np.float32], first: NDArray[np.int64], otherwise: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The greatest number among each passage's sentences, or another where it has none."""
    best = otherwise.copy()
    some = np.diff(first) > 0
    if some.any():
        best[some] = np.maximum.reduceat(of_sentences, first[:-1][some])
    return best


def _hit(
    passage: StoredPassage,
    compared: _Compared,
    i: int,
    score: float,
    bm25: float,
    documents: Collection[str] | None,
) -> Hit:
    """A candidate as a hit."""
    named = [id_ for id_ in passage.document_ids if documents is None or id_ in documents]
    document_id, *also = named or passage.document_ids
    sentences = tuple(
        ScoredSentence(
            start=span.start,
            end=span.end,
            text=passage.text[span.start - passage.start : span.end - passage.start],
            score=float(compared.cosines[row]),
            late=float(compared.late_interaction[row]),
            token_max_similarities=tuple(compared.token_max_similarities[row].tolist())
            if count
            else (),
        )
        for row, span, count in zip(
            range(compared.first[i], compared.first[i + 1]),
            passage.sentences,
            passage.token_counts,
            strict=True,
        )
    )
    dense = float(compared.dense[i])
    plain = score + float(compared.plain_scores[i] - compared.scores[i])
    return Hit(
        document_id=document_id,
        title=passage.title or title_from_id(document_id),
        source=passage.source,
        start=passage.start,
        end=passage.end,
        text=passage.text,
        score=score,
        rank=0,
        passage_id=passage.id,
        paragraph=passage.paragraph,
        author=passage.author,
        date=passage.date,
        dense=dense,
        lexical=bm25,
        sentence=max((sentence.score for sentence in sentences), default=dense),
        late=max((sentence.late for sentence in sentences), default=0.0),
        sentences=sentences,
        also=tuple(also),
        places=passage.places,
        written_in=passage.written_in,
        plain_score=None if plain == score else plain,
    )


def _spelled_years(pieces: Sequence[str]) -> dict[str, list[int]]:
    """The years in a question, and which of its word pieces spell each (`202`, `##3`)."""
    years: dict[str, list[int]] = {}
    for first in range(len(pieces)):
        spelled = ""
        for last in range(first, min(first + 4, len(pieces))):
            spelled += pieces[last].removeprefix("##")
            if _YEAR.fullmatch(spelled):
                years.setdefault(spelled, []).extend(range(first, last + 1))
    return years


def _dated(passage: StoredPassage, years: Mapping[str, Sequence[int]]) -> Sequence[int]:
    """Which word pieces of the question spell the year of the passage's document.

    Nothing when the passage names years itself: then those count, not the date of publication.
    """
    spelled = years.get(passage.date[:4], ())
    return () if spelled and _YEAR.search(passage.text) else spelled


def _named(query: str, passage: StoredPassage) -> bool:
    """Whether a question names a passage's outlet or author, spelled as it is there."""
    return any(
        len(name) > 1 and name in query and re.search(rf"\b{re.escape(name)}\b", query) is not None
        for name in (passage.source.removeprefix("The "), passage.author)
    )


def _spread(hits: Sequence[Hit], k: int) -> list[Hit]:
    """`k` hits: the first half as ranked, in the second a document's next hit counts for less.

    Several documents may speak to a question, and one long article must not fill the list.
    """
    chosen, rest = list(hits[: (k + 1) // 2]), list(hits[(k + 1) // 2 :])
    often = Counter(hit.document_id for hit in chosen)
    while rest and len(chosen) < k:
        at = max(
            range(len(rest)),
            key=lambda i: rest[i].score - _WEIGHTS.repeated * often[rest[i].document_id],
        )
        often[rest[at].document_id] += 1
        chosen.append(rest.pop(at))
    return chosen


def _folded(hits: Sequence[Hit]) -> list[Hit]:
    """The hits in order; one that repeats a better one only lends it its documents.

    One that differs in a number, a name or a denial repeats nothing: it may be the other side of a
    contradiction, or the next state of things.
    """
    kept: list[Hit] = []
    words_of_kept: list[frozenset[str]] = []
    for hit in hits:
        mine = frozenset(words(hit.text))
        # mostly the lengths alone tell them apart
        least, most = _WEIGHTS.same * len(mine), len(mine) / _WEIGHTS.same
        twin = next(
            (
                at
                for at, other in enumerate(words_of_kept)
                if least <= len(other) <= most
                and _same(mine, other)
                and facts(hit.text) == facts(kept[at].text)
            ),
            None,
        )
        if twin is None:
            kept.append(hit)
            words_of_kept.append(mine)
        else:
            names = (hit.document_id, *hit.also)
            known = (kept[twin].document_id, *kept[twin].also)
            more = tuple(name for name in names if name not in known)
            kept[twin] = replace(kept[twin], also=kept[twin].also + more)
    return kept


def _same(a: frozenset[str], b: frozenset[str]) -> bool:
    return bool(a) and len(a & b) >= _WEIGHTS.same * len(a | b)
