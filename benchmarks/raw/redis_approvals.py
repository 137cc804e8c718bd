"""Approvals, transitions and histories by hand on Redis, for a parent and the records below it: one script for each.

The script of the approval reads the members, compares the digest of their texts with the one that was looked at, and
writes the revision, all in one step. What changes later is found by the next transition, which takes the digest again.

What it leaves out, and emco_store does not: an outcome record; the order that makes a full memory refuse the script
before its first write; subtrees of more than one level; digests by anything better than SHA-1, and over values in place
of texts; other clients at work meanwhile; contents that are compressed; a protection from deletes that does not depend
on the code that deletes; tags; histories that stay apart where a group was deleted and made again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.raw.approvals import ROOT, RawRevision
from benchmarks.raw.mongo import Restricted, Stale
from benchmarks.raw.redis import RawRedis
from emco_store import Resource

DIGEST = """
local members, content = redis.call('SMEMBERS', KEYS[2]), {}
table.sort(members)
for _, key in ipairs(members) do
  content[#content + 1] = key
  content[#content + 1] = redis.call('HGET', key, 'body')
end
local packed = cmsgpack.pack(content)
local digest = redis.sha1hex(packed)
"""
"""KEYS: root, its referrers, its history."""
LOOK = DIGEST + "return digest"
APPROVE = f"""{DIGEST}
if digest ~= ARGV[1] then return 0 end
local number, now = redis.call('HINCRBY', KEYS[1], 'revisions', 1), redis.call('TIME')
redis.call('HSET', KEYS[1], 'state', 'Approved', 'approved', digest)
redis.call('RPUSH', KEYS[3], cjson.encode({{
  number = number, digest = digest, state = 'Approved', transition = 'approve', members = #members,
  at = string.format('%.0f', now[1] * 1000000 + now[2])
}}))
redis.call('SET', KEYS[3] .. ':' .. number, packed)
return number
"""
MOVE = """
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[2])
return redis.call('HINCRBY', KEYS[1], 'rev', 1)
"""


class RawRedisApprovals(RawRedis):
    """The records of one group.

    Args:
        client: The client.
        prefix: What the names of all keys begin with.
        members: What lies below the group.
    """

    def __init__(self, client: Any, prefix: str, members: Sequence[Resource]) -> None:
        super().__init__(client, prefix)
        self._look: Callable[..., Any] = client.register_script(LOOK)
        self._approve: Callable[..., Any] = client.register_script(APPROVE)
        self._move: Callable[..., Any] = client.register_script(MOVE)
        root = self.place(ROOT)
        self._keys = [root, f"{root}:referrers", f"{root}:history"]
        self.client.hset(root, mapping={"rev": 1, "state": "Draft", "revisions": 0})
        for at, member in enumerate(members):
            place, body = self.place(f"{ROOT}/{at}"), member.model_dump_json(exclude={"parent"})
            self.client.hset(place, mapping={"rev": 1, "body": body, "parent": root})
            self.client.sadd(f"{root}:referrers", place)

    def digest(self) -> str:
        """Return the digest of the content now."""
        found: bytes = self._look(keys=self._keys)
        return found.decode()

    def approve(self, digest: str) -> None:
        """Approve the content with this digest, and record it."""
        if not self._approve(keys=self._keys, args=[digest]):
            raise Stale(ROOT)

    def history(self, limit: int, before: int | None = None) -> list[RawRevision]:
        """Read the newest revisions, of all or before a number, without their contents: number n stands at n - 1."""
        begin, end = (-limit, -1) if before is None else (max(before - 1 - limit, 0), before - 2)
        found = self.client.lrange(self._keys[2], begin, end) if before != 1 else []
        return [RawRevision.model_validate_json(one) for one in reversed(found)]

    def record(self, begin: int, end: int) -> None:
        """Write the revisions after ``begin`` up to ``end``, as so many approvals would have left them."""
        seen = self.digest()
        for _ in range(begin, end):
            self.approve(seen)

    def move(self, before: str, after: str) -> None:
        """Make a transition that reads no content."""
        if not self._move(keys=self._keys[:1], args=[before, after]):
            raise Restricted(ROOT)
