"""Leases by hand on MongoDB and on Redis: a beat, and a commit that happens only while the lease is held.

The lease is a record of its own. Whoever ends it deletes it, and time alone changes nothing: so a holder whose lease
is over writes nothing, however late its commit arrives. ``owner`` is a name that is never used again, and stronger than
a token that grows: it is compared for equality. Beats and judgements go by the clock of the server.

On MongoDB the pulse, which says when the last beat came, is another document, because a beat must not collide with a
commit. A commit increments the ``guard`` of the lease, so it collides with whoever ends it. On Redis, scripts do all of
that in one step.

What they leave out, and emco_store does not: an outcome record; beats that arrive twice or late, which count here
although their holder is dead; what becomes of those that refer to the holder; the thread that beats, and the reaper.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4 as new_id  # noqa: TID251 - code without our ids

from pymongo import MongoClient, UpdateOne
from pymongo.errors import DuplicateKeyError
from pymongo.write_concern import WriteConcern

from benchmarks.model import RawService
from benchmarks.raw.mongo import RawMongo, Stale, revision
from benchmarks.raw.redis import RawRedis

TAKE = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], 'owner', ARGV[1])
redis.call('ZADD', KEYS[2], now[1] * 1000000 + now[2], KEYS[1])
return 1
"""
"""KEYS: lease, all pulses."""
BEAT = """
local now, over = redis.call('TIME'), {}
for at, owner in ipairs(ARGV) do
  if redis.call('HGET', KEYS[at + 1], 'owner') == owner then
    redis.call('ZADD', KEYS[1], now[1] * 1000000 + now[2], KEYS[at + 1])
  else over[#over + 1] = KEYS[at + 1] end
end
return over
"""
"""KEYS: all pulses, and then leases."""
END = """
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('ZREM', KEYS[2], KEYS[1])
return redis.call('DEL', KEYS[1])
"""
UPDATE = """
if redis.call('HGET', KEYS[2], 'owner') ~= ARGV[3] then return -1 end
if redis.call('HGET', KEYS[1], 'rev') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'rev', ARGV[1] + 1, 'body', ARGV[2])
return 1
"""
"""KEYS: record, lease."""


class Held(Exception):
    """Somebody else has the lease."""


class Over(Exception):
    """The lease is over."""


class RawMongoLeases(RawMongo):
    """Leases beside the records, each with a pulse under the name of its owner."""

    def __init__(self, client: MongoClient[dict[str, Any]], name: str) -> None:
        super().__init__(client, name)
        self._beaten = self.records.with_options(write_concern=WriteConcern(1))

    def take(self, worker: str) -> str:
        """Take the lease of a worker; return the name of the owner."""
        owner = new_id().hex

        def attempt(session: Any) -> None:
            self.records.insert_one({"_id": f"Lease/{worker}", "owner": owner, "guard": 0}, session=session)
            self.records.insert_one({"_id": f"Pulse/{owner}"}, session=session)

        try:
            self.transact(attempt)
        except DuplicateKeyError:
            raise Held(worker) from None
        self.beat({worker: owner})
        return owner

    def beat(self, owners: Mapping[str, str]) -> None:
        """Say that the holders live, by the workers' names; a pulse is there as long as the lease is."""
        now = {"$currentDate": {"at": True}}
        if len(owners) == 1:
            (owner,) = owners.values()
            matched = self._beaten.update_one({"_id": f"Pulse/{owner}"}, now).matched_count
        else:
            statements = [UpdateOne({"_id": f"Pulse/{owner}"}, now) for owner in owners.values()]
            matched = self._beaten.bulk_write(statements, ordered=False).matched_count
        if matched < len(owners):
            raise Over(owners)

    def end(self, worker: str, owner: str) -> None:
        """End a lease."""

        def attempt(session: Any) -> None:
            if not self.records.delete_one({"_id": f"Lease/{worker}", "owner": owner}, session=session).deleted_count:
                raise Over(worker)
            self.records.delete_one({"_id": f"Pulse/{owner}"}, session=session)

        self.transact(attempt)

    def update_held(self, changed: RawService, worker: str, owner: str) -> RawService:
        """Replace a record, unless it has changed since it was read, or the lease is over."""
        fence = UpdateOne({"_id": f"Lease/{worker}", "owner": owner}, {"$inc": {"guard": 1}})
        write = UpdateOne({"_id": changed.id, "rev": changed.rev}, revision(changed))

        def attempt(session: Any) -> None:
            if self.records.bulk_write([fence, write], session=session).matched_count != 2:
                raise Stale(changed.id)

        self.transact(attempt)
        return changed.model_copy(update={"rev": changed.rev + 1})


class RawRedisLeases(RawRedis):
    """Leases beside the records, each a hash with its owner, and the times of all beats in one sorted set."""

    def __init__(self, client: Any, prefix: str) -> None:
        super().__init__(client, prefix)
        self._take: Callable[..., Any] = client.register_script(TAKE)
        self._beat: Callable[..., Any] = client.register_script(BEAT)
        self._end: Callable[..., Any] = client.register_script(END)
        self._update_held: Callable[..., Any] = client.register_script(UPDATE)
        self._pulses = self.place("pulses")

    def take(self, worker: str) -> str:
        """Take the lease of a worker; return the name of the owner."""
        owner = new_id().hex
        if not self._take(keys=[self._lease(worker), self._pulses], args=[owner]):
            raise Held(worker)
        return owner

    def beat(self, owners: Mapping[str, str]) -> None:
        """Say that the holders live, by the workers' names."""
        if over := self._beat(keys=[self._pulses, *map(self._lease, owners)], args=list(owners.values())):
            raise Over(over)

    def end(self, worker: str, owner: str) -> None:
        """End a lease."""
        if not self._end(keys=[self._lease(worker), self._pulses], args=[owner]):
            raise Over(worker)

    def update_held(self, changed: RawService, worker: str, owner: str) -> RawService:
        """Replace a record, unless it has changed since it was read, or the lease is over."""
        args = [changed.rev, changed.model_dump_json(by_alias=True), owner]
        done = self._update_held(keys=[self.place(changed.id), self._lease(worker)], args=args)
        if done != 1:
            raise (Stale if done == 0 else Over)(changed.id)
        return changed.model_copy(update={"rev": changed.rev + 1})

    def _lease(self, worker: str) -> str:
        return self.place(f"Lease/{worker}")
