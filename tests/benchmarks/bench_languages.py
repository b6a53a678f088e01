"""How well passages are found in several languages, against BM25 in the same run.

    python -m tests.benchmarks.bench_languages FOLDER WORK [LANGUAGE…]

FOLDER holds a set in the evaluation shape for each language (`xquad`: `de`, `en`, `zh`), WORK is
where their libraries are kept. One row a language, every question of the set.
"""

from __future__ import annotations

import sys
from pathlib import Path

from index import Library
from rag.evaluation import evaluate, load_questions

_HEAD = "| language | questions | nDCG@10 | BM25 | first right | BM25 | recall@5 | BM25 |"


def row(language: str, folder: Path, work: Path) -> str:
    """The figures of one language as a row of a table."""
    with Library.open(work / f"{language}.library") as library:
        library.update([folder / "docs"])
        questions = load_questions(folder / "questions.jsonl")
        report = evaluate(library, None, questions, retrieval_only=True).to_dict()
    ours, bm25 = report["retrieval"], report["arms"]["bm25"]
    cells = (f"{found[name]:.3f}" for name in ("ndcg_10", "top_1", "recall_5")
             for found in (ours, bm25))  # fmt: skip
    return f"| {language} | {len(questions)} | {' | '.join(cells)} |"


def main(folder: Path, work: Path, *languages: str) -> None:
    """Print the table."""
    print(f"{_HEAD}\n{'|---' * 8}|")  # noqa: T201
    for language in languages or sorted(path.name for path in folder.iterdir() if path.is_dir()):
        print(row(language, folder / language, work), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
