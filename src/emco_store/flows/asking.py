"""How a flow asks: it yields requests, and whoever drives it sends back the replies of a port."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Any, TypeVar

from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.flows.refusals import unavailable
from emco_store.ports import Get, Request, Unreachable

T = TypeVar("T")
Flow = Generator[Request[Any], Any, T]
"""A computation that pauses at each request to the backend and ends with a ``T``."""


def ask(request: Request[T]) -> Flow[T]:
    """Return the reply to a request; what the port raises is for the caller to judge."""
    reply: T = yield request
    return reply


def read(request: Request[T]) -> Flow[T]:
    """Return the reply to a request that writes nothing.

    Raises:
        Unavailable: The backend cannot be reached.
    """
    try:
        reply: T = yield request
    except Unreachable as problem:
        raise unavailable(problem) from problem
    return reply


def records_at(keys: Iterable[Key]) -> Flow[Mapping[Key, Record]]:
    """Return the records of some keys, as far as they exist; no keys take no request."""
    wanted = tuple(dict.fromkeys(keys))
    return (yield from read(Get(wanted))) if wanted else {}
