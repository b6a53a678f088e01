"""Where a citation's link leads: to the article, at the cited sentence."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from rag.types import Answer, Citation
from ui.http.accounts.people import asking

_WORDS = 6
"""Words at each end of a quote by which a browser finds it (text fragments)."""


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links for those who asked at one address."""

    base: str
    """`http://127.0.0.1:7861`, as the caller reached us."""
    page: bool
    """Whether the chat page is there as well; its reader marks the sentence itself."""
    key: bytes | None = None
    """Seals links that a browser opens without the API key; None where none is asked for."""

    def to(self, document_id: str, start: int, end: int, text: str = "") -> str:
        """The address of a document's characters from `start` to `end`."""
        place = {"start": start, "end": end}
        if self.page:
            return f"{self.base}/#{urlencode({'read': document_id, **place}, quote_via=quote)}"
        given: dict[str, object] = {**place}
        if self.key:
            person = asking()
            by = person.id if person else ""
            given |= {"by": by} if by else {}
            given["seal"] = seal_of(document_id, self.key, by)
        fragment = _fragment(text)
        return f"{self.base}/read/{quote(document_id, safe='/')}?{urlencode(given)}{fragment}"

    def to_citation(self, citation: Citation) -> str:
        """The address of a cited sentence."""
        return self.to(citation.document_id, citation.start, citation.end, citation.quote)

    def of(self, answer: Answer) -> dict[int, str]:
        """The address of each of an answer's citations, by its number."""
        return {citation.number: self.to_citation(citation) for citation in answer.citations}


def seal_of(document_id: str, key: bytes, by: str = "") -> str:
    """What shows that a link to this document was made here.

    Args:
        document_id: which document.
        key: the library's.
        by: the id of the account that it was made for: it opens what that account may see.
    """
    read = b"read\0" + (f"{by}\0".encode("utf-8", "replace") if by else b"")
    made = hmac.new(key, read + document_id.encode("utf-8", "replace"), hashlib.sha256)
    return made.hexdigest()[:32]


def _fragment(text: str) -> str:
    """The part of a link by which a browser scrolls to a text and marks it."""
    words = text.split()
    if not words:
        return ""
    parts = [" ".join(words)]
    if len(words) > 2 * _WORDS:
        parts = [" ".join(words[:_WORDS]), " ".join(words[-_WORDS:])]
    return "#:~:text=" + ",".join(quote(part, safe="").replace("-", "%2D") for part in parts)
