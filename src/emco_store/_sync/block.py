# Generated from src/emco_store/_aio/block.py by `python3 dev.py sync`: do not edit.
"""``Block``: what a transaction is apart from its calls: its block, its commit and its end."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Self, TypeVar

from emco_store._sync.drive import drive
from emco_store.core.codec import Untyped
from emco_store.core.keys import Key
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.errors import InvalidCall
from emco_store.flows.asking import Flow
from emco_store.flows.callbacks import Scope
from emco_store.flows.unit import Unit
from emco_store.ports import Port
from emco_store.queueing.waiters import Waiter

T = TypeVar("T")
Target = Resource | Key | Ref[Any] | Untyped
"""Wherever a resource is meant: the resource, its key, or a reference to it."""


class Block:
    """One attempt at one transaction; :class:`Transaction` is the whole."""

    def __init__(
        self,
        unit: Unit,
        port: Port,
        waiter: Waiter | None = None,
        *,
        owner: object,
        end_s: float | None = None,
    ) -> None:
        self._unit = unit
        self._port = port
        self._waiter = waiter
        self._end_s = end_s
        self._scope = Scope(owner)
        self._busy = threading.Lock()
        self._has_begun = False
        self._ended = False

    def __enter__(self) -> Self:
        if self._has_begun:
            raise self._refused("it has begun before", "call store.transaction() for each block.")
        self._scope.open()
        self._has_begun = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._scope.close()
            if problem is None and not self._ended:
                self.commit()
        finally:
            self.end()

    @property
    def txid(self) -> str:
        """The identifier under which the backend knows the commit."""
        return self._unit.txid

    @property
    def has_ended(self) -> bool:
        """Whether it was committed or discarded, so that it can no longer be used."""
        return self._ended

    def commit(self) -> None:
        """End the transaction and write everything; ``transaction()`` and ``run`` do this themselves.

        Raises:
            StoreError: One of the errors of ``run``; nothing was written.
        """
        self._perform(self._unit.commit())
        self._ended = True

    def end(self) -> None:
        """End the transaction without writing anything."""
        self._ended = True

    def _perform(self, flow: Flow[T]) -> T:
        self._begin()
        try:
            return drive(flow, self._port, self._waiter, end_s=self._end_s)
        finally:
            self._busy.release()

    def _begin(self) -> None:
        """Begin a call, the end of which releases the lock."""
        if not self._has_begun:
            raise self._refused("it has not begun", "use it as `with store.transaction() as tx:`.")
        if self._ended:
            raise self._refused("it has ended: tx is valid inside its block only", "begin another one.")
        if not self._busy.acquire(blocking=False):
            raise InvalidCall(
                "This transaction is being used by another task.",
                why=["a transaction is one line of reads and writes; two at once have no order"],
                hint="await each call before the next, or give each task a transaction of its own.",
            )

    def _refused(self, why: str, hint: str) -> InvalidCall:
        return InvalidCall("Cannot use this transaction.", why=[why], hint=hint)
