"""How well a library and an assistant answer a file of questions, beside two simple references.

    questions = load_questions("questions.jsonl")
    report = evaluate(library, Assistant(library), questions, limit=200, far=50)
    print(report.headline, report.answers["right"], report.citations["validity"])

`ui.commands.report_table.report_lines` draws a report for a terminal.
"""

from __future__ import annotations

from rag.evaluation.questions import Question, load_questions
from rag.evaluation.report import (
    Comparison,
    Difference,
    Report,
    Row,
    compare,
    load_report,
    summarise,
)
from rag.evaluation.run import evaluate

__all__ = [
    "Comparison",
    "Difference",
    "Question",
    "Report",
    "Row",
    "compare",
    "evaluate",
    "load_questions",
    "load_report",
    "summarise",
]
