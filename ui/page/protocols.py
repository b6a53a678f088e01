"""What the page needs behind it: the parts of the library and the assistant that it uses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from index.types import (
    Document,
    DocumentRecord,
    LibraryStats,
    Passage,
    Progress,
    Receipt,
    UpdateReport,
)
from rag.types import Answer

ProgressCall = Callable[[Progress], None]
CancelCheck = Callable[[], bool]


class LibraryLike(Protocol):
    """The part of `index.library.Library` the page uses."""

    @property
    def path(self) -> Path: ...  # noqa: D102
    def documents(self) -> list[DocumentRecord]: ...  # noqa: D102
    def document(self, document_id: str, /) -> Document: ...  # noqa: D102
    def passages(self, document_id: str, /) -> list[Passage]: ...  # noqa: D102
    def stats(self) -> LibraryStats: ...  # noqa: D102
    def remove(self, document_ids: Sequence[str], /) -> Receipt: ...  # noqa: D102
    def restore(self, receipt: Receipt, /) -> UpdateReport: ...  # noqa: D102
    def removed_files(self) -> set[str]: ...  # noqa: D102
    def forget_removed(self, paths: Iterable[str], /) -> None: ...  # noqa: D102
    def update(  # noqa: D102
        self,
        paths: Sequence[str | Path],
        *,
        folder: str | Path | None = None,
        progress: ProgressCall | None = None,
        cancelled: CancelCheck | None = None,
    ) -> UpdateReport: ...
    def rebuild(  # noqa: D102
        self, *, progress: ProgressCall | None = None, cancelled: CancelCheck | None = None
    ) -> UpdateReport: ...


class AssistantLike(Protocol):
    """The part of `rag.assistant.Assistant` the page uses."""

    def stream(  # noqa: D102
        self,
        question: str,
        history: Sequence[tuple[str, str]] = (),
        *,
        documents: Collection[str] | None = None,
        dates: tuple[str, str] | None = None,
        explain: bool = False,
        stop: Callable[[], bool] | None = None,
    ) -> Iterator[Answer]: ...
