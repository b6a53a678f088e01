"""Asks a file of questions and writes the answers, a line each; quotes only unless told.

    python -m tests.benchmarks.bench_everyday LIBRARY QUESTIONS.jsonl ANSWERS.jsonl [MODEL] [COUNT]

With a model, a name of the catalogue or a file, that writes too (`none`: nothing does). An everyday
row is `{"id", "question", "history"}`, an answer row `{"id", "state", "text", "task", "citations":
[{"document_id", "quote"}]}`, with a model also its `drafts` and what became of each. Of an
evaluation set (`rag.evaluation.questions`) so many answerable questions are drawn, its answer rows
have the `values` of `pilcrow eval` beside, and the figures are printed. Each answer is written when
it is there, and another run goes on after the last. Prints the median milliseconds until evidence.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from index import Library
from rag import Answer, Assistant
from rag.evaluation.questions import Question, load_questions
from rag.evaluation.report import Row, summarise
from rag.evaluation.run import evaluate


class Noting(Assistant):
    """Keeps its last answer."""

    last: Answer

    def answer(self, *asked: Any, **options: Any) -> Answer:
        """The whole answer."""
        self.last = super().answer(*asked, **options)
        return self.last


def told_of(answer: Answer) -> dict[str, Any]:
    """What an answer row tells of an answer."""
    cited = [{"document_id": c.document_id, "quote": c.quote} for c in answer.citations]
    told = {"state": answer.state, "text": answer.text, "task": answer.task}
    drafts = [asdict(draft) for draft in answer.explain.drafts] if answer.explain else []
    return {**told, "citations": cited, "drafts": drafts, "timings": asdict(answer.timings)}


def answered(assistant: Noting, row: dict[str, Any]) -> dict[str, Any]:
    """An answer row of an everyday question."""
    history = [(str(question), str(answer)) for question, answer in row.get("history", [])]
    assistant.answer(row["question"], history, explain=True)
    return {"id": row["id"], **told_of(assistant.last)}


def evaluated(assistant: Noting, question: Question) -> dict[str, Any]:
    """An answer row of a question of an evaluation set."""
    (row,) = evaluate(assistant.library, assistant, [question]).rows
    return {"id": row.id, "kind": row.kind, "values": dict(row.values), **told_of(assistant.last)}


def drawn(path: Path, count: int) -> list[Question]:
    """So many answerable questions of an evaluation set, chosen by their ids."""
    questions = [question for question in load_questions(path) if question.answerable]
    lots = {q.id: hashlib.blake2b(f"18:{q.id}".encode()).digest() for q in questions}
    return sorted(questions, key=lambda question: lots[question.id])[:count]


def figures(lines: list[str]) -> str:
    """The figures of an evaluation set's answer rows."""
    rows = [Row(told["id"], told["kind"], told["values"]) for told in map(json.loads, lines)]
    report = summarise(rows)
    return json.dumps([report.answers, report.refusals, report.citations, report.evidence])


def main(arguments: list[str]) -> None:
    """Ask and write."""
    library, path, answers = map(Path, arguments[:3])
    model = next((name for name in arguments[3:4] if name != "none"), None)
    count = int(arguments[4]) if arguments[4:] else 0
    rows = map(json.loads, filter(None, path.read_text("utf-8").splitlines()))
    questions: dict[str, Any] = {row["id"]: row for row in rows}
    if count:
        questions = {question.id: question for question in drawn(path, count)}
    lines = answers.read_text("utf-8").splitlines() if answers.exists() else []
    times = []
    with Library.open(library, create=False) as opened, answers.open("a", encoding="utf-8") as out:
        assistant = Noting(opened, "default" if model else None, model=model)
        there = {json.loads(line)["id"] for line in lines}
        for id_, question in questions.items():
            if id_ in there:
                continue
            told = evaluated(assistant, question) if count else answered(assistant, question)
            out.write(line := json.dumps(told, ensure_ascii=False) + "\n")
            out.flush()
            lines.append(line)
            if (evidence := told["timings"]["evidence_ms"]) is not None:
                times.append(evidence)
    if times:
        sys.stdout.write(f"{statistics.median(times):.0f} ms until evidence, at the median\n")
    if count:
        sys.stdout.write(f"{figures(lines)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
