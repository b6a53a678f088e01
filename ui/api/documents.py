"""What is in the library: listed, read, added, removed, read again."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import anyio.lowlevel
from anyio import from_thread
from fastapi import APIRouter, File, Query, UploadFile
from starlette.responses import Response

from index.formats.registry import SUFFIXES_IN_WORDS
from index.types import Document, DocumentRecord, Progress
from ui.api.errors import ApiError, Json, unknown_document
from ui.api.schemas import RebuildRequest, document_dict, receipt_dict, report_dict
from ui.api.service import Service
from ui.api.sse import EventStream, begun, event
from ui.page.middleware.uploads import bare

if TYPE_CHECKING:
    from index.types import UpdateReport

LARGEST_FILE = 20_000_000
"""Bytes of a file, as on the page."""
MOST_AT_ONCE = 100_000_000
"""Bytes of one request that adds files."""
MOST_FILES = 200
_CHUNK = 1_000_000
_NEWS = 50
"""Messages of a rebuild that wait for a slow reader; beyond that the reader misses some."""


def document_routes(service: Service) -> APIRouter:
    """The addresses of documents."""
    router = APIRouter(tags=["Documents"])

    @router.get("/v1/documents", summary="List documents")
    async def listed(
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
    ) -> Response:
        """Every document, by id."""
        records = await service.work(lambda: service.library.documents())
        shown = [document_dict(record) for record in records[offset : offset + limit]]
        return Json({"object": "list", "data": shown, "total": len(records)})

    @router.get("/v1/documents/{id:path}", summary="Read a document")
    async def one(id: str) -> Response:
        """A document with its text, into which every citation's `start` and `end` point."""
        record, document = await service.work(lambda: held(service, id))
        return Json(document_dict(record) | {"text": document.text})

    @router.post("/v1/documents", status_code=201, summary="Add documents")
    async def add(
        file: Annotated[list[UploadFile], File(description=f"Articles: {SUFFIXES_IN_WORDS}.")],
    ) -> Response:
        """Copies files into the library's folder and indexes them. What fails is named."""
        if len(file) > MOST_FILES:
            raise ApiError(413, f"more than {MOST_FILES} files at once", "too_many_files", "file")
        with service.incoming() as folder:
            failed = await _received(file, folder)
            report, renamed = await service.work(lambda: service.add(folder))
        shown = report_dict(report, renamed)
        shown["failed"] += failed
        there = shown["added"] or shown["updated"] or shown["unchanged"]
        return Json(shown, 201 if there else 422)

    @router.delete("/v1/documents/{id:path}", summary="Remove a document")
    async def remove(id: str) -> Response:
        """Takes a document out; the receipt counts what went and what is left of it."""
        return Json(receipt_dict(await service.work(lambda: service.remove(id))))

    @router.post("/v1/rebuild", summary="Look again at what was added")
    async def rebuild(asked: RebuildRequest | None = None) -> Response:
        """Reads every added place again; with `stream` events `progress`, then `done`."""
        wanted = asked or RebuildRequest.model_validate({})
        if wanted.stream:
            return EventStream(await begun(_rebuilding(service, wanted)))
        report = await service.work(lambda: service.rebuild(full=wanted.full, forget=wanted.forget))
        return Json(report_dict(report))

    return router


def held(service: Service, id_: str) -> tuple[DocumentRecord, Document]:
    """A document and its entry in the list.

    Raises:
        ApiError: when there is none.
    """
    record = next((r for r in service.library.documents() if r.id == id_), None)
    if record is None:
        raise unknown_document(id_)
    return record, service.library.document(id_)


async def _received(files: Sequence[UploadFile], folder: Path) -> list[dict[str, Any]]:
    """Writes what was sent into `folder`, each under a name of its own; what cannot be taken."""
    failed = []
    for number, sent in enumerate(files):
        name = bare(sent.filename or "")
        if (sent.size or 0) > LARGEST_FILE:
            failed.append({"name": name, "reason": "larger than 20 MB"})
            continue
        place = folder / f"{number:04}"
        await anyio.Path(place).mkdir(mode=0o700)
        async with await anyio.open_file(place / name, "wb") as file:
            while piece := await sent.read(_CHUNK):
                await file.write(piece)
    return failed


async def _rebuilding(service: Service, wanted: RebuildRequest) -> AsyncGenerator[str]:
    """How far a rebuild is, and at last what it did; it ends early when nobody listens."""
    send, receive = anyio.create_memory_object_stream[str](_NEWS)
    left, loop = threading.Event(), anyio.lowlevel.current_token()
    outcome: list[UpdateReport | Exception] = []

    def tell(step: Progress) -> None:
        if step.total and not left.is_set():
            data = {"type": "progress", "stage": step.stage, "done": step.done,
                    "total": step.total, "document_id": step.document_id}  # fmt: skip
            from_thread.run_sync(_offer, send, event(data, "progress"), token=loop)

    def work() -> None:
        try:
            outcome.append(
                service.rebuild(
                    full=wanted.full, forget=wanted.forget, progress=tell, cancelled=left.is_set
                )
            )
        except Exception as error:
            outcome.append(error)
        with suppress(RuntimeError):  # the server has ended meanwhile
            from_thread.run_sync(send.close, token=loop)

    threading.Thread(target=copy_context().run, args=(work,), daemon=True).start()
    try:
        with receive:
            async for message in receive:
                yield message
    finally:
        left.set()
    last = outcome[0]
    if isinstance(last, Exception):
        raise last
    yield event({"type": "done", "report": report_dict(last)}, "done")


def _offer(send: Any, message: str) -> None:
    try:
        send.send_nowait(message)
    except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
        return  # a slow reader misses steps, a gone one all
