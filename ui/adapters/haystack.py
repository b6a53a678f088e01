"""Haystack: a retriever and an answering component.

Needs the extra: pip install pilcrow-rag[haystack]
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from haystack import Document, component

from index import Library
from rag import Assistant
from rag.types import Answer


@component
class PilcrowRetriever:
    """Passages of a library as documents; `meta` has the offsets in the article's text."""

    def __init__(
        self, library: Library, k: int = 10, documents: Collection[str] | None = None
    ) -> None:
        """Retrieve at most `k` passages, only from these documents when some are named."""
        self._library = library
        self._k = k
        self._documents = documents

    @component.output_types(documents=list[Document])
    def run(self, query: str) -> dict[str, Any]:
        """The passages nearest to a query, best first."""
        hits = self._library.search(query, self._k, documents=self._documents)
        return {
            "documents": [
                Document(
                    content=hit.text,
                    score=hit.score,
                    meta={
                        "document_id": hit.document_id, "title": hit.title, "source": hit.source,
                        "author": hit.author, "date": hit.date, "start": hit.start, "end": hit.end,
                    },
                )
                for hit in hits
            ]
        }  # fmt: skip


@component
class PilcrowAnswerer:
    """Answers a question; every statement was checked against what it cites."""

    def __init__(self, assistant: Assistant) -> None:
        """Answer with `assistant`."""
        self._assistant = assistant

    @component.output_types(answer=Answer, text=str)
    def run(self, question: str) -> dict[str, Any]:
        """The answer, and its text with the numbers of its citations."""
        answer = self._assistant.answer(question)
        return {"answer": answer, "text": answer.text}
