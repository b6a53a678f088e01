"""The points of an evaluation's pictures, against runs worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.evaluation.curves import at_shares, calibration, risk_coverage, stage_times
from rag.evaluation.report import Report, Row, summarise


def run(*rows: tuple[str, float, float, float]) -> Report:
    """A report of rows: their kind, what the gate believes, whether refused, credit."""
    made = [
        Row(str(number), kind, {
            "answerable": belief, "refused": refused, "credit": credit, "seconds": 0.1 * number,
        })
        for number, (kind, belief, refused, credit) in enumerate(rows, start=1)
    ]  # fmt: skip
    return summarise(made, notes=())


RUN = run(
    ("answerable", 0.95, 0, 1), ("answerable", 0.85, 0, 0), ("near", 0.75, 0, 0),
    ("far", 0.05, 1, 1),
)  # fmt: skip


def test_risk_grows_as_more_is_answered() -> None:
    points = risk_coverage(RUN)
    assert [(p.coverage, p.risk) for p in points] == [
        (0.25, 0.0), (0.5, 0.5), (0.75, pytest.approx(2 / 3))
    ]  # fmt: skip
    assert [p.threshold for p in points] == [0.95, 0.85, 0.75]
    assert [p.coverage for p in at_shares(points, (0.1, 0.3, 0.4, 1.0))] == [0.25, 0.75]


def test_beliefs_are_held_against_what_is_so() -> None:
    assert [(b.believed, b.observed, b.questions) for b in calibration(RUN)] == [
        (0.05, 0.0, 1), (0.75, 0.0, 1), (0.85, 1.0, 1), (0.95, 1.0, 1)
    ]  # fmt: skip
    assert [s.stage for s in stage_times(RUN)] == ["whole answer"]


ROWS = st.tuples(
    st.sampled_from(["answerable", "near", "far"]),
    st.floats(0, 1), st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0]),
)  # fmt: skip


@given(st.lists(ROWS, max_size=30))
def test_shares_are_shares_and_nothing_is_counted_twice(
    rows: list[tuple[str, float, float, float]],
) -> None:
    points, bins = risk_coverage(run(*rows)), calibration(run(*rows))
    assert all(0 < p.coverage <= 1 and 0 <= p.risk <= 1 for p in points)
    assert [p.threshold for p in points] == sorted({p.threshold for p in points}, reverse=True)
    assert sum(b.questions for b in bins) == len(rows)
