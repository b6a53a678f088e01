"""Fits whether sentences carry a statement, on hand-written statements that are true or false.

    python -m rag.training.train_judgement STATEMENTS.jsonl ARTICLES

A row is `{"document", "statement", "true"}`. Every second row is for fitting and choosing the
threshold, which finds `_FOUND` of the false ones; the others are for measuring. Writes
`rag/grounding/verification/judgement.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.embedding.encoder import SentenceTransformerEncoder
from index.formats.registry import read_here
from index.languages.splitting import paragraphs, sentences
from rag.grounding.verification.attribution import Attributor
from rag.grounding.verification.comparison import NAMES
from rag.training.progress import report
from rag.training.train_clarity import fit
from rag.types import Quotation

_FOUND = 0.95
"""Of the false statements of the fitted half, called false. What a true one costs that is suspected
is a quote in its place."""
_DOUBTFUL = 0.25
_CONSTANT = 1e-6
_SECOND = [0.4, 1.2, -2.2]
"""Set by hand on what a 1.5 B model thinks of 65 statements of its own (RESULTS.md, Statements)."""
_FIRM = ("numbers", "names", "loop", "moved_numbers")
Array = NDArray[np.float64]


@cache
def sentences_of(path: Path) -> tuple[Quotation, ...]:
    """The sentences of an article, each a quotation."""
    document = read_here(path.name, path.read_bytes(), path.suffix)
    return tuple(
        Quotation(
            document.id, document.title, document.source, document.date, number, s.start, s.end,
            s.text, 0.0,
        )
        for number, paragraph in enumerate(paragraphs(document), 1)
        for s in sentences(document.text, paragraph)
    )  # fmt: skip


def examined(file: Path, articles: Path) -> Iterator[tuple[Array, bool]]:
    """The features of each statement, with the sentences it would be attributed to, and its truth.

    A statement that no sentence shares a word with has none that could be fitted.
    """
    encoder = SentenceTransformerEncoder()
    attributors: dict[str, Attributor] = {}
    for line in file.read_text("utf-8").splitlines():
        row = json.loads(line)
        name = row["document"]
        if name not in attributors:
            own = sentences_of(articles / name)
            attributors[name] = Attributor(encoder.encode_query, own)
        attributor = attributors[name]
        sources = attributor.closest(row["statement"])
        if sources:
            yield attributor.features(row["statement"], sources), bool(row["true"])


def outcome(believed: Array, true: NDArray[np.bool_], threshold: float) -> str:
    """What a threshold finds, for people."""
    found, suspected = (believed[~true] < threshold).mean(), (believed[true] < threshold).mean()
    return (
        f"false found {found:.3f} of {(~true).sum()}, true suspected {suspected:.3f} "
        f"of {true.sum()}"
    )


def main(arguments: Sequence[str]) -> None:
    """Fit on one half, report on the other, and write the judgement."""
    if len(arguments) != 2:
        sys.exit(__doc__)
    rows = list(examined(Path(arguments[0]), Path(arguments[1])))
    raw, true = np.array([row for row, _ in rows]), np.array([truth for _, truth in rows])
    halves = np.arange(len(rows)) % 2 == 0
    firm = raw[:, [NAMES.index(name) for name in _FIRM]].any(axis=1)
    mean, scale = raw[halves].mean(axis=0), raw[halves].std(axis=0)
    scale[scale < _CONSTANT] = 1.0
    features = (raw - mean) / scale
    weights, bias = fit(features[halves & ~firm], true[halves & ~firm].astype(np.float64))
    believed = np.where(firm, 0.0, 1 / (1 + np.exp(-(features @ weights + bias))))
    for name, weight in zip(NAMES, weights, strict=True):
        report(f"{name:16} {weight:+.2f}")
    ordered = np.sort(believed[halves & ~true])
    threshold = float(ordered[int(_FOUND * len(ordered))])
    report(f"fitted: {outcome(believed[halves], true[halves], threshold)}")
    report(f"held out: {outcome(believed[~halves], true[~halves], threshold)}")
    saved = {
        "features": list(NAMES),
        **{name: [round(float(v), 6) for v in values]
           for name, values in (("mean", mean), ("scale", scale), ("weights", weights))},
        "bias": round(bias, 6), "threshold": round(threshold, 6), "doubtful": _DOUBTFUL,
        "second": _SECOND,
    }  # fmt: skip
    here = Path(__file__).parents[1] / "grounding" / "verification" / "judgement.json"
    here.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
