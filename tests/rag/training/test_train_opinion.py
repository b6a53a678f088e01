"""How much a model's opinion counts is fitted on what it said, asked once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from index import Library
from rag.training.train_opinion import Asked, ask, fitted, read
from tests.support.fakes import BagOfWordsEncoder, ScriptedGenerator


def opinions(many: int, *, knows: bool) -> list[Asked]:
    rng = np.random.default_rng(3)
    return [
        Asked(
            f"{number}", f"{number % 20}.txt", answerable, False, True,
            float(rng.uniform(0.5, 0.9)), float(rng.normal(1.5 if answerable and knows else 0.0)),
        )
        for number in range(many)
        for answerable in (True, False)
    ]  # fmt: skip


def refused_by(asked: list[Asked], answerable: bool) -> float:
    own, model, bias = fitted([("set", asked)])["weights"]
    told = [one for one in asked if one.answerable is answerable]
    logits = [
        own * np.log(one.probability / (1 - one.probability)) + model * (one.odds or 0.0) + bias
        for one in told
    ]
    return float((np.array(logits) < 0).mean())


def test_a_model_that_knows_refuses_more_of_what_is_not_there() -> None:
    knowing, guessing = opinions(200, knows=True), opinions(200, knows=False)
    assert refused_by(knowing, False) > refused_by(guessing, False) + 0.1
    for asked in (knowing, guessing):
        assert 0.02 <= refused_by(asked, True) <= 0.08


def test_what_was_asked_is_kept_and_not_asked_again(tmp_path: Path) -> None:
    place = {"document": "mills.txt", "start": 0, "end": 37}
    rows = [
        {"id": "1", "question": "When did the mill of Alder burn?", "answerable": True,
         "answers": ["1884"], "gold": [place], "paragraph": place},
        {"id": "2", "question": "Why did the mill of Alder burn?", "answerable": False,
         "answers": [], "gold": [], "paragraph": place},
    ]  # fmt: skip
    file, kept = tmp_path / "questions.jsonl", tmp_path / "work" / "kept.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)) + "\n")
    generator, said = ScriptedGenerator(), list[object]()

    def odds(messages: object) -> float:
        said.append(messages)
        return 0.5

    generator.odds = odds
    (tmp_path / "mills.txt").write_text("The mill of Alder burnt down in 1884.\n")
    with Library.open(tmp_path / "library", encoder=BagOfWordsEncoder()) as library:
        library.update([tmp_path / "mills.txt"])
        for _ in range(2):
            ask(library, str(file), generator, kept, frozenset())
    assert [one.id for one in read(kept)] and len(read(kept)) == 2
    assert len(said) == sum(one.odds is not None for one in read(kept))
