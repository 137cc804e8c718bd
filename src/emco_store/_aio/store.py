"""``AsyncStore``: the calls of the library."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from emco_store._aio.attempts import AsyncAttempts, late
from emco_store._aio.transaction import AsyncTransaction, Target, run_once
from emco_store.core.flaws import Flaw
from emco_store.core.keys import Key
from emco_store.core.plan import Plan
from emco_store.core.query import Condition, Page
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.core.schema import Schema
from emco_store.errors import InvalidCall
from emco_store.flows import checking, lists, outcomes, resources
from emco_store.flows.checking import CheckPage, Repaired
from emco_store.flows.context import Context, Limits, RetryPolicy
from emco_store.flows.holding import Holding
from emco_store.flows.refusals import unavailable
from emco_store.flows.unit import Unit
from emco_store.ports import AsyncPort, Clock, Durability, Guarantees, IdSource, Outcome, Unreachable
from emco_store.ports.deadline import ends_at
from emco_store.queueing.waiters import AsyncWaiter

R = TypeVar("R", bound=Resource)
T = TypeVar("T")
_inside_run: ContextVar[frozenset[int]] = ContextVar("emco_store_inside_run", default=frozenset())


class AsyncStore:
    """The resources of one namespace on one backend; made by ``connect_async``.

    Wherever a resource is meant, the resource, its ``Key`` or a ``Ref`` to it is accepted. What it gives back are
    values: changing one changes nothing in the store.

    Every call may raise ``Unavailable`` when the backend does not answer, and every call that writes
    ``UnknownOutcome`` when the answer to its commit was lost. Every call takes a ``deadline``: a ``timedelta`` after
    which it has ended, one way or another; see ``connect_async``.
    """

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
    ) -> None:
        self._port = port
        self._require = require
        self._namespace = namespace
        self._surroundings = Context(schema, limits, clock, ids.new)
        self._attempts = AsyncAttempts(port, retry, deadline)
        self._closed = False

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def open(self) -> None:
        """Reach the server and see what it promises; the beginning of an ``async with`` block does this.

        Raises:
            Misconfigured: A setting of the server would break a promise, or it promises less than was required.
            NotSupported: The server is too old, or of a kind that is not proven.
            Unavailable: It does not answer.

        Rules: DUR-1, DUR-2.
        """
        try:
            with ends_at(self._attempts.end_s(None)):
                await self._port.open()
            self._port.guarantees.refuse_below(self._require)
        except BaseException as problem:
            await self.aclose()
            if isinstance(problem, Unreachable):
                raise unavailable(problem) from problem
            raise

    async def aclose(self) -> None:
        """Give back what was opened; later calls are refused."""
        self._closed = True
        await self._port.close()

    @property
    def namespace(self) -> str:
        """The namespace, in which nothing refers to anything outside."""
        return self._namespace

    @property
    def schema(self) -> Schema:
        """The models that this store knows by now."""
        return self._surroundings.schema

    @property
    def guarantees(self) -> Guarantees:
        """What holds with the server that was found: isolation and durability."""
        return self._port.guarantees

    # reading

    @overload
    async def get(
        self, target: type[R], *segments: str, if_version: int | None = None, deadline: timedelta | None = None
    ) -> R: ...
    @overload
    async def get(
        self, target: Ref[R] | R, *, if_version: int | None = None, deadline: timedelta | None = None
    ) -> R: ...
    @overload
    async def get(self, target: Target, *, if_version: int | None = None, deadline: timedelta | None = None) -> Any: ...
    async def get(
        self, target: Any, *segments: str, if_version: int | None = None, deadline: timedelta | None = None
    ) -> Any:
        """Read one resource.

        Args:
            target: A model, followed by the names of the key from the root; or a resource, a ``Key`` or a ``Ref``.
            segments: The names, where ``target`` is a model.
            if_version: The version that it must have.
            deadline: When the call must have ended.

        Returns:
            The resource; an ``Untyped`` where its kind is unknown here.

        Raises:
            NotFound: It is not there.
            Conflict: It has another version.
            InvalidResource: Its stored document cannot be read.

        Rules: ID-2, ID-3.
        """
        context = self._context()
        key = context.address(target, segments)
        flow = resources.look_up(context, key, if_version=if_version)
        return await self._attempts.once(flow, deadline)

    async def get_many(
        self,
        targets: Sequence[Target],
        *,
        if_version: Mapping[Key, int] | None = None,
        missing_ok: bool = False,
        deadline: timedelta | None = None,
    ) -> tuple[Any, ...]:
        """Read several resources in one request, as of one moment, in the order asked for.

        Args:
            targets: Resources, keys or references.
            if_version: For any of the keys, the version that it must have.
            missing_ok: Put None in the place of what is not there, instead of raising.
            deadline: When the call must have ended.

        Raises:
            NotFound: At least one is not there; all of them are named.
            Conflict: At least one has another version; all of them are named.
            InvalidResource: A stored document cannot be read.
        """
        context = self._context()
        keys = context.addresses(targets)
        flow = resources.look_up_many(context, keys, if_version=if_version, missing_ok=missing_ok)
        return await self._attempts.once(flow, deadline)

    @overload
    async def list(
        self, model: type[R], *, parent: Target | None = None, under: Target | None = None,
        where: Sequence[Condition] | Condition = (), order_by: str | None = None, limit: int = 100,
        after: str | None = None, deadline: timedelta | None = None,
    ) -> Page[R]: ...  # fmt: skip
    @overload
    async def list(
        self, model: str, *, parent: Target | None = None, under: Target | None = None,
        where: Sequence[Condition] | Condition = (), order_by: str | None = None, limit: int = 100,
        after: str | None = None, deadline: timedelta | None = None,
    ) -> Page[Any]: ...  # fmt: skip
    async def list(
        self,
        model: type[R] | str,
        *,
        parent: Target | None = None,
        under: Target | None = None,
        where: Sequence[Condition] | Condition = (),
        order_by: str | None = None,
        limit: int = 100,
        after: str | None = None,
        deadline: timedelta | None = None,
    ) -> Page[R]:
        """Read one page of the resources of a kind.

        Args:
            model: A model, the name of a kind, or ``Resource`` for all kinds.
            parent: Only children of this resource.
            under: Only resources that lie, at any depth, under this one.
            where: Conditions on fields, all of which must hold: ``F.region == "eu"``.
            order_by: A field that is indexed, or ``"key"`` (default); with a ``-`` before it, descending.
            limit: The size of the page, 1 to 1000.
            after: ``page.next`` of the page before.
            deadline: When the call must have ended.

        Returns:
            A page: iterable, with ``next`` as the cursor for ``after=``, None at the end. A document that cannot be
            read appears as an ``InvalidResource`` in its place.

        Raises:
            InvalidCall: The question cannot be asked.

        Rules: ID-7 to ID-9, BAD-7, BAD-8.
        """
        context = self._context()
        listing = lists.ask(
            context, model, parent=parent, under=under, where=where, order_by=order_by, limit=limit, after=after
        )
        return await self._attempts.once(lists.read_page(context, listing), deadline)

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
        """Read one page of those who refer to a resource, its children included, by key."""
        context = self._context()
        key = context.address(target)
        wanted = resources.is_referrer
        flow = resources.related(context, key, wanted, limit=limit, after=after)
        return await self._attempts.once(flow, deadline)

    # writing

    async def create(self, resource: R, *, if_version: int | None = None, deadline: timedelta | None = None) -> R:
        """Add a new resource.

        Args:
            resource: The resource.
            if_version: 0 or None: a new resource has no version.
            deadline: When the call must have ended.

        Returns:
            The resource with its ``meta``.

        Raises:
            AlreadyExists: Its key is not free.
            MissingReference: Its parent or a target is not there; all of them are named.
            UniqueViolation: Another resource has a value that must be unique.
            InvalidResource: The data is not acceptable.

        Rules: ID-1, REF-1, REF-2, BAD-1 to BAD-6.
        """
        return await self._attempts.queued(
            lambda: resources.create(self._unit(), resource, if_version=if_version), deadline
        )

    async def update(self, resource: R, *, if_version: int | None = None, deadline: timedelta | None = None) -> R:
        """Replace a resource that was read before, unless it has changed since.

        Args:
            resource: A changed copy of what was read: ``app.model_copy(update={…})``.
            if_version: The version that it must have, beyond the one it was read at.
            deadline: When the call must have ended.

        Returns:
            The resource with its new ``meta``.

        Raises:
            Conflict: It has changed since it was read.
            NotFound: It was deleted since; it is not brought back.
            MissingReference: The target of a new reference is not there.
            UniqueViolation: Another resource has a value that must be unique.
            InvalidResource: The data is not acceptable, or the fields of the key have changed.

        Rules: ID-4, OCC-2, OCC-3.
        """
        return await self._attempts.queued(
            lambda: resources.update(self._unit(), resource, if_version=if_version), deadline
        )

    async def put(self, resource: R, *, if_version: int | None = None, deadline: timedelta | None = None) -> R:
        """Create the resource, or replace whatever has its key; one that is equal already stays as it is.

        Args:
            resource: The resource.
            if_version: The version that what is replaced must have; 0 for none there.
            deadline: When the call must have ended.

        Raises:
            Conflict: What is there has another version.
            MissingReference: Its parent or a target is not there.
            UniqueViolation: Another resource has a value that must be unique.
            InvalidResource: The data is not acceptable.

        Rules: ID-5.
        """
        return await self._attempts.retried(
            lambda holding: resources.put(self._unit(holding), resource, if_version=if_version), deadline
        )

    async def delete(self, *targets: Target, if_version: int | None = None, deadline: timedelta | None = None) -> None:
        """Delete resources, and do to all who refer to them what their rules say; repeated while it loses races.

        A target that is given as a resource must still be the one that was read, and not another of the same name.

        Args:
            targets: What to delete, in one commit.
            if_version: The version that each target must have.
            deadline: When the call must have ended.

        Raises:
            NotFound: A target is not there.
            DeleteRestricted: References forbid it; all of them are named.
            Conflict: A target has another version, or other writers won until the deadline.

        Rules: DEL-1 to DEL-9.
        """
        await self._attempts.retried(
            lambda holding: resources.delete(self._unit(holding), targets, if_version=if_version), deadline
        )

    async def plan_delete(self, *targets: Target, deadline: timedelta | None = None) -> Plan:
        """Say what a delete would take with it, change, and be blocked by; nothing is written.

        Raises:
            NotFound: A target is not there.

        Rules: DEL-8.
        """
        return await self._attempts.once(resources.plan_delete(self._unit(), targets), deadline)

    async def apply(self, plan: Plan, *, deadline: timedelta | None = None) -> None:
        """Do what the plan says, all of it.

        Raises:
            Conflict: Something that the plan rests on has moved; plan again.
            DeleteRestricted: The plan has blockers.

        Rules: DEL-9.
        """
        await self._attempts.once(resources.apply_plan(self._context(), plan), deadline)

    # checking

    async def check(
        self,
        *,
        after: str | None = None,
        limit: int = 1000,
        unknown_kinds: bool = False,
        deadline: timedelta | None = None,
    ) -> CheckPage:
        """Look at one page of all that is stored, and say what is wrong; nothing is written.

        Args:
            after: ``page.next`` of the page before.
            limit: At most so many records or other entries, 1 to 1000.
            unknown_kinds: Also tell which kinds this store has no model of.
            deadline: When the call must have ended.

        Returns:
            A page: ``flaws``, and ``next`` as the cursor for ``after=``, None at the end. A page without flaws is
            not the end.

        Raises:
            InvalidCall: The cursor or the limit cannot be used.

        Rules: CHK-1 to CHK-6.
        """
        flow = checking.check(self._context(), after=after, limit=limit, unknown_kinds=unknown_kinds)
        return await self._attempts.once(flow, deadline)

    async def repair(self, flaws: Iterable[Flaw], *, deadline: timedelta | None = None) -> Repaired:
        """Do to each flaw what its ``repair`` says, unless what it is about has moved since.

        Args:
            flaws: What ``check`` has found, or a part of it.
            deadline: When the call must have ended.

        Returns:
            What is repaired, and what is not, with the reason.

        Raises:
            UnknownOutcome: The answer to a commit was lost; check again.

        Rules: CHK-7, CHK-8.
        """
        return await self._attempts.once(checking.repair(self._context(), flaws), deadline)

    async def resolve(self, txid: str, *, deadline: timedelta | None = None) -> Outcome:
        """Settle a commit whose outcome is unknown: say how it ended; one that has not happened by now never will.

        Raises:
            NotSupported: It began so long ago that its outcome may have been forgotten.

        Rules: ATM-5.
        """
        now_us, kept = self._context().now_us(), self._port.guarantees.outcome_retention
        flow = outcomes.resolve(txid, now_us=now_us, kept=kept)
        return await self._attempts.once(flow, deadline)

    # transactions

    @asynccontextmanager
    async def transaction(self, *, deadline: timedelta | None = None) -> AsyncGenerator[AsyncTransaction]:
        """Begin a transaction; the end of the block commits it, an exception discards it.

        One attempt is made: what was lost to another writer raises ``Conflict``. ``run`` repeats it.

        Args:
            deadline: When every request of the block must have ended, its commit included.

        Raises:
            Conflict: Something that was read has moved.
            StoreError: Any other reason why nothing was written; see :meth:`run`.

        Rules: OCC-1 to OCC-8, ATM-1.
        """
        tx = AsyncTransaction(self._unit(), self._port, end_s=self._attempts.end_s(deadline))
        try:
            yield tx
            if not tx.has_ended:
                await tx.commit()
        finally:
            tx.end()

    async def run(self, fn: Callable[[AsyncTransaction], Awaitable[T]], *, deadline: timedelta | None = None) -> T:
        """Call ``fn(tx)`` and commit, and do so again while other writers win.

        Calls of this store that want the same records go one after the other; among writers elsewhere there are
        jittered pauses.

        ``fn`` may be called several times, so everything that it does must go through ``tx``; using the store itself
        inside it is an error.

        Args:
            fn: What to do.
            deadline: When to give up and raise the last ``Conflict``; by default that of the store, else 30 s.

        Returns:
            What ``fn`` returned in the attempt that was committed.

        Raises:
            Conflict: Other writers won until the deadline.
            DeleteRestricted: A resource that stays refers to one that would go.
            MissingReference: A parent or a target is not there.
            AlreadyExists: The key of a new resource is not free.
            UniqueViolation: Another resource has a value that must be unique.
            UnknownOutcome: The answer to the commit was lost.

        Rules: OCC-1, OCC-6.
        """

        async def attempt(holding: Holding, waiter: AsyncWaiter, end_s: float | None) -> T:
            token = _inside_run.set(_inside_run.get() | {id(self)})
            try:
                unit = Unit(self._surroundings, holding)
                return await run_once(fn, unit, self._port, waiter=waiter, end_s=late(end_s))
            finally:
                _inside_run.reset(token)

        self._context()
        return await self._attempts.run(attempt, deadline)

    def _unit(self, holding: Holding | None = None) -> Unit:
        return Unit(self._context(), holding)

    def _context(self) -> Context:
        """Give the surroundings of a flow, where the store may be used."""
        if self._closed:
            raise InvalidCall("Cannot use this store.", why=["it is closed"], hint="open another one with connect().")
        if id(self) in _inside_run.get():
            raise InvalidCall(
                "The store was used inside run() other than through its tx.",
                why=["what is done around tx is neither checked with it nor repeated with it"],
                hint="call the same method on tx.",
            )
        return self._surroundings
