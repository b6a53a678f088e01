"""An evaluation in three pictures, and the same as text for those who cannot see them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index.errors import InputError
from rag.evaluation.curves import at_shares, calibration, risk_coverage, stage_times
from rag.evaluation.report import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SUFFIXES = (".png", ".svg", ".pdf")
_ACCENT, _SOFT = "#0b6b5b", "#8a9692"
_INCHES = (12.0, 3.8)
_SHARES = tuple(share / 10 for share in range(1, 11))


def check_target(file: Path) -> None:
    """Raises `InputError` where no picture could be written to this file, before anything runs."""
    if file.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{file.name!r} is no picture: end it in {', '.join(_SUFFIXES)}")
    if not file.resolve().parent.is_dir():
        raise InputError(f"there is no folder {file.resolve().parent}")
    _figure()


def _figure() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise InputError(
            "pictures need matplotlib. Install it with: pip install 'pilcrow-rag[plot]'"
        ) from error
    return Figure(figsize=_INCHES, layout="constrained")


def draw_report(report: Report, file: Path) -> None:
    """Writes risk against coverage, calibration and time as one picture."""
    figure = _figure()
    risk, belief, time = figure.subplots(1, 3)
    _draw_risk(risk, report)
    _draw_calibration(belief, report)
    _draw_times(time, report)
    for axes in (risk, belief, time):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=150)


def _draw_risk(axes: Axes, report: Report) -> None:
    points = risk_coverage(report)
    axes.plot([p.coverage for p in points], [p.risk for p in points], color=_ACCENT)
    axes.set(title="Risk against coverage", xlabel="share of questions answered",
             ylabel="share of these answered wrongly", xlim=(0, 1), ylim=(0, 1))  # fmt: skip


def _draw_calibration(axes: Axes, report: Report) -> None:
    bins = calibration(report)
    axes.plot([0, 1], [0, 1], color=_SOFT, linestyle=":")
    sizes = [12 + 120 * b.questions / max(1, len(report.rows)) for b in bins]
    seen = [b.believed for b in bins], [b.observed for b in bins]
    axes.scatter(*seen, s=sizes, color=_ACCENT, clip_on=False)
    axes.set(title="Calibration of the gate", xlabel="probability that it is answered",
             ylabel="share that is", xlim=(0, 1), ylim=(0, 1))  # fmt: skip


def _draw_times(axes: Axes, report: Report) -> None:
    stages = stage_times(report)
    names = [stage.stage for stage in stages]
    axes.barh(names, [stage.p95 for stage in stages], color=_SOFT, label="95 of 100 within")
    axes.barh(names, [stage.median for stage in stages], color=_ACCENT, label="median")
    axes.set(title="Where the time goes", xlabel="seconds")
    axes.invert_yaxis()
    if stages:
        axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)


def tables(report: Report) -> list[str]:
    """The pictures as lines of text."""
    points = at_shares(risk_coverage(report), _SHARES)
    return [
        *_table("risk against coverage", ("answered", "wrong of these", "from probability"),
                [(f"{p.coverage:.2f}", f"{p.risk:.3f}", f"{p.threshold:.3f}") for p in points]),
        *_table("calibration", ("believed", "so", "questions"),
                [(f"{b.believed:.2f}", f"{b.observed:.2f}", str(b.questions))
                 for b in calibration(report)]),
        *_table("seconds until", ("", "median", "95 of 100"),
                [(s.stage, f"{s.median:.3f}", f"{s.p95:.3f}") for s in stage_times(report)]),
    ]  # fmt: skip


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True))
             for row in (head, *rows)]  # fmt: skip
    return ["", title, *lines]
