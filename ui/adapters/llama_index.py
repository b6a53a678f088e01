"""LlamaIndex: a retriever whose nodes carry the offsets of their text in its document.

Needs the extra: pip install pilcrow-rag[llama-index]
"""

from __future__ import annotations

from collections.abc import Collection

from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from index import Library


class PilcrowRetriever(BaseRetriever):
    """Passages of a library as nodes; `document.text[start_char_idx:end_char_idx] == text`."""

    def __init__(
        self, library: Library, k: int = 10, documents: Collection[str] | None = None
    ) -> None:
        """Retrieve at most `k` passages, only from these documents when some are named."""
        super().__init__()
        self._library = library
        self._k = k
        self._documents = documents

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        hits = self._library.search(query_bundle.query_str, self._k, documents=self._documents)
        return [
            NodeWithScore(
                node=TextNode(
                    id_=f"{hit.document_id}#{hit.start}-{hit.end}",
                    text=hit.text,
                    start_char_idx=hit.start,
                    end_char_idx=hit.end,
                    metadata={
                        "document_id": hit.document_id, "title": hit.title, "source": hit.source,
                        "author": hit.author, "date": hit.date,
                    },
                ),
                score=hit.score,
            )
            for hit in hits
        ]  # fmt: skip
