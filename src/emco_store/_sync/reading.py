# Generated from src/emco_store/_aio/reading.py by `python3 dev.py sync`: do not edit.
"""What ``Store`` reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import Enum
from typing import Any, Literal, TypeVar, overload

from emco_store._sync.block import Target
from emco_store._sync.iterating import Iteration, Unreadable
from emco_store._sync.opening import OpenedStore
from emco_store.core.keys import Key
from emco_store.core.matching import match, matches
from emco_store.core.pages import Page
from emco_store.core.query import Filter
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.errors import InvalidResource
from emco_store.flows import counting, lists, resources, standings

R = TypeVar("R", bound=Resource)


class ReadingStore(OpenedStore):
    """A store as far as it is read; :class:`Store` is the whole."""

    @overload
    def get(
        self,
        target: type[R],
        *segments: str,
        if_version: int | None = None,
        if_match: str | None = None,
        deadline: timedelta | None = None,
    ) -> R: ...
    @overload
    def get(
        self,
        target: Ref[R],
        *,
        if_version: int | None = None,
        if_match: str | None = None,
        deadline: timedelta | None = None,
    ) -> R: ...
    @overload
    def get(
        self,
        target: R,
        *,
        if_version: int | None = None,
        if_match: str | None = None,
        deadline: timedelta | None = None,
    ) -> R: ...
    @overload
    def get(
        self,
        target: Target,
        *,
        if_version: int | None = None,
        if_match: str | None = None,
        deadline: timedelta | None = None,
    ) -> Any: ...
    def get(
        self,
        target: Any,
        *segments: str,
        if_version: int | None = None,
        if_match: str | None = None,
        deadline: timedelta | None = None,
    ) -> Any:
        """Read one resource.

        Args:
            target: A model, followed by the names of the key from the root; or a resource, a ``Key`` or a ``Ref``.
            segments: The names, if ``target`` is a model.
            if_version: The version that it must have.
            if_match: The value of an ``If-Match`` header that it must match, such as ``resource.meta.etag``.
            deadline: When the call must have ended.

        Returns:
            The resource; an ``Untyped`` if the store has no model of its kind.

        Raises:
            NotFound: It does not exist.
            Conflict: It has another version.
            InvalidResource: Its stored document cannot be read.

        Rules: ID-2, ID-3.
        """
        context = self._context()
        key = context.address(target, segments)
        flow = resources.look_up(context, key, match(if_version, if_match))
        return self._attempts.once(flow, deadline)

    def exists(self, target: Target | type[Resource], *segments: str, deadline: timedelta | None = None) -> bool:
        """Return whether there is a resource, readable or not.

        Args:
            target: A model, followed by the names of the key from the root; or a resource, a ``Key`` or a ``Ref``.
            segments: The names, if ``target`` is a model.
            deadline: When the call must have ended.

        Rules: ID-2.
        """
        context = self._context()
        return self._attempts.once(resources.is_there(context.address(target, segments)), deadline)

    @overload
    def get_many(
        self, targets: Sequence[Ref[R]], *, if_version: Mapping[Key, int] | None = None,
        if_match: Mapping[Key, str] | None = None, missing_ok: Literal[False] = False,
        deadline: timedelta | None = None,
    ) -> tuple[R, ...]: ...  # fmt: skip
    @overload
    def get_many(
        self, targets: Sequence[Ref[R]], *, if_version: Mapping[Key, int] | None = None,
        if_match: Mapping[Key, str] | None = None, missing_ok: Literal[True], deadline: timedelta | None = None,
    ) -> tuple[R | None, ...]: ...  # fmt: skip
    @overload
    def get_many(
        self, targets: Sequence[R], *, if_version: Mapping[Key, int] | None = None,
        if_match: Mapping[Key, str] | None = None, missing_ok: Literal[False] = False,
        deadline: timedelta | None = None,
    ) -> tuple[R, ...]: ...  # fmt: skip
    @overload
    def get_many(
        self, targets: Sequence[R], *, if_version: Mapping[Key, int] | None = None,
        if_match: Mapping[Key, str] | None = None, missing_ok: Literal[True], deadline: timedelta | None = None,
    ) -> tuple[R | None, ...]: ...  # fmt: skip
    @overload
    def get_many(
        self, targets: Sequence[Target], *, if_version: Mapping[Key, int] | None = None,
        if_match: Mapping[Key, str] | None = None, missing_ok: bool = False, deadline: timedelta | None = None,
    ) -> tuple[Any, ...]: ...  # fmt: skip
    def get_many(
        self,
        targets: Sequence[Any],
        *,
        if_version: Mapping[Key, int] | None = None,
        if_match: Mapping[Key, str] | None = None,
        missing_ok: bool = False,
        deadline: timedelta | None = None,
    ) -> tuple[Any, ...]:
        """Read several resources in one request, as of one moment, in the given order.

        Args:
            targets: Resources, keys or references.
            if_version: For any of the keys, the version that it must have.
            if_match: For any of the keys, the value of an ``If-Match`` header that it must match.
            missing_ok: Return None for a resource that does not exist, instead of raising.
            deadline: When the call must have ended.

        Raises:
            NotFound: At least one does not exist; the error names all of them.
            Conflict: At least one has another version; the error names all of them.
            InvalidResource: A stored document cannot be read.
        """
        context = self._context()
        keys = context.addresses(targets)
        flow = resources.look_up_many(context, keys, matches(keys, if_version, if_match), missing_ok=missing_ok)
        return self._attempts.once(flow, deadline)

    @overload
    def list(
        self, model: type[R], *, parent: Target | None = None, under: Target | None = None,
        where: Filter = (), order_by: str | None = None, state: Enum | None = None,
        limit: int = 100, after: str | None = None, deadline: timedelta | None = None,
    ) -> Page[R]: ...  # fmt: skip
    @overload
    def list(
        self, model: str, *, parent: Target | None = None, under: Target | None = None,
        where: Filter = (), order_by: str | None = None, state: Enum | None = None,
        limit: int = 100, after: str | None = None, deadline: timedelta | None = None,
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
        deadline: timedelta | None = None,
    ) -> Page[R]:
        """Read one page of the resources of a kind.

        Args:
            model: A model, the name of a kind, or ``Resource`` for all kinds.
            parent: Only children of this resource.
            under: Only resources under this one, at any depth.
            where: Conditions on fields, all of which must hold: ``F.region == "eu"``.
            order_by: An indexed field, or ``"key"`` (default); a leading ``-`` reverses the order.
            state: Only resources in this state of their lifecycle; such a list is ordered by key.
            limit: The size of the page, 1 to 1000.
            after: ``page.next`` of the page before.
            deadline: When the call must have ended.

        Returns:
            A page: iterable, with ``next`` as the cursor for ``after=``, None at the end. It contains an
            ``InvalidResource`` in place of a document that cannot be read.

        Raises:
            InvalidCall: An argument cannot be right.

        Rules: ID-7 to ID-9, BAD-7, BAD-8, LIF-1.
        """
        listing = lists.ask(
            self._context(), model, parent=parent, under=under, where=where, order_by=order_by, limit=limit, after=after
        )
        return self._read_page(listing, state, deadline)

    @overload
    def iterate(
        self, model: type[R], *, parent: Target | None = None, under: Target | None = None,
        where: Filter = (), order_by: str | None = None, state: Enum | None = None,
        page_size: int = 100, after: str | None = None, unreadable: Literal["raise", "skip"] = "raise",
        deadline: timedelta | None = None,
    ) -> Iteration[R]: ...  # fmt: skip
    @overload
    def iterate(
        self, model: type[R], *, parent: Target | None = None, under: Target | None = None,
        where: Filter = (), order_by: str | None = None, state: Enum | None = None,
        page_size: int = 100, after: str | None = None, unreadable: Literal["give"],
        deadline: timedelta | None = None,
    ) -> Iteration[R | InvalidResource]: ...  # fmt: skip
    @overload
    def iterate(
        self, model: str, *, parent: Target | None = None, under: Target | None = None,
        where: Filter = (), order_by: str | None = None, state: Enum | None = None,
        page_size: int = 100, after: str | None = None, unreadable: Unreadable = "raise",
        deadline: timedelta | None = None,
    ) -> Iteration[Any]: ...  # fmt: skip
    def iterate(
        self,
        model: type[R] | str,
        *,
        parent: Target | None = None,
        under: Target | None = None,
        where: Filter = (),
        order_by: str | None = None,
        state: Enum | None = None,
        page_size: int = 100,
        after: str | None = None,
        unreadable: Unreadable = "raise",
        deadline: timedelta | None = None,
    ) -> Iteration[Any]:
        """Go over all resources of a list, page by page: ``for app in store.iterate(App): …``.

        Each page shows one moment, the whole does not: a resource that is there throughout, with the same value in the
        field of the order, comes exactly once; one that is created, deleted or moved in the order meanwhile may come or
        not.

        Args:
            model: See :meth:`list`, as of all that is not named here.
            parent: Only children of this resource.
            under: Only resources under this one, at any depth.
            where: Conditions on fields, all of which must hold.
            order_by: An indexed field, or ``"key"`` (default); a leading ``-`` reverses the order.
            state: Only resources in this state of their lifecycle.
            page_size: Resources in one request, 1 to 1000.
            after: ``cursor`` of an iteration with the same arguments, to go on where it stopped; or ``page.next``.
            unreadable: What to do with a document that cannot be read: ``"raise"`` its ``InvalidResource``, and go on
                after it if the next one is asked for; ``"skip"`` it; or ``"give"`` the error in its place.
            deadline: When each request must have ended.

        Returns:
            An iterator, with ``cursor``.

        Raises:
            InvalidCall: An argument cannot be right.

        Rules: ID-17, BAD-8.
        """
        lists.refuse_unreadable(unreadable)
        listing = lists.ask(
            self._context(), model, parent=parent, under=under, where=where, order_by=order_by, limit=page_size,
            after=after,
        )  # fmt: skip

        def read(cursor: str | None) -> Page[Any]:
            return self._read_page(listing.after_cursor(cursor), state, deadline)

        return Iteration(read, after, unreadable)

    def count(
        self,
        model: type[Resource] | str,
        *,
        parent: Target | None = None,
        under: Target | None = None,
        where: Filter = (),
        deadline: timedelta | None = None,
    ) -> int:
        """Return how many resources a list with the same arguments has.

        Without ``where=``, and with conditions that one index answers, the server counts and sends no document, as of
        one moment; for all kinds as of two. With other conditions the documents are read, up to 1,000 in one request,
        each of which shows one moment.

        Args:
            model: A model, the name of a kind, or ``Resource`` for all kinds.
            parent: Only children of this resource.
            under: Only resources under this one, at any depth.
            where: Conditions on fields, all of which must hold.
            deadline: When the call must have ended.

        Raises:
            InvalidCall: An argument cannot be right.
            InvalidResource: A document that must be read to judge it cannot be read.

        Rules: ID-18.
        """
        context = self._context()
        listing = lists.ask(context, model, parent=parent, under=under, where=where)
        return self._attempts.once(counting.count(context, listing), deadline)

    def kinds(self, *, deadline: timedelta | None = None) -> tuple[str, ...]:
        """Return the names of the kinds of which there are resources, with a model in this store or without, by name.

        It takes one request for each kind, however many resources there are; each shows one moment.

        Args:
            deadline: When the call must have ended.

        Rules: ID-21.
        """
        self._context()
        return self._attempts.once(counting.kinds(), deadline)

    def _read_page(self, listing: lists.Listing, state: Enum | None, deadline: timedelta | None) -> Page[Any]:
        context = self._context()
        flow = lists.read_page(context, listing) if state is None else standings.read_page(context, listing, state)
        return self._attempts.once(flow, deadline)

    def children(
        self, target: Target, *, limit: int = 1000, after: str | None = None, deadline: timedelta | None = None
    ) -> Page[Any]:
        """Read one page of the children of a resource, of all kinds, by key."""
        context = self._context()
        key = context.address(target)
        wanted = resources.is_child_of(key)
        flow = resources.related(context, key, wanted, limit=limit, after=after)
        return self._attempts.once(flow, deadline)

    def referrers(
        self, target: Target, *, limit: int = 1000, after: str | None = None, deadline: timedelta | None = None
    ) -> Page[Any]:
        """Read one page of the referrers of a resource, including its children, by key."""
        context = self._context()
        key = context.address(target)
        wanted = resources.is_referrer
        flow = resources.related(context, key, wanted, limit=limit, after=after)
        return self._attempts.once(flow, deadline)
