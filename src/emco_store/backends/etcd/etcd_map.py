"""etcd as an ordered map: reads at one revision, writes as transactions of etcd."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

from emco_store.backends.etcd.address import Address, read_address
from emco_store.backends.etcd.clock import FRESH_US, STEP_S, Bounds, own_us
from emco_store.backends.etcd.errors import Full
from emco_store.backends.etcd.messages import (
    MEMBERS,
    RANGE,
    STATUS,
    TXN,
    Keys,
    Message,
    is_done,
    parts_of,
    revision_of,
)
from emco_store.backends.etcd.server import durability_of, refuse_unfit
from emco_store.backends.etcd.wire import Wire
from emco_store.backends.keyvalue.ordered_map import Entry, Limits, OrderedMap, Part, Span, Write
from emco_store.ports import OutcomeLost, Unreachable
from emco_store.ports.deadline import time_left_s

_PAGE = "/version"
"""A page that a member answers without asking the others."""
_OPERATION_BYTES = 128
"""What is kept free in a request for each operation: its own bytes, the folder, and a key that stands there twice."""


class EtcdMap(OrderedMap):
    """The entries of a cluster that stand in the folder of this project.

    Args:
        address: The cluster, or its URL.

    Raises:
        InvalidCall: See :func:`.address.read_address`.
    """

    name = "etcd"

    def __init__(self, address: Address | str) -> None:
        self._address = read_address(address) if isinstance(address, str) else address
        self.wire = Wire(self._address)
        self.keys = Keys(self._address.prefix)
        self.limits = limits_of(self._address)
        self._lock = threading.Lock()
        self._users = 0

    def open(self) -> None:
        """See :meth:`.OrderedMap.open`.

        Raises:
            Misconfigured: The user may not read, or is not known.
            NotSupported: The server is too old.
        """
        with self._lock:
            if not self._users:
                try:
                    self._examine()
                except BaseException:
                    self.wire.close()
                    raise
            self._users += 1

    def close(self) -> None:
        """See :meth:`.OrderedMap.close`."""
        with self._lock:
            self._users = max(self._users - 1, 0)
            if not self._users:
                self.wire.close()

    def _examine(self) -> None:
        refuse_unfit(self.wire.ask(STATUS, {}))
        self.durability = durability_of(self.wire.ask(MEMBERS, {})["members"])
        self.wire.ask(RANGE, self.keys.one(b"\0", 0))

    @contextmanager
    def snapshot(self) -> Generator[Reading]:
        """See :meth:`.OrderedMap.snapshot`; the moment is that of the first read."""
        yield Reading(self.wire, self.keys, self._address.max_txn_ops)

    def write(self, write: Write) -> bool:
        """See :meth:`.OrderedMap.write`."""
        try:
            return is_done(self.wire.write(TXN, self.keys.write(write)))
        except Full as problem:
            return self._settled(write, problem)

    def later(self, prefix: bytes, revision: int, limit: int) -> tuple[Entry, ...]:
        """See :meth:`.OrderedMap.later`."""
        return self.keys.entries(self.wire.ask(RANGE, self.keys.later(prefix, revision, limit)))

    def wait(self, prefix: bytes, revision: int, within_s: float) -> None:
        """See :meth:`.OrderedMap.wait`.

        It looks first, and watches from there on: etcd need not go through what has happened since the revision, and
        may have removed it.
        """
        end_s = time.monotonic() + within_s
        is_compacted = True
        while is_compacted and (left_s := end_s - time.monotonic()) > 0:
            answer = self.wire.ask(RANGE, self.keys.later(prefix, revision, 1))
            if self.keys.entries(answer):
                return
            is_compacted = self.wire.watch(self.keys.watch(prefix, revision_of(answer)), left_s)

    def now_us(self) -> int:
        """See :meth:`.OrderedMap.now_us`; to a tenth of a second, which may take a second to find out at first."""
        end_s = time.monotonic() + 1 + STEP_S
        left_s = time_left_s()
        if left_s is not None:
            end_s = min(end_s, time.monotonic() + left_s / 2)
        while not (clock := self._clock()).is_narrow and time.monotonic() < end_s:
            time.sleep(STEP_S)
            self.wire.look(_PAGE)
        return clock.now_us(own_us())

    def about_now_us(self) -> int:
        """See :meth:`.OrderedMap.about_now_us`."""
        return self._clock().now_us(own_us())

    def _clock(self) -> Bounds:
        """Return what the last answers have shown of the clock of a member, and ask if that was long ago."""
        clock = self.wire.clock
        if clock is None or own_us() - clock.at_us > FRESH_US:
            self.wire.look(_PAGE)
            clock = self.wire.clock
        if clock is None:
            raise Unreachable("etcd does not tell the time: something on the way to it takes the header Date away")
        return clock

    def _settled(self, write: Write, problem: Full) -> bool:
        """Find out whether a write has happened of which etcd has said that the database is full.

        It says so before it tries; and also after it has written, if the database has become full since it looked.
        Entries that a write has guarded and put show whether it has happened.
        """
        guarded = [key for key in write.puts if key in write.when]
        with self.snapshot() as now:
            found = now.get(guarded)
        signs = {
            key in found and found[key].value == write.puts[key] and found[key].revision != write.when[key]
            for key in guarded
        }
        if signs == {True}:
            return True
        if signs == {False}:
            raise problem
        raise OutcomeLost from problem  # nothing was guarded, or others have put or deleted meanwhile


class Reading:
    """A snapshot: everything is read at the revision of the first answer.

    Args:
        wire: The connections.
        keys: The keys of the database.
        most: How many keys one request may name.
    """

    def __init__(self, wire: Wire, keys: Keys, most: int) -> None:
        self._wire = wire
        self._keys = keys
        self._most = most
        self._revision = 0

    def get(self, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        """See :meth:`.Snapshot.get`.

        Raises:
            Compacted: etcd has removed the revision since the first read.
        """
        found: dict[bytes, Entry] = {}
        for part in parts_of(keys, self._most):
            found.update(self._many(part) if len(part) > 1 else self._each(part))
        return found

    def _many(self, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        try:
            return self._keys.found(self._ask(TXN, self._keys.many(keys, self._revision)))
        except Full:  # a full database answers no transactions, even if they only read
            return self._each(keys)

    def _each(self, keys: Sequence[bytes]) -> Mapping[bytes, Entry]:
        asked = (self._keys.entries(self._ask(RANGE, self._keys.one(key, self._revision))) for key in keys)
        return {entry.key: entry for entries in asked for entry in entries}

    def scan(self, span: Span) -> Part:
        """See :meth:`.Snapshot.scan`; etcd reads the whole span if it is to be ``descending``."""
        if span.low >= span.below:
            return Part((), more=False)
        return self._keys.part(self._ask(RANGE, self._keys.span(span, self._revision)))

    def count(self, span: Span) -> int:
        """See :meth:`.Snapshot.count`."""
        if span.low >= span.below:
            return 0
        return int(self._ask(RANGE, self._keys.number(span, self._revision)).get("count", 0))

    def _ask(self, path: str, message: Message) -> Message:
        answer = self._wire.ask(path, message)
        self._revision = self._revision or revision_of(answer)
        return answer


def limits_of(address: Address) -> Limits:
    """Return what one write can hold.

    etcd counts the bytes of the whole request. The operations of a write take some of them, and never more than half.
    """
    most = address.max_request_bytes
    write_bytes = max(most - _OPERATION_BYTES * address.max_txn_ops, most // 2)
    return Limits(value_bytes=write_bytes, write_bytes=write_bytes, write_entries=address.max_txn_ops)
