"""What an evaluation found: rows, the figures computed from them, and their comparison.

Every figure comes from the rows, one a question asked, so a saved report can be compared with a
later one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from index.errors import InputError
from rag.evaluation import metrics
from rag.evaluation.questions import read_text

Figures = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Row:
    """What one question gave; a value that does not apply to it is absent."""

    id: str
    kind: str
    """The question's group: `answerable`, `near`, `far`, …"""
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of a run; None where no question had the figure."""

    questions: dict[str, int]
    """How many were asked, by group."""
    headline: float | None
    """Mean of two shares: answerables that are right and cite gold, unanswerables refused."""
    retrieval: Figures
    answers: Figures
    citations: Figures
    refusals: Figures
    evidence: Figures
    """How often the sentences handed to the model hold gold, the tokens of the whole prompt, and
    the words of an answer to an answerable question."""
    drafts: Figures
    """What checking did to the model's statements: see `_drafts`."""
    curve: tuple[Figures, ...]
    """What other thresholds of the gate would do: see `_curve`."""
    arms: dict[str, Figures]
    """The references: `bm25` answers with its first paragraph, `nearest` with the sentence nearest
    to the question. Both always answer."""
    seconds: Figures
    notes: tuple[str, ...]
    rows: tuple[Row, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values; `load_report` reads it back."""
        return {
            name: getattr(self, name)
            for name in ("questions", "headline", "retrieval", "answers", "citations", "refusals")
        } | {
            "evidence": self.evidence,
            "drafts": self.drafts,
            "curve": list(self.curve),
            "arms": self.arms,
            "seconds": self.seconds,
            "notes": list(self.notes),
            "rows": [
                {"id": row.id, "kind": row.kind, "values": dict(row.values)} for row in self.rows
            ],
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """How one figure moved between two runs, over the questions that both asked."""

    name: str
    questions: int
    earlier: float
    now: float
    difference: float
    low: float
    """Lower end of the difference's 95 % interval."""
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run against an earlier one."""

    differences: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain JSON values."""
        return {"differences": [asdict(difference) for difference in self.differences]}


def load_report(path: str | Path) -> Report:
    """A report saved as JSON, its figures computed anew from its rows.

    Raises:
        InputError: The file is not a saved report.
    """
    try:
        saved = json.loads(read_text(path))
        rows = [
            Row(str(row["id"]), str(row["kind"]), {k: float(v) for k, v in row["values"].items()})
            for row in saved["rows"]
        ]
        return summarise(rows, tuple(map(str, saved.get("notes", ()))))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path} is not a saved evaluation; make one with: pilcrow eval FILE.jsonl --json"
        ) from error


RETRIEVAL = ("recall_1", "recall_5", "recall_10", "mrr_10", "ndcg_10", "top_1")
CHARACTERS = ("characters_recall", "characters_precision", "characters_iou")
_LOST = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5)
ANSWERS = ("exact", "f1", "contains", "right", "brief", "cites_gold")


def summarise(rows: Sequence[Row], notes: tuple[str, ...] = ()) -> Report:
    """Every figure of a report, from its rows."""
    values = [row.values for row in rows]
    groups = list(dict.fromkeys(["answerable", "near", "far", *(row.kind for row in rows)]))
    refused = {
        group: _mean([row.values for row in rows if row.kind == group], "refused")
        for group in groups
    }
    return Report(
        questions={group: sum(row.kind == group for row in rows) for group in groups},
        headline=_headline(rows, "credit"),
        retrieval={name: _mean(values, name) for name in RETRIEVAL + CHARACTERS},
        answers={name: _mean(values, name) for name in ANSWERS},
        citations={
            "validity": metrics.ratio(values, "valid_pointers", "pointers"),
            "gold_precision": metrics.ratio(values, "cited_gold", "cited"),
            "gold_recall": _mean(values, "gold_cited"),
            "support": metrics.ratio(values, "supported", "statements"),
        },
        refusals={
            **{group: refused[group] for group in groups if group != "answerable"},
            "false": refused["answerable"],
        }
        | _asked_back(rows),
        evidence={
            name: _mean(values, name) for name in ("evidence_gold", "prompt_tokens", "words")
        },
        drafts=_drafts(values),
        curve=_curve(rows),
        arms={arm: _arm(rows, arm) for arm in ("bm25", "nearest")},
        seconds={
            f"{name}_p{int(100 * q)}": metrics.percentile(_values(values, key), q)
            for name, key in (("answer", "seconds"), ("search", "search_seconds"))
            for q in (0.5, 0.95)
        },
        notes=notes,
        rows=tuple(rows),
    )


def _asked_back(rows: Sequence[Row]) -> Figures:
    """Where unclear questions were asked: how many were met, and what it cost the others.

    `unclear_met`: refused or asked back; `asked_back`: of answerable questions, those whose answer
    ends in a question.
    """
    unclear = [row.values for row in rows if row.kind == "unclear"]
    answerable = [row.values for row in rows if row.kind == "answerable"]
    if not unclear:
        return {}
    return {
        "unclear_met": _mean(unclear, "credit"),
        "asked_back": _mean(answerable, "asked_back"),
    }


def _drafts(values: Sequence[Mapping[str, float]]) -> Figures:
    """Shares of the statements that the model wrote.

    `supported`: those that the sentence they pointed at supported, before anything was done;
    `shown`: those shown in the model's words; `false_removals`: those not shown though they were
    supported and held a gold answer.
    """
    return {
        name: metrics.ratio(values, f"drafts_{name}", "drafts")
        for name in ("supported", "shown", "false_removals")
    }


def _curve(rows: Sequence[Row]) -> tuple[Figures, ...]:
    """The gate at other thresholds: false refusals against refusals and risk.

    `risk` is the share of the questions answered at that threshold whose answer earned no credit;
    it is known from the run's own threshold upwards, and None below.
    """
    asked = [row for row in rows if "answerable" in row.values]
    beliefs = sorted(row.values["answerable"] for row in asked if row.kind == "answerable")
    if not beliefs:
        return ()
    lowest = max((r.values["answerable"] for r in asked if r.values["refused"]), default=0.0)
    points = []
    for lost in _LOST:
        threshold = beliefs[int(lost * len(beliefs))]
        kept = [row for row in asked if row.values["answerable"] >= threshold]
        told = [row.values.get("credit", 0.0) for row in kept]
        credit = metrics.mean(told) if threshold > lowest else None
        points.append(
            {"threshold": threshold, "false": lost}
            | {group: _below(asked, group, threshold) for group in ("far", "near")}
            | {"risk": None if credit is None else 1 - credit}
        )
    return tuple(points)


def _below(rows: Sequence[Row], group: str, threshold: float) -> float | None:
    return metrics.mean(
        [float(row.values["answerable"] < threshold) for row in rows if row.kind == group]
    )


def _arm(rows: Sequence[Row], arm: str) -> Figures:
    values = [row.values for row in rows]
    ranked = RETRIEVAL + CHARACTERS if arm == "bm25" else ()
    names = (*ranked, "right", "brief", "cites_gold")
    return {name: _mean(values, f"{arm}.{name}") for name in names} | {
        "headline": _headline(rows, f"{arm}.credit")
    }


def _headline(rows: Sequence[Row], name: str) -> float | None:
    """The mean of the answerable and the unanswerable side, or the one side that was asked."""
    means = [_mean([row.values for row in side], name) for side in sides(rows)]
    return metrics.mean([mean for mean in means if mean is not None])


def sides(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows of answerable questions, and the others."""
    return (
        [row for row in rows if row.kind == "answerable"],
        [row for row in rows if row.kind != "answerable"],
    )


def _values(rows: Sequence[Mapping[str, float]], name: str) -> list[float]:
    return [row[name] for row in rows if name in row]


def _mean(rows: Sequence[Mapping[str, float]], name: str) -> float | None:
    return metrics.mean(_values(rows, name))


def compare(report: Report, earlier: Report) -> Comparison:
    """How headline, right and recall@5 moved, by paired bootstrap over the questions of both.

    Raises:
        InputError: The two runs share no question.
    """
    before = {(row.id, row.kind): row for row in earlier.rows}
    pairs = [(before[row.id, row.kind], row) for row in report.rows if (row.id, row.kind) in before]
    if not pairs:
        raise InputError("the two evaluations share no question; compare runs of one file.")
    named = (("headline", "credit"), ("right", "right"), ("recall@5", "recall_5"))
    found = (_difference(name, key, pairs) for name, key in named)
    return Comparison(tuple(difference for difference in found if difference))


def _difference(name: str, key: str, pairs: Sequence[tuple[Row, Row]]) -> Difference | None:
    both = [(old, new) for old, new in pairs if key in old.values and key in new.values]
    groups = [
        [
            new.values[key] - old.values[key]
            for old, new in both
            if (new.kind == "answerable") == answerable
        ]
        for answerable in (True, False)
    ]
    moved = metrics.bootstrap(groups)
    earlier, now = (_headline([pair[side] for pair in both], key) for side in (0, 1))
    if moved is None or earlier is None or now is None:
        return None
    return Difference(name, len(both), earlier, now, moved.difference, moved.low, moved.high)
