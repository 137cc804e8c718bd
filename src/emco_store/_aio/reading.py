"""What the two halves of ``AsyncStore`` share, and what it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import Enum
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from emco_store._aio.attempts import AsyncAttempts
from emco_store._aio.block import Target
from emco_store.beating import Beater, FindLaunch, MakePort, no_leases_from, no_process_from
from emco_store.core.keys import Key
from emco_store.core.matching import match, matches
from emco_store.core.origins import NOBODY, Origin
from emco_store.core.query import Condition, Page
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.core.schema import Schema
from emco_store.errors import InvalidCall
from emco_store.flows import callbacks, lists, resources, standings
from emco_store.flows.acting import Actors
from emco_store.flows.context import Context, Limits, RetryPolicy
from emco_store.flows.holding import Holding
from emco_store.flows.refusals import unavailable
from emco_store.flows.unit import Unit
from emco_store.ports import AsyncPort, Clock, Durability, Guarantees, IdSource, Unreachable

R = TypeVar("R", bound=Resource)


class AsyncReadingStore:
    """A store as far as it is opened, closed and read; :class:`AsyncStore` is the whole."""

    def __init__(
        self,
        port: AsyncPort,
        *,
        namespace: str,
        schema: Schema,
        limits: Limits,
        retry: RetryPolicy,
        clock: Clock,
        ids: IdSource,
        require: Durability | None = None,
        deadline: timedelta | None = None,
        origin: Origin = NOBODY,
        beats: MakePort = no_leases_from,
        find_launch: FindLaunch = no_process_from,
    ) -> None:
        self._port = port
        self._require = require
        self._namespace = namespace
        self._surroundings = Context(schema, limits, clock, ids.new, Actors(origin))
        self._attempts = AsyncAttempts(port, retry, deadline)
        self._beater = Beater(beats, home=self._surroundings, find_launch=find_launch)
        self._closed = False

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def open(self) -> None:
        """Connect to the server and check what it promises; the start of an ``async with`` block does this.

        Raises:
            Misconfigured: A setting of the server would break a promise, or it promises less than was required.
            NotSupported: The server is too old, or of an unsupported kind.
            Unavailable: It does not answer.

        Rules: DUR-1, DUR-2.
        """
        try:
            await self._attempts.by_deadline(self._port.open)
            self._port.guarantees.refuse_below(self._require)
        except BaseException as problem:
            await self.aclose()
            if isinstance(problem, Unreachable):
                raise unavailable(problem) from problem
            raise

    async def aclose(self) -> None:
        """Close what was opened; later calls are refused."""
        self._closed = True
        self._beater.close()
        await self._port.close()

    @property
    def namespace(self) -> str:
        """The name of the namespace."""
        return self._namespace

    @property
    def schema(self) -> Schema:
        """The models that this store knows so far."""
        return self._surroundings.schema

    @property
    def guarantees(self) -> Guarantees:
        """What the store promises with the server that it found."""
        return self._port.guarantees

    # reading

    @overload
    async def get(
        self,
        target: type[R],
        *segments: str,
        if_version: int | None = None,
        if_match: str | None = None,
        deadline: timedelta | None = None,
    ) -> R: ...
    @overload
    async def get(
        self,
        target: Ref[R],
        *,
        if_version: int | None = None,
        if_match: str | None = None,
        deadline: timedelta | None = None,
    ) -> R: ...
    @overload
    async def get(
        self,
        target: R,
        *,
        if_version: int | None = None,
        if_match: str | None = None,
        deadline: timedelta | None = None,
    ) -> R: ...
    @overload
    async def get(
        self,
        target: Target,
        *,
        if_version: int | None = None,
        if_match: str | None = None,
        deadline: timedelta | None = None,
    ) -> Any: ...
    async def get(
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
        return await self._attempts.once(flow, deadline)

    async def get_many(
        self,
        targets: Sequence[Target],
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
        return await self._attempts.once(flow, deadline)

    @overload
    async def list(
        self, model: type[R], *, parent: Target | None = None, under: Target | None = None,
        where: Sequence[Condition] | Condition = (), order_by: str | None = None, state: Enum | None = None,
        limit: int = 100, after: str | None = None, deadline: timedelta | None = None,
    ) -> Page[R]: ...  # fmt: skip
    @overload
    async def list(
        self, model: str, *, parent: Target | None = None, under: Target | None = None,
        where: Sequence[Condition] | Condition = (), order_by: str | None = None, state: Enum | None = None,
        limit: int = 100, after: str | None = None, deadline: timedelta | None = None,
    ) -> Page[Any]: ...  # fmt: skip
    async def list(
        self,
        model: type[R] | str,
        *,
        parent: Target | None = None,
        under: Target | None = None,
        where: Sequence[Condition] | Condition = (),
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
        context = self._context()
        listing = lists.ask(
            context, model, parent=parent, under=under, where=where, order_by=order_by, limit=limit, after=after
        )
        flow = lists.read_page(context, listing) if state is None else standings.read_page(context, listing, state)
        return await self._attempts.once(flow, deadline)

    async def children(
        self, target: Target, *, limit: int = 1000, after: str | None = None, deadline: timedelta | None = None
    ) -> Page[Any]:
        """Read one page of the children of a resource, of all kinds, by key."""
        context = self._context()
        key = context.address(target)
        wanted = resources.is_child_of(key)
        flow = resources.related(context, key, wanted, limit=limit, after=after)
        return await self._attempts.once(flow, deadline)

    async def referrers(
        self, target: Target, *, limit: int = 1000, after: str | None = None, deadline: timedelta | None = None
    ) -> Page[Any]:
        """Read one page of the referrers of a resource, including its children, by key."""
        context = self._context()
        key = context.address(target)
        wanted = resources.is_referrer
        flow = resources.related(context, key, wanted, limit=limit, after=after)
        return await self._attempts.once(flow, deadline)

    # for the other half

    def _unit(self, holding: Holding | None = None) -> Unit:
        return Unit(self._context(), holding)

    def _context(self) -> Context:
        """Return the surroundings of a flow, where the store may be used."""
        if self._closed:
            raise InvalidCall("Cannot use this store.", why=["it is closed"], hint="open another one with connect().")
        callbacks.refuse_inside(self)
        return self._surroundings
