"""Safe by hand on Redis: one Lua script for each write, so that checks and writes are one step.

The driver must not repeat a script by itself (``Retry(NoBackoff(), 0)``): a create that is sent twice says "exists".
What it leaves out, and emco_store does not: an outcome record; the order that makes a full memory refuse the script
before its first write; key types; unique values; rules other than cascade from a parent and restrict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from benchmarks.model import RawService
from benchmarks.raw.mongo import Missing, Restricted, Stale

CREATE = """
for n = 3, #KEYS, 2 do if redis.call('EXISTS', KEYS[n]) == 0 then return 0 end end
if redis.call('HSETNX', KEYS[1], 'rev', 1) == 0 then return -1 end
redis.call('HSET', KEYS[1], 'body', ARGV[1], 'parent', ARGV[2], 'refs', ARGV[3])
for n = 4, #KEYS, 2 do redis.call('SADD', KEYS[n], KEYS[1]) end
return 1
"""
"""KEYS: record, its referrers, and then each target with its referrers."""
UPDATE = """
if redis.call('HGET', KEYS[1], 'rev') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'rev', ARGV[1] + 1, 'body', ARGV[2])
return 1
"""
LIST = """
local found = {}
for _, key in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local parts = redis.call('HMGET', key, 'rev', 'body')
  found[#found + 1] = {key, parts[1], parts[2]}
end
return found
"""
DELETE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local going, order, at = {[KEYS[1]] = true}, {KEYS[1]}, 1
local suspects = {}
while order[at] do
  for _, key in ipairs(redis.call('SMEMBERS', order[at] .. ':referrers')) do
    if redis.call('HGET', key, 'parent') == order[at] then
      if not going[key] then going[key] = true; order[#order + 1] = key end
    else suspects[#suspects + 1] = key end
  end
  at = at + 1
end
for _, key in ipairs(suspects) do if not going[key] then return -1 end end
for _, key in ipairs(order) do
  for target in string.gmatch(redis.call('HGET', key, 'refs') or '', '%S+') do
    redis.call('SREM', target .. ':referrers', key)
  end
  redis.call('DEL', key, key .. ':referrers')
end
return #order
"""
"""It reads keys that it does not declare: not for Redis Cluster."""


def client(url: str) -> redis.Redis:
    """Make a client that repeats nothing."""
    return redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0))


def async_client(url: str) -> redis.asyncio.Redis:
    """Make an asyncio client that repeats nothing; each task that waits has a connection."""
    return redis.asyncio.Redis.from_url(url, retry=AsyncRetry(NoBackoff(), 0), max_connections=128)


class RawRedis:
    """Records under a prefix, each a hash of ``rev``, ``body``, ``parent`` and ``refs``, beside a set of referrers."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._prefix = prefix
        self.client = client
        self._create: Callable[..., Any] = client.register_script(CREATE)
        self._update: Callable[..., Any] = client.register_script(UPDATE)
        self._list: Callable[..., Any] = client.register_script(LIST)
        self._delete: Callable[..., Any] = client.register_script(DELETE)

    def add_target(self, key: str) -> None:
        """Add a site or network."""
        self.client.hset(self.place(key), mapping={"rev": 1, "body": f'{{"_id":"{key}"}}'})

    def create(self, made: RawService) -> None:
        """Add a record whose parent and targets must be there."""
        keys, args = self._creation(made)
        if self._create(keys=keys, args=args) != 1:
            raise Missing(made.refs)

    async def create_async(self, made: RawService) -> None:
        """Do the same with an asyncio client."""
        keys, args = self._creation(made)
        if await self._create(keys=keys, args=args) != 1:
            raise Missing(made.refs)

    def _creation(self, made: RawService) -> tuple[list[str], list[Any]]:
        keys = [self.place(made.id), f"{self.place(made.id)}:referrers"]
        for target in made.refs:
            keys += (self.place(target), f"{self.place(target)}:referrers")
        refs = " ".join(self.place(target) for target in made.refs)
        return keys, [made.model_dump_json(by_alias=True), self.place(made.parent), refs]

    def get(self, key: str) -> RawService:
        """Read one record."""
        rev, body = self.client.hmget(self.place(key), "rev", "body")
        return _read(rev, body)

    def read(self, key: str) -> list[Any]:
        """Read one record without making a model of it."""
        found: list[Any] = self.client.hmget(self.place(key), "rev", "body")
        return found

    def update(self, changed: RawService) -> RawService:
        """Replace a record whose references stay as they are, unless it has changed or gone since it was read."""
        args = [changed.rev, changed.model_dump_json(by_alias=True)]
        if self._update(keys=[self.place(changed.id)], args=args) != 1:
            raise Stale(changed.id)
        return changed.model_copy(update={"rev": changed.rev + 1})

    def children(self, parent: str) -> list[RawService]:
        """Read all that refer to a record, by key."""
        found = self._list(keys=[f"{self.place(parent)}:referrers"])
        return [_read(rev, body) for _, rev, body in sorted(found)]

    def delete(self, key: str) -> int:
        """Delete a record and all below it; refused where somebody else refers to any of them."""
        done = int(self._delete(keys=[self.place(key)]))
        if done < 1:
            raise (Missing if done == 0 else Restricted)(key)
        return done

    def place(self, key: str) -> str:
        """Return the name of a record's hash."""
        return f"{self._prefix}:{key}"


def _read(rev: bytes, body: bytes) -> RawService:
    read = RawService.model_validate_json(body)
    return read if read.rev == int(rev) else read.model_copy(update={"rev": int(rev)})
