"""Questions in five languages about the seeds' English articles: how many are right and cited.

    python -m tests.benchmarks.languages.bench_other_languages [--encoder FOLDER] [--speed]

The thirty questions of `seeds/questions.jsonl` that have an answer, translated by hand in
`seeds_in_languages.json`, and the ten that have none, in English. Right and cited: a citation's
quote holds a gold span. With the packaged encoder the way out is counted, not the answers.

`--speed`
compares both encoders instead: the English questions, in turns, and how long their evidence took.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from index import Library
from index.embedding.encoder import SentenceTransformerEncoder
from rag import Assistant
from rag.evaluation import load_questions
from rag.evaluation.questions import Question
from rag.types import Answer

_HERE = Path(__file__).parent
_SEEDS = _HERE.parents[2] / "seeds"
_HEAD = (
    "| asked in | right and cited | best sentence right | refused | pointed out | evidence, ms |"
)


def row(code: str, questions: Sequence[tuple[str, Question]], assistant: Assistant) -> str:
    """The figures of one language."""
    answers = [(assistant.answer(text), question) for text, question in questions]
    right = sum(_cites(answer, question) for answer, question in answers)
    first = sum(_cites(answer, question, 1) for answer, question in answers)
    refused = sum(answer.state == "not_found" for answer, _ in answers)
    told = sum("get multilingual" in " ".join(answer.missing) for answer, _ in answers)
    took = statistics.median(answer.timings.evidence_ms or 0.0 for answer, _ in answers)
    cells = (f"{right} of {len(answers)}", first, refused, told, f"{took:.0f}")
    return f"| {code} | {' | '.join(map(str, cells))} |"


def _cites(answer: Answer, question: Question, most: int | None = None) -> bool:
    return answer.state != "not_found" and any(
        citation.document_id == gold.document and citation.start <= gold.start < citation.end
        for citation in answer.citations[:most]
        for gold in question.gold
    )


def compare_speed(folder: Path, questions: Sequence[str], rounds: int = 3) -> str:
    """The medians of both encoders' evidence, asked in turns; the first round is not counted."""
    took: tuple[list[float], list[float]] = ([], [])
    with (
        tempfile.TemporaryDirectory() as own, tempfile.TemporaryDirectory() as other,
        Library.open(own) as packaged,
        Library.open(other, encoder=SentenceTransformerEncoder(folder)) as multilingual,
    ):  # fmt: skip
        assistants = []
        for library in (packaged, multilingual):
            library.update([_SEEDS / "articles"])
            assistants.append(Assistant(library, None))
        for turn in range(rounds):
            for question in questions:
                for assistant, times in zip(assistants, took, strict=True):
                    evidence = assistant.answer(question).timings.evidence_ms or 0.0
                    times += [evidence] * (turn > 0)
    first, second = map(statistics.median, took)
    return f"evidence after {first:.1f} ms, {second:.1f} ms: {second / first:.2f} times"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--speed", action="store_true", help="of --encoder against the packaged")
    given = parser.parse_args(arguments)
    folder = given.encoder
    encoder = SentenceTransformerEncoder(folder) if folder else None
    asked = load_questions(_SEEDS / "questions.jsonl")
    known = {question.id: question for question in asked if question.answerable}
    if given.speed:
        print(compare_speed(folder, [q.question for q in known.values()]))  # noqa: T201
        return
    translated: Mapping[str, Mapping[str, str]] = json.loads(
        (_HERE / "seeds_in_languages.json").read_text(encoding="utf-8")
    )
    with tempfile.TemporaryDirectory() as work, Library.open(work, encoder=encoder) as library:
        library.update([_SEEDS / "articles"])
        assistant = Assistant(library, None)
        print(f"{_HEAD}\n{'|---' * 6}|")  # noqa: T201
        own = [(question.question, question) for question in known.values()]
        print(row("en", own, assistant), flush=True)  # noqa: T201
        for code, texts in translated.items():
            pairs = [(text, known[id_]) for id_, text in texts.items()]
            print(row(code, pairs, assistant), flush=True)  # noqa: T201
        far = [question.question for question in asked if not question.answerable]
        refused = sum(assistant.answer(text).state == "not_found" for text in far)
        print(f"\nOf {len(far)} English questions without an answer {refused} are refused.")  # noqa: T201


if __name__ == "__main__":
    main()
