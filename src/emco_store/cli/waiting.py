"""Wait until a worker has ended the operations that a bundle begins: ``apply --run --wait 300``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

from emco_store import Key, LifecycleRecord, NotFound, Store
from emco_store.cli.exits import Exit
from emco_store.cli.screen import Screen
from emco_store.emco import DigState

_PAUSE_S: Final = 0.5
"""Seconds between two looks at an operation."""


class Waiting:
    """Waits for the ends of operations, each time for a limited time.

    Args:
        store: Where the operations are.
        screen: Shows what is not awaited any longer.
        limit_s: How long to wait for one operation, in seconds; 0 does not wait.
        pause: Lets seconds pass.
        clock: Returns seconds that only rise.
    """

    def __init__(
        self,
        store: Store,
        screen: Screen,
        limit_s: float,
        *,
        pause: Callable[[float], object] = time.sleep,  # noqa: TID251 - the command line is a shell
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._screen, self._limit_s = store, screen, limit_s
        self._pause, self._clock = pause, clock

    def __call__(self, record: LifecycleRecord[Any]) -> LifecycleRecord[Any] | None:
        """Wait until an operation has ended; None if its resource was deleted.

        An operation that takes longer is still under way in the record that is returned. What needs its end is refused.
        """
        operation, until = record.operation, self._clock() + self._limit_s
        try:
            while record.operation == operation is not None and self._clock() < until:
                self._pause(_PAUSE_S)
                record = self._store.lifecycle(record.key)
        except NotFound:
            return None
        if record.operation == operation is not None and self._limit_s:
            self._screen.note(
                f"{record.key} is {record.state.value} after {self._limit_s:g} s: no worker has reported the end of "
                f"operation {operation}"
            )
        return record

    def finish(self, keys: Iterable[Key]) -> Exit:
        """Wait for all operations of resources that are under way, show their ends, and say how that went."""
        code = Exit.OK
        for key in keys:
            try:
                before = self._store.lifecycle(key)
            except NotFound:
                continue
            if before.operation is None:
                continue
            record = self(before)
            if record is None:
                self._screen.show(f"{key}: deleted")
                continue
            self._screen.show(f"{key}: {record.state.value}")
            if record.state is DigState.FAILED:
                code = Exit.REFUSED
            elif record.operation is not None and code is Exit.OK:
                code = Exit.RETRY
        return code
