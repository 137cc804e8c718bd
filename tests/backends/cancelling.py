"""A task that is cancelled at one of the places where it waits, and ids that are remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any


class CancelledAt:
    """Awaits something in a task that is cancelled at one of the places where it waits.

    Args:
        work: What to await.
        place: How often it waits before.
        late: Whether it is cancelled at the moment when what it waits for has come, and not when it begins to wait.

    Attributes:
        waited: How often it has waited.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], place: int, *, late: bool) -> None:
        self._work = work
        self._place = place
        self._late = late
        self.waited = 0

    async def run(self) -> Any:
        """Do the work."""
        return await self

    def __await__(self) -> Generator[Any, Any, Any]:
        """Hand on what the work waits for."""
        work = self._work.__await__()
        step: Callable[[Any], Any] = work.send
        value = None
        while True:
            try:
                future = step(value)
            except StopIteration as end:
                return end.value
            if self.waited == self._place:
                self._cancel(future)
            self.waited += 1
            try:
                yield future
            except BaseException as problem:  # noqa: BLE001 - it is the work's
                step, value = work.throw, problem
            else:
                step, value = work.send, None

    def _cancel(self, future: asyncio.Future[Any] | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._late and future is not None:
            future.add_done_callback(lambda _: task.cancel())
        else:
            task.cancel()


class Ids:
    """Gives ids, and remembers them."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def new(self) -> str:
        """Return the next one."""
        self.given.append(f"id-{len(self.given)}")
        return self.given[-1]
