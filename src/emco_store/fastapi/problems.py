"""Errors as problem details: one table says for each class of error which status it has and what clients see of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import Request

from emco_store import errors
from emco_store.core.plan import Blocker
from emco_store.errors import StoreError

MEDIA_TYPE = "application/problem+json"
TYPES = "urn:emco-store:"
_log = logging.getLogger("emco_store")


@dataclass(frozen=True, slots=True)
class Row:
    """What clients see of a class of error.

    Attributes:
        status: The status. From 500 on, clients see nothing of the error but its code and ``shown``: its text speaks of
            servers and settings, and belongs into the log.
        title: The title of the problem.
        shown: The fields of the error that are members of the problem.
        may_repeat: Whether the same request may succeed later, so that a ``Retry-After`` header says when.
    """

    status: int
    title: str
    shown: tuple[str, ...] = ()
    may_repeat: bool = False


TABLE: Mapping[type[StoreError], Row] = {
    StoreError: Row(500, "The service failed."),
    errors.NotFound: Row(404, "The resource does not exist.", ("keys",)),
    errors.AlreadyExists: Row(409, "The resource exists.", ("key",)),
    errors.Conflict: Row(409, "The resource has changed meanwhile.", ("keys",)),
    errors.LeaseHeld: Row(409, "Another holder has the lease.", ("keys",)),
    errors.LeaseLost: Row(409, "The lease is over.", ("keys",)),
    errors.FeedGap: Row(410, "Events are missing after the cursor.", ("cursor",)),
    errors.HandlerFailed: Row(500, "The service failed."),
    errors.SinkFailed: Row(502, "A service that gets events did not take them."),
    errors.StaleCache: Row(503, "The service's copy of its data is too old.", may_repeat=True),
    errors.MissingReference: Row(422, "The target of a reference does not exist.", ("missing",)),
    errors.DeleteRestricted: Row(409, "Other resources refer to it.", ("keys", "blockers", "blocker_count")),
    errors.UniqueViolation: Row(409, "Another resource has the value.", ("key", "field", "owner")),
    errors.TransitionRefused: Row(409, "The transition is not possible.", ("key", "transition", "state", "allowed")),
    errors.ContentChanged: Row(409, "The content has changed.", ("key", "digest", "found", "changed")),
    errors.StateForbids: Row(409, "The state does not allow the change.", ("key", "state", "frozen")),
    errors.NotPermitted: Row(403, "This actor may not do that.", ("key",)),
    errors.SegmentRefused: Row(500, "The service failed."),
    errors.NotReady: Row(503, "The service is not ready.", may_repeat=True),
    errors.InvalidResource: Row(422, "The data is not acceptable.", ("key",)),
    errors.NewerModel: Row(500, "A stored document cannot be read.", ("key",)),
    errors.InvalidModel: Row(500, "The service failed."),
    errors.InvalidCall: Row(500, "The service failed."),
    errors.UnknownOutcome: Row(504, "It is not known whether the change was made.", ("txid",)),
    errors.Unavailable: Row(503, "The service cannot reach its data.", may_repeat=True),
    errors.Misconfigured: Row(500, "The service failed."),
    errors.NotSupported: Row(501, "The service does not support that."),
}
"""The row of each class of error; a subclass that has none has that of its base class."""

_FAILED_PRECONDITION = Row(412, "The resource is in another state.", ("keys", "key"))
_UNREADABLE = Row(500, "A stored document cannot be read.", ("key",))
_BAD_ARGUMENT = Row(400, "The request cannot be understood.")


class ProblemBody(BaseModel):
    """The body of a problem, in the form of RFC 9457; a problem has more members by its ``code``."""

    model_config = ConfigDict(extra="allow", title="Problem")

    type: str
    title: str
    status: int
    detail: str = ""
    code: str = ""
    retryable: bool = False
    errors: list[str] = []


class Problem(HTTPException):
    """A problem of your own, to raise in a handler.

    Args:
        status: The status.
        title: What is wrong, the same words for each occurrence.
        code: Names the problem for programs; it becomes a part of the ``type``.
        detail: What is wrong this time.
        headers: Headers of the response.
        members: Further members of the problem, of JSON values.
    """

    def __init__(
        self,
        status: int,
        title: str,
        *,
        code: str,
        detail: str = "",
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(status, detail or title, dict(headers) if headers else None)
        self.title, self.code, self.said, self.members = title, code, detail, members


def row_of(error: StoreError, request: Request) -> Row:
    """Return what clients see of an error.

    Args:
        error: The error.
        request: The request that it ends. The same error is a failed precondition if the request names a state.
    """
    if isinstance(error, errors.InvalidResource) and error.stored:
        return _UNREADABLE
    if isinstance(error, errors.InvalidCall) and error.argument:
        return _BAD_ARGUMENT
    if _is_precondition(error, request):
        return _FAILED_PRECONDITION
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)


def _is_precondition(error: StoreError, request: Request) -> bool:
    if isinstance(error, errors.AlreadyExists):
        return "if-none-match" in request.headers
    is_stale = isinstance(error, errors.Conflict) and error.pinned and not isinstance(error, errors.LeaseHeld)
    return is_stale and ("if-match" in request.headers or "if-none-match" in request.headers)


def add_problem_handlers(
    app: FastAPI, *, types: str = TYPES, retry_after: timedelta = timedelta(seconds=1)
) -> None:  # fmt: skip
    """Answer each error of the store, of FastAPI's validation and of HTTP with problem details (RFC 9457).

    An error with a status from 500 on goes to the logger ``emco_store`` with its traceback; clients see no more of it
    than its code.

    Args:
        app: The application.
        types: The URI before the code of a problem, in lower case, in ``type``.
        retry_after: What the header ``Retry-After`` says if the backend cannot be reached.
    """

    async def store_error(request: Request, error: Exception) -> Response:
        known = cast("StoreError", error)
        row = row_of(known, request)
        if row.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("%s %s failed: %s", request.method, request.url.path, known.code, exc_info=error)
        repeat = {"Retry-After": str(math.ceil(retry_after.total_seconds()))} if row.may_repeat else None
        return _response(row.status, row.title, types=types, headers=repeat, **_members(known, row))

    async def invalid_request(_: Request, error: Exception) -> Response:
        found = cast("RequestValidationError", error).errors()
        lines = [f"{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}" for one in found]
        title = "The data is not acceptable."
        return _response(422, title, types=types, code="INVALID-REQUEST", detail=" ".join(lines[:1]), errors=lines)

    async def http_error(_: Request, error: Exception) -> Response:
        known = cast("StarletteHTTPException", error)
        headers = known.headers
        if isinstance(error, Problem):
            return _response(
                error.status_code, error.title, types=types, headers=headers, code=error.code, detail=error.said,
                **error.members,
            )  # fmt: skip
        if known.status_code in {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}:
            return Response(status_code=known.status_code, headers=headers)
        title = HTTPStatus(known.status_code).phrase
        return _response(known.status_code, title, types="", headers=headers, detail=str(known.detail))

    app.add_exception_handler(StoreError, store_error)
    app.add_exception_handler(RequestValidationError, invalid_request)
    app.add_exception_handler(StarletteHTTPException, http_error)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what ``responses=`` of a route or router says in OpenAPI about problems with these statuses.

    400, 422 and 503 are always among them: a route of a store may answer any request with one of these.
    """
    content = {MEDIA_TYPE: {"schema": ProblemBody.model_json_schema()}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({400, 422, 503, *statuses})
    }


def _members(error: StoreError, row: Row) -> dict[str, Any]:
    is_open = row.status < HTTPStatus.INTERNAL_SERVER_ERROR
    fields = {name: getattr(error, name) for name in row.shown if getattr(error, name, None) not in {None, "", ()}}
    return {
        "code": error.code,
        "detail": error.what if is_open else "",
        "errors": list(errors.shown(error.why)) if is_open else [],
        "retryable": error.retryable and not getattr(error, "pinned", False),
        **{
            name: [_pair(one) for one in value] if name == "missing" else _json(value) for name, value in fields.items()
        },
    }


def _pair(missing: tuple[str, Any]) -> dict[str, str]:
    return {"place": missing[0], "target": str(missing[1])}


def _json(value: Any) -> Any:
    if isinstance(value, tuple):
        entries: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]  # of any types
        return [_json(entry) for entry in entries]
    if isinstance(value, Blocker):
        parts = {"referrer": value.referrer, "place": value.place, "target": value.target, "reason": value.reason}
        return {name: str(part) for name, part in parts.items()}
    return value if isinstance(value, int) else str(value)


def _response(
    status: int, title: str, *, types: str, headers: Mapping[str, str] | None = None, code: str = "", **members: Any
) -> Response:
    body: dict[str, Any] = {
        "type": f"{types}{code.lower()}" if code else "about:blank",
        "title": title,
        "status": status,
        "code": code,
        **members,
    }
    shown = {name: value for name, value in body.items() if value not in ("", [])}
    return JSONResponse(shown, status, headers=headers, media_type=MEDIA_TYPE)
