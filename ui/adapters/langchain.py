"""LangChain: a retriever, and an answer as a message whose citations are v1 `Citation` blocks.

Needs the extra: pip install pilcrow-rag[langchain]

Example:
    from index import Library
    from rag import Assistant
    from ui.adapters.langchain import PilcrowRetriever, message_of

    retriever = PilcrowRetriever(library=Library.open("my-library"))
    documents = retriever.invoke("Who opened the forum in Kyoto?")
    message = message_of(Assistant(retriever.library).answer("Who opened the forum in Kyoto?"))
"""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.messages.content import create_citation, create_text_block
from langchain_core.retrievers import BaseRetriever

from index import Library
from rag.grounding.layout import statement_spans
from rag.types import Answer


class PilcrowRetriever(BaseRetriever):
    """Passages of a library; `metadata` has the document and the offsets in its text."""

    library: Any
    """A `Library`."""
    k: int = 10
    """Passages at most."""
    documents: list[str] | None = None
    """Look only in these documents."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        del run_manager
        library: Library = self.library
        return [
            Document(
                id=f"{hit.document_id}#{hit.start}-{hit.end}",
                page_content=hit.text,
                metadata={
                    "document_id": hit.document_id, "title": hit.title, "source": hit.source,
                    "author": hit.author, "date": hit.date, "start": hit.start, "end": hit.end,
                    "score": hit.score,
                },
            )
            for hit in library.search(query, self.k, documents=self.documents)
        ]  # fmt: skip


def message_of(answer: Answer) -> AIMessage:
    """An answer as a message.

    A block's `start_index` and `end_index` count the message's text, as LangChain has it; the
    offsets in the document are its `extras`.
    """
    cited = {citation.number: citation for citation in answer.citations}
    blocks = [
        create_citation(
            title=cited[source].title or cited[source].document_id,
            cited_text=cited[source].quote,
            start_index=span.start,
            end_index=span.end,
            document_id=cited[source].document_id,
            start=cited[source].start,
            end=cited[source].end,
        )
        for number, span in statement_spans(answer).items()
        for source in answer.statements[number - 1].citations
        if source in cited
    ]
    text = create_text_block(answer.text, annotations=list(blocks))
    return AIMessage(content=[dict(text)], additional_kwargs={"pilcrow": answer.to_dict()})
