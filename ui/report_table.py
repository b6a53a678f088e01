"""A report as lines of plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rag.evaluation.report import ANSWERS, CHARACTERS, RETRIEVAL, Comparison, Figures, Report, sides

_LABELS = {
    "recall_1": "R@1",
    "recall_5": "R@5",
    "recall_10": "R@10",
    "mrr_10": "MRR@10",
    "ndcg_10": "nDCG@10",
    "top_1": "top 1",
    "characters_recall": "recall",
    "characters_precision": "precision",
    "characters_iou": "IoU",
    "exact": "EM",
    "f1": "F1",
    "cites_gold": "cites gold",
    "gold_precision": "gold prec.",
    "gold_recall": "gold rec.",
    "answer_p50": "answer p50",
    "answer_p95": "answer p95",
    "search_p50": "search p50",
    "search_p95": "search p95",
}


def report_lines(report: Report, comparison: Comparison | None = None) -> list[str]:
    """The report as lines of plain text, none of it taken from documents or questions."""
    asked = ", ".join(f"{count} {group}" for group, count in report.questions.items() if count)
    bm25, nearest = report.arms["bm25"], report.arms["nearest"]
    us = {**report.answers, "headline": report.headline}
    ends = ("right", "brief", "cites_gold", "headline")
    blocks = [
        _table("retrieval", RETRIEVAL, {"pilcrow": report.retrieval, "BM25": bm25}),
        _table("characters", CHARACTERS, {"pilcrow": report.retrieval, "BM25": bm25}),
        _table("answers", ANSWERS[:3], {"pilcrow": us}),
        _table("citations", tuple(report.citations), {"pilcrow": report.citations}),
        _table("refused", tuple(report.refusals), {"pilcrow": report.refusals}),
        _table(
            "outcome",
            ends,
            {"pilcrow": us, "BM25's paragraph": bm25, "nearest sentence": nearest},
        ),
        _table("evidence", tuple(report.evidence), {"pilcrow": report.evidence}),
        _table("model's drafts", tuple(report.drafts), {"pilcrow": report.drafts}),
        *[
            _table("gate's curve" if not at else "", tuple(point), {"": point})[int(at > 0) :]
            for at, point in enumerate(report.curve)
        ],
        _table("seconds", tuple(report.seconds), {"pilcrow": report.seconds}),
    ]
    lines = [f"asked: {asked}"]
    for block in filter(None, blocks):
        lines += ["", *block]
    if comparison:
        lines += ["", *_comparison_lines(comparison)]
    notes = list(report.notes)
    if report.headline is not None and not all(sides(report.rows)):
        notes.append("the headline is one-sided: add unanswerable and answerable questions both")
    return lines + [f"note: {note}" for note in notes]


def _table(title: str, names: Sequence[str], rows: Mapping[str, Figures]) -> list[str]:
    """A table of the rows that have figures; no lines when none has."""
    filled = {
        label: figures
        for label, figures in rows.items()
        if any(figures.get(name) is not None for name in names)
    }
    if not filled:
        return []
    head = f"{title:<18}" + "".join(f"{_LABELS.get(name, name):>12}" for name in names)
    return [head] + [
        f"  {label:<16}" + "".join(f"{_shown(figures.get(name)):>12}" for name in names)
        for label, figures in filled.items()
    ]


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _comparison_lines(comparison: Comparison) -> list[str]:
    columns = ("earlier", "now", "change", "95 % from", "to", "questions")
    return ["against earlier".ljust(18) + "".join(f"{name:>12}" for name in columns)] + [
        f"  {each.name:<16}{each.earlier:>12.3f}{each.now:>12.3f}{each.difference:>+12.3f}"
        f"{each.low:>+12.3f}{each.high:>+12.3f}{each.questions:>12}"
        for each in comparison.differences
    ]
