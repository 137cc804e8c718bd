"""Steps: calls of a store or a transaction, written once, and performed by a blocking or an asyncio loop."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from emco_store.errors import StoreError

T = TypeVar("T")
Steps = Generator[Callable[[Any], Any], Any, T]
"""Calls, one after the other; the steps are sent the result of each, or its error is raised in them."""


def perform(steps: Steps[T], on: Any) -> T:
    """Make the calls on a blocking store or transaction, and return what the steps return."""
    try:
        step = next(steps)
        while True:
            try:
                result = step(on)
            except StoreError as problem:
                step = steps.throw(problem)
            else:
                step = steps.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what the steps return


async def perform_async(steps: Steps[T], on: Any) -> T:
    """Do the same as :func:`perform`, for asyncio."""
    try:
        step = next(steps)
        while True:
            try:
                result = await step(on)
            except StoreError as problem:
                step = steps.throw(problem)
            else:
                step = steps.send(result)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # what the steps return
