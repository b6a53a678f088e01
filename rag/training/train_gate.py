"""Fit the gate: `python -m rag.training.train_gate SET=FOLDER … --work FOLDER`.

A set's folder holds `docs/` and `questions.jsonl` in the evaluation shape, or more of such folders,
each a library. The shipped numbers come from `squad`, `clapnq`, `multihop` and `mtrag` (with each
question's conversation); what they are is in `rag/reader/MODEL_CARD.md`. A question is asked

- as it is: `answerable` (`mixed` in part), or one that nothing answers (`near`, `null`, …);
- an answerable one again with its gold passages, or where it needs several documents these, left
  out of what is found (`hidden`): the closest passages are about its topic and do not answer it;
- another time with its whole article left out (`far`).

Articles and conversations are kept whole: a sixth of them at a time is measured by numbers that
were fitted on the rest. The bias is then such that .5 refuses `_FALSE_REFUSALS` of the answerable
questions of the first set that are named by `coefficients.json` as held out, which the ranking that
this stands on has not learnt either. Deterministic. Needs the dependency group `train`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from index import Hit, Library
from index.types import SearchScope
from rag.evaluation.questions import Question, load_questions, read_text
from rag.query.follow_ups import History
from rag.query.question import analyze
from rag.reader.gate import GATE_NAMES
from rag.reader.ranker import Ranker, gate_row, score_linear
from rag.retrieval import Retriever
from rag.training.dataset import SEED
from rag.training.progress import report

_SPARE = 14
"""Hits searched for beyond those wanted, so that enough are left when some are left out."""
_LIBRARY_SIZES = (1, 3, 8, 29)
"""Articles of a set with few long ones that a question is asked of: people's libraries differ."""
_LONG_ARTICLES = 100
"""A set of fewer documents than this has long ones."""
_TRUST = 0.1
"""Of the mean question's loss beside half the squared weights."""
_AGAINST = ("unknown", "denial", "numbers_nowhere")
_SET_WEIGHTS = {"squad": 3.0, "clapnq": 1.0, "multihop": 0.5, "mtrag": 1.5}
_FALSE_REFUSALS = 0.03
_PARTS = 6
_ANSWERABLE = ("answerable", "mixed")
_NOT_MEASURED = "underspecified"


@dataclass(frozen=True, slots=True)
class GateExample:
    """A question as it was asked, with what the gate sees of it."""

    data: str
    kind: str
    group: str
    """Article or conversation: what is kept whole."""
    row: NDArray[np.float64]


class PartOfLibrary:
    """A library as it would be found without some of its passages."""

    def __init__(self, library: Library) -> None:
        """Nothing is left out yet."""
        self._library = library
        self.hidden: Sequence[tuple[str, int, int]] = ()

    def search(self, query: str, k: int = 10, **scope: Any) -> list[Hit]:
        """The passages that are not left out, best first."""
        hits = self._library.search(query, k + _SPARE * bool(self.hidden), **scope)
        left = [hit for hit in hits if not any(_overlaps(hit, *place) for place in self.hidden)]
        return [replace(hit, rank=rank) for rank, hit in enumerate(left[:k], start=1)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._library, name)


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, measure crosswise, and write `rag/reader/gate.json`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", nargs="+", help="NAME=FOLDER")
    parser.add_argument("--work", type=Path, required=True, help="for libraries and features")
    parser.add_argument("--questions", type=int, default=2000, help="at most, of each set")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "reader")
    chosen = parser.parse_args(arguments)
    examples: list[GateExample] = []
    for name, _, folder in (set.partition("=") for set in chosen.sets):
        examples += _examples_of(name, Path(folder), chosen.work, chosen.questions)
    held = json.loads(files("rag.reader").joinpath("coefficients.json").read_text("utf-8"))
    data = fit(examples, frozenset(held["held_out"]))
    (chosen.out / "gate.json").write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    report(json.dumps(data["measured"], indent=1))


def _examples_of(name: str, folder: Path, work: Path, most: int) -> list[GateExample]:
    """A set's examples; kept in the work folder, so that another run goes on from them."""
    kept = work / f"gate-{name}-{most}.npz"
    if kept.exists():
        read = np.load(kept)
        columns = zip(read["kind"], read["group"], read["rows"], strict=True)
        return [GateExample(name, str(kind), str(group), row) for kind, group, row in columns]
    paths = sorted(path.parent for path in folder.rglob("questions.jsonl"))
    examples = [
        example
        for path in paths
        for example in _asked(name, path, work / f"{name}-{path.name}", most)
    ]
    np.savez(
        kept,
        kind=np.array([example.kind for example in examples]),
        group=np.array([example.group for example in examples]),
        rows=np.array([example.row for example in examples]),
    )
    return examples


def _asked(name: str, folder: Path, store: Path, most: int) -> Iterator[GateExample]:
    """The examples of one library."""
    library = Library.open(store)
    library.update([folder / "docs"])
    part = PartOfLibrary(library)
    retriever = Retriever(cast(Library, part), None)
    ranker = Ranker(cast(Library, part))
    rng = np.random.default_rng(SEED)
    questions = load_questions(folder / "questions.jsonl")
    history = _histories(folder / "questions.jsonl")
    everything = sorted(record.id for record in library.documents())
    for done, i in enumerate(rng.permutation(len(questions))[:most]):
        if done % 100 == 0:
            report(f"{name}: {done} of {min(most, len(questions))} questions read")
        question = questions[i]
        for kind, hidden, scope in _ways(question, everything, rng):
            part.hidden = hidden
            asked = analyze(question.question, history.get(question.id, ()))
            first = retriever.retrieve(asked, SearchScope(scope))
            if kind == "hidden" and _answered_elsewhere(question, first.hits):
                continue
            candidates = ranker.examine(first.variant, first.hits, first.scope)
            if candidates.sentences:
                _, scores, _ = score_linear(first.variant, candidates)
                row = gate_row(first.variant, candidates, scores)
                yield GateExample(name, kind, _group(question), row)


def _ways(
    question: Question, everything: Sequence[str], rng: np.random.Generator
) -> Iterator[tuple[str, Sequence[tuple[str, int, int]], frozenset[str] | None]]:
    """How a question is asked: kind, places left out, documents looked in."""
    own = {gold.document for gold in question.gold} or (
        {question.paragraph.document} if question.paragraph else set[str]()
    )
    scope: frozenset[str] | None = None
    if len(everything) < _LONG_ARTICLES and len(own) == 1:
        beside = [document for document in everything if document not in own]
        size = min(int(rng.choice(_LIBRARY_SIZES)) - 1, len(beside))
        scope = frozenset(own | {str(one) for one in rng.choice(beside, size, replace=False)})
    kind = question.kind.removesuffix("_unanswerable")
    yield kind, (), scope
    if not question.answerable:
        return
    gold = [question.paragraph] if question.paragraph else [*question.gold]
    if len(own) > 1:
        yield "hidden", (), frozenset(everything) - own
    else:
        yield "hidden", [(one.document, one.start, one.end) for one in gold], scope
    others = frozenset(everything if scope is None else scope) - own
    if len(own) == 1 and others and rng.random() < 0.5:
        yield "far", (), others


def _answered_elsewhere(question: Question, hits: Sequence[Hit]) -> bool:
    """Whether another passage holds an answer in so many words; of long answers nobody knows."""
    near = " ".join(hit.text.lower() for hit in hits[:6])
    return any(answer.lower() in near for answer in question.answers)


def _group(question: Question) -> str:
    place = question.gold[0] if question.gold else question.paragraph
    return place.document if place else question.id


def _histories(path: Path) -> dict[str, History]:
    """The turns before each question that has any."""
    entries = [json.loads(line) for line in read_text(path).split("\n") if line.strip()]
    return {
        entry["id"]: [(asked, said) for asked, said in entry["history"]]
        for entry in entries
        if entry.get("history")
    }


def _overlaps(hit: Hit, document: str, start: int, end: int) -> bool:
    return hit.document_id == document and hit.start < end and start < hit.end


def fit(examples: Sequence[GateExample], held_out: frozenset[str]) -> dict[str, Any]:
    """What `gate.json` holds."""
    used = [example for example in examples if example.kind != _NOT_MEASURED]
    rows = np.array([one.row for one in used], np.float64)
    groups = np.array([one.group for one in used])
    answerable = np.array([one.kind in _ANSWERABLE for one in used])
    weights = _weights(used, answerable)
    crosswise = np.zeros(len(used))
    # whole groups in turn, in an order that depends on nothing but their names
    part = np.searchsorted(np.unique(groups), groups) % _PARTS
    for number in range(_PARTS):
        learnt = part != number
        mean, scale, slope, bias = _logistic(rows[learnt], answerable[learnt], weights[learnt])
        crosswise[~learnt] = ((rows[~learnt] - mean) / scale) @ slope + bias
    unseen = np.array([one.data == used[0].data and one.group in held_out for one in used])
    bar = float(np.quantile(crosswise[unseen & answerable], _FALSE_REFUSALS))
    mean, scale, slope, bias = _logistic(rows, answerable, weights)
    return {
        "features": list(GATE_NAMES),
        "mean": _plain(mean),
        "scale": _plain(scale),
        "weights": _plain(slope),
        "bias": round(bias - bar, 5),
        "fitted_on": len(used),
        "measured": _figures(used, crosswise - bar, unseen),
    }


def _logistic(
    rows: NDArray[np.float64], answerable: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], float]:
    """Standardisation, weights and bias of a logistic regression, bound to `_bounds`."""
    from scipy.optimize import minimize

    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    standard, wanted = (rows - mean) / scale, np.where(answerable, 1.0, -1.0)

    def loss(fitted: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slope, bias = fitted[:-1], fitted[-1]
        right = wanted * (standard @ slope + bias)
        value = _TRUST * (weights * np.logaddexp(0, -right)).sum() + slope @ slope / 2
        pull = -_TRUST * weights * wanted / (1 + np.exp(right))
        return value, np.append(standard.T @ pull + slope, pull.sum())

    start = np.zeros(len(GATE_NAMES) + 1)
    found: Any = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=_bounds())
    return mean, scale, found.x[:-1], float(found.x[-1])


def _bounds() -> list[tuple[float | None, float | None]]:
    """What each weight, and the bias, may be: nothing for an answer counts against it."""
    against = [(None, 0.0) if name in _AGAINST else (0.0, None) for name in GATE_NAMES]
    return [*against, (None, None)]


def _weights(examples: Sequence[GateExample], answerable: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Sets by `_SET_WEIGHTS`; in each, what is answerable and what is not count the same."""
    data = np.array([example.data for example in examples])
    kinds = np.array([example.kind for example in examples])
    weights = np.ones(len(examples))
    for name in np.unique(data):
        of_set = data == name
        for kind in np.unique(kinds[of_set]):
            these = of_set & (kinds == kind)
            weights[these] = _SET_WEIGHTS.get(name, 1.0) / these.sum()
        right, wrong = of_set & answerable, of_set & ~answerable
        if right.any() and wrong.any():
            weights[wrong] *= weights[right].sum() / weights[wrong].sum()
    return np.asarray(weights / weights.mean())


def _figures(
    examples: Sequence[GateExample], logits: NDArray[np.float64], unseen: NDArray[np.bool_]
) -> dict[str, Any]:
    """The share of each set and kind that is refused: at the chosen place and around it.

    Of the first set only what the ranking has not learnt.
    """
    first, made = examples[0].data, dict[str, Any]()
    for i, one in enumerate(examples):
        if one.data != first or unseen[i]:
            made.setdefault(one.data, {}).setdefault(one.kind, []).append(logits[i])
    return {
        name: {
            kind: {
                "questions": len(values),
                **{
                    f"below_{p}": round(float(np.mean(np.array(values) < np.log(p / (1 - p)))), 3)
                    for p in (0.4, 0.45, 0.5, 0.55, 0.6)
                },
            }
            for kind, values in sorted(kinds.items())
        }
        for name, kinds in made.items()
    }


def _plain(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 5) for value in values]


if __name__ == "__main__":
    main()
