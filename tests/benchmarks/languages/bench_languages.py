"""How well passages are found in several languages, against BM25 in the same run.

    python -m tests.benchmarks.languages.bench_languages SETS WORK [CODE…] [--encoder F] [--every N]

SETS holds a set in the evaluation shape for each language (`xquad`: `de`, `en`, `zh`), WORK is
where their libraries are kept. One row a language, every question of the set, or one in N; `de-en`
asks in German of the English documents.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from index import Library
from index.embedding.encoder import SentenceTransformerEncoder
from rag.evaluation import evaluate, load_questions

_HEAD = "| language | questions | nDCG@10 | BM25 | first right | BM25 | recall@5 | BM25 |"


def row(pair: str, folder: Path, work: Path, encoder: Path | None, every: int) -> str:
    """The figures of a question's language and its documents' as a row of a table."""
    asked_in, _, read_in = pair.partition("-")
    read_in = read_in or asked_in
    wording = {
        question.id: question.question
        for question in load_questions(folder / asked_in / "questions.jsonl")
    }
    with Library.open(work / f"{read_in}.library") as library:
        if encoder and library.made_with is None:
            library.use_encoder(SentenceTransformerEncoder(encoder))
        library.update([folder / read_in / "docs"])
        questions = [
            replace(question, question=wording[question.id])
            for question in load_questions(folder / read_in / "questions.jsonl")[::every]
        ]
        report = evaluate(library, None, questions, retrieval_only=True).to_dict()
    ours, bm25 = report["retrieval"], report["arms"]["bm25"]
    cells = (f"{found[name]:.3f}" for name in ("ndcg_10", "top_1", "recall_5")
             for found in (ours, bm25))  # fmt: skip
    return f"| {pair} | {len(questions)} | {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("languages", nargs="*")
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--every", type=int, default=1)
    given = parser.parse_args(arguments)
    known = sorted(path.name for path in given.folder.iterdir() if path.is_dir())
    print(f"{_HEAD}\n{'|---' * 8}|")  # noqa: T201
    for pair in given.languages or known:
        print(row(pair, given.folder, given.work, given.encoder, given.every), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
