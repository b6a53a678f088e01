"""Spanish and Russian, of which no set is visible: ranking and answers, on articles of our own.

    python -m tests.benchmarks.languages.bench_written WORK [--encoder FOLDER]

`written_in_languages.json` has four short articles in each with twenty questions: fifteen that they
answer, in other words than theirs, two near misses and three that are about something else. Ranking
is of the fifteen, beside BM25 in the same run; answers are quotes only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from index import Library
from index.embedding.encoder import SentenceTransformerEncoder
from rag import Assistant
from rag.evaluation import evaluate, load_questions
from rag.evaluation.questions import Question
from rag.types import Answer

_WRITTEN = Path(__file__).with_name("written_in_languages.json")
_HEAD = (
    "| | nDCG@10 | BM25 | first right | BM25 | right and cited | best sentence | falsely refused "
    "| refused without an answer |"
)


def write_set(written: dict[str, Any], folder: Path) -> Path:
    """The file of questions of a set that is laid out in the evaluation shape."""
    docs = folder / "docs"
    docs.mkdir(parents=True, exist_ok=True)
    for name, text in written["docs"].items():
        (docs / name).write_text(text, encoding="utf-8")
    lines = (json.dumps(row, ensure_ascii=False) for row in _rows(written))
    (folder / "questions.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder / "questions.jsonl"


def _rows(written: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number, (document, question, answer) in enumerate(written["questions"], start=1):
        row: dict[str, Any] = {
            "id": f"w-{number:02}", "question": question, "answers": [answer] if answer else [],
            "answerable": bool(answer), "kind": "answerable" if answer else "far", "gold": [],
        }  # fmt: skip
        if answer:
            text = written["docs"][document]
            start = text.index(answer)
            paragraph = text.rfind("\n\n", 0, start) + 2
            end = text.find("\n\n", start)
            row |= {
                "document": document, "answer_start": start, "need": "any",
                "gold": [{"document": document, "start": start, "end": start + len(answer)}],
                "paragraph": {"document": document, "start": paragraph,
                              "end": end if end >= 0 else len(text)},
            }  # fmt: skip
        yield row


def row(code: str, questions: Sequence[Question], library: Library) -> str:
    """The figures of one language."""
    answerable = [question for question in questions if question.answerable]
    report = evaluate(library, None, answerable, retrieval_only=True).to_dict()
    ours, bm25 = report["retrieval"], report["arms"]["bm25"]
    assistant = Assistant(library, None)
    answers = [(assistant.answer(question.question), question) for question in questions]
    told = [pair for pair in answers if pair[1].answerable]
    untold = [answer for answer, question in answers if not question.answerable]
    cells = [f"{arm[name]:.3f}" for name in ("ndcg_10", "top_1") for arm in (ours, bm25)]
    cells += [
        f"{sum(_cites(*pair) for pair in told)} of {len(told)}",
        str(sum(_cites(*pair, most=1) for pair in told)),
        str(sum(answer.state == "not_found" for answer, _ in told)),
        f"{sum(answer.state == 'not_found' for answer in untold)} of {len(untold)}",
    ]
    return f"| {code} | {' | '.join(cells)} |"


def _cites(answer: Answer, question: Question, most: int | None = None) -> bool:
    return answer.state != "not_found" and any(
        citation.document_id == gold.document and citation.start <= gold.start < citation.end
        for citation in answer.citations[:most]
        for gold in question.gold
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--encoder", type=Path)
    given = parser.parse_args(arguments)
    encoder = SentenceTransformerEncoder(given.encoder) if given.encoder else None
    print(f"{_HEAD}\n{'|---' * 9}|")  # noqa: T201
    for code, written in json.loads(_WRITTEN.read_text(encoding="utf-8")).items():
        folder = given.work / code
        questions = load_questions(write_set(written, folder))
        with Library.open(folder / "library", encoder=encoder) as library:
            library.update([folder / "docs"])
            print(row(code, questions, library), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
