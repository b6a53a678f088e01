"""What was found and answered, in files that others' tools score: TREC's, and Ragas' JSONL.

Passages are the unit: `document#start-end`, percent-encoded where a name holds blanks. A passage is
relevant when it shares characters with a gold place.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from index.errors import InputError
from index.library import Library
from rag.assistant import Assistant
from rag.evaluation.questions import Question

_DEPTH = 100
"""Passages in a run, for each question."""
_CONTEXTS = 10
"""Passages beside an answer for Ragas, as many as recall is counted at."""


def export_trec(
    library: Library,
    questions: Sequence[Question],
    folder: Path,
    stem: str,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Path, Path]:
    """The files written: a run (`ID Q0 PASSAGE RANK SCORE pilcrow`) and its relevance judgements.

    Raises:
        InputError: when a file cannot be written.
    """
    run, judged = [], []
    for number, question in enumerate(questions):
        _tell(progress, number, questions)
        qid = _name(question.id)
        for hit in library.search(question.question, _DEPTH):
            id_ = _passage(hit.document_id, hit.start, hit.end)
            run.append(f"{qid} Q0 {id_} {hit.rank} {hit.score:.6f} pilcrow")
        relevant = {
            _passage(place.document, passage.start, passage.end)
            for place in question.gold
            for passage in library.passages(place.document)
            if passage.start < place.end and place.start < passage.end
        }
        judged += [f"{qid} 0 {id_} 1" for id_ in sorted(relevant)]
    _tell(progress, len(questions), questions)
    return (
        _write(folder / f"{stem}.run", run),
        _write(folder / f"{stem}.qrels", judged),
    )


def export_ragas(
    library: Library,
    assistant: Assistant,
    questions: Sequence[Question],
    folder: Path,
    stem: str,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """The file written: a line for each question with its answer and the passages read for it.

    Raises:
        InputError: when it cannot be written.
    """
    texts = {record.id: library.document(record.id).text for record in library.documents()}
    lines = []
    for number, question in enumerate(questions):
        _tell(progress, number, questions)
        answer = assistant.answer(question.question, question.history or ())
        places = question.gold
        sample = {
            "user_input": question.question,
            "retrieved_contexts": [passage.text for passage in answer.passages[:_CONTEXTS]],
            "response": answer.text,
            "reference": question.answers[0] if question.answers else "",
            "reference_contexts": [texts.get(p.document, "")[p.start : p.end] for p in places],
            "id": question.id,
            "state": answer.state,
        }
        lines.append(json.dumps(sample, ensure_ascii=False))
    _tell(progress, len(questions), questions)
    return _write(folder / f"{stem}.ragas.jsonl", lines)


def _tell(
    progress: Callable[[int, int], None] | None, done: int, questions: Sequence[Question]
) -> None:
    if progress:
        progress(done, len(questions))


def _passage(document: str, start: int, end: int) -> str:
    return f"{_name(document)}#{start}-{end}"


def _name(name: str) -> str:
    return quote(name, safe="/.~()'!*:@,;+=&$")


def _write(path: Path, lines: Iterable[str]) -> Path:
    try:
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error
    return path
