"""What programs send to our own addresses and what they get, as the published schema says."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from index.types import DocumentRecord, Hit, Receipt, UpdateReport
from ui.api.links import Links
from ui.api.scope import Filters

_Names = Annotated[list[Annotated[str, Field(max_length=1_000)]], Field(max_length=1_000)]
LONGEST_HISTORY = 100
"""Turns; the assistant looks back a few."""


class Where(BaseModel):
    """Where to look; everywhere when nothing is chosen."""

    model_config = ConfigDict(strict=True)

    documents: _Names = Field([], description="Ids, titles or file names.")
    authors: _Names = []
    sources: _Names = Field([], description="Outlets or publishers.")
    tags: _Names = []
    folders: _Names = Field([], description="As ids have them, with all below.")
    types: _Names = Field([], description="Endings of files: pdf, md.")
    sections: _Names = Field([], description="Parts of the headings above a passage.")
    collections: _Names = []
    since: str = Field("", max_length=40, description="The first day: 2024, 2024-09, 2024-09-04.")
    until: str = Field("", max_length=40, description="The last day.")

    def filters(self) -> Filters:
        """The same as the command line's filters."""
        return Filters(
            tuple(self.documents), tuple(self.authors), tuple(self.sources), tuple(self.tags),
            self.since, self.until, tuple(self.folders), tuple(self.types),
            tuple(self.sections), tuple(self.collections),
        )  # fmt: skip


class Turn(BaseModel):
    """An earlier question and what was answered."""

    model_config = ConfigDict(strict=True)

    question: str
    answer: str


class AnswerRequest(Where):
    """A question."""

    question: str
    history: list[Turn] = Field([], max_length=LONGEST_HISTORY)
    explain: bool = Field(False, description="Whether to say how the answer was made.")
    stream: bool = Field(False, description="Whether to send events as the answer grows.")


class SearchRequest(Where):
    """Words to look for."""

    query: str
    k: int = Field(10, ge=1, le=1_000, description="How many passages.")


class RebuildRequest(BaseModel):
    """How to read every added place again."""

    model_config = ConfigDict(strict=True)

    full: bool = Field(False, description="Embed everything again.")
    forget: bool = Field(False, description="Let go of what went missing in great numbers.")
    stream: bool = Field(False, description="Whether to send events of how far it is.")


def document_dict(record: DocumentRecord) -> dict[str, Any]:
    """A document of the list; where its file lies is nobody's business."""
    return {
        "id": record.id,
        "object": "document",
        "title": record.title,
        "source": record.source,
        "author": record.author,
        "date": record.date,
        "tags": list(record.tags),
        "description": record.description,
        "place": record.written_in,
        "paragraphs": record.paragraphs,
        "passages": record.passages,
        "characters": record.characters,
        "content_hash": record.content_hash,
        "added_at": record.added_at,
    }


def hit_dict(hit: Hit, links: Links) -> dict[str, Any]:
    """A passage that was found; `document.text[start:end] == text`."""
    return {
        "rank": hit.rank,
        "score": round(hit.score, 4),
        "document_id": hit.document_id,
        "title": hit.title,
        "source": hit.source,
        "author": hit.author,
        "date": hit.date,
        "paragraph": hit.paragraph,
        "start": hit.start,
        "end": hit.end,
        "text": hit.text,
        "url": links.to(hit.document_id, hit.start, hit.end, hit.text),
    }


def receipt_dict(receipt: Receipt) -> dict[str, Any]:
    """What a removal took out, and what is left of it: nothing."""
    return {
        "object": "receipt",
        "documents": list(receipt.documents),
        "passages": receipt.passages,
        "sentences": receipt.sentences,
        "vectors": receipt.vectors,
        "left": receipt.left,
    }


def report_dict(report: UpdateReport, renamed: dict[str, str] | None = None) -> dict[str, Any]:
    """What a change of the library did."""
    return {
        "object": "report",
        "added": list(report.added),
        "updated": list(report.updated),
        "unchanged": list(report.unchanged),
        "removed": list(report.removed),
        "failed": [{"name": failure.path, "reason": failure.reason} for failure in report.failed],
        "unreachable": [
            {"reason": place.reason, "documents": list(place.documents), "lost": place.lost}
            for place in report.unreachable
        ],
        "renamed": renamed or {},
        "cancelled": report.cancelled,
    }
