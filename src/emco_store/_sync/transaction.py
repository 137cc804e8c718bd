# Generated from src/emco_store/_aio/transaction.py by `python3 dev.py sync`: do not edit.
"""``Transaction``: what a function is given to read and write within one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Literal, TypeVar, overload

from emco_store._sync.block import Target
from emco_store._sync.leases import LeaseRequirements
from emco_store._sync.statuses import StatusReports
from emco_store._sync.transitions import Transitions
from emco_store.core.codec import Untyped
from emco_store.core.keys import Key
from emco_store.core.matching import match, matches
from emco_store.core.pages import Page
from emco_store.core.plan import Deleted
from emco_store.core.query import Filter
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.flows import counting, lists, patching, resources, standings
from emco_store.ports import no_feed

R = TypeVar("R", bound=Resource)


class Transaction(Transitions, StatusReports, LeaseRequirements):
    """One attempt at one transaction; made by ``store.transaction()`` and ``store.run(fn)``.

    It reads the store and its own writes. Nothing is written before its block ends; then everything is written or
    nothing. It belongs to one task: a second task that uses it at the same time is refused.

    Rules: OCC-1 to OCC-8, ATM-1.
    """

    @overload
    def get(self, target: type[R], *segments: str, if_version: int | None = None, if_match: str | None = None) -> R: ...
    @overload
    def get(self, target: Ref[R], *, if_version: int | None = None, if_match: str | None = None) -> R: ...
    @overload
    def get(self, target: R, *, if_version: int | None = None, if_match: str | None = None) -> R: ...
    @overload
    def get(self, target: Target, *, if_version: int | None = None, if_match: str | None = None) -> Any: ...
    def get(self, target: Any, *segments: str, if_version: int | None = None, if_match: str | None = None) -> Any:
        """Read one resource; see :meth:`Store.get`."""
        key = self._unit.context.address(target, segments)
        return self._perform(resources.get(self._unit, key, match(if_version, if_match)))

    def exists(self, target: Target | type[Resource], *segments: str) -> bool:
        """Return whether there is a resource; the commit fails if that has changed. See :meth:`Store.exists`."""
        key = self._unit.context.address(target, segments)
        return key in self._perform(self._unit.fetch([key]))

    @overload
    def get_many(
        self, targets: Sequence[Ref[R]], *, if_version: Mapping[Key, int] | None = None,
        if_match: Mapping[Key, str] | None = None, missing_ok: Literal[False] = False,
    ) -> tuple[R, ...]: ...  # fmt: skip
    @overload
    def get_many(
        self, targets: Sequence[Ref[R]], *, if_version: Mapping[Key, int] | None = None,
        if_match: Mapping[Key, str] | None = None, missing_ok: Literal[True],
    ) -> tuple[R | None, ...]: ...  # fmt: skip
    @overload
    def get_many(
        self, targets: Sequence[R], *, if_version: Mapping[Key, int] | None = None,
        if_match: Mapping[Key, str] | None = None, missing_ok: Literal[False] = False,
    ) -> tuple[R, ...]: ...  # fmt: skip
    @overload
    def get_many(
        self, targets: Sequence[R], *, if_version: Mapping[Key, int] | None = None,
        if_match: Mapping[Key, str] | None = None, missing_ok: Literal[True],
    ) -> tuple[R | None, ...]: ...  # fmt: skip
    @overload
    def get_many(
        self, targets: Sequence[Target], *, if_version: Mapping[Key, int] | None = None,
        if_match: Mapping[Key, str] | None = None, missing_ok: bool = False,
    ) -> tuple[Any, ...]: ...  # fmt: skip
    def get_many(
        self,
        targets: Sequence[Any],
        *,
        if_version: Mapping[Key, int] | None = None,
        if_match: Mapping[Key, str] | None = None,
        missing_ok: bool = False,
    ) -> tuple[Any, ...]:
        """Read several resources at once; see :meth:`Store.get_many`."""
        keys = self._unit.context.addresses(targets)
        return self._perform(
            resources.get_many(self._unit, keys, matches(keys, if_version, if_match), missing_ok=missing_ok)
        )

    def create(self, resource: R, *, if_version: int | None = None, if_match: str | None = None) -> R:
        """Add a new resource; see :meth:`Store.create`. Its targets are checked at the end."""
        self._begin()
        try:
            return self._unit.create(resource, match(if_version, if_match))
        finally:
            self._busy.release()

    def update(self, resource: R, *, if_version: int | None = None, if_match: str | None = None) -> R:
        """Replace a resource that was read; see :meth:`Store.update`."""
        self._begin()
        try:
            return self._unit.update(resource, match(if_version, if_match))
        finally:
            self._busy.release()

    @overload
    def patch(
        self, target: R, change: Mapping[str, Any] | Callable[[R], R], *, if_version: int | None = None,
        if_match: str | None = None,
    ) -> R: ...  # fmt: skip
    @overload
    def patch(
        self, target: Ref[R], change: Mapping[str, Any] | Callable[[R], R], *, if_version: int | None = None,
        if_match: str | None = None,
    ) -> R: ...  # fmt: skip
    @overload
    def patch(
        self, target: Key | Untyped, change: Mapping[str, Any] | Callable[[Any], Any], *, if_version: int | None = None,
        if_match: str | None = None,
    ) -> Any: ...  # fmt: skip
    def patch(
        self,
        target: Any,
        change: Mapping[str, Any] | Callable[[Any], Any],
        *,
        if_version: int | None = None,
        if_match: str | None = None,
    ) -> Any:
        """Read a resource, change it and update it; see :meth:`Store.patch`."""
        patching.refuse_change(change)
        return self._perform(patching.patch(self._unit, target, change, match(if_version, if_match)))

    def put(self, resource: R, *, if_version: int | None = None, if_match: str | None = None) -> R:
        """Create or replace a resource; see :meth:`Store.put`."""
        return self._perform(self._unit.put(resource, match(if_version, if_match)))

    def delete(
        self, *targets: Target, if_version: int | None = None, if_match: str | None = None, missing_ok: bool = False
    ) -> Deleted:
        """Delete resources and apply the rules of their referrers; see :meth:`Store.delete`.

        Blockers are checked at the end of the transaction. If the call raises, it leaves the transaction as it was.

        Returns:
            How many resources of each kind this call deletes and changes, once the transaction has been committed.
        """
        return self._perform(self._unit.delete(targets, match(if_version, if_match), missing_ok=missing_ok))

    def emit(self, topic: str, body: Any = None, *, key: Target | str | None = None) -> None:
        """Add a message to the commit: those who watch the feed get it with the changes, or neither happens.

        A transaction that only emits is a commit as well. The messages of a transaction keep their order.

        Args:
            topic: What it is about, such as ``orders.shipped``: 1 to 200 characters, words of ASCII letters, digits,
                ``_`` and ``-``, joined by ``.``, ``:`` or ``/``.
            body: Its content: whatever pydantic can turn into JSON, at most 64 KiB of it. It is copied.
            key: What it concerns: a text of 1 to 2,000 printable characters, or a resource, whose key counts.

        Raises:
            InvalidCall: An argument is something else, or the transaction has more than 1,000 messages, or 1 MiB of
                them.
            NotSupported: The backend has no feed.

        Rules: FEED-10.
        """
        self._begin()
        try:
            if not self._port.guarantees.feed:
                raise no_feed()
            self._unit.emit(topic, body, key)
        finally:
            self._busy.release()

    @overload
    def list(
        self, model: type[R], *, parent: Target | None = None, under: Target | None = None,
        where: Filter = (), order_by: str | None = None, state: Enum | None = None,
        limit: int = 100, after: str | None = None, stable: bool = True,
    ) -> Page[R]: ...  # fmt: skip
    @overload
    def list(
        self, model: str, *, parent: Target | None = None, under: Target | None = None,
        where: Filter = (), order_by: str | None = None, state: Enum | None = None,
        limit: int = 100, after: str | None = None, stable: bool = True,
    ) -> Page[Any]: ...  # fmt: skip
    def list(
        self,
        model: type[R] | str,
        *,
        parent: Target | None = None,
        under: Target | None = None,
        where: Filter = (),
        order_by: str | None = None,
        state: Enum | None = None,
        limit: int = 100,
        after: str | None = None,
        stable: bool = True,
    ) -> Page[R]:
        """Read one page of a kind; see :meth:`Store.list`.

        With ``parent=``, no resource joins or leaves the list unnoticed until the commit. Without it, the list cannot
        promise that, so the call needs ``stable=False``.

        Raises:
            InvalidCall: A list without ``parent=`` needs ``stable=False``.
        """
        listing = lists.ask(
            self._unit.context, model, parent=parent, under=under, where=where, order_by=order_by, limit=limit,
            after=after,
        )  # fmt: skip
        if state is not None:
            return self._perform(standings.read_page_in(self._unit, listing, state, stable=stable))
        return self._perform(lists.read_page_in(self._unit, listing, stable=stable))

    def count(
        self,
        model: type[Resource] | str,
        *,
        parent: Target | None = None,
        under: Target | None = None,
        where: Filter = (),
        stable: bool = True,
    ) -> int:
        """Return how many resources a list has; see :meth:`Store.count`.

        It reads all of them, because the commit must notice if one of them changes: with ``parent=``, the count still
        holds at the commit. Without it, the call needs ``stable=False``.

        Raises:
            InvalidCall: A count without ``parent=`` needs ``stable=False``.

        Rules: ID-18, OCC-4.
        """
        listing = lists.ask(self._unit.context, model, parent=parent, under=under, where=where)
        return self._perform(counting.count_in(self._unit, listing, stable=stable))

    def children(self, target: Target, *, limit: int = 1000, after: str | None = None) -> Page[Any]:
        """Read the children of a resource, of all kinds; none joins them unnoticed until the commit."""
        key = self._unit.context.address(target)
        wanted = resources.is_child_of(key)
        return self._perform(resources.related_in(self._unit, key, wanted, limit=limit, after=after))

    def referrers(self, target: Target, *, limit: int = 1000, after: str | None = None) -> Page[Any]:
        """Read the referrers of a resource, including its children; none joins them unnoticed until the commit."""
        key = self._unit.context.address(target)
        wanted = resources.is_referrer
        return self._perform(resources.related_in(self._unit, key, wanted, limit=limit, after=after))
