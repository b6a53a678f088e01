"""What typing mistakes cost: how often the passage with the answer is among the first five found.

    python -m tests.benchmarks.bench_typing FOLDER WORK [CODE…] [--every N] [--first N] [--times N]

FOLDER holds a set in the evaluation shape for each language (`xquad`), or is a file of our own
paragraphs with questions (`languages/typed_in_languages.json`: Spanish and Russian); WORK is where
their libraries are kept. One word in five of each question has a letter too many, too few, another
one, or two in the wrong order; the same in every run. One row a language: without mistakes, with
them, and with them as the question is then read; how many of the mistyped words are put right, and
how many read as another one; and how many questions without any are changed. Few paragraphs are
best looked at by their first hit (`--first 1`), and mistyped several times (`--times 5`).
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Sequence
from pathlib import Path
from random import Random

from index import Library
from rag import Assistant
from rag.evaluation import load_questions
from rag.evaluation.questions import Question

_IN_EVERY = 5
_WORD = re.compile(r"[^\W\d_]+")
_SHORTEST = 3
"""Letters of a word that is mistyped."""


def mistyped(text: str, seed: str) -> str:
    """The text with one mistake in every fifth word, at least one."""
    random = Random(seed)
    words = list(_WORD.finditer(text))
    alphabet = sorted({letter for word in words for letter in word[0].lower()})
    long = [word for word in words if len(word[0]) >= _SHORTEST]
    wanted = max(1, len(words) // _IN_EVERY)
    for word in sorted(random.sample(long, min(wanted, len(long))), key=lambda w: -w.start()):
        text = text[: word.start()] + _slip(word[0], alphabet, random) + text[word.end() :]
    return text


def _slip(word: str, alphabet: Sequence[str], random: Random) -> str:
    at = random.randrange(1, len(word))
    before, after, other = word[:at], word[at:], random.choice(alphabet)
    swapped = before[:-1] + after[0] + before[-1] + after[1:]
    return random.choice([before + after[1:], before + other + after, before + other + after[1:],
                          swapped if at > 1 else before + after[0] + after])  # fmt: skip


def written_out(file: Path, work: Path) -> Path:
    """Our own paragraphs as a set in the evaluation shape for each language."""
    for language, paragraphs in json.loads(file.read_text(encoding="utf-8")).items():
        docs = work / language / "docs"
        docs.mkdir(parents=True, exist_ok=True)
        lines = []
        for number, paragraph in enumerate(paragraphs, start=1):
            name, text = f"{number:02}.txt", paragraph["text"]
            (docs / name).write_text(text, encoding="utf-8")
            for asked, answer in paragraph["asked"].items():
                start = text.index(answer)
                gold = {"document": name, "start": start, "end": start + len(answer)}
                lines.append({"id": asked, "question": asked, "answers": [answer],
                              "gold": [gold], "answerable": True})  # fmt: skip
        text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
        (work / language / "questions.jsonl").write_text(text, encoding="utf-8")
    return work


def row(language: str, folder: Path, work: Path, given: argparse.Namespace) -> str:
    """The figures of a language as a row of a table."""
    with Library.open(work / f"{language}.library") as library:
        library.update([folder / language / "docs"])
        assistant = Assistant(library)
        questions = load_questions(folder / language / "questions.jsonl")[:: given.every]
        questions = [question for question in questions for _ in range(given.times)]
        typed = [
            mistyped(question.question, f"{question.id}{number % given.times or ''}")
            for number, question in enumerate(questions)
        ]
        read = [assistant.analyze(text)[0].text for text in typed]
        untouched = [question.question for question in questions]
        meddled = sum(bool(assistant.analyze(text)[1]) for text in untouched)
        shares = [
            _recall(library, questions, texts, given.first) for texts in (untouched, typed, read)
        ]
    shares += [*_put_right(untouched, typed, read), meddled / len(questions)]
    cells = " | ".join(f"{share:.3f}" for share in shares)
    return f"| {language} | {len(questions)} | {cells} |"


def _put_right(
    meant: Sequence[str], typed: Sequence[str], read: Sequence[str]
) -> tuple[float, float]:
    """The shares of mistyped words that are read as meant, and as a third word."""
    right = wrong = every = 0
    for texts in zip(meant, typed, read, strict=True):
        words = [_WORD.findall(text.lower()) for text in texts]
        if len({len(found) for found in words}) > 1:
            continue
        slips = [(m, t, r) for m, t, r in zip(*words, strict=True) if m != t]
        every += len(slips)
        right += sum(r == m for m, _, r in slips)
        wrong += sum(r not in (m, t) for m, t, r in slips)
    return right / max(every, 1), wrong / max(every, 1)


def _recall(
    library: Library, questions: Sequence[Question], texts: Sequence[str], first: int
) -> float:
    found = 0
    for question, text in zip(questions, texts, strict=True):
        hits = library.search(text, first)
        found += any(
            hit.document_id == gold.document and hit.start <= gold.start < hit.end
            for hit in hits
            for gold in question.gold
        )
    return found / len(questions)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("languages", nargs="*")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=5)
    parser.add_argument("--times", type=int, default=1)
    given = parser.parse_args(arguments)
    folder = written_out(given.folder, given.work) if given.folder.is_file() else given.folder
    known = sorted(path.parent.name for path in folder.glob("*/questions.jsonl"))
    found = f"recall@{given.first}"
    head = f"language | questions | {found} | mistyped | as read | put right | read as another"
    print(f"| {head} | changed without need |")  # noqa: T201
    print(f"{'|---' * 8}|")  # noqa: T201
    for language in given.languages or known:
        print(row(language, folder, given.work, given), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
