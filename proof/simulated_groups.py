"""The ports to MongoDB and Redis over the simulated server: their own batchers, groups, repeats and aborts.

Only what they send to a server is replaced: a transaction of MongoDB, the commands of a group on Redis.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

from pymongo.client_options import ClientOptions
from redis import exceptions

from emco_store.backends.mongo import judging
from emco_store.backends.mongo.documents import claim_of, outcome_id
from emco_store.backends.mongo.errors import Collided
from emco_store.backends.mongo.task import TaskMongoPort
from emco_store.backends.redis.aio_transport import AsyncPlainTransport
from emco_store.backends.redis.errors import meaning_in_commit, translated
from emco_store.backends.redis.task import TaskRedisPort
from emco_store.ports import Commit, OutcomeLost, Receipt, Refusal
from proof.simulated_network import NAMESPACE, NoAnswer, NotSent, Server
from proof.simulated_ports import SimulatedReads, Site

DEADLINE_S = 3.0
ENDLESS_S = 1000.0
"""How long a commit may wait for its group: so long that waiting for nothing is found as a call that took too long."""


class GroupingPort(SimulatedReads, TaskMongoPort):
    """Groups commits with the code of the port to MongoDB, over a transaction of the simulated server."""

    def __init__(self, site: Site) -> None:
        TaskMongoPort.__init__(self, _NoDatabase(), "simulated", NAMESPACE, owned=False, deadline_s=DEADLINE_S)
        SimulatedReads.__init__(self, site)

    async def _write(self, commits: Sequence[Commit], within_s: float, *, optimistic: bool) -> bool:  # noqa: ARG002 - the base's
        """Send the statements, then the commit; both in one message for a lone commit that allows it."""
        told = " ".join(commit.txid for commit in commits)
        server, network, client = self.site.server, self.site.network, self.site.client
        if len(commits) == 1:
            if network.strikes(network.weather.collided, "collided"):
                raise Collided
            try:
                return await network.call(client, "commit", told, lambda: server.together([*commits]))
            except NotSent:
                raise Collided from None
            except NoAnswer:
                raise OutcomeLost from None
        try:
            if not await network.call(client, "update", told, lambda: server.together([*commits], keep=False)):
                return False
        except (NotSent, NoAnswer):
            raise Collided from None  # a transaction that was not committed ends on its own
        if network.strikes(network.weather.collided, "collided"):
            raise Collided
        try:
            done = await network.call(client, "commitTransaction", told, lambda: server.together([*commits]))
        except (NotSent, NoAnswer):
            raise OutcomeLost from None
        if not done:
            raise Collided  # another client has written what this one had read
        return True

    async def _judge(self, commits: Sequence[Commit], within_s: float) -> list[Receipt | Refusal | None]:  # noqa: ARG002
        """Read the records, and judge by them."""
        server = self.site.server
        told = " ".join(commit.txid for commit in commits)
        try:
            found = await self.site.network.call(self.site.client, "find", told, lambda: _documents(server))
        except (NotSent, NoAnswer):
            raise Collided from None
        return judging.judge(commits, found)


class _NoServers:
    """Stands for the description of a topology whose primary can be reached."""

    def has_writable_server(self) -> bool:
        """Return True."""
        return True

    def server_descriptions(self) -> Mapping[tuple[str, int], Any]:
        """Return no server."""
        return {}


class _NoDatabase:
    """Stands for a client of PyMongo with default options that sends nothing, knows no servers, and has all indexes."""

    options = ClientOptions("", "", None, {})
    topology_description = _NoServers()

    def get_database(self, *_: object, **__: object) -> Self:
        """Return itself."""
        return self

    get_collection = get_database

    async def command(self, *_: object, **__: object) -> Mapping[str, Any]:
        """Return the reply to the command that makes indexes."""
        return {"ok": 1.0}


def _documents(server: Server) -> tuple[Mapping[str, Any], ...]:
    """Return all records as MongoDB would show them."""
    now = server.loop.time()
    with server.backend.request(NAMESPACE, "find", None) as space:
        outcomes = [{"_id": outcome_id(txid), "o": str(outcome)} for txid, (outcome, _) in space.outcomes.items()]
        records: list[dict[str, Any]] = []
        for text, record in space.records.items():
            claims = [claim_of(record.key.kind, name, value) for name, value in record.unique]
            document = {"_id": text, "u": record.uid, "v": record.version, "g": record.guard, "q": claims}
            if text in space.holds:
                holder, until = space.holds[text]
                document |= {"k": {"h": holder}, "over": until <= now}
            records.append(document)
    return (*outcomes, *records)


class _Single(AsyncPlainTransport):
    """Sends a commit that has no company, by what sends several."""

    def __init__(self, execute: Callable[[Sequence[Commit]], Awaitable[list[Receipt | Refusal]]]) -> None:
        super().__init__(None, "that of the simulation")
        self._execute = execute

    async def ask(self, request: Any, within_s: float | None) -> Any:  # noqa: ARG002 - the base's
        """Send one commit."""
        (reply,) = await self._execute([request])
        return reply


class PipingPort(SimulatedReads, TaskRedisPort):
    """Sends groups of commits with the code of the port to Redis, over connections to the simulated server."""

    def __init__(self, site: Site) -> None:
        TaskRedisPort.__init__(self, None, NAMESPACE, owned=True, transport=_Single(self._execute))
        SimulatedReads.__init__(self, site)

    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.Port.commit`."""
        with translated(meaning_in_commit):
            reply: Receipt | Refusal = await self._together(commit, ENDLESS_S)
        return reply

    async def _exchange(self, requests: Sequence[Any], within_s: float | None) -> list[Any]:  # noqa: ARG002
        """Send commits at once; other commits may come between them, and the connection may end between them."""
        commits: list[Commit] = [*requests]
        network = self.site.network
        first = network.random.randint(1, len(commits)) if len(commits) > 1 else 1
        replies = await self._execute(commits[:first])
        if first < len(commits):
            if network.strikes(network.weather.cut, "cut"):
                raise exceptions.ConnectionError
            try:
                replies += await self._execute(commits[first:])
            except exceptions.ConnectionError:
                raise exceptions.ConnectionError from None  # the first of them have arrived
        return replies

    async def _execute(self, commits: Sequence[Commit]) -> list[Receipt | Refusal]:
        port, network, client = self.site.server.port, self.site.network, self.site.client
        told = " ".join(commit.txid for commit in commits)
        try:
            return await network.call(client, "commands", told, lambda: [port.ask(commit) for commit in commits])
        except NotSent:
            raise exceptions.ConnectionError("Error 111 connecting to a server in memory") from None
        except NoAnswer:
            raise exceptions.ConnectionError from None
