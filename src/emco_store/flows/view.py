"""What one transaction sees: the records that it has read, with what it would write over them.

Everything that was read becomes part of what the commit rests on. An earlier read of a record counts, not a later one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter, is_
from typing import NamedTuple

from emco_store.core.keys import Key
from emco_store.core.records import Record, Seal, Stamp
from emco_store.flows.asking import Flow, read
from emco_store.flows.context import Context
from emco_store.flows.filling import referring
from emco_store.flows.refusals import already_exists, not_found, stale, too_large
from emco_store.ports import Get, ReferrerQuery

MIN_PAGE = 1000
"""Referrers that are read at once, where a commit may hold fewer records."""


class Referrers(NamedTuple):
    """A page of referrers, and where the next one begins; ``next`` is empty at the end."""

    records: Sequence[Record]
    next: str = ""


class View:
    """The records of one transaction.

    Attributes:
        base: Records as the backend returned them; None where there was none.
        expect: The states that the commit rests on.
        sealed: The guards that the commit rests on.
        puts: What would be written.
        gone: What would be deleted; True where it was named, False where a cascade reached it.
        watched: Statuses that the caller has read or reported; another one may change until it goes with its resource.
        reads: How many requests were answered; one is consistent by itself.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.base: dict[Key, Record | None] = {}
        self.expect: dict[Key, Stamp | None] = {}
        self.sealed: dict[Key, Seal] = {}
        self.puts: dict[Key, Record] = {}
        self.gone: dict[Key, bool] = {}
        self.watched: set[Key] = set()
        self.reads = 0
        self._dropped: dict[Key, Record] = {}

    def fetch(self, keys: Iterable[Key]) -> Flow[Mapping[Key, Record]]:
        """Return the records that are there, the transaction's own writes included."""
        wanted = list(dict.fromkeys(keys))
        yield from self.load([key for key in wanted if key not in self.puts and key not in self.gone])
        return {key: record for key in wanted if (record := self.current(key)) is not None}

    def current(self, key: Key) -> Record | None:
        """Return a record as the transaction sees it, if it has read or written it."""
        if self.puts and key in self.puts:
            return self.puts[key]
        return self.base.get(key) if self.base and key not in self.gone else None

    def remember(self, record: Record) -> Record:
        """Make a record that a scan returned part of what the commit rests on; return the one that was read first."""
        known = self.base.setdefault(record.key, record)
        if known is not None:
            self._rest_on(record.key, known)
        return known or record

    def seal(self, key: Key) -> None:
        """Rest on nobody referring to the record from now on; it must have been loaded before its referrers are."""
        record = self.base.get(key)
        if record is not None:
            self.sealed.setdefault(key, record.seal)

    def load(self, keys: Sequence[Key]) -> Flow[None]:
        """Read what the backend has, once for each key."""
        unread = tuple(key for key in keys if key not in self.base)
        if unread:
            self._learn(unread, (yield from read(Get(unread))))

    def load_beside(self, keys: Sequence[Key], others: Sequence[Key]) -> Flow[Mapping[Key, Record]]:
        """Read keys, and in the same request others on which the transaction does not rest; return the others.

        The others are as the transaction sees them; one becomes part of what it rests on with :meth:`remember`.
        """
        self.watched.update(keys)
        own = [key for key in keys if key not in self.base]
        unread = [key for key in others if key not in self.base and key not in self.puts and key not in self.gone]
        answer: Mapping[Key, Record] = (yield from read(Get((*own, *unread)))) if own or unread else {}
        if own:
            self._learn(own, answer)
        seen = {key: answer.get(key) if key in unread else self.current(key) for key in others}
        return {key: record for key, record in seen.items() if record is not None}

    def referrers_of(
        self, targets: Sequence[Key], *, after: str = "", also: Iterable[Key] = (),
        wanted: Callable[[Record], bool] | None = None,
    ) -> Flow[Referrers]:  # fmt: skip
        """Load the targets, seal them, and return a page of their referrers, as the transaction sees those.

        Referrers that the transaction deletes are among them, as they last were, because some rules block for them. The
        backend still has them, except for what the transaction wrote before it deleted them.

        Args:
            targets: Whose referrers are wanted.
            after: The ``next`` of the page before. All that one commit could change fits on the first page.
            also: Other records to load along, which are not sealed.
            wanted: Which referrers are wanted; the transaction does not rest on the others. None stands for all.
        """
        unread = tuple(dict.fromkeys([key for key in (*targets, *also) if key not in self.base]))
        limit = max(self.context.limits.max_records + 1, MIN_PAGE)
        answer = yield from referring(ReferrerQuery(tuple(targets), unread, after, limit))
        self._learn(unread, answer.records)
        for target in targets:
            self.seal(target)
        found = [self.remember(record) for record in answer.referrers if wanted is None or wanted(record)]
        following = answer.referrers[-1].key.text if len(answer.referrers) >= limit else ""
        own = self._dropped | self.puts if self._dropped or self.puts else {}
        if own and after:
            found = [record for record in found if record.key not in own]
        elif own:
            latest = {record.key: record for record in found} | own
            found = sorted(latest.values(), key=attrgetter("key.text"))
        elif wanted is None and all(map(is_, found, answer.referrers)):
            return Referrers(found, following)
        sought = frozenset([target.text for target in targets])
        return Referrers(
            [record for record in found if record.refers_to(sought) and (wanted is None or wanted(record))], following
        )

    def drop(self, key: Key, *, named: bool) -> None:
        """Delete a record, and forget what the transaction would have written over it."""
        if self.puts and key in self.puts:
            self._dropped[key] = self.puts.pop(key)
        if named:
            self.gone[key] = True
        else:
            self.gone.setdefault(key, False)

    def match(self, key: Key, record: Record | None, stamp: Stamp) -> None:
        """Refuse a record that is not in the expected state."""
        if record is None or record.uid != stamp.uid:
            raise not_found([key])
        if record.stamp != stamp:
            raise stale([key])

    def check_size(self, size: int, what: str) -> None:
        """Refuse more records than one commit may hold."""
        limit = self.context.limits.max_records
        if size > limit:
            raise too_large(what, size, limit)

    def _learn(self, keys: Iterable[Key], found: Mapping[Key, Record]) -> None:
        self.reads += 1
        for key in keys:
            record = found.get(key)
            self.base[key] = record
            self._rest_on(key, record)

    def _rest_on(self, key: Key, record: Record | None) -> None:
        """Make a state part of what the commit rests on; one that an earlier write rules out fails now."""
        stamp = None if record is None else record.stamp
        expected = self.expect.setdefault(key, stamp)
        if expected is stamp:
            return
        if expected is None:
            raise already_exists(key)
        self.match(key, record, expected)
