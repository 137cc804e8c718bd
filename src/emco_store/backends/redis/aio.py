"""The asyncio port to Redis; the blocking one is made from it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import cycle
from time import monotonic
from typing import Any, TypeVar

from redis import exceptions

from emco_store.backends.batcher import AsyncBatcher, Ticket
from emco_store.backends.patience import REQUEST_S, Patience
from emco_store.backends.redis import auditing, commands, ranges
from emco_store.backends.redis.aio_feed import AsyncStreamFeed
from emco_store.backends.redis.aio_transport import AsyncPlainTransport, AsyncTransport
from emco_store.backends.redis.aio_waits import AsyncWaits
from emco_store.backends.redis.calls import addresses
from emco_store.backends.redis.commands import SCRIPTS, SCRIPTS_7, Head, Names, Rest, Script, words
from emco_store.backends.redis.errors import (
    DRIVER_ERRORS,
    Judge,
    Outright,
    Passing,
    meaning,
    meaning_in_commit,
    translated,
)
from emco_store.backends.redis.feed import Entry, Place
from emco_store.backends.redis.pulses import beat_args, beat_reply, pulses_args, pulses_reply
from emco_store.backends.redis.server import judge
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.notices import Outages
from emco_store.ports import (
    AsyncPortBase,
    Audit,
    Audited,
    Beat,
    Beaten,
    Commit,
    Count,
    EventPage,
    Events,
    Get,
    Guarantees,
    Hold,
    Mend,
    Outcome,
    OutcomeLost,
    PulsePage,
    Pulses,
    Receipt,
    RecordPage,
    ReferrerPage,
    ReferrerQuery,
    Refusal,
    Release,
    Scan,
    Settle,
    Unreachable,
    not_open,
)
from emco_store.ports.deadline import LATE, time_left_s

MEMBERS = 100
"""How many commits may go to the server at once."""
LANES = 3
"""How many groups may be on their way; while the server works on one, the callers of others prepare their next."""
WAIT_MS = 2000
"""For how long a commit waits for replicas; then its outcome is lost, and it is sent again."""
Send = Callable[[Any, float | None], Awaitable[Any]]
T = TypeVar("T")


class AsyncRedisPort(AsyncPortBase):
    """One namespace on one Redis primary; see :class:`emco_store.ports.Port`.

    Args:
        client: A client of redis-py that repeats nothing by itself, of one server or of a cluster.
        namespace: The namespace.
        owned: Whether to close the client along with the port.
        replicas: How many replicas must have a commit before it is acknowledged.
        transport: The way to the server; by default the one of public calls.
    """

    def __init__(
        self,
        client: Any,
        namespace: str,
        *,
        owned: bool,
        replicas: int = 0,
        transport: AsyncTransport | None = None,
    ) -> None:
        self._client = client
        self._replicas = replicas
        self._names = Names(namespace)
        self._owned = owned
        self._scripts = SCRIPTS
        self._plain = AsyncPlainTransport(client, "the default of a port")
        self._transport = transport or self._plain
        self._waits = AsyncWaits(client, self._names)
        self._feed = AsyncStreamFeed(self._ask_events, self._await_events)
        # A client that was given may have just one connection.
        lanes = LANES if owned else 1
        self._batchers = cycle([AsyncBatcher[Any, Any](members=MEMBERS, weight=MEMBERS) for _ in range(lanes)])
        self._guarantees: Guarantees | None = None
        self._outages = Outages("Redis")

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        if self._guarantees is None:
            raise not_open()
        return replace(self._guarantees, transport=self._transport.name, transport_reason=self._transport.reason)

    async def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        if self._guarantees is None:
            self._guarantees = await self._perform(meaning, self._plain.calls.within, self._set_up)

    async def _set_up(self) -> Guarantees:
        """Look at the server, and prepare what requests need."""
        primaries = await self._primaries()
        reports = [(await self._client.info("all", **node), await self._fsync(node)) for node in primaries]
        found, is_modern = judge(reports, in_cluster=primaries != [{}], replicas=self._replicas)
        self._scripts = SCRIPTS_7 if is_modern else SCRIPTS
        for node in primaries:
            await self._load(node)
        return found

    @property
    def _is_cluster(self) -> bool:
        return hasattr(self._client, "get_primaries")

    async def _primaries(self) -> list[dict[str, Any]]:
        """Return what a command needs to reach each primary: the node, where the client is one of a cluster."""
        if not self._is_cluster:
            return [{}]
        await self._client.info("server")  # some clients learn the nodes at their first command
        return [{"target_nodes": node} for node in self._client.get_primaries()]

    async def _fsync(self, node: dict[str, Any]) -> str | None:
        try:
            found: str | None = (await self._client.config_get("appendfsync", **node)).get("appendfsync")
        except exceptions.ResponseError:  # a managed server may forbid CONFIG
            return None
        return found

    async def _load(self, node: dict[str, Any]) -> None:
        """Spare the first calls the texts of the scripts, where the user may do so."""
        with suppress(exceptions.NoPermissionError):
            for script in self._scripts.all:
                await self._client.execute_command("SCRIPT LOAD", script.text, **node)

    async def get(self, request: Get) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.PortBase.get`."""
        if not request.keys:  # Redis has no command for nothing
            return {}
        found = await self._ask(self._scripts.get, self._names.get, commands.get_args(request.keys))
        return commands.get_reply(request.keys, found)

    async def scan(self, scan: Scan) -> RecordPage:
        """See :meth:`emco_store.ports.PortBase.scan`."""
        return commands.scan_reply(scan, await self._read(ranges.scan_args(scan)))

    async def count(self, count: Count) -> int:
        """See :meth:`emco_store.ports.PortBase.count`."""
        found: int = await self._read(ranges.count_args(count.scan))
        return found

    async def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        """See :meth:`emco_store.ports.PortBase.referrers`."""
        return commands.referrers_reply(query, await self._read(commands.referrers_args(query)))

    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.PortBase.commit`."""
        head, rest = commands.commit_call(self._names, commit)
        script = self._scripts.commit(commit)
        reply = await self._perform(meaning_in_commit, self._call, script, head, rest, self._together)
        return commands.commit_reply(commit, reply)

    async def settle(self, request: Settle) -> Outcome | None:
        """See :meth:`emco_store.ports.PortBase.settle`."""
        rest = (self._names.outcome(request.txid), commands.OUTCOME_TTL_S, commands.begun_s(request.txid))
        reply = await self._ask(self._scripts.settle, (1,), rest, self._replicated)
        return commands.settle_reply(reply)

    async def hold(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.PortBase.hold`."""
        await self._ask(self._scripts.hold, self._names.hold, commands.hold_args(hold))

    async def release(self, release: Release) -> None:
        """See :meth:`emco_store.ports.PortBase.release`."""
        await self._ask(self._scripts.hold, self._names.hold, commands.release_args(release))

    async def beat(self, beat: Beat) -> Beaten:
        """See :meth:`emco_store.ports.PortBase.beat`."""
        is_first = any(one.number == 1 for one in beat.beats.values())
        send = self._replicated if is_first else None
        return beat_reply(await self._ask(self._scripts.beat, self._names.beat, beat_args(beat), send))

    async def pulses(self, pulses: Pulses) -> PulsePage:
        """See :meth:`emco_store.ports.PortBase.pulses`."""
        args = pulses_args(pulses)
        return pulses_reply(pulses, await self._ask(self._scripts.pulses, self._names.pulses, args))

    async def events(self, events: Events) -> EventPage:
        """See :meth:`emco_store.ports.PortBase.events`."""
        return await self._feed.events(events)

    async def _ask_events(self, args: Rest) -> Any:
        return await self._ask(self._scripts.events, self._names.events, args)

    async def _await_events(self, place: Place, left_s: float) -> Sequence[Entry] | None:
        """Wait until the feed goes on, or for a while; return what follows a place, or None where a script must say."""
        return await self._perform(meaning, self._wait_and_read, place, left_s)

    async def _wait_and_read(self, within_s: float | None, place: Place, left_s: float) -> Sequence[Entry] | None:
        if within_s is not None:
            left_s = min(left_s, within_s)
        return await self._plain.calls.beside(lambda: self._waits.wait(place, left_s))

    async def audit(self, audit: Audit) -> Audited:
        """See :meth:`emco_store.ports.PortBase.audit`."""
        args = auditing.audit_args(self._names, audit)
        return auditing.audit_reply(audit, await self._ask(self._scripts.audit, auditing.audit_head(self._names), args))

    async def mend(self, mend: Mend) -> None:
        """See :meth:`emco_store.ports.PortBase.mend`."""
        args = auditing.mend_args(self._names, mend.flaws)
        await self._ask(self._scripts.mend, auditing.mend_head(self._names), args)

    async def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        await self._transport.close()
        await self._waits.close()
        if self._owned:
            with suppress(Unreachable), translated():  # what cannot be closed is gone
                await self._client.aclose()

    async def _read(self, args: Rest) -> Any:
        return await self._ask(self._scripts.read, self._names.read, args)

    async def _ask(self, script: Script, head: Head, rest: Rest, send: Send | None = None) -> Any:
        """Call a script that may be called twice."""
        return await self._perform(meaning, self._call, script, head, rest, send)

    async def _perform(self, judge: Judge, request: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Make a request, again after a pause while it has no effect, until the deadline.

        Args:
            judge: Says what an error of redis-py means.
            request: Gets the number of seconds that it may take, None where the client's own time-outs are enough; and
                ``args``.
            args: What it gets beside that.
        """
        begin_s = monotonic()
        try:
            return await request(time_left_s(), *args)
        except (*DRIVER_ERRORS, Unreachable) as problem:
            failed = _unreached(problem, judge)
        patience = Patience(begin_s=begin_s)
        while True:
            self._outages.noticed(failed.reasons)
            if isinstance(failed, Passing):
                pause_s = patience.pause_s()
            else:
                pause_s = patience.pause_without_server_s(is_outright=isinstance(failed, Outright))
            if pause_s is None:
                servers = ", ".join(addresses(self._client))
                raise Unreachable(*(f"{servers}: {reason}" for reason in failed.reasons)) from failed.__cause__
            await asyncio.sleep(pause_s)
            try:
                return await request(patience.left_s, *args)
            except (*DRIVER_ERRORS, Unreachable) as problem:
                failed = _unreached(problem, judge)

    async def _call(
        self, within_s: float | None, script: Script, head: Head, rest: Rest, send: Send | None = None
    ) -> Any:
        """Call a script; where the server does not know it, nothing was executed, and its text goes along.

        Args:
            within_s: How long that may take, in seconds.
            script: The script.
            head: The keys that it declares.
            rest: Its other keys and its arguments.
            send: How to send a request, if not by itself.
        """
        go = send or self._transport.ask
        try:
            return await go(("EVALSHA", script.sha, head, rest), within_s)
        except exceptions.NoScriptError:
            return await go(("EVAL", script.text, head, rest), within_s)

    async def _together(self, request: Any, within_s: float | None) -> Any:
        """Send a request along with those that come while another is on its way, where that costs less."""
        if self._transport.is_direct and not self._replicas:
            return await self._transport.ask(request, within_s)
        ticket: Ticket[Any, Any] = Ticket(request)
        batcher = next(self._batchers)
        try:
            is_leader = await batcher.wait_turn(ticket, REQUEST_S if within_s is None else within_s)
        except TimeoutError:
            raise OutcomeLost if ticket.is_taken else Unreachable(LATE) from None
        if is_leader:
            group = batcher.take(ticket)
            try:
                await self._carry_out(group, within_s)
            finally:
                batcher.finish(group)
        elif not ticket.is_served:
            raise OutcomeLost  # its leader was interrupted, and what was sent may still arrive
        return ticket.outcome()

    async def _replicated(self, request: Any, within_s: float | None) -> Any:
        """Send a request; where commits wait for replicas, wait until they have what it wrote."""
        if not self._replicas:
            return await self._transport.ask(request, within_s)
        (reply,) = await self._pipe([request], within_s)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def _pipe(self, requests: Sequence[Any], within_s: float | None) -> Sequence[Any]:
        """Send requests at once, and return the reply or the problem of each."""
        if not self._replicas:
            return await self._exchange(requests, within_s)
        waited = commands.waited(self._replicas, WAIT_MS)
        replies = await self._plain.exchange([*map(words, requests), waited], within_s)
        return commands.replicated(replies[:-1], replies[-1], self._replicas)

    async def _exchange(self, requests: Sequence[Any], within_s: float | None) -> list[Any]:
        """Send requests over one connection, and nothing of others between them."""
        return await self._plain.exchange([*map(words, requests)], within_s)

    async def _carry_out(self, group: Sequence[Ticket[Any, Any]], within_s: float | None) -> None:
        """Send the requests of a group at once, and give each its own reply."""
        try:
            if len(group) == 1 and not self._replicas:
                group[0].answer(await self._transport.ask(group[0].request, within_s))
                return
            replies = await self._pipe([ticket.request for ticket in group], within_s)
        except Exception as problem:  # noqa: BLE001 - each caller judges it for its own command
            for ticket in group:
                ticket.fail(problem)
        else:
            for ticket, reply in zip(group, replies, strict=True):
                if isinstance(reply, Exception):
                    ticket.fail(reply)
                else:
                    ticket.answer(reply)


def _unreached(problem: Exception, judge: Judge) -> Unreachable:
    """Return why a request that failed had no effect.

    Raises:
        Exception: It had one, may have had one, or would be refused again.
    """
    failed = problem if isinstance(problem, Unreachable) else judge(problem)
    if isinstance(failed, Unreachable):
        return failed
    raise failed
