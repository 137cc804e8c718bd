"""``AsyncStore``: the calls of the library."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar, overload

from emco_store._aio.drive import drive
from emco_store._aio.retry import retrying
from emco_store._aio.transaction import AsyncTransaction, Target
from emco_store.core.flaws import Flaw
from emco_store.core.keys import Key
from emco_store.core.plan import Plan
from emco_store.core.query import Condition, Page
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.core.schema import Schema
from emco_store.errors import InvalidCall
from emco_store.flows import checking, lists, outcomes, resources
from emco_store.flows.asking import Flow
from emco_store.flows.checking import CheckPage, Repaired
from emco_store.flows.context import Context, Limits, RetryPolicy
from emco_store.flows.holding import Holding
from emco_store.flows.refusals import unavailable
from emco_store.flows.unit import Unit
from emco_store.ports import AsyncPort, Clock, Durability, Guarantees, IdSource, Outcome, Unreachable
from emco_store.queueing.queues import Queues
from emco_store.queueing.waiters import AsyncWaiter

R = TypeVar("R", bound=Resource)
T = TypeVar("T")
_inside_run: ContextVar[frozenset[int]] = ContextVar("emco_store_inside_run", default=frozenset())


class AsyncStore:
    """The resources of one namespace on one backend; made by ``connect_async``.

    Wherever a resource is meant, the resource, its ``Key`` or a ``Ref`` to it is accepted. What it gives back are
    values: changing one changes nothing in the store.

    Every call may raise ``Unavailable`` when the backend does not answer, and every call that writes
    ``UnknownOutcome`` when the answer to its commit was lost.
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
    ) -> None:
        self._port = port
        self._require = require
        self._namespace = namespace
        self._surroundings = Context(schema, limits, clock, ids.new)
        self._retry = retry
        self._closed = False
        self._queues = Queues()

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
            await self._port.open()
            self._port.guarantees.refuse_below(self._require)
        except Unreachable as problem:
            await self.aclose()
            raise unavailable(problem) from problem
        except BaseException:
            await self.aclose()
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
    async def get(self, target: type[R], *segments: str, if_version: int | None = None) -> R: ...
    @overload
    async def get(self, target: Ref[R], *, if_version: int | None = None) -> R: ...
    @overload
    async def get(self, target: R, *, if_version: int | None = None) -> R: ...
    @overload
    async def get(self, target: Target, *, if_version: int | None = None) -> Any: ...
    async def get(self, target: Any, *segments: str, if_version: int | None = None) -> Any:
        """Read one resource.

        Args:
            target: A model, followed by the names of the key from the root; or a resource, a ``Key`` or a ``Ref``.
            segments: The names, where ``target`` is a model.
            if_version: The version that it must have.

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
        return await drive(resources.look_up(context, key, if_version=if_version), self._port)

    async def get_many(
        self, targets: Sequence[Target], *, if_version: Mapping[Key, int] | None = None, missing_ok: bool = False
    ) -> tuple[Any, ...]:
        """Read several resources in one request, as of one moment, in the order asked for.

        Args:
            targets: Resources, keys or references.
            if_version: For any of the keys, the version that it must have.
            missing_ok: Put None in the place of what is not there, instead of raising.

        Raises:
            NotFound: At least one is not there; all of them are named.
            Conflict: At least one has another version; all of them are named.
            InvalidResource: A stored document cannot be read.
        """
        context = self._context()
        keys = context.addresses(targets)
        flow = resources.look_up_many(context, keys, if_version=if_version, missing_ok=missing_ok)
        return await drive(flow, self._port)

    @overload
    async def list(
        self, model: type[R], *, parent: Target | None = None, under: Target | None = None,
        where: Sequence[Condition] | Condition = (), order_by: str | None = None, limit: int = 100,
        after: str | None = None,
    ) -> Page[R]: ...  # fmt: skip
    @overload
    async def list(
        self, model: str, *, parent: Target | None = None, under: Target | None = None,
        where: Sequence[Condition] | Condition = (), order_by: str | None = None, limit: int = 100,
        after: str | None = None,
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
        return await drive(lists.read_page(context, listing), self._port)

    async def children(self, target: Target, *, limit: int = 1000, after: str | None = None) -> Page[Any]:
        """Read one page of the children of a resource, of all kinds, by key."""
        context = self._context()
        key = context.address(target)
        wanted = resources.is_child_of(key)
        return await drive(resources.related(context, key, wanted, limit=limit, after=after), self._port)

    async def referrers(self, target: Target, *, limit: int = 1000, after: str | None = None) -> Page[Any]:
        """Read one page of those who refer to a resource, its children included, by key."""
        context = self._context()
        key = context.address(target)
        wanted = resources.is_referrer
        return await drive(resources.related(context, key, wanted, limit=limit, after=after), self._port)

    # writing

    async def create(self, resource: R, *, if_version: int | None = None) -> R:
        """Add a new resource.

        Args:
            resource: The resource.
            if_version: 0 or None: a new resource has no version.

        Returns:
            The resource with its ``meta``.

        Raises:
            AlreadyExists: Its key is not free.
            MissingReference: Its parent or a target is not there; all of them are named.
            UniqueViolation: Another resource has a value that must be unique.
            InvalidResource: The data is not acceptable.

        Rules: ID-1, REF-1, REF-2, BAD-1 to BAD-6.
        """
        return await self._run_queued(lambda unit: resources.create(unit, resource, if_version=if_version))

    async def update(self, resource: R, *, if_version: int | None = None) -> R:
        """Replace a resource that was read before, unless it has changed since.

        Args:
            resource: A changed copy of what was read: ``app.model_copy(update={…})``.
            if_version: The version that it must have, beyond the one it was read at.

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
        return await self._run_queued(lambda unit: resources.update(unit, resource, if_version=if_version))

    async def put(self, resource: R, *, if_version: int | None = None) -> R:
        """Create the resource, or replace whatever has its key; one that is equal already stays as it is.

        Args:
            resource: The resource.
            if_version: The version that what is replaced must have; 0 for none there.

        Raises:
            Conflict: What is there has another version.
            MissingReference: Its parent or a target is not there.
            UniqueViolation: Another resource has a value that must be unique.
            InvalidResource: The data is not acceptable.

        Rules: ID-5.
        """
        return await self._run_retried(lambda unit: resources.put(unit, resource, if_version=if_version))

    async def delete(self, *targets: Target, if_version: int | None = None) -> None:
        """Delete resources, and do to all who refer to them what their rules say; repeated while it loses races.

        A target that is given as a resource must still be the one that was read, and not another of the same name.

        Args:
            targets: What to delete, in one commit.
            if_version: The version that each target must have.

        Raises:
            NotFound: A target is not there.
            DeleteRestricted: References forbid it; all of them are named.
            Conflict: A target has another version, or other writers won until the deadline.

        Rules: DEL-1 to DEL-9.
        """
        await self._run_retried(lambda unit: resources.delete(unit, targets, if_version=if_version))

    async def plan_delete(self, *targets: Target) -> Plan:
        """Say what a delete would take with it, change, and be blocked by; nothing is written.

        Raises:
            NotFound: A target is not there.

        Rules: DEL-8.
        """
        return await self._run_once(lambda unit: resources.plan_delete(unit, targets))

    async def apply(self, plan: Plan) -> None:
        """Do what the plan says, all of it.

        Raises:
            Conflict: Something that the plan rests on has moved; plan again.
            DeleteRestricted: The plan has blockers.

        Rules: DEL-9.
        """
        await drive(resources.apply_plan(self._context(), plan), self._port)

    # checking

    async def check(self, *, after: str | None = None, limit: int = 1000, unknown_kinds: bool = False) -> CheckPage:
        """Look at one page of all that is stored, and say what is wrong; nothing is written.

        Args:
            after: ``page.next`` of the page before.
            limit: At most so many records or other entries, 1 to 1000.
            unknown_kinds: Also tell which kinds this store has no model of.

        Returns:
            A page: ``flaws``, and ``next`` as the cursor for ``after=``, None at the end. A page without flaws is
            not the end.

        Raises:
            InvalidCall: The cursor or the limit cannot be used.

        Rules: CHK-1 to CHK-6.
        """
        flow = checking.check(self._context(), after=after, limit=limit, unknown_kinds=unknown_kinds)
        return await drive(flow, self._port)

    async def repair(self, flaws: Iterable[Flaw]) -> Repaired:
        """Do to each flaw what its ``repair`` says, unless what it is about has moved since.

        Args:
            flaws: What ``check`` has found, or a part of it.

        Returns:
            What is repaired, and what is not, with the reason.

        Raises:
            UnknownOutcome: The answer to a commit was lost; check again.

        Rules: CHK-7, CHK-8.
        """
        return await drive(checking.repair(self._context(), flaws), self._port)

    async def resolve(self, txid: str) -> Outcome:
        """Settle a commit whose outcome is unknown: say how it ended; one that has not happened by now never will.

        Raises:
            NotSupported: It began so long ago that its outcome may have been forgotten.

        Rules: ATM-5.
        """
        now_us, kept = self._context().now_us(), self._port.guarantees.outcome_retention
        return await drive(outcomes.resolve(txid, now_us=now_us, kept=kept), self._port)

    # transactions

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncTransaction]:
        """Begin a transaction; the end of the block commits it, an exception discards it.

        One attempt is made: what was lost to another writer raises ``Conflict``. ``run`` repeats it.

        Raises:
            Conflict: Something that was read has moved.
            StoreError: Any other reason why nothing was written; see :meth:`run`.

        Rules: OCC-1 to OCC-8, ATM-1.
        """
        tx = AsyncTransaction(Unit(self._context()), self._port)
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
            deadline: When to give up and raise the last ``Conflict``; the store's own (30 s) by default.

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
        holding = Holding()

        async def attempt() -> T:
            token = _inside_run.set(_inside_run.get() | {id(self)})
            tx = AsyncTransaction(unit := Unit(self._surroundings, holding), self._port, waiter)
            try:
                result = await fn(tx)
            finally:
                _inside_run.reset(token)
                tx.end()
            await drive(unit.commit(), self._port, waiter)
            return result

        self._context()
        policy = self._retry.until(deadline)
        waiter = AsyncWaiter(self._queues, holding.wanted, policy.deadline_s)
        try:
            return await retrying(attempt, policy, lambda: waiter)
        finally:
            waiter.leave()
            await drive(holding.give_back(), self._port)

    async def _run_once(self, make: Callable[[Unit], Flow[T]]) -> T:
        """Run a flow in a unit of work of its own."""
        return await drive(make(Unit(self._context())), self._port)

    async def _run_queued(self, make: Callable[[Unit], Flow[T]]) -> T:
        """Run a flow in a unit of work of its own, again while a delete of what it is about has its turn."""
        return await retrying(
            lambda: drive(make(Unit(self._context())), self._port), self._retry, lambda: AsyncWaiter(self._queues),
            worth=outcomes.is_lost_race,
        )  # fmt: skip

    async def _run_retried(self, make: Callable[[Unit], Flow[T]]) -> T:
        """Run a flow in a unit of work of its own, again while it loses races or the backend cannot be asked."""
        holding = Holding()

        async def attempt() -> T:
            return await drive(make(Unit(self._context(), holding)), self._port, waiter)

        waiter = AsyncWaiter(self._queues, holding.wanted, self._retry.deadline_s)
        try:
            return await retrying(attempt, self._retry, lambda: waiter)
        finally:
            waiter.leave()
            await drive(holding.give_back(), self._port)

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
