# Generated from src/emco_store/backends/mongo/aio_pulses.py by `python3 dev.py sync`: do not edit.
"""The beats and pulses of the port to MongoDB; the blocking form is generated from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emco_store.backends.mongo import pulses
from emco_store.backends.mongo.documents import Document, pulse_id
from emco_store.backends.mongo.errors import confirmed, refused
from emco_store.backends.mongo.sync_transport import Transport
from emco_store.core.pulses import Heartbeat
from emco_store.ports import Beat, Beaten, PulsePage, Pulses


class MongoPulses:
    """Beats and pulses of one namespace.

    They are read as they are on the primary: a beat that a failover forgets is one that was lost.

    Args:
        transport: The way to the collection.
        collection: Its name.
    """

    def __init__(self, transport: Transport, collection: str) -> None:
        self._transport = transport
        self._collection = collection

    def beat(self, beat: Beat, within_s: float) -> Beaten:
        """See :meth:`emco_store.ports.PortBase.beat`."""
        times: list[int] = []
        lapsed: set[str] = set()
        for some in pulses.beats(beat):
            at_us, over = self._beat(some, within_s)
            times.append(at_us)
            lapsed |= over
        return Beaten(min(times) if times else self._now_us(within_s), frozenset(lapsed))

    def page(self, query: Pulses, within_s: float) -> PulsePage:
        """See :meth:`emco_store.ports.PortBase.pulses`."""
        hello = self._transport.ask({"hello": 1}, within_s)
        now, found = hello["localTime"], list[Document]()
        for wanted, index in pulses.query(query, now):
            found += self._found(wanted, index, query.limit - len(found), within_s)
            if len(found) == query.limit:
                break
        if found:  # a primary that has taken over meanwhile may have found them
            hello = self._transport.ask({"hello": 1}, within_s)
        at_us = max(pulses.micros(one) for one in (now, *(document["now"] for document in found)))
        # One that has just stepped down does not say by which election it was the primary.
        some = tuple(map(pulses.read, found))
        following = some[-1].uid if len(some) == query.limit else None
        return PulsePage(at_us, some, str(hello.get("electionId", "")), following)

    def _beat(self, some: Mapping[str, Heartbeat], within_s: float) -> tuple[int, set[str]]:
        """Send some beats; return when they arrived, and the uids of the leases that are over."""
        updates = pulses.updates(some)
        command = {
            "update": self._collection, "updates": updates, "ordered": False, "writeConcern": pulses.concern(some),
        }  # fmt: skip
        reply = self._transport.ask(command, within_s)
        refused(reply)
        confirmed(reply)
        is_whole = reply["n"] == len(updates)
        # The reply to an update tells neither the time nor which statements found nothing.
        ids = [pulse_id(uid) for uid in some]
        wanted: Document = {"_id": {"$in": ids[:1] if is_whole else ids}}
        found = self._ask(wanted, len(ids), {"n": 1, "a": 1}, within_s)
        there = {pulses.uid_of(document): document for document in found if "n" in document}
        newest = [
            pulses.micros(there[uid]["a"])
            for uid, one in some.items()
            if uid in there and there[uid]["n"] == one.number
        ]
        at_us = max(newest) if newest else self._now_us(within_s)
        return at_us, set() if is_whole else some.keys() - there.keys()

    def _found(self, wanted: Document, index: str, limit: int, within_s: float) -> list[Document]:
        """Return pulses in the order of their uids, in portions that fit one reply."""
        found: list[Document] = []
        while len(found) < limit:
            count = min(limit - len(found), pulses.PORTION)
            some = self._ask(wanted, count, pulses.SHOWN, within_s, index)
            found += some
            if len(some) < count or "$in" in wanted["_id"]:
                break
            wanted = pulses.behind(wanted, some)
        return found

    def _ask(
        self, wanted: Document, limit: int, shown: Document, within_s: float, index: str = "_id_"
    ) -> Sequence[Document]:
        command: Document = {
            "find": self._collection, "filter": wanted, "projection": shown, "sort": {"_id": 1}, "hint": index,
            "limit": limit, "batchSize": limit, "readConcern": {"level": "local"},
        }  # fmt: skip
        reply: Any = self._transport.ask(command, within_s)
        found: Sequence[Document] = reply["cursor"]["firstBatch"]
        return found

    def _now_us(self, within_s: float) -> int:
        reply = self._transport.ask({"hello": 1}, within_s)
        return pulses.micros(reply["localTime"])
