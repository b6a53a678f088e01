"""Asks a file of everyday questions and writes the answers, a line each; quotes only unless told.

    python -m tests.benchmarks.bench_everyday LIBRARY QUESTIONS.jsonl ANSWERS.jsonl [MODEL]

With a model, a name of the catalogue or a file, that writes too. A question row is `{"id",
"question", "history"}`, an answer row `{"id", "state", "text", "task", "citations":
[{"document_id", "quote"}]}`. Prints the median milliseconds until evidence.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from index import Library
from rag import Assistant


def answered(assistant: Assistant, row: dict[str, Any]) -> tuple[dict[str, Any], float | None]:
    """An answer row, and the milliseconds until evidence."""
    history = [(str(question), str(answer)) for question, answer in row.get("history", [])]
    answer = assistant.answer(row["question"], history)
    cited = [{"document_id": c.document_id, "quote": c.quote} for c in answer.citations]
    told = {"id": row["id"], "state": answer.state, "text": answer.text, "task": answer.task}
    return {**told, "citations": cited}, answer.timings.evidence_ms


def main(arguments: list[str]) -> None:
    """Ask and write."""
    library, questions, answers = map(Path, arguments[:3])
    model = arguments[3] if arguments[3:] else None
    rows = [json.loads(line) for line in questions.read_text("utf-8").splitlines() if line]
    with Library.open(library, create=False) as opened:
        assistant = Assistant(opened, "default" if model else None, model=model)
        made = [answered(assistant, row) for row in rows]
    lines = [json.dumps(row, ensure_ascii=False) for row, _ in made]
    answers.write_text("\n".join(lines) + "\n", encoding="utf-8")
    times = [ms for _, ms in made if ms is not None]
    sys.stdout.write(f"{statistics.median(times):.0f} ms until evidence, at the median\n")


if __name__ == "__main__":
    main(sys.argv[1:])
