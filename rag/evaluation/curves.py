"""What a run's rows say of risk, calibration and time: the points of its pictures and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rag.evaluation import metrics
from rag.evaluation.report import Report, Row

BINS = 10
"""Intervals of equal width that the gate's probabilities are put in."""
_STAGES = (
    ("search alone", "search_seconds"),
    ("first evidence", "evidence_seconds"),
    ("whole answer", "seconds"),
)


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """What answering only from a probability on would cost."""

    coverage: float
    """Share of all questions that are answered."""
    risk: float
    """Share of these whose answer earned no credit: wrong, or to be refused."""
    threshold: float
    """The probability from which on they are answered."""


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Questions that the gate thinks about equally likely to be answered."""

    believed: float
    """Their mean probability."""
    observed: float
    """The share of them that the documents answer."""
    questions: int


@dataclass(frozen=True, slots=True)
class StageTime:
    """Seconds until a stage of an answer was there."""

    stage: str
    median: float
    p95: float


def risk_coverage(report: Report) -> list[RiskPoint]:
    """Risk against coverage, from the least questions answered to as many as the run answered."""
    asked = [row for row in report.rows if "answerable" in row.values]
    answered = [row for row in asked if not row.values.get("refused")]
    ranked = sorted(answered, key=lambda row: -row.values["answerable"])
    points: list[RiskPoint] = []
    wrong = 0.0
    for number, row in enumerate(ranked, start=1):
        wrong += 1.0 - row.values.get("credit", 0.0)
        point = RiskPoint(number / len(asked), wrong / number, row.values["answerable"])
        if points and points[-1].threshold == point.threshold:
            points.pop()  # equals are answered together
        points.append(point)
    return points


def calibration(report: Report) -> list[CalibrationBin]:
    """What the gate believes against what is so, in bins that hold a question."""
    bins: list[list[Row]] = [[] for _ in range(BINS)]
    for row in report.rows:
        if "answerable" in row.values:
            bins[min(BINS - 1, int(row.values["answerable"] * BINS))].append(row)
    return [
        CalibrationBin(
            sum(row.values["answerable"] for row in rows) / len(rows),
            sum(row.kind == "answerable" for row in rows) / len(rows),
            len(rows),
        )
        for rows in bins
        if rows
    ]


def stage_times(report: Report) -> list[StageTime]:
    """Where the time of an answer goes; stages that were not measured are left out."""
    found = []
    for stage, key in _STAGES:
        values = [row.values[key] for row in report.rows if key in row.values]
        median, p95 = (metrics.percentile(values, q) for q in (0.5, 0.95))
        if median is not None and p95 is not None:
            found.append(StageTime(stage, median, p95))
    return found


def at_shares(points: Sequence[RiskPoint], shares: Sequence[float]) -> list[RiskPoint]:
    """The last point at each coverage, for a table; fewer where the run covered less."""
    reached = ([point for point in points if point.coverage <= share] for share in shares)
    return list(dict.fromkeys(found[-1] for found in reached if found))
