"""Asks a file of everyday questions and writes the answers, a line each; quotes only unless told.

    python -m tests.benchmarks.bench_everyday LIBRARY QUESTIONS.jsonl ANSWERS.jsonl [MODEL]

With a model, a name of the catalogue or a file, that writes too. A question row is `{"id",
"question", "history"}`, an answer row `{"id", "state", "text", "task", "citations":
[{"document_id", "quote"}]}`, with a model also its `drafts` and what became of each. Each answer is
written when it is there, and another run goes on after the last. Prints the median milliseconds
until evidence.
"""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from index import Library
from rag import Assistant


def answered(assistant: Assistant, row: dict[str, Any]) -> dict[str, Any]:
    """An answer row."""
    history = [(str(question), str(answer)) for question, answer in row.get("history", [])]
    answer = assistant.answer(row["question"], history, explain=True)
    cited = [{"document_id": c.document_id, "quote": c.quote} for c in answer.citations]
    told = {"id": row["id"], "state": answer.state, "text": answer.text, "task": answer.task}
    drafts = [asdict(draft) for draft in answer.explain.drafts] if answer.explain else []
    return {**told, "citations": cited, "drafts": drafts, "timings": asdict(answer.timings)}


def main(arguments: list[str]) -> None:
    """Ask and write."""
    library, questions, answers = map(Path, arguments[:3])
    model = arguments[3] if arguments[3:] else None
    rows = [json.loads(line) for line in questions.read_text("utf-8").splitlines() if line]
    lines = answers.read_text("utf-8").splitlines() if answers.exists() else []
    there = {json.loads(line)["id"] for line in lines}
    times = []
    with Library.open(library, create=False) as opened, answers.open("a", encoding="utf-8") as out:
        assistant = Assistant(opened, "default" if model else None, model=model)
        for row in rows:
            if row["id"] in there:
                continue
            told = answered(assistant, row)
            out.write(json.dumps(told, ensure_ascii=False) + "\n")
            out.flush()
            if (evidence := told["timings"]["evidence_ms"]) is not None:
                times.append(evidence)
    if times:
        sys.stdout.write(f"{statistics.median(times):.0f} ms until evidence, at the median\n")


if __name__ == "__main__":
    main(sys.argv[1:])
