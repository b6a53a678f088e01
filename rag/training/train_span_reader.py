"""Train the network: `python -m rag.training.train_span_reader DATA_FOLDER --work FOLDER`.

DATA_FOLDER is as for `train_ranker`, which must have been run already. Steps: index the articles;
learn from two thirds of them (`dataset.py`, `span_network.py`), which takes an hour and a half on
two cores; write `span_reader.onnx`; fit what stands on top of it on three other articles; measure
on the rest, which neither stage has learnt from (`calibrate.py`); write `span_reader.json`. A
checkpoint is kept in the work folder every few minutes: an interrupted run goes on from it. What
was reached is in `rag/reader/MODEL_CARD.md`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from index import Library
from index.embedding.encoder import default_folder
from index.embedding.torch_backend import TorchNetwork
from index.system.checksums import sha256
from index.system.cpu import usable_cores
from rag.reader.span_model import FILE, SpanModel
from rag.reader.span_reader import NAMES, Calibration, SpanReader
from rag.training.dataset import Dataset, load_dataset
from rag.training.progress import report

_READER = Path(__file__).parents[1] / "reader"
_STEPS = 2500


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, export, fit, measure, and write weights and figures to `rag/reader`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="a folder with docs/ and questions.jsonl")
    parser.add_argument("--work", type=Path, required=True, help="for the library, checkpoints")
    parser.add_argument("--steps", type=int, default=_STEPS, help="batches to learn from")
    parser.add_argument("--out", type=Path, default=_READER)
    parser.add_argument("--fit-only", action="store_true", help="keep the network as it is")
    chosen = parser.parse_args(arguments)
    library = Library.open(chosen.work / "library")
    library.update([chosen.data / "docs"])
    dataset = load_dataset(library, chosen.data)
    if not chosen.fit_only:
        _learn(library, dataset, chosen)
    _fit(library, dataset, chosen.out)


def _learn(library: Library, dataset: Dataset, chosen: argparse.Namespace) -> None:
    from rag.training.span_network import export, train

    cores = usable_cores()
    bert = TorchNetwork(default_folder(), cores).model[0].auto_model
    network = train(dataset, library.encoder, bert, chosen.steps, chosen.work, threads=cores)
    export(network, chosen.out / FILE)


def _fit(library: Library, dataset: Dataset, out: Path) -> None:
    from rag.training.calibrate import figures, fit, outcomes

    reader = SpanReader(library.encoder, SpanModel(usable_cores(), out / FILE))
    tuning = outcomes(library, dataset, "tuning", reader)
    fitted = fit(tuning, library.encoder.identity.revision, sha256(out / FILE))
    held = outcomes(library, dataset, "held", reader)
    data = {
        **_plain(fitted),
        "parts": {part: list(articles) for part, articles in dataset.parts.items()},
        "measured": {"tuning": figures(tuning, fitted), "held": figures(held, fitted)},
    }
    text = json.dumps(data, indent=1) + "\n"
    (out / "span_reader.json").write_text(text, encoding="utf-8")
    report(json.dumps(data["measured"], indent=1))


def _plain(fitted: Calibration) -> dict[str, Any]:
    return {
        "encoder": fitted.encoder,
        "network": fitted.network,
        "features": list(NAMES),
        "ranking": [round(float(weight), 5) for weight in fitted.ranking],
        "certain": fitted.certain,
    }


if __name__ == "__main__":
    main()
