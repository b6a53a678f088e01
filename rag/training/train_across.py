"""Fit the ranking and the gate for other languages: `rag/reader/across.json`.

    python -m rag.training.train_across FOLDER WORK [--encoder FOLDER]

FOLDER has one set in the evaluation shape for each language, with the same questions in each
(`xquad`: `de`, `en`, `zh`); WORK keeps their libraries. With a multilingual encoder every question
is asked in each language of the documents in each language, with its article there and with its
article hidden. Figures are of articles held out: fitted on one half of them and measured on the
other, both ways round; then the numbers that are kept are fitted on all.

Without one the gate for the default encoder is fitted, which knows English alone: on each other
language's questions to its own documents, all of them or three, a quarter of the articles held out.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import Library
from index.embedding.encoder import SentenceTransformerEncoder
from index.tokenization import has_cjk
from index.types import Hit, SearchScope
from rag.evaluation import load_questions
from rag.evaluation.questions import Question
from rag.query.question import QueryVariant
from rag.reader import across
from rag.reader.across import (
    GATE_NAMES,
    RANKED_BY,
    Pairing,
    Script,
    gate_row,
    ranking_rows,
    words_gate_names,
)
from rag.reader.features import Matrix
from rag.reader.ranker import (
    Candidates,
    Ranker,
    gate_row_by_words,
    score_lexical,
    score_linear,
)
from rag.training.progress import report
from rag.training.softmax import fit_softmax

_HITS = 10
_EVERY = 6
"""One question in so many is asked."""
_REFUSED = 0.015
"""Share of the answerable questions that the gate may refuse in the documents' own language; in
another one it stands where the mean of both faults is least."""
_PENALTY = 1e-2
_REFUSED_BY_WORDS = 0.07
"""The same where the encoder knows English alone: far questions are told apart less well."""
_FEW = 3
"""Articles of a small library."""
_EVERY_BY_WORDS, _EVERY_OF_FEW = 1, 6
"""One question in so many is asked of an encoder for English: of all articles, and of a few."""
_OUT = Path(across.__file__).with_name("across.json")


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A question as it was asked."""

    pair: tuple[str, str]
    """Its language and the documents'."""
    article: str
    matrix: Matrix
    gold: NDArray[np.bool_]
    """Which sentences hold the answer; none where its article is hidden."""
    answerable: bool

    @property
    def pairing(self) -> Pairing:
        """How the two pair."""
        return across.pairing(*self.pair)


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask, fit, measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--encoder", type=Path)
    chosen = parser.parse_args(arguments)
    kept: dict[str, Any] = json.loads(_OUT.read_text(encoding="utf-8"))
    if chosen.encoder:
        kept |= _across(chosen.folder, chosen.work, chosen.encoder)
    else:
        kept["words"] = _by_words(chosen.folder, chosen.work)
    _OUT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _across(folder: Path, work: Path, encoder: Path) -> dict[str, Any]:
    """Ranking and gate for each way in which languages pair."""
    examples = list(_examples(folder, work, encoder))
    pairings: tuple[Pairing, ...] = ("same", "near", "far")
    kept: dict[str, Any] = {"ranked by": RANKED_BY, "gate": GATE_NAMES}
    for pairing in pairings:
        own = [example for example in examples if example.pairing == pairing]
        kept[pairing] = _fit(own) | {"held out": _held_out(own)}
        report(json.dumps(kept[pairing]["held out"]))
    return kept


# --- an encoder for English alone -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it was asked of a library that is not in English."""

    article: str
    row: NDArray[np.float64]
    """What the gate sees."""
    answerable: bool
    whole: bool
    """Whether of the whole library, not of a few articles."""


def _by_words(folder: Path, work: Path) -> dict[str, Any]:
    """The gate for each sort of script, fitted on the languages that are written in it."""
    asked: dict[Script, list[Asked]] = {"latin": [], "cjk": []}
    for place in sorted(path for path in folder.iterdir() if path.is_dir() and path.name != "en"):
        examples = list(_asked_by_words(place, work / f"{place.name}.library"))
        asked["cjk" if has_cjk(_any_text(place)) else "latin"] += examples
    kept: dict[str, Any] = {}
    for script, examples in asked.items():
        kept[script] = {"gate": words_gate_names(script)} | _gate_by_words(examples)
        kept[script]["held out"] = _held_out_by_words(examples)
        report(f"{script}: {json.dumps(kept[script]['held out'])}")
    return kept


def _any_text(folder: Path) -> str:
    return next(iter(_questions(folder).values())).question


def _asked_by_words(folder: Path, store: Path) -> Iterator[Asked]:
    with Library.open(store) as library:
        library.update([folder / "docs"])
        ranker = Ranker(library)
        everything = frozenset(record.id for record in library.documents())
        for number, question in enumerate(list(_questions(folder).values())[::_EVERY_BY_WORDS]):
            article = question.gold[0].document
            others = sorted(everything - {article})
            few = Random(question.id).sample(others, _FEW)  # the same in every run
            scopes = [everything, frozenset(others)]
            if number % _EVERY_OF_FEW == 0:
                scopes += [frozenset({article, *few[1:]}), frozenset(few)]
            for scope in scopes:
                variant = QueryVariant.of(question.question)
                hits = library.search(question.question, _HITS, documents=scope)
                found = ranker.examine(variant, hits, SearchScope(scope))
                if found.sentences:
                    script: Script = "cjk" if has_cjk(variant.text) else "latin"
                    row = gate_row_by_words(variant, found, _scores(variant, found), script)
                    yield Asked(article, row, article in scope, len(scope) > _FEW)


def _scores(question: QueryVariant, found: Candidates) -> NDArray[np.float64]:
    return score_lexical(found) if has_cjk(question.text) else score_linear(question, found)[1]


def _gate_by_words(examples: Sequence[Asked]) -> dict[str, Any]:
    rows = np.array([example.row for example in examples])
    answerable = np.array([example.answerable for example in examples])
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    weights = _logistic((rows - mean) / scale, answerable)
    logits = ((rows - mean) / scale) @ weights
    bias = -float(np.quantile(logits[answerable], _REFUSED_BY_WORDS))
    return {
        "gating": {"mean": _plain(mean), "scale": _plain(scale), "weights": _plain(weights),
                   "bias": round(bias, 4)},
    }  # fmt: skip


def _held_out_by_words(examples: Sequence[Asked]) -> dict[str, dict[str, float]]:
    """Figures of articles that were not fitted on, a quarter at a time."""
    articles = sorted({example.article for example in examples})
    outcomes: dict[str, list[tuple[bool, float]]] = {"whole library": [], "few articles": []}
    for at in range(4):
        held = frozenset(articles[at::4])
        made = _gate_by_words([example for example in examples if example.article not in held])
        gate = across._of(made["gating"])
        for example in examples:
            if example.article in held:
                of = outcomes["whole library" if example.whole else "few articles"]
                of.append((example.answerable, float(gate.score(example.row))))
    return {
        name: {
            "falsely refused": _share(logit < 0 for answerable, logit in rows if answerable),
            "far refused": _share(logit < 0 for answerable, logit in rows if not answerable),
        }
        for name, rows in outcomes.items()
    }


# --- an encoder for many languages ----------------------------------------------------------------


def _examples(folder: Path, work: Path, encoder: Path) -> Iterator[Example]:
    languages = sorted(path.name for path in folder.iterdir() if path.is_dir())
    asked = {code: _questions(folder / code) for code in languages}
    for read in languages:
        with Library.open(work / f"{read}.library") as library:
            if library.made_with is None:
                library.use_encoder(SentenceTransformerEncoder(encoder))
                library.update([folder / read / "docs"])
            everything = frozenset(record.id for record in library.documents())
            ranker = Ranker(library)
            for code in languages:
                report(f"{code} asks {read}")
                for id_, question in list(asked[code].items())[::_EVERY]:
                    there = asked[read][id_]
                    article = there.gold[0].document
                    for scope in (everything, everything - {article}):
                        made = _ask(library, ranker, question.question, there, scope)
                        if made:
                            yield Example((code, read), article, *made, article in scope)


def _questions(folder: Path) -> dict[str, Question]:
    return {question.id: question for question in load_questions(folder / "questions.jsonl")}


def _ask(
    library: Library, ranker: Ranker, text: str, there: Question, scope: frozenset[str]
) -> tuple[Matrix, NDArray[np.bool_]] | None:
    hits = library.search(text, _HITS, documents=scope)
    candidates = ranker.examine(QueryVariant.of(text), hits, SearchScope(scope))
    if not candidates.sentences:
        return None
    gold = [
        _holds(there, candidate.passage.hit, candidate.sentence.start, candidate.sentence.end)
        for candidate in candidates.sentences
    ]
    return candidates.matrix, np.array(gold, bool)


def _holds(question: Question, hit: Hit, start: int, end: int) -> bool:
    return any(
        span.document == hit.document_id and start <= span.start < end for span in question.gold
    )


def _fit(examples: Sequence[Example]) -> dict[str, Any]:
    lists = [example for example in examples if example.gold.any()]
    rows = np.concatenate([ranking_rows(example.matrix) for example in lists])
    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    weights = fit_softmax(
        [(ranking_rows(example.matrix) - mean) / scale for example in lists],
        [example.gold for example in lists],
    )
    ranking = across.Fitted(mean, scale, weights)
    gates = np.array([gate_row(e.matrix, ranking.score(ranking_rows(e.matrix))) for e in examples])
    answerable = np.array([example.answerable for example in examples])
    gate_mean, gate_scale = gates.mean(axis=0), gates.std(axis=0) + 1e-6
    standard = (gates - gate_mean) / gate_scale
    gate_weights = _logistic(standard, answerable)
    bias = -_threshold(standard @ gate_weights, answerable, examples[0].pairing)
    return {
        "ranking": {"mean": _plain(mean), "scale": _plain(scale), "weights": _plain(weights)},
        "gating": {"mean": _plain(gate_mean), "scale": _plain(gate_scale),
                   "weights": _plain(gate_weights), "bias": round(bias, 4)},
    }  # fmt: skip


def _threshold(logits: NDArray[np.float64], answerable: NDArray[np.bool_], kind: Pairing) -> float:
    if kind == "same":
        return float(np.quantile(logits[answerable], _REFUSED))
    faults = [
        np.mean(logits[answerable] < at) + np.mean(logits[~answerable] >= at) for at in logits
    ]
    return float(logits[int(np.argmin(faults))])


def _logistic(rows: NDArray[np.float64], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Weights of a logistic regression, none below 0: nothing that speaks for it counts against."""
    from scipy.optimize import minimize

    signs = np.where(right, 1.0, -1.0)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (rows @ values[:-1] + values[-1])
        pull = -signs / (1 + np.exp(margins)) / len(rows)
        gradient = np.append(rows.T @ pull + 2 * _PENALTY * values[:-1], pull.sum())
        value = np.logaddexp(0, -margins).mean() + _PENALTY * values[:-1] @ values[:-1]
        return float(value), gradient

    bounds = [(0.0, None)] * rows.shape[1] + [(None, None)]
    found: Any = minimize(
        loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds
    )
    return np.asarray(found.x[:-1])


def _held_out(examples: Sequence[Example]) -> dict[str, dict[str, float]]:
    """Figures by pair of languages, of articles that were not fitted on."""
    articles = sorted({example.article for example in examples})
    halves = [frozenset(articles[at::2]) for at in range(2)]
    outcomes: dict[str, list[tuple[bool, bool, float]]] = {}
    for half in halves:
        made = _fit([example for example in examples if example.article not in half])
        ranking, gate = (across._of(made[name]) for name in ("ranking", "gating"))
        for example in examples:
            if example.article in half:
                scores = ranking.score(ranking_rows(example.matrix))
                logit = float(gate.score(gate_row(example.matrix, scores)))
                first = bool(example.gold[int(np.argmax(scores))])
                outcomes.setdefault(" asks ".join(example.pair), []).append(
                    (example.answerable, first, logit)
                )
    return {
        pair: {
            "first": _share(first for answerable, first, _ in rows if answerable),
            "falsely refused": _share(logit < 0 for answerable, _, logit in rows if answerable),
            "far refused": _share(logit < 0 for answerable, _, logit in rows if not answerable),
        }
        for pair, rows in sorted(outcomes.items())
    }


def _share(values: Iterator[bool]) -> float:
    return round(float(np.mean(list(values))), 3)


def _plain(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 5) for value in values]


if __name__ == "__main__":
    main()
