"""Which false statements does checking find out? `python -m tests.benchmarks.bench_statements`.

`statements.jsonl` holds statements about the articles in seeds/: true ones in other words than
their sentences', or put together of two, and false ones in nearly the same words, by hand. First
the rules that go by words alone: on the statements whose sentence is named, the last hundred of
which were written by one who had not seen them. Then the fitted judgement that looks for the
sentences itself: on all, those that it was fitted on and the others told apart.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from index.formats.registry import read_here
from index.languages.splitting import paragraphs, sentences
from rag.grounding.support import MIN_SUPPORT, support
from rag.grounding.verification.attribution import judgement
from rag.grounding.verification.contradiction import find_contradiction
from rag.training.train_judgement import examined, outcome

HERE = Path(__file__).parent
BLIND = 100
STATEMENTS = HERE / "statements.jsonl"
ARTICLES = HERE.parents[1] / "seeds" / "articles"


@dataclass(frozen=True, slots=True)
class Written:
    """A statement, its source's sentence, and whether it is true."""

    statement: str
    sentence: str
    true: bool


def written() -> Iterator[Written]:
    """The statements whose sentence is named."""
    for line in STATEMENTS.read_text("utf-8").splitlines():
        saved = json.loads(line)
        if "sentence" not in saved:
            continue
        (sentence,) = [s for s in _sentences(saved["document"]) if saved["sentence"] in s]
        yield Written(saved["statement"], sentence, saved["true"])


@cache
def _sentences(name: str) -> tuple[str, ...]:
    path = ARTICLES / name
    document = read_here(name, path.read_bytes(), path.suffix)
    return tuple(s.text for p in paragraphs(document) for s in sentences(document.text, p))


def main() -> None:
    every = list(written())
    for what, some in (("all", every), ("written blind", every[-BLIND:])):
        for true in (True, False):
            told = Counter(_outcome(one) for one in some if one.true is true)
            sys.stdout.write(f"{what}, {'true' if true else 'false'}: {json.dumps(told)}\n")
    rows = list(examined(STATEMENTS, ARTICLES))
    believed = np.array([judgement().probability(features) for features, _ in rows])
    true_ones, fitted = np.array([truth for _, truth in rows]), np.arange(len(rows)) % 2 == 0
    for what, some in (("judged, fitted on", fitted), ("judged, the others", ~fitted)):
        told_apart = outcome(believed[some], true_ones[some], judgement().threshold)
        sys.stdout.write(f"{what}: {told_apart}\n")


def _outcome(one: Written) -> str:
    if how := find_contradiction(one.statement, [one.sentence]):
        return how
    if support(one.statement, [one.sentence]) < MIN_SUPPORT:
        return "words, numbers, names, negation"
    return "not found out"


if __name__ == "__main__":
    main()
