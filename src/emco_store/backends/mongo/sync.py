# Generated from src/emco_store/backends/mongo/aio.py by `python3 dev.py sync`: do not edit.
"""The time port to MongoDB; the blocking one is made from it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Any, TypeVar

from bson.codec_options import CodecOptions
from pymongo import timeout
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from emco_store.backends.mongo import commands
from emco_store.backends.mongo.errors import Collided, lost, refused, translated
from emco_store.backends.mongo.server import guarantees
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import (
    Commit,
    Fenced,
    Follow,
    Followed,
    Guarantees,
    Outcome,
    OutcomeLost,
    Receipt,
    Refusal,
    Scan,
    Unreachable,
    not_open,
)

T = TypeVar("T")
MAJORITY = WriteConcern("majority")
SNAPSHOT = ReadConcern("snapshot")
OURS = CodecOptions[dict[str, Any]](unicode_decode_error_handler="replace")
"""How documents are read, whatever the client says; broken text is for the rules to find."""
DEADLINE_S = 10.0
"""For how long one request may take, with all that is sent again because it met others or the primary moved."""
ABORT_WITHIN_S = 1.0
FIRST_PAUSE_S = 0.005
LONGEST_PAUSE_S = 0.05


class MongoPort:
    """One namespace on one replica set; see :class:`emco_store.ports.Port`.

    Concerns, read preference and codec options are its own and not the client's.

    Args:
        client: A client of PyMongo.
        database: The name of the database.
        namespace: The namespace.
        owned: Whether to close the client along with the port.
        deadline_s: For how long one request may take, in seconds.
    """

    def __init__(
        self, client: Any, database: str, namespace: str, *, owned: bool, deadline_s: float = DEADLINE_S
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
        self._owned = owned
        self._deadline_s = deadline_s
        self._guarantees: Guarantees | None = None

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        if self._guarantees is None:
            raise not_open()
        return self._guarantees

    def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        if self._guarantees is None:
            self._guarantees = self._perform(self._look)

    def get(self, keys: tuple[Key, ...]) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.Port.get`."""
        found = commands.decoded(self._find(commands.by_id(keys), len(keys)))
        return {record.key: record for record in found}

    def scan(self, scan: Scan) -> tuple[Record, ...]:
        """See :meth:`emco_store.ports.Port.scan`."""
        records: list[Record] = []
        while True:
            query, order, index = commands.scan(scan)
            found = self._find(query, scan.limit, sort=list(order.items()), hint=list(index.items()))
            read = commands.decoded(found)
            records += read
            # What has no key is left out, and others take its place: fewer than the limit means the end.
            if len(read) == len(found) or len(found) < scan.limit:
                return tuple(records)
            scan = replace(scan, after=commands.position(scan, found[-1]), limit=scan.limit - len(read))

    def referrers(self, follow: Follow) -> Followed:
        """See :meth:`emco_store.ports.Port.referrers`."""
        query, limit = commands.follow(follow)
        found = self._find(query, limit, sort=[("_id", 1)])
        if follow.load and len(found) == limit:  # so many refer to them that the order may have cut off the records
            found = [*found, *self._find(commands.by_id(follow.load), len(follow.load))]
        return commands.followed(follow, found)

    def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.Port.commit`."""

        def send(within_s: float) -> Receipt | Refusal:
            if commit.size and self._write(commit, within_s):
                return Receipt(commit.txid)
            return self._diagnose(commit, within_s)

        return self._perform(send)

    def settle(self, txid: str) -> Outcome:
        """See :meth:`emco_store.ports.Port.settle`."""
        query, change = commands.settlement(txid)

        def send(within_s: float) -> Outcome:
            with timeout(within_s):
                found = self._records.find_one_and_update(query, change, upsert=True, return_document=True)
            return Outcome(found["o"])

        return self._perform(send)

    def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        if self._owned:
            self._client.close()

    def _perform(self, request: Callable[[float], T]) -> T:
        """Make a request, again after a pause with full jitter while it meets others, until the deadline.

        Args:
            request: Is told how many seconds are left; what it does must be harmless when it is done again.
        """
        end = monotonic() + self._deadline_s
        longest_s = FIRST_PAUSE_S
        while True:
            try:
                with translated():
                    return request(max(end - monotonic(), FIRST_PAUSE_S))
            except Collided as problem:
                pause_s = random.uniform(0, longest_s)  # noqa: S311 - a pause
                longest_s = min(2 * longest_s, LONGEST_PAUSE_S)
                if monotonic() + pause_s >= end:
                    raise Unreachable from problem
            time.sleep(pause_s)

    def _look(self, within_s: float) -> Guarantees:
        """See what the server is, and make the indexes."""
        with timeout(within_s):
            hello = self._admin.command("hello")
            build = self._admin.command("buildInfo")
            found = guarantees(hello, build["version"])
            create = {"createIndexes": self._name, "indexes": list(commands.INDEXES), "writeConcern": {"w": "majority"}}
            self._database.command(create)
        return found

    def _find(self, query: Any, limit: int, **options: Any) -> Sequence[Any]:
        def send(within_s: float) -> Sequence[Any]:
            with timeout(within_s):
                cursor = self._records.find(query, limit=limit, batch_size=limit + 1, **options)
                found: Sequence[Any] = cursor.to_list()
            return found

        return self._perform(send)

    def _write(self, commit: Commit, within_s: float) -> bool:
        """Send one commit; False when a precondition failed."""
        batches = list(commands.batches(commands.updates(commit)))
        with self._client.start_session() as session:
            # The read preference must be said: a client that prefers secondaries would bring its own.
            session.start_transaction(SNAPSHOT, MAJORITY, ReadPreference.PRIMARY)
            try:
                with timeout(within_s):
                    for batch in batches:
                        reply = self._database.command({"update": self._name, "updates": batch}, session=session)
                        if refused(reply) or reply["n"] != len(batch):
                            return False
                    with lost():
                        session.commit_transaction()
            except OutcomeLost:
                # It may still be open, and PyMongo ends none that it has tried to commit. What happened stays.
                with suppress(PyMongoError), timeout(ABORT_WITHIN_S):
                    self._admin.command("killSessions", [session.session_id])
                raise
            finally:
                # A time of its own: a transaction that stays open blocks others until the server ends it.
                if session.in_transaction:
                    with timeout(ABORT_WITHIN_S):
                        session.abort_transaction()
        return True

    def _diagnose(self, commit: Commit, within_s: float) -> Receipt | Refusal:
        """Say why a commit was refused.

        Raises:
            Collided: By now it would not be.
        """
        ids = [*commands.involved(commit), commands.outcome_id(commit.txid)]
        query: Any = {"_id": {"$in": ids}}
        claims = commands.claims(commit)
        if claims:
            query = {"$or": [query, {"q": {"$in": claims}}]}
        with timeout(within_s):
            found = self._records.find(query, dict.fromkeys("uvgqox", 1)).to_list()
        outcome = next((document["o"] for document in found if "o" in document), None)
        if outcome == Outcome.COMMITTED:
            return Receipt(commit.txid)
        if outcome is not None:
            return Refusal((Fenced(commit.txid),))
        failures = tuple(commands.failures(commit, found))
        if failures:
            return Refusal(failures)
        if commit.size:
            raise Collided
        return Receipt(commit.txid)
