"""How often the sentences handed to the model hold gold, against what they cost it to read.

    python -m tests.benchmarks.bench_evidence LIBRARY QUESTIONS.jsonl [--limit 300]

One row a budget: the share of answerable questions with a gold span inside the evidence, and the
mean of tokens used, question included, in the default model's own vocabulary.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean

from index import Library
from rag.evaluation import Question, load_questions
from rag.grounding import evidence
from rag.llm import prompt
from rag.llm.client import LlamaClient
from rag.llm.weights.model_files import find_model
from rag.query.question import QueryVariant
from rag.reader.ranker import Ranker
from rag.types import Evidence

BUDGETS = (75, 100, 150, 200, 250, 300, 350, 450, 600)


def holds(question: Question, chosen: tuple[Evidence, ...]) -> bool:
    return any(
        one.document_id == gold.document and one.start <= gold.start and gold.end <= one.end
        for one in chosen
        for gold in question.gold
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("questions", type=Path)
    parser.add_argument("--limit", type=int, default=300)
    given = parser.parse_args()
    library = Library.open(given.library, create=False)
    count = LlamaClient(find_model(), threads=1).count_text
    asked = [
        question
        for question in load_questions(given.questions)
        if question.answerable and question.gold
    ]
    step = max(1, len(asked) // given.limit)
    found: dict[int, list[tuple[bool, int]]] = {budget: [] for budget in BUDGETS}
    ranker = Ranker(library)
    for question in asked[::step][: given.limit]:
        hits = library.search(question.question, 10)
        sentences = ranker.rank(QueryVariant.of(question.question), hits).sentences
        mine = count(prompt.question_of(question.question))
        for budget in BUDGETS:
            chosen = evidence.select(sentences, count, budget - mine)
            used = mine + sum(count(f"[{one.id}] {one.text}\n") for one in chosen)
            found[budget].append((holds(question, chosen), used))
    print("| budget | holds gold | tokens used |\n|---|---|---|")  # noqa: T201
    for budget, rows in found.items():
        print(f"| {budget} | {mean(h for h, _ in rows):.3f} | {mean(u for _, u in rows):.0f} |")  # noqa: T201


if __name__ == "__main__":
    main()
