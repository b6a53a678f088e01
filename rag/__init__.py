"""The answering floor: from a question and a library to statements that point at their sources.

Example:
    from rag import answer

    result = answer("Who opened the forum in Kyoto?")
    print(result.text)
    for citation in result.citations:
        print(citation.number, citation.title, citation.quote)
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from pathlib import Path

from index.errors import InputError, LibraryMissing, ModelMissing, PilcrowError, QuestionError
from index.library import Library
from rag.assistant import Assistant
from rag.query.follow_ups import History
from rag.types import Answer, Citation, Statement

__all__ = [
    "Answer",
    "Assistant",
    "Citation",
    "InputError",
    "LibraryMissing",
    "ModelMissing",
    "PilcrowError",
    "QuestionError",
    "Statement",
    "answer",
]


def answer(
    question: str,
    history: History = (),
    *,
    documents: Collection[str] | None = None,
    dates: tuple[str, str] | None = None,
    explain: bool = False,
) -> Answer:
    """Answer a question from the default library with the default model.

    The library and the model are opened at the first call and kept for the next ones.

    Raises:
        QuestionError: when the question is empty, too long or not text.
        LibraryMissing: when there is no library yet.
    """
    from rag.query.question import check_history, checked_question
    from rag.settings import store_path

    checked_question(question)  # a bad question costs nothing, not even opening the library
    check_history(history)
    assistant = _assistant(store_path())
    return assistant.answer(question, history, documents=documents, dates=dates, explain=explain)


@cache
def _assistant(store: Path) -> Assistant:
    from rag.settings import load_settings

    settings = load_settings()
    library = Library.open(store, create=False, threads=settings.threads)
    return Assistant(
        library,
        model=settings.model,
        threads=settings.threads,
        reader=settings.reader,
        judge=settings.judge,
        gpu_layers=settings.gpu_layers,
    )
