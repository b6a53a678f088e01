"""The gate is fitted on questions with and without what answers them, and measured crosswise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from index import Library
from rag.reader.gate import GATE_NAMES
from rag.training.train_gate import GateExample, PartOfLibrary, _bounds, fit
from tests.support.fakes import BagOfWordsEncoder

pytest.importorskip("scipy")


def examples(kinds: tuple[tuple[str, float], ...], many: int) -> list[GateExample]:
    rng = np.random.default_rng(7)
    return [
        GateExample("squad", kind, f"{number}.txt", rng.normal(mean, 0.3, len(GATE_NAMES)))
        for number in range(many)
        for kind, mean in kinds
    ]


def test_the_chosen_share_of_the_answerable_is_refused() -> None:
    made = examples((("answerable", 1.0), ("far", 0.0), ("underspecified", 0.5)), 60)
    data = fit(made, frozenset(f"{number}.txt" for number in range(0, 60, 2)))
    measured = data["measured"]["squad"]
    assert data["fitted_on"] == 120
    assert set(measured) == {"answerable", "far"}
    assert measured["answerable"]["questions"] == 30
    assert measured["answerable"]["below_0.5"] <= 0.07
    assert measured["far"]["below_0.5"] > 0.9
    json.dumps(data)


def test_weights_keep_their_signs() -> None:
    made = examples((("answerable", 0.0), ("far", 1.0)), 40)  # all speaks for what is not there
    data = fit(made, frozenset({"0.txt", "1.txt"}))
    for weight, (least, most) in zip(data["weights"], _bounds(), strict=False):
        assert (least is None or weight >= least) and (most is None or weight <= most)


def test_passages_left_out_are_not_found(tmp_path: Path) -> None:
    text = "The mill of Alder burnt down.\n\nThe mill of Birch stands.\n"
    (tmp_path / "mills.txt").write_text(text, encoding="utf-8")
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([tmp_path / "mills.txt"])
    part = PartOfLibrary(library)
    assert "Alder" in part.search("mill of Alder")[0].text
    part.hidden = (("mills.txt", 0, 10),)
    assert [(hit.rank, "Birch" in hit.text) for hit in part.search("mill of Alder")] == [(1, True)]
