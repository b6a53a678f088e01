"""Whether an answer is there: nothing that speaks for one counts against it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index import Library
from rag.query.question import QueryVariant
from rag.reader.gate import GATE_NAMES, PARTIAL_BELOW, decide, gate_coefficients
from rag.reader.ranker import Ranker, gate_row, score_linear
from tests.support.fakes import BagOfWordsEncoder

AGAINST = {"unknown", "denial", "numbers_nowhere"}
CABLES = """Three cables were cut in the Red Sea in February 2024. The ship Rubymar dragged its \
anchor.

The repair took five months, because no permit was given.
"""


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "cables.txt").write_text(CABLES, encoding="utf-8")
    library = Library.open(tmp_path / "library", encoder=BagOfWordsEncoder())
    library.update([tmp_path / "cables.txt"])
    return library


def row_of(library: Library, question: str) -> dict[str, float]:
    variant, ranker = QueryVariant.of(question), Ranker(library)
    candidates = ranker.examine(variant, library.search(question))
    _, scores, _ = score_linear(variant, candidates)
    return dict(zip(GATE_NAMES, gate_row(variant, candidates, scores).tolist(), strict=True))


@given(
    st.lists(st.floats(0, 1), min_size=len(GATE_NAMES), max_size=len(GATE_NAMES)),
    st.sampled_from(range(len(GATE_NAMES))),
    st.floats(0, 1),
)
def test_more_of_what_speaks_for_an_answer_never_lowers_it(
    row: list[float], which: int, more: float
) -> None:
    better = list(row)
    sign = -1 if GATE_NAMES[which] in AGAINST else 1
    better[which] += sign * more
    gate = gate_coefficients()
    assert gate.logit(np.array(better)) >= gate.logit(np.array(row)) - 1e-9


def test_a_question_that_denies_wants_a_sentence_that_does(library: Library) -> None:
    assert row_of(library, "Which sea was never cut by the Rubymar?")["denial"] == 1
    assert row_of(library, "Why was no permit given for the repair?")["denial"] == 0
    assert row_of(library, "Which ship dragged its anchor?")["denial"] == 0


def test_numbers_that_no_close_passage_holds(library: Library) -> None:
    assert row_of(library, "How many cables were cut in 2024?")["numbers_nowhere"] == 0
    assert row_of(library, "How many cables were cut in 2019?")["numbers_nowhere"] == 1
    assert row_of(library, "How many cables were cut in 2024 and 2019?")["numbers_nowhere"] == 0.5


def test_what_stands_whole_in_a_sentence_is_answered_in_a_library_of_one_article(
    library: Library,
) -> None:
    for question in ("How many cables were cut?", "Which ship dragged its anchor?"):
        ranking = Ranker(library).rank(QueryVariant.of(question), library.search(question))
        assert ranking.answerable >= 0.5, question
    certain = "How many cables were cut?"
    ranking = Ranker(library).rank(QueryVariant.of(certain), library.search(certain))
    assert decide(ranking.answerable) == "answered"
    assert ranking.answerable > PARTIAL_BELOW
