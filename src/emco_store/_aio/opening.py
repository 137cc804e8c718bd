"""How an ``AsyncStore`` is opened and closed, and what its calls share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import Self

from emco_store import notices
from emco_store._aio.attempts import AsyncAttempts
from emco_store.beating import Beater, FindLaunch, MakePort, no_leases_from, no_process_from
from emco_store.core.kept import Kept
from emco_store.core.origins import NOBODY, Origin
from emco_store.core.schema import Schema
from emco_store.errors import InvalidCall
from emco_store.flows import callbacks
from emco_store.flows.acting import Actors
from emco_store.flows.context import Context, Limits, RetryPolicy
from emco_store.flows.holding import Holding
from emco_store.flows.refusals import unavailable
from emco_store.flows.unit import Unit
from emco_store.ports import AsyncPort, Clock, Durability, Guarantees, IdSource, Unreachable


class AsyncOpenedStore:
    """A store as far as it is opened and closed; :class:`AsyncStore` is the whole."""

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
        self._surroundings = Context(schema, limits, clock, ids.new, Actors(origin), kept=Kept(limits.keep_decoded))
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
            found = self._port.guarantees
            found.refuse_below(self._require)
            if found.transport == "plain":
                notices.opened_plain(found.backend, found.transport_reason)
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

    # for the calls

    def _observe(self, wrap: Callable[[AsyncPort], AsyncPort]) -> None:
        """Have each request pass through a port around the one of this store."""
        self._port = wrap(self._port)
        self._attempts.port = self._port

    def _unit(self, holding: Holding | None = None) -> Unit:
        return Unit(self._context(), holding)

    def _context(self) -> Context:
        """Return the surroundings of a flow, where the store may be used."""
        if self._closed:
            raise InvalidCall("Cannot use this store.", why=["it is closed"], hint="open another one with connect().")
        callbacks.refuse_inside(self)
        return self._surroundings
