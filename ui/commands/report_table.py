"""An evaluation's report as tables, for a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from rag.evaluation.report import ANSWERS, CHARACTERS, RETRIEVAL, Comparison, Figures, Report, sides

_TITLE_WIDTH, _COLUMN_WIDTH, _TOTAL_WIDTH = 18, 12, 200
"""In characters. The total is wider than any table: a narrow terminal breaks lines, not columns."""
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
    "unclear_met": "unclear met",
    "asked_back": "asked back",
    "search_p50": "search p50",
    "search_p95": "search p95",
}


def report_lines(report: Report, comparison: Comparison | None = None) -> list[str]:
    """The report as lines of plain text, none of it taken from documents or questions."""
    asked = ", ".join(f"{count} {group}" for group, count in report.questions.items() if count)
    console = Console(file=io.StringIO(), width=_TOTAL_WIDTH, color_system=None)
    for table in _tables(report):
        if table is not None:
            console.print()
            console.print(table)
    if comparison:
        console.print()
        console.print(_comparison_table(comparison))
    assert isinstance(console.file, io.StringIO)
    notes = list(report.notes)
    if report.headline is not None and not all(sides(report.rows)):
        notes.append("the headline is one-sided: add unanswerable and answerable questions both")
    drawn = console.file.getvalue().splitlines()
    return [f"asked: {asked}", *drawn, *(f"note: {note}" for note in notes)]


def _tables(report: Report) -> Iterable[Table | None]:
    """One table a group of figures; None for a group that was not measured."""
    bm25, nearest = report.arms["bm25"], report.arms["nearest"]
    us = {**report.answers, "headline": report.headline}
    outcome = {"pilcrow": us, "BM25's paragraph": bm25, "nearest sentence": nearest}
    yield _table("retrieval", RETRIEVAL, {"pilcrow": report.retrieval, "BM25": bm25})
    yield _table("characters", CHARACTERS, {"pilcrow": report.retrieval, "BM25": bm25})
    yield _table("answers", ANSWERS[:3], {"pilcrow": us})
    yield _table("citations", report.citations, {"pilcrow": report.citations})
    yield _table("refused", report.refusals, {"pilcrow": report.refusals})
    yield _table("outcome", ("right", "brief", "cites_gold", "headline"), outcome)
    yield _table("evidence", report.evidence, {"pilcrow": report.evidence})
    yield _table("model's drafts", report.drafts, {"pilcrow": report.drafts})
    if report.curve:
        curve = _empty_table("gate's curve", report.curve[0])
        for point in report.curve:
            _add_figures(curve, "", report.curve[0], point)
        yield curve
    yield _table("seconds", report.seconds, {"pilcrow": report.seconds})


def _table(title: str, names: Iterable[str], rows: Mapping[str, Figures]) -> Table | None:
    """A table of the rows that have figures; None when none has."""
    names = tuple(names)
    filled = {
        label: figures
        for label, figures in rows.items()
        if any(figures.get(name) is not None for name in names)
    }
    if not filled:
        return None
    table = _empty_table(title, names)
    for label, figures in filled.items():
        _add_figures(table, label, names, figures)
    return table


def _empty_table(title: str, names: Iterable[str]) -> Table:
    """The heading alone."""
    table = Table(box=None, padding=0, pad_edge=False, header_style="")
    table.add_column(title, min_width=_TITLE_WIDTH, no_wrap=True)
    for name in names:
        label = _LABELS.get(name, name)
        table.add_column(label, min_width=_COLUMN_WIDTH, justify="right", no_wrap=True)
    return table


def _add_figures(table: Table, label: str, names: Iterable[str], figures: Figures) -> None:
    values = (figures.get(name) for name in names)
    cells = ("-" if value is None else f"{value:.3f}" for value in values)
    table.add_row(f"  {label}", *cells)


def _comparison_table(comparison: Comparison) -> Table:
    columns: Sequence[str] = ("earlier", "now", "change", "95 % from", "to", "questions")
    table = _empty_table("against earlier", columns)
    for each in comparison.differences:
        moved = (f"{value:+.3f}" for value in (each.difference, each.low, each.high))
        shares = (f"{each.earlier:.3f}", f"{each.now:.3f}", *moved)
        table.add_row(f"  {each.name}", *shares, str(each.questions))
    return table
