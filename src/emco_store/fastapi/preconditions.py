"""Preconditions of requests (``If-Match``, ``If-None-Match``), and the headers of responses that belong to them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, NotRequired, TypedDict, TypeVar
from urllib.parse import quote

from fastapi import Depends, Header
from fastapi.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from emco_store import InvalidCall, Page, Resource
from emco_store.core.matching import is_known, match
from emco_store.fastapi.problems import Problem
from emco_store.fastapi.representations import Listed

R = TypeVar("R", bound=Resource)

_Match = Annotated[
    str | None, Header(alias="If-Match", description="The entity tag of the state to change, as `ETag` gave it.")
]
_NoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", description="The entity tag of the state that the client has.")
]
_NothingThere = Annotated[
    str | None, Header(alias="If-None-Match", description="`*`: only if the resource does not exist yet.")
]


async def optional_if_match(if_match: _Match = None) -> str | None:
    """Return the header ``If-Match``, for the argument ``if_match=`` of a call; None where the request has none.

    Raises:
        Problem: It is no such header (400).
    """
    try:
        match(None, if_match)
    except InvalidCall as problem:
        raise Problem(400, "The If-Match header cannot be understood.", code=problem.code) from problem
    return if_match


async def required_if_match(if_match: Annotated[str | None, Depends(optional_if_match)]) -> str:
    """Return the header ``If-Match``, for the argument ``if_match=`` of a call.

    Raises:
        Problem: The request has none (428), or it is no such header (400).
    """
    if if_match is None:
        raise _required("Send the ETag of the state that you have read as If-Match.")
    return if_match


class PutOnly(TypedDict):
    """The arguments for ``store.put`` that a request demands: ``store.put(resource, **only)``."""

    if_match: NotRequired[str]
    if_version: NotRequired[int]


async def put_condition(
    if_match: Annotated[str | None, Depends(optional_if_match)], if_none_match: _NothingThere = None
) -> PutOnly:
    """Return what a ``PUT`` demands of the resource that it replaces.

    Raises:
        Problem: It demands nothing (428), or what cannot be understood (400).
    """
    if if_none_match is not None and (if_match is not None or if_none_match.strip() != "*"):
        raise Problem(400, "A PUT takes If-Match, or If-None-Match: *.", code="BAD-PRECONDITION")
    if if_none_match is not None:
        return {"if_version": 0}
    if if_match is None:
        raise _required("Send If-Match with the ETag that you have read, or If-None-Match: * to create the resource.")
    return {"if_match": if_match}


def _required(detail: str) -> Problem:
    return Problem(428, "A precondition is required.", code="PRECONDITION-REQUIRED", detail=detail)


class Answering:
    """Sets the headers of a response that belong to what a handler returns.

    Args:
        request: The request.
        response: The response.
    """

    def __init__(self, request: Request, response: Response) -> None:
        self._request = request
        self._response = response
        self._known: str | None = None

    def __call__(self, resource: R) -> R:
        """Return a stored resource, and set ``ETag``.

        Raises:
            HTTPException: The client has this state already (304).
            InvalidCall: The resource was never stored.
        """
        tag = resource.meta.etag
        if self._known is not None and is_known(self._known, resource.meta):
            raise HTTPException(HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
        self._response.headers["ETag"] = tag
        return resource

    def created(self, resource: R, *segments: str) -> R:
        """Return a resource that was created, and set ``ETag``, ``Location`` and the status 201.

        Args:
            resource: The resource.
            segments: The segments of its path, which may hold any character: ``"apps", app.name``.
        """
        self._response.headers["Location"] = "".join(f"/{quote(segment, safe='')}" for segment in segments)
        self._response.status_code = HTTPStatus.CREATED.value
        return self(resource)

    def page(self, page: Page[R]) -> Listed[R]:
        """Return a page as a body, and set ``Link`` to the next page: the same request with ``after=``.

        The link is relative to the request, so it is right behind a proxy, too.
        """
        if page.next is not None:
            query = self._request.url.include_query_params(after=page.next).query
            self._response.headers["Link"] = f'<?{query}>; rel="next"'
        return Listed[R].of(page)

    @classmethod
    def known(cls, request: Request, response: Response, if_none_match: _NoneMatch = None) -> Answering:
        """Build one that answers with 304 if the request names the state of the resource in ``If-None-Match``.

        Raises:
            Problem: It is no such header (400).
        """
        answering = cls(request, response)
        answering._known = if_none_match
        return answering


IfMatch = Annotated[str, Depends(required_if_match)]
"""The type of a parameter that gets ``If-Match``; a request without it is answered with 428."""
OptionalIfMatch = Annotated[str | None, Depends(optional_if_match)]
"""The type of a parameter that gets ``If-Match``, or None."""
PutCondition = Annotated[PutOnly, Depends(put_condition)]
"""The type of a parameter that gets what a ``PUT`` demands; a request that demands nothing is answered with 428."""
Answer = Annotated[Answering, Depends(Answering)]
"""The type of a parameter that sets the headers of a response: ``ETag``, ``Location``, ``Link``."""
ConditionalAnswer = Annotated[Answering, Depends(Answering.known)]
"""As ``Answer``, for a ``GET``: answers with 304 if the client has the state already."""
