"""Feeds by hand: a change stream on MongoDB, and on Redis a stream that the script of the update writes.

A reader keeps a cursor, so it can go on after a restart, and learns it if what comes after the cursor is not there any
more. On MongoDB the server looks for that. On Redis, ``XREAD`` would leave out in silence what was trimmed or lost, so
the entry of the cursor must still be there, and be the same, after its followers were read.

What they leave out, and emco_store does not: an outcome record; who changed what, and why; on MongoDB, the changes of
one transaction as one event; on Redis, the order that makes a full memory refuse the script before its first write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4 as new_id  # noqa: TID251 - code without our ids

from benchmarks.model import RawService
from benchmarks.raw.mongo import RawMongo, Stale
from benchmarks.raw.redis import RawRedis

KEPT = 100_000
WAIT_MS = 1_000
AT_ONCE = 100
UPDATE = f"""
if redis.call('HGET', KEYS[1], 'rev') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'rev', ARGV[1] + 1, 'body', ARGV[2])
redis.call('XADD', KEYS[2], 'MAXLEN', '~', {KEPT}, '*', 'key', KEYS[1], 'rev', ARGV[1] + 1, 'id', ARGV[3])
return 1
"""
"""KEYS: record, stream."""


class Gap(Exception):
    """What comes after the cursor is not there any more."""


def mongo_updates(raw: RawMongo, begun: Callable[[], object]) -> Iterator[int]:
    """Yield the ``rev`` of each update from now on; an error of the server says that the cursor is too old."""
    wanted = [{"$match": {"operationType": {"$in": ["insert", "update", "replace", "delete"]}}}]
    with raw.records.watch(wanted) as stream:
        begun()
        for change in stream:
            _ = stream.resume_token  # what a reader that starts again goes on after
            yield int(change["updateDescription"]["updatedFields"]["rev"])


class RawRedisFeed(RawRedis):
    """Records with a stream of their changes."""

    def __init__(self, client: Any, prefix: str) -> None:
        super().__init__(client, prefix)
        self._update_told: Callable[..., Any] = client.register_script(UPDATE)
        self._stream = self.place("feed")

    def update_told(self, changed: RawService) -> RawService:
        """Replace a record, unless it has changed or gone since it was read, and tell it."""
        args = [changed.rev, changed.model_dump_json(by_alias=True), new_id().hex]
        if self._update_told(keys=[self.place(changed.id), self._stream], args=args) != 1:
            raise Stale(changed.id)
        return changed.model_copy(update={"rev": changed.rev + 1})

    def updates(self, begun: Callable[[], object]) -> Iterator[int]:
        """Yield the ``rev`` of each update from now on; the stream must have an entry.

        Raises:
            Gap: The entry of the cursor has been trimmed or lost.
        """
        (seen,) = self.client.xrevrange(self._stream, count=1)
        begun()
        while True:
            found = self.client.xread({self._stream: seen[0]}, count=AT_ONCE, block=WAIT_MS)
            if self.client.xrange(self._stream, seen[0], seen[0]) != [seen]:
                raise Gap(seen[0])
            for entry in found[0][1] if found else ():
                seen = entry
                yield int(entry[1][b"rev"])
