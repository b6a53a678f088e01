"""Errors for programs, in one shape: OpenAI's, with the sentence that the command line says."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from index.errors import (
    InputError,
    LibraryBusy,
    LibraryMissing,
    LibraryUnwritable,
    ModelFailed,
    ModelMissing,
    PilcrowError,
)
from ui.http.accounts.people import NotPermitted

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

log = logging.getLogger(__name__)

_STATUS: tuple[tuple[type[PilcrowError], int, str], ...] = (
    (InputError, 400, "invalid_value"),
    (NotPermitted, 403, "not_permitted"),
    (LibraryMissing, 404, "library_missing"),
    (LibraryBusy, 409, "library_busy"),
    (LibraryUnwritable, 507, "library_unwritable"),
    (ModelMissing, 503, "model_missing"),
    (ModelFailed, 503, "model_failed"),
    (PilcrowError, 503, "unavailable"),
)
_WRONG_INSIDE = "Something went wrong inside Pilcrow. The terminal it runs in says more."
_LONGEST = 400
"""Characters of a message; what a caller sent is not sent back at length."""


class Json(JSONResponse):
    """JSON in which halves of characters, which no encoding has, are question marks."""

    def render(self, content: Any) -> bytes:
        """The bytes of it."""
        return to_json(content).encode("utf-8", "replace")


def to_json(content: Any) -> str:
    """A value as JSON on one line."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


class ApiError(Exception):
    """A request that is not answered, and why."""

    def __init__(
        self, status: int, message: str, code: str, param: str | None = None, **headers: str
    ) -> None:
        """An HTTP status, a sentence, a word for programs, the parameter that it is about."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def body(self) -> dict[str, Any]:
        """What is answered."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        if self.status == 429:
            kind = "rate_limit_error"
        message = " ".join(str(self).split())[:_LONGEST]
        return {"error": {"message": message, "type": kind, "param": self.param, "code": self.code}}

    def response(self) -> Json:
        """The same as a response."""
        return Json(self.body(), self.status, self.headers)


def as_api_error(error: Exception) -> ApiError:
    """What a program is told about an error; a bug is logged with its traceback."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, PilcrowError):
        status, code = next((s, c) for kind, s, c in _STATUS if isinstance(error, kind))
        more = {"Retry_After": "2"} if status == 409 else {}
        return ApiError(status, str(error), code, **more)
    log.error("a request of a program failed", exc_info=error)
    return ApiError(500, _WRONG_INSIDE, "internal_error")


def unknown_document(id_: str) -> ApiError:
    """The error that there is no document with this id."""
    return ApiError(404, f"no document {id_!r:.200} in the library", "document_not_found", "id")


def handle_errors(app: FastAPI) -> None:
    """Makes every error of `app` answer in the one shape."""
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException

    def known(_: Request, error: Exception) -> Json:
        return as_api_error(error).response()

    def invalid(_: Request, error: RequestValidationError) -> Json:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return ApiError(400, "the body is no JSON", "invalid_json").response()
        place = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
        param, words = ".".join(place)[:100], first["msg"]
        shown = f"{param}: {words}" if param else words
        return ApiError(400, shown, "invalid_value", param or None).response()

    def http(_: Request, error: HTTPException) -> Json:
        words = {404: "there is nothing at this address", 405: "this address takes another method"}
        message = words.get(error.status_code, str(error.detail))
        code = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
        return ApiError(error.status_code, message, code.get(error.status_code, "bad")).response()

    app.add_exception_handler(PilcrowError, known)
    app.add_exception_handler(ApiError, known)
    app.add_exception_handler(RequestValidationError, invalid)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, http)  # type: ignore[arg-type]
