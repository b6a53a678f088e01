"""The answering floor: from a question and a library to statements that point at their sources.

Example:
    from rag import answer

    result = answer("Who opened the forum in Kyoto?")
    print(result.text)
    for citation in result.citations:
        print(citation.number, citation.title, citation.quote)
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from functools import cache

from index.errors import InputError, LibraryMissing, ModelMissing, PilcrowError, QuestionError
from index.library import Library
from index.storage.postgres.address import Place
from rag.assistant import Assistant
from rag.query.follow_ups import History
from rag.replies.streams import Done, EvidenceFound, Searching, StatementAdded, events_of
from rag.types import Answer, Citation, Statement

__all__ = [
    "Answer",
    "Assistant",
    "Citation",
    "Done",
    "EvidenceFound",
    "InputError",
    "LibraryMissing",
    "ModelMissing",
    "PilcrowError",
    "QuestionError",
    "Searching",
    "Statement",
    "StatementAdded",
    "aanswer",
    "answer",
    "astream",
    "events_of",
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
    assistant = _default(question, history)
    return assistant.answer(question, history, documents=documents, dates=dates, explain=explain)


async def aanswer(
    question: str,
    history: History = (),
    *,
    documents: Collection[str] | None = None,
    dates: tuple[str, str] | None = None,
    explain: bool = False,
) -> Answer:
    """The same, awaited, on asyncio or trio; cancelled, it ends its work.

    Raises:
        QuestionError: as `answer`, and so LibraryMissing.
    """
    from anyio import to_thread

    assistant = await to_thread.run_sync(_default, question, history)
    return await assistant.aanswer(
        question, history, documents=documents, dates=dates, explain=explain
    )


async def astream(
    question: str,
    history: History = (),
    *,
    documents: Collection[str] | None = None,
    dates: tuple[str, str] | None = None,
    explain: bool = False,
) -> AsyncGenerator[Answer]:
    """The answer as it grows, awaited; the last snapshot has `complete=True`.

    Raises:
        QuestionError: as `answer`, and so LibraryMissing.
    """
    from contextlib import aclosing

    from anyio import to_thread

    assistant = await to_thread.run_sync(_default, question, history)
    snapshots = assistant.astream(
        question, history, documents=documents, dates=dates, explain=explain
    )
    async with aclosing(snapshots):
        async for snapshot in snapshots:
            yield snapshot


def _default(question: str, history: History) -> Assistant:
    """The default assistant; a bad question costs nothing, not even opening the library."""
    from rag.query.question import check_history, checked_question
    from rag.settings import store_path

    checked_question(question)
    check_history(history)
    return _assistant(store_path())


@cache
def _assistant(store: Place) -> Assistant:
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
