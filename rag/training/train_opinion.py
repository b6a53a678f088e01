"""Fits how much a capable model's opinion counts beside the gate: does what was composed answer?

    python -m rag.training.train_opinion MODEL WORK STORE QUESTIONS.jsonl [STORE QUESTIONS.jsonl …]

Questions are those of `rag.evaluation.questions`; each store holds the documents of the file after
it. As many answerable ones as others are asked, in an order that depends on nothing but their ids,
`_QUESTIONS` of each at most; of the articles that `coefficients.json` has learnt none. What the
model said is kept in the work folder, a line a question, and another run goes on after the last.

Articles are kept whole: an eighth of them at a time is measured by numbers that were fitted on the
rest. The bias is such that with it `_FALSE_REFUSALS` of the first file's answerable questions are
refused. Writes the model's entry of `opinions` in `rag/reader/gate.json`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index import Library
from index.system.cpu import usable_cores
from rag.assistant import Assistant
from rag.evaluation.questions import Question, load_questions
from rag.llm.client import default_choice
from rag.llm.generator import Generator
from rag.reader.gate import LEAST
from rag.replies.wording.opinion import is_asked, opinion
from rag.training.progress import report
from rag.training.train_clarity import fit

_QUESTIONS, _SALT = 100, "18:"
_FALSE_REFUSALS = 0.05
_PARTS = 8
_TOKENS = 2000
"""For an opinion: what counts here is what it says, not how fast."""
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as it was asked, with what the gate and the model say."""

    id: str
    article: str
    answerable: bool
    refused: bool
    """Whether it is refused without the model."""
    asked: bool
    """Whether its task asks something that the model is asked about."""
    probability: float
    odds: float | None


def asked_of(
    library: Library,
    file: str,
    model: Generator,
    there: Collection[str],
    held_out: frozenset[str],
) -> Iterator[Asked]:
    """The questions of a file with what is said of them, but for those that are there."""
    assistant = Assistant(library, None)
    for question in drawn(load_questions(file), held_out):
        if question.id in there:
            continue
        answer = assistant.answer(question.question, question.history or (), explain=True)
        if answer.answerable is None or answer.explain is None:
            continue
        refused, odds = answer.state == "not_found", None
        understood, _ = assistant.analyze(question.question, question.history or ())
        asked = is_asked(understood)
        if asked and not refused:
            quoted = [statement.text for statement in answer.statements]
            odds = opinion(model, answer.explain.form, quoted, _TOKENS, lambda: False)
        yield Asked(
            question.id, article_of(question), question.answerable, refused, asked,
            answer.answerable, odds,
        )  # fmt: skip


def drawn(questions: Sequence[Question], held_out: frozenset[str]) -> list[Question]:
    """An answerable question and another one in turn, of articles held out where it has any."""
    known = [one for one in questions if article_of(one) in held_out] or list(questions)
    known.sort(key=lambda one: hashlib.blake2b(f"{_SALT}{one.id}".encode()).digest())
    halves = [[one for one in known if one.answerable is wanted] for wanted in (True, False)]
    pairs = zip_longest(*(half[:_QUESTIONS] for half in halves))
    return [one for one in chain.from_iterable(pairs) if one is not None]


def article_of(question: Question) -> str:
    """What is kept whole: the document that a question is about; its conversation, else itself."""
    places = [*question.gold, *([question.paragraph] if question.paragraph else [])]
    return places[0].document if places else question.id.rsplit("-", 1)[0]


def read(kept: Path) -> list[Asked]:
    """What was asked before."""
    if not kept.exists():
        return []
    return [Asked(**json.loads(line)) for line in kept.read_text("utf-8").splitlines()]


def crosswise(features: Array, answerable: Array, groups: NDArray[np.str_]) -> Array:
    """Each question's logit by fits that have not seen its article; without a chosen bias."""
    part = np.searchsorted(np.unique(groups), groups) % _PARTS
    logits = np.zeros(len(features))
    for number in range(_PARTS):
        seen = part != number
        mean, scale = features[seen].mean(axis=0), features[seen].std(axis=0) + 1e-9
        weights, bias = fit((features[seen] - mean) / scale, answerable[seen])
        logits[~seen] = ((features[~seen] - mean) / scale) @ weights + bias
    return logits


def bar(logits: Array, wanted: NDArray[np.bool_], refused: NDArray[np.bool_]) -> float:
    """The logit below which, with what is refused anyway, `_FALSE_REFUSALS` of those wanted are."""
    most = int(_FALSE_REFUSALS * wanted.sum()) - int((wanted & refused).sum())
    ordered = np.sort(logits[wanted & ~refused])
    return float(ordered[max(most, 0)]) - 1e-9


def outcome(logits: Array, asked: Sequence[Asked], least: float) -> str:
    """What is refused with the model and without, for people."""
    refused = np.array([one.refused for one in asked])
    withdrawn = refused | (logits < least)
    wanted = np.array([one.answerable for one in asked])
    return (
        f"answerable {wanted.sum()}: refused {refused[wanted].mean():.3f} -> "
        f"{withdrawn[wanted].mean():.3f}; others {(~wanted).sum()}: "
        f"{refused[~wanted].mean():.3f} -> {withdrawn[~wanted].mean():.3f}"
    )


def fitted(sets: Sequence[tuple[str, Sequence[Asked]]]) -> dict[str, Any]:
    """What `gate.json` holds of a model; what it does to articles held out is reported."""
    every = [one for _, asked in sets for one in asked]
    heard = np.array([one.odds is not None and not one.refused for one in every])
    features = np.array([features_of(one) for one in every])
    answerable = np.array([float(one.answerable) for one in every])
    groups = np.array([one.article for one in every])
    logits = np.full(len(every), np.inf)
    logits[heard] = crosswise(features[heard], answerable[heard], groups[heard])
    first = len(sets[0][1])
    refused = np.array([one.refused for one in every[:first]])
    least, start = bar(logits[:first], answerable[:first] > 0, refused), 0
    for name, asked in sets:
        report(f"{name}: {outcome(logits[start : start + len(asked)], asked, least)}")
        start += len(asked)
    mean, scale = features[heard].mean(axis=0), features[heard].std(axis=0) + 1e-9
    weights, bias = fit((features[heard] - mean) / scale, answerable[heard])
    own, model = weights / scale
    offset = bias - float(mean @ (weights / scale)) - least
    shown = [round(float(value), 5) for value in (own, model, offset)]
    return {"weights": shown, "fitted_on": int(heard.sum())}


def main(arguments: Sequence[str]) -> None:
    """Ask, fit, report on articles held out, and write."""
    if len(arguments) < 4 or len(arguments) % 2:
        sys.exit(__doc__)
    model = default_choice(arguments[0], usable_cores()).generator
    assert model is not None
    here, work = Path(__file__).parents[1] / "reader", Path(arguments[1])
    held_out = frozenset(json.loads((here / "coefficients.json").read_text("utf-8"))["held_out"])
    sets: list[tuple[str, list[Asked]]] = []
    for store, file in zip(arguments[2::2], arguments[3::2], strict=True):
        kept = work / f"opinion-{Path(store).name}.jsonl"
        with Library.open(Path(store)) as library:
            ask(library, file, model, kept, held_out)
        sets.append((kept.stem, read(kept)))
    saved = json.loads((here / "gate.json").read_text("utf-8"))
    saved.setdefault("opinions", {})[model.name] = fitted(sets)
    (here / "gate.json").write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")


def ask(
    library: Library, file: str, model: Generator, kept: Path, held_out: frozenset[str]
) -> None:
    """Ask what was not asked before, and keep it line by line."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    there = {one.id for one in read(kept)}
    with kept.open("a", encoding="utf-8") as out:
        for number, one in enumerate(asked_of(library, file, model, there, held_out), start=1):
            out.write(json.dumps(asdict(one)) + "\n")
            out.flush()
            if number % 10 == 0:
                report(f"{kept.name}: {number} more questions asked")


def features_of(one: Asked) -> tuple[float, float]:
    """The gate's logit and the model's log-odds; 0 where it was not heard."""
    held = min(max(one.probability, LEAST), 1 - LEAST)
    return float(np.log(held / (1 - held))), one.odds or 0.0


if __name__ == "__main__":
    main(sys.argv[1:])
