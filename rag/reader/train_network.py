"""Train the network behind the short answer: `python -m rag.reader.train_network DATA_FOLDER`.

DATA_FOLDER is as for `train.py`, and so is the division: every fourth article is held out and only
measured on. Of the others, every fourth again is kept for tuning: how certain a short answer must
be is fitted there. Articles held out and articles fitted never share a library.

Steps: ask every question of a library that holds its article, some of one that does not ("far"),
some as people type them (lower case, no question mark, keywords); keep the first rung's best
sentences; train the network to order them, to find the answer in the right one, and to say whether
they answer at all; measure on the articles held out; write `network.npz` and `network.json`. Asking
takes 10 minutes of one core, training 12. What was reached is in `CARD.md`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rag.reader.examples import HELD_OUT_EVERY, SEED, Example, ask_all


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, fit, measure, and write the weights and figures beside this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="a folder with docs/ and questions.jsonl")
    parser.add_argument("--epochs", type=float, default=2.62)
    parser.add_argument("--minutes", type=float, default=600.0, help="stop learning after these")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    chosen = parser.parse_args(arguments)
    from rag.reader.fit_network import learn, report

    with tempfile.TemporaryDirectory() as folder:
        fitted, tuning, held = _divided(list(ask_all(Path(folder), chosen.data)))
    _say(f"{len(fitted)} to learn from, {len(tuning)} to tune on, {len(held)} held out")
    weights, curve = learn(fitted, tuning, chosen)
    report(weights, tuning, held, curve, chosen.out)


def _divided(examples: Sequence[Example]) -> tuple[list[Example], list[Example], list[Example]]:
    """What is learnt from, tuned on (whole articles), and held out (whole articles)."""
    articles = sorted({one.article for one in examples})
    held = set(articles[::HELD_OUT_EVERY])
    rest = [name for name in articles if name not in held]
    tuning = set(rest[1::HELD_OUT_EVERY])
    return (
        [one for one in examples if one.article not in held | tuning],
        [one for one in examples if one.article in tuning and not one.noisy],
        [one for one in examples if one.article in held and not one.noisy],
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
