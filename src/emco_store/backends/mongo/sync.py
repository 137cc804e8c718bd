# Generated from src/emco_store/backends/mongo/aio.py by `python3 dev.py sync`: do not edit.
"""The port to MongoDB; the blocking one is made from it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from pymongo.read_preferences import ReadPreference

from emco_store.backends.batcher import Batcher, Ticket
from emco_store.backends.mongo import auditing, commands, indexes, judging, ranges
from emco_store.backends.mongo.documents import OURS, Document, decoded
from emco_store.backends.mongo.errors import Collided, Outdated, Unindexed, refused, translated
from emco_store.backends.mongo.outages import addresses, outage
from emco_store.backends.mongo.sending import are_apart, in_commands, sending, weight
from emco_store.backends.mongo.server import guarantees
from emco_store.backends.mongo.sync_feed import MongoFeed
from emco_store.backends.mongo.sync_gets import Gets
from emco_store.backends.mongo.sync_indexes import MongoIndexes
from emco_store.backends.mongo.sync_pulses import MongoPulses
from emco_store.backends.mongo.sync_transport import (
    MAJORITY,
    SNAPSHOT,
    PlainTransport,
    Transport,
    sent,
)
from emco_store.backends.patience import REQUEST_S, Patience
from emco_store.core.flaws import FlawKind, next_place, read_place
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.notices import Outages
from emco_store.ports import (
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
    PortBase,
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
from emco_store.ports.deadline import LATE

T = TypeVar("T")
IN_ONE_MOMENT = {"readConcern": {"level": "snapshot"}}
MEMBERS = 100
"""How many commits may go as one transaction."""
STATEMENTS = 1000
"""How many statements they may have together; a commit with more goes alone."""


class MongoPort(PortBase):
    """One namespace on one replica set; see :class:`emco_store.ports.Port`.

    Concerns, read preference and codec options are its own and not the client's.

    Args:
        client: A client of PyMongo.
        database: The name of the database.
        namespace: The namespace.
        owned: Whether to close the client along with the port.
        transport: The way to the collection of the namespace; by default the one of public calls.
        deadline_s: For how long one request may take, in seconds.
    """

    def __init__(
        self,
        client: Any,
        database: str,
        namespace: str,
        *,
        owned: bool,
        transport: Transport | None = None,
        deadline_s: float = REQUEST_S,
    ) -> None:
        self._client = client
        self._admin = client.get_database("admin", codec_options=OURS)
        self._database = client.get_database(
            database,
            codec_options=OURS,
            read_concern=SNAPSHOT,
            write_concern=MAJORITY,
            read_preference=ReadPreference.PRIMARY,
        )
        self._name = commands.collection(namespace)
        self._records = self._database.get_collection(self._name)
        self._transport = transport or PlainTransport(client, database, self._name, "the default of a port")
        self._calls = self._transport.calls
        self._indexes = MongoIndexes(self._database, self._calls, self._name)
        self._pulses = MongoPulses(self._transport, self._name)
        self._feed = MongoFeed(client, self._database, self._calls, self._name, namespace)
        self._owned = owned
        options = client.options
        self._deadline_s = min(deadline_s, options.timeout or deadline_s)
        self._gets = Gets(self._ask, self._deadline_s)
        self._looking_s: float = options.server_selection_timeout
        self._attempt_s: float = options.pool_options.socket_timeout or math.inf
        self._named = addresses(client)
        self._clock_ms: float | None = None
        self._guarantees: Guarantees | None = None
        self._outages = Outages("MongoDB")
        self._batcher = Batcher[Commit, Receipt | Refusal](members=MEMBERS, weight=STATEMENTS)

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        if self._guarantees is None:
            raise not_open()
        return replace(self._guarantees, transport=self._transport.name, transport_reason=self._transport.reason)

    def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        if self._guarantees is None:
            found = self._perform(self._look)
            self._perform(self._transport.open)
            self._guarantees = found

    def get(self, request: Get) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.PortBase.get`."""
        return self._gets.get(request.keys)

    def scan(self, scan: Scan) -> RecordPage:
        """See :meth:`emco_store.ports.PortBase.scan`; what has no key is left out."""
        query, order, index = ranges.scan(scan)
        needs = indexes.NO_INDEX if scan.field is None else indexes.FIELDS
        found = self._ask(query, scan.limit, needs, sort=order, hint=index)
        following = ranges.position(scan, found[-1]) if len(found) == scan.limit else None
        return RecordPage(tuple(decoded(found)), following)

    def count(self, count: Count) -> int:
        """See :meth:`emco_store.ports.PortBase.count`."""
        command = {"aggregate": self._name, **ranges.count(count.scan), **IN_ONE_MOMENT}
        needs = indexes.NO_INDEX if count.scan.field is None else indexes.FIELDS
        reply = self._perform(lambda within_s: self._transport.ask(command, within_s), needs)
        return sum(found["n"] for found in reply["cursor"]["firstBatch"])

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        """See :meth:`emco_store.ports.PortBase.referrers`."""
        if not query.after and query.limit >= commands.MANY:
            wanted, limit = commands.referrers(query, in_order=False)
            found = self._ask(wanted, limit)
            if len(found) < limit:
                return commands.referrer_page(query, found, None)
        wanted, limit = commands.referrers(query)
        found = self._ask(wanted, limit, sort={"_id": 1})
        last = found[-1]["_id"] if len(found) == limit else None
        if query.load and last is not None:  # so many refer to them that the order may have cut off the records
            found = [*found, *self._ask(commands.by_id(query.load), len(query.load))]
        return commands.referrer_page(query, found, last)

    def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.PortBase.commit`."""
        if blind := commands.blind(commit):
            return self._commit_seen(commit, blind)
        if not commit.size and not commit.silent:
            return self._perform(lambda within_s: self._examine(commit, within_s))
        patience = Patience(self._deadline_s)
        while True:
            ticket: Ticket[Commit, Receipt | Refusal] = Ticket(commit, weight(commit))
            try:
                is_leader = self._batcher.wait_turn(ticket, patience.left_s)
            except TimeoutError:
                raise OutcomeLost if ticket.is_taken else Unreachable(LATE) from None
            if is_leader:
                self._go(self._batcher.take(ticket))
            elif not ticket.is_served:
                raise OutcomeLost  # its leader was interrupted, and what was sent may still arrive
            try:
                return ticket.outcome()
            except Unreachable:
                if is_leader or not patience.has_time:  # else the deadline that has passed was its leader's
                    raise

    def settle(self, request: Settle) -> Outcome | None:
        """See :meth:`emco_store.ports.PortBase.settle`."""
        query, change = commands.settlement(request.txid)

        def send(within_s: float) -> Outcome | None:
            found: Document = self._calls.ask(
                within_s,
                lambda: self._records.find_one_and_update(query, change, upsert=True, return_document=True),
            )
            return None if found["o"] == commands.FORGOTTEN else Outcome(found["o"])

        return self._perform(send)

    def hold(self, hold: Hold) -> None:
        """See :meth:`emco_store.ports.PortBase.hold`."""
        self._mark(commands.holds(hold))

    def release(self, release: Release) -> None:
        """See :meth:`emco_store.ports.PortBase.release`."""
        self._mark(commands.releases(release))

    def beat(self, beat: Beat) -> Beaten:
        """See :meth:`emco_store.ports.PortBase.beat`."""
        return self._perform(lambda within_s: self._pulses.beat(beat, within_s))

    def pulses(self, pulses: Pulses) -> PulsePage:
        """See :meth:`emco_store.ports.PortBase.pulses`."""
        needs = indexes.DUE if pulses.due else indexes.NO_INDEX
        return self._perform(lambda within_s: self._pulses.page(pulses, within_s), needs)

    def events(self, events: Events) -> EventPage:
        """See :meth:`emco_store.ports.PortBase.events`."""
        return self._feed.events(events, self._perform)

    def audit(self, audit: Audit) -> Audited:
        """See :meth:`emco_store.ports.PortBase.audit`."""
        stage, position = read_place(audit.after, auditing.STAGES)
        if stage == "setup":
            flaws = auditing.set_up(self._perform(self._indexes.there))
            return Audited(flaws=tuple(flaws), next=next_place(auditing.STAGES, stage, None))
        seen, position = auditing.read_position(position)
        documents, last = self._walk(position, audit.limit)
        look = auditing.looked(documents)
        found = list(look.flaws)
        if unseen := look.indexes - seen:
            found += auditing.lost(unseen, self._perform(self._indexes.there))
        if look.claims:
            query = {"q": {"$in": list(look.claims)}}
            found += auditing.shared(look.claims, self._find(query, {"q": 1}))
        if look.holds:
            now = self._perform(self._hello)["localTime"]
            found += auditing.held(look.holds, now)
        absent = {target for record in look.records for target in record.targets}
        for query in auditing.existing(absent):
            absent -= {Key.parse(one["_id"]) for one in self._find(query, {"_id": 1})}
        if suspects := look.suspects:
            found += auditing.apart(suspects, self._find(auditing.both(suspects), auditing.BOTH))
        place = next_place(auditing.STAGES, stage, last and auditing.position(seen | look.indexes, last))
        return Audited(look.records, frozenset(absent), tuple(found), len(documents), place)

    def mend(self, mend: Mend) -> None:
        """See :meth:`emco_store.ports.PortBase.mend`."""
        suspects = auditing.suspects(mend.flaws)
        there = self._find(auditing.both(suspects), auditing.BOTH) if suspects else ()
        if statements := [*auditing.mends(mend.flaws), *auditing.mends_of_pulses(suspects, there)]:
            self._mark(statements)
        if lost := {flaw.entry[1] for flaw in mend.flaws if flaw.kind is FlawKind.SETUP}:
            self._perform(partial(self._indexes.make, lost))

    def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        self._feed.close()
        self._transport.close()
        self._calls.close()
        if self._owned:
            self._client.close()

    def _commit_seen(self, commit: Commit, blind: tuple[Key, ...]) -> Receipt | Refusal:
        """Carry out a commit that ends leases without saying which: it rests on those that are there, until it may."""
        patience = Patience(self._deadline_s)
        while True:
            found = self.get(Get(blind))
            seen = {key: found[key].stamp if key in found else None for key in blind}
            reply = self.commit(replace(commit, expect={**commit.expect, **seen}))
            final = judging.unless_moved(reply, blind)
            if final or (pause_s := patience.pause_s()) is None:
                return final or reply
            time.sleep(pause_s)

    def _go(self, group: Sequence[Ticket[Commit, Receipt | Refusal]]) -> None:
        """Carry out commits whose turn it is, and let the next go."""
        try:
            self._carry_out(group)
            for ticket in group:
                if not ticket.is_served:  # the server refuses what one of them brings: each by itself
                    self._carry_out([ticket])
        finally:
            self._batcher.finish(group)

    def _carry_out(self, group: Sequence[Ticket[Commit, Receipt | Refusal]]) -> None:
        """Carry out commits in one transaction, as if in their order."""
        commits = [ticket.request for ticket in group]
        try:
            replies = self._perform(self._transaction(commits), indexes.needed(commits))
        except (OutcomeLost, Unreachable) as problem:
            for ticket in group:
                ticket.fail(type(problem)(*problem.args))
        except Exception as problem:  # noqa: BLE001 - the caller whose ticket it is raises it
            if len(group) == 1:
                group[0].fail(problem)
        else:
            for ticket, reply in zip(group, replies, strict=True):
                ticket.answer(reply)

    def _transaction(self, commits: Sequence[Commit]) -> Callable[[float], list[Receipt | Refusal]]:
        """Make the request that carries out commits in one transaction.

        Mostly all of them may go. Where they may not, one read tells which of them may, so that one that may not
        hinders no other. No reply is given before the transaction has ended, because each is judged by what those
        before it would have done.
        """
        is_optimistic = are_apart(commits)

        def send(within_s: float) -> list[Receipt | Refusal]:
            nonlocal is_optimistic
            if is_optimistic:
                end_s = monotonic() + within_s
                if self._write(commits, within_s, optimistic=True):
                    return [Receipt(commit.txid) for commit in commits]
                is_optimistic = False
                within_s = end_s - monotonic()
                if within_s <= 0:
                    raise Collided  # there is no time to ask why
            replies = self._judge(commits, within_s)
            going = [commit for commit, reply in zip(commits, replies, strict=True) if reply is None]
            if going and not self._write(going, within_s, optimistic=False):
                raise Collided
            return [reply or Receipt(commit.txid) for commit, reply in zip(commits, replies, strict=True)]

        return send

    def _perform(self, request: Callable[[float], T], needs: Collection[str] = indexes.NO_INDEX) -> T:
        """Make a request, again after a pause while it meets others or finds no server, until the deadline.

        Args:
            request: Gets the number of seconds that it may take; what it does must be harmless when it is done again.
            needs: The indexes to make if the server lacks one that the request names as a hint.
        """
        lacking = self._indexes.unproven(needs)
        patience = Patience(self._deadline_s, self._looking_s)
        while True:
            try:
                with translated():
                    if lacking:
                        self._indexes.make(lacking, min(patience.left_s, self._attempt_s))
                        lacking = indexes.NO_INDEX
                    return request(min(patience.left_s, self._attempt_s))
            except Collided as problem:
                if isinstance(problem, Unindexed):
                    lacking = needs
                if isinstance(problem, Outdated):
                    self._renew()
                pause_s = patience.pause_s()
                if pause_s is None:
                    raise self._unreachable(problem) from problem
            except Unreachable as problem:
                found = outage(self._client, self._named)
                self._outages.noticed(problem.reasons or (found.reasons if found else ()))
                is_outright = bool(problem.reasons) or (found is not None and found.is_outright)
                pause_s = patience.pause_without_server_s(is_outright=is_outright)
                if pause_s is None:
                    raise self._unreachable(problem) from problem.__cause__
            time.sleep(pause_s)

    def _unreachable(self, problem: Exception) -> Unreachable:
        """Say why a request could not be made in its time."""
        if isinstance(problem, Unreachable) and problem.reasons:
            return problem
        found = outage(self._client, self._named)
        if found is not None:
            return Unreachable(*found.reasons)
        servers = ", ".join(addresses(self._client))
        if isinstance(problem, Collided):
            return Unreachable(f"{servers}: others wanted the same records, or the primary moved, until the deadline")
        return Unreachable(f"{servers}: it did not answer in time")

    def _renew(self) -> None:
        """Let the client make its connections anew; PyMongo has no public call for it, see :class:`Outdated`."""
        for server in tuple(self._client._topology._servers.values()):  # noqa: SLF001 - as said
            server.pool.reset_without_pause()

    def _look(self, within_s: float) -> Guarantees:
        """See what the server is, and make the indexes that every namespace has."""
        if not self._calls.ask(within_s, lambda: self._client.is_primary):
            raise Collided
        found = self._calls.ask(within_s, self._server)
        self._indexes.make(indexes.FIRST, within_s)
        return found

    def _server(self) -> Guarantees:
        hello = self._admin.command("hello")
        self._clock_ms = hello["localTime"].replace(tzinfo=UTC).timestamp() * 1000 - monotonic() * 1000
        build = self._admin.command("buildInfo")
        return guarantees(hello, build["version"])

    def _now_ms(self) -> int | None:
        """Return about when it is on the server, in milliseconds since 1970."""
        return None if self._clock_ms is None else int(self._clock_ms + monotonic() * 1000)

    def _ask(
        self, query: Document, limit: int, needs: Collection[str] = indexes.NO_INDEX, **options: Any
    ) -> Sequence[Document]:
        """Return the first documents that a filter finds; as a plain command: a cursor costs the client more."""
        command = {"find": self._name, "filter": query, "limit": limit, "batchSize": limit, **options, **IN_ONE_MOMENT}

        def send(within_s: float) -> Sequence[Document]:
            cursor = self._transport.ask(command, within_s)["cursor"]
            found: Sequence[Document] = cursor["firstBatch"]
            if cursor["id"]:  # more than what fits one reply
                self._transport.ask({"killCursors": self._name, "cursors": [cursor["id"]]}, within_s)
                found = self._calls.ask(within_s, lambda: self._records.find(query, limit=limit, **options).to_list())
            return found

        return self._perform(send, needs)

    def _find(self, query: Document, projection: Document) -> Sequence[Document]:
        """Return a part of all documents that a filter finds."""

        def send(within_s: float) -> Sequence[Document]:
            found: Sequence[Document] = self._calls.ask(
                within_s, lambda: self._records.find(query, projection).to_list()
            )
            return found

        return self._perform(send)

    def _walk(self, position: str, limit: int) -> tuple[list[Document], str | None]:
        """Return the next documents of any kind, and the place of the last one where more may follow."""

        def walk() -> tuple[list[Document], str | None]:
            least, greatest = auditing.bounds(position)
            documents: list[Document] = []
            size = 0
            cursor = self._records.find(
                projection={"f": 0}, hint=[("_id", 1)], min=least, max=greatest, limit=limit + 1
            )
            for document in cursor:
                if auditing.position_of(document) == position:  # the bound belongs to what the server gives
                    continue
                documents.append(document)
                size += auditing.size_of(document)
                if len(documents) == limit or size >= auditing.MAX_BYTES:
                    cursor.close()
                    return documents, auditing.position_of(document)
            return documents, None

        return self._perform(lambda within_s: self._calls.ask(within_s, walk))

    def _hello(self, within_s: float) -> Document:
        found: Document = self._calls.ask(within_s, lambda: self._admin.command("hello"))
        return found

    def _mark(self, statements: Sequence[Document]) -> None:
        """Begin or end holds; each statement stands for itself."""

        def mark() -> None:
            for command in in_commands("update", statements):
                refused(self._database.command({**command.on(self._name), "ordered": False}))

        self._perform(lambda within_s: self._calls.ask(within_s, mark))

    def _write(self, commits: Sequence[Commit], within_s: float, *, optimistic: bool) -> bool:
        """Send one transaction; False when a precondition, or if optimistic anything, failed: nothing was written."""
        work = sending(commits, optimistic=optimistic, now_ms=self._now_ms())
        with self._transport.transaction(within_s) as transaction:
            *before, last = work.begin()
            if work.goes_on:
                now = sent(transaction, [*before, last])
                if now is None:
                    return False
                *before, last = work.finish(now.as_datetime())
            if before and sent(transaction, before) is None:
                return False
            return transaction.finish(last, says_why=not optimistic)

    def _judge(self, commits: Sequence[Commit], within_s: float) -> list[Receipt | Refusal | None]:
        """Say what becomes of commits that are carried out in this order, by what is there now."""
        found: Sequence[Document] = self._calls.ask(
            within_s, lambda: self._records.find(judging.evidence(commits), judging.SHOWN).to_list()
        )
        if over := judging.removals(found):
            self._mark(over)
        return judging.judge(commits, found)

    def _examine(self, commit: Commit, within_s: float) -> Receipt | Refusal:
        """Say whether a commit that writes nothing may stand."""
        (reply,) = self._judge([commit], within_s)
        return reply or Receipt(commit.txid)
