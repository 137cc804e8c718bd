"""A backend for emco_store over SQLite: small and slow, and complete by the contract."""

from __future__ import annotations

import pickle
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from emco_store.backends.adapters import ThreadedPort
from emco_store.backends.feeds import TRIMMED, changes_of, number_in
from emco_store.backends.pulses import PulseTable, lease_without_pulse, pulse_without_lease
from emco_store.core.events import Event
from emco_store.core.flaws import read_place, write_place
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.core.txids import may_be_forgotten
from emco_store.ports import (
    Audit,
    Audited,
    Beat,
    Beaten,
    Commit,
    Count,
    Durability,
    EventPage,
    Events,
    Failure,
    Fenced,
    Get,
    Guarantees,
    Held,
    Hold,
    Mend,
    Missing,
    Moved,
    Outcome,
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
    Stale,
    Taken,
    feed_gap,
)  # fmt: skip


class SqliteBackend:
    """One database, in memory or in a file."""

    def __init__(self, path: str = ":memory:") -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for table in ("records", "outcomes", "pulses"):
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {table} (ns, id, value, PRIMARY KEY (ns, id))")
        self._connection.execute("CREATE TABLE IF NOT EXISTS holds (ns, id, holder, until, PRIMARY KEY (ns, id))")
        self._connection.execute("CREATE TABLE IF NOT EXISTS feed (number INTEGER PRIMARY KEY, ns, txid, value)")
        self.committed = threading.Condition()

    def port(self, namespace: str) -> SqlitePort:
        return SqlitePort(self, namespace)

    def async_port(self, namespace: str) -> ThreadedPort:
        return ThreadedPort(self.port(namespace))

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        with self._lock, self._connection:  # commits at the end of the block, rolls back on an exception
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection.execute


class SqlitePort(PortBase):
    """One namespace, for blocking use."""

    guarantees = Guarantees("sqlite", "strict serializable", Durability.VOLATILE, leases=True, feed=True)

    def __init__(self, backend: SqliteBackend, namespace: str) -> None:
        self._backend, self._ns = backend, namespace

    def get(self, request: Get) -> Mapping[Key, Record]:
        found = self._all()
        return {key: found[key] for key in request.keys if key in found}

    def scan(self, scan: Scan) -> RecordPage:
        found: list[tuple[tuple[str, str], Record]] = []
        for key, record in self._all().items():
            value = dict(record.index).get(scan.field) if scan.field else ""
            is_near = key.text.startswith(scan.prefix) and (not scan.until or key.text < scan.until)
            is_found = value is not None and is_near and scan.kind in {None, key.kind}
            is_found = is_found and scan.equal in {None, value} and (scan.low is None or value >= scan.low)
            if is_found and (scan.below is None or value < scan.below):
                found.append(((value, key.text), record))
        found.sort(key=lambda pair: pair[0], reverse=scan.descending)
        if scan.after is not None:
            after = (scan.after[0] if scan.field else "", scan.after[1])
            found = [(at, record) for at, record in found if (at < after if scan.descending else at > after)]
        page = found[: scan.limit]
        return RecordPage(tuple(record for _, record in page), page[-1][0] if len(found) > len(page) else None)

    def count(self, count: Count) -> int:
        return len(self.scan(replace(count.scan, limit=sys.maxsize)).records)

    def open(self) -> None:
        pass

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        every = self._all()
        loaded = {key: every[key] for key in query.load if key in every}
        found = [one for one in every.values() if not one.targets.isdisjoint(query.targets)]
        behind = sorted((one for one in found if one.key.text > query.after), key=lambda record: record.key)
        page = tuple(behind[: query.limit])
        return ReferrerPage(loaded, page, page[-1].key.text if len(behind) > len(page) else None)

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = self._committed(commit)
        with self._backend.committed:
            self._backend.committed.notify_all()
        return reply

    def _committed(self, commit: Commit) -> Receipt | Refusal:
        with self._backend.transaction() as sql:
            past = sql("SELECT value FROM outcomes WHERE ns = ? AND id = ?", (self._ns, commit.txid)).fetchone()
            if past is not None:
                return Receipt(commit.txid) if past[0] == Outcome.COMMITTED else Refusal((Fenced(commit.txid),))
            old = self._read(sql)
            pulses, by_text = self._pulses(sql), {key.text: record for key, record in old.items()}
            lapsed = pulses.failures(commit, by_text)
            failures = (*_stale(commit, old), *_taken(commit, old), *self._held(sql, commit), *lapsed)
            if failures:
                return Refusal(failures)
            pulses.end(commit, by_text)
            self._keep(sql, pulses)
            if not commit.size and not commit.silent:
                return Receipt(commit.txid)
            new = {put.key: replace(put, guard=old[put.key].guard if put.key in old else 0) for put in commit.puts}
            for key in commit.require:
                record = new.get(key, old[key])
                new[key] = replace(record, guard=record.guard + 1)
            if commit.size:
                changes = changes_of(commit, {key: record.stamp for key, record in old.items()})
                event = Event("", commit.txid, changes, commit.origin, messages=commit.messages)
                sql("INSERT INTO feed VALUES (NULL, ?, ?, ?)", (self._ns, commit.txid, pickle.dumps(event)))
            for key in commit.deletes:
                sql("DELETE FROM records WHERE ns = ? AND id = ?", (self._ns, key.text))
            for key in (*commit.deletes, *(put.key for put in commit.puts)):
                sql("DELETE FROM holds WHERE ns = ? AND id = ?", (self._ns, key.text))
            for key, record in new.items():
                sql("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", (self._ns, key.text, pickle.dumps(record)))
            sql("INSERT INTO outcomes VALUES (?, ?, ?)", (self._ns, commit.txid, Outcome.COMMITTED.value))
            return Receipt(commit.txid)

    def settle(self, request: Settle) -> Outcome | None:
        is_old = may_be_forgotten(request.txid, time.time_ns() // 1_000_000, self.guarantees.outcome_retention)
        with self._backend.transaction() as sql:
            if not is_old:
                sql("INSERT OR IGNORE INTO outcomes VALUES (?, ?, ?)", (self._ns, request.txid, Outcome.ABORTED.value))
            found = sql("SELECT value FROM outcomes WHERE ns = ? AND id = ?", (self._ns, request.txid)).fetchone()
            return None if found is None else Outcome(found[0])

    def hold(self, hold: Hold) -> None:
        with self._backend.transaction() as sql:
            until = time.monotonic() + hold.lasts.total_seconds()
            free = set(hold.keys) - {
                held.key for held in self._held(sql, Commit("", deletes=hold.keys, holder=hold.holder))
            }
            for key in free & self._read(sql).keys():
                sql("INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?)", (self._ns, key.text, hold.holder, until))

    def release(self, release: Release) -> None:
        with self._backend.transaction() as sql:
            for key in release.keys:
                sql("DELETE FROM holds WHERE ns = ? AND id = ? AND holder = ?", (self._ns, key.text, release.holder))

    def beat(self, beat: Beat) -> Beaten:
        with self._backend.transaction() as sql:
            pulses = self._pulses(sql)
            reply = pulses.beat(beat.beats, _now_us())
            self._keep(sql, pulses)
            return reply

    def pulses(self, pulses: Pulses) -> PulsePage:
        with self._backend.transaction() as sql:
            return self._pulses(sql).page(pulses, _now_us())

    def events(self, events: Events) -> EventPage:
        until_s = time.monotonic() + events.wait.total_seconds()
        with self._backend.committed:  # so no commit comes between the look and the wait
            while True:
                page = self._events(events)
                left_s = until_s - time.monotonic()
                if page.events or events.after is None or left_s <= 0:
                    return page
                self._backend.committed.wait(left_s)

    def _events(self, events: Events) -> EventPage:
        with self._backend.transaction() as sql:
            if events.after is None:
                newest = "SELECT number, txid FROM feed WHERE ns = ? ORDER BY number DESC LIMIT 1"
                last = None if events.oldest else sql(newest, (self._ns,)).fetchone()  # nothing is ever trimmed
                return EventPage("{}.{}".format(*(last or (0, self._ns))))
            number = number_in(events.after)
            found = sql("SELECT txid FROM feed WHERE ns = ? AND number = ?", (self._ns, number)).fetchone()
            if events.after != f"{number}.{self._ns if number == 0 else found and found[0]}":
                raise feed_gap(TRIMMED, events.after)
            after = "SELECT number, txid, value FROM feed WHERE ns = ? AND number > ? ORDER BY number LIMIT ?"
            rows = sql(after, (self._ns, number, events.limit)).fetchall()
        found = [replace(pickle.loads(value), cursor=f"{at}.{txid}") for at, txid, value in rows]  # noqa: S301 - our own
        return EventPage(found[-1].cursor if found else events.after, tuple(found))

    def audit(self, audit: Audit) -> Audited:
        with self._backend.transaction() as sql:
            every, pulses = self._read(sql), self._pulses(sql)  # beside the records nothing else is kept
        _, after = read_place(audit.after, ("records",))
        records = sorted((one for one in every.values() if one.key.text > after), key=lambda record: record.key)
        page = tuple(records[: audit.limit])
        absent = frozenset(target for record in page for target in record.targets if target not in every)
        place = write_place("records", page[-1].key.text) if len(records) > audit.limit else None
        flaws = [lease_without_pulse(record.key.text, record.uid) for record in page if pulses.is_lost(record)]
        if place is None:
            by_text = {key.text: record for key, record in every.items()}
            left = [uid for uid in pulses if pulses.is_left(uid, by_text, _now_us())]
            flaws += [pulse_without_lease(pulses[uid].key.text, uid) for uid in left]
        return Audited(page, absent, tuple(flaws), len(page), place)

    def mend(self, mend: Mend) -> None:
        with self._backend.transaction() as sql:
            pulses, by_text = self._pulses(sql), {key.text: record for key, record in self._read(sql).items()}
            for flaw in mend.flaws:
                _, uid, text = flaw.entry
                pulses.mend(uid, text, by_text, _now_us())
            self._keep(sql, pulses)

    def close(self) -> None:
        """Do nothing: the connection belongs to the backend."""

    def _held(self, sql: Any, commit: Commit) -> Iterator[Held]:
        sql("DELETE FROM holds WHERE until <= ?", (time.monotonic(),))
        held = {text for (text,) in sql("SELECT id FROM holds WHERE ns = ? AND holder <> ?", (self._ns, commit.holder))}
        yield from (Held(key) for key in sorted(commit.keys) if commit.size and key.text in held)

    def _pulses(self, sql: Any) -> PulseTable:
        row = sql("SELECT value FROM pulses WHERE ns = ?", (self._ns,)).fetchone()
        return PulseTable() if row is None else pickle.loads(row[0])  # noqa: S301 - the row is our own

    def _keep(self, sql: Any, pulses: PulseTable) -> None:
        sql("INSERT OR REPLACE INTO pulses VALUES (?, '', ?)", (self._ns, pickle.dumps(pulses)))

    def _all(self) -> dict[Key, Record]:
        with self._backend.transaction() as sql:
            return self._read(sql)

    def _read(self, sql: Any) -> dict[Key, Record]:
        rows = sql("SELECT value FROM records WHERE ns = ?", (self._ns,))
        records = (pickle.loads(value) for (value,) in rows)  # noqa: S301 - the rows are our own
        return {record.key: record for record in records}


def _now_us() -> int:
    return time.monotonic_ns() // 1_000


def _stale(commit: Commit, old: Mapping[Key, Record]) -> Iterator[Failure]:
    for key, expected in commit.expect.items():
        found = old[key].stamp if key in old else None
        if found != expected:
            yield Stale(key, expected, found)
    yield from (Missing(key) for key in sorted(commit.require) if key not in old)
    yield from (Moved(key) for key, seal in commit.sealed.items() if key not in old or old[key].seal != seal)


def _taken(commit: Commit, old: Mapping[Key, Record]) -> Iterator[Taken]:
    going = {*commit.deletes, *(put.key for put in commit.puts)}
    owners = {(key.kind, *pair): key for key, one in old.items() if key not in going for pair in one.unique}
    for put in commit.puts:
        for name, value in put.unique:
            owner = owners.setdefault((put.key.kind, name, value), put.key)
            if owner != put.key:
                yield Taken(put.key, name, owner)
