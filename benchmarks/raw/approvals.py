"""Approvals, transitions and histories by hand on MongoDB, for a parent and the records below it.

The transaction reads the members in its snapshot, compares the digest of their content with the one that was looked at,
and increments the ``guard`` of each member, so it collides with every change of one, and, at the parent, with every
create below it. What changes later is found by the next transition, which takes the digest again.

What it leaves out, and emco_store does not: an outcome record; subtrees of more than one level; revisions of more than
16 MiB; a protection from deletes that does not depend on the code that deletes; tags; histories that stay apart where a
group was deleted and made again.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pymongo import MongoClient

from benchmarks.raw.mongo import RawMongo, Restricted, Stale
from emco_store import Resource

ROOT = "Group/g"


class RawRevision(BaseModel):
    """What a page of history shows of a revision, as hand-written code stores it; ``at`` is in microseconds."""

    model_config = ConfigDict(extra="ignore")
    number: int = Field(ge=1)
    digest: str
    state: str
    transition: str
    at: int
    members: int


class RawApprovals(RawMongo):
    """The records of one group.

    Args:
        client: The client.
        name: The collection.
        members: What lies below the group.
    """

    def __init__(self, client: MongoClient[dict[str, Any]], name: str, members: Sequence[Resource]) -> None:
        super().__init__(client, name)
        self.records.insert_one({"_id": ROOT, "rev": 1, "guard": 0, "revisions": 0, "state": "Draft", "refs": []})
        if members:
            self.records.insert_many(
                [{"_id": f"{ROOT}/{at}", "rev": 1, "guard": 0, "parent": ROOT, "refs": [ROOT], "body": _body(member)}
                 for at, member in enumerate(members)]
            )  # fmt: skip

    def digest(self) -> str:
        """Return the digest of the content now."""
        return _digest(_bodies(self.records.find({"refs": ROOT}, batch_size=20_000)))

    def approve(self, digest: str) -> None:
        """Approve the content with this digest, and record it."""

        def attempt(session: Any) -> None:
            bodies = _bodies(self.records.find({"refs": ROOT}, session=session, batch_size=20_000))
            root = self.records.find_one({"_id": ROOT}, session=session)
            if root is None or digest != _digest(bodies):
                raise Stale(ROOT)
            number = root["revisions"] + 1
            self.records.update_many({"refs": ROOT}, {"$inc": {"guard": 1}}, session=session)
            said = {"state": "Approved", "approved": digest, "revisions": number}
            self.records.update_one({"_id": ROOT}, {"$set": said, "$inc": {"guard": 1}}, session=session)
            self.records.insert_one(_revision(number, digest, bodies), session=session)

        self.transact(attempt)

    def record(self, begin: int, end: int) -> None:
        """Write the revisions after ``begin`` up to ``end``, as so many approvals would have left them."""
        bodies = _bodies(self.records.find({"refs": ROOT}))
        self.records.insert_many(_revision(number, "seen", bodies) for number in range(begin + 1, end + 1))
        self.records.update_one({"_id": ROOT}, {"$set": {"revisions": end}})

    def history(self, limit: int, before: int = 10**9) -> list[RawRevision]:
        """Read the newest revisions before one, without their contents."""
        query = {"_id": {"$gt": f"Revision/{ROOT}/", "$lt": _place(before)}}
        found = self.records.find(query, {"packed": 0}).sort("_id", -1).limit(limit)
        return [RawRevision.model_validate(one) for one in found]

    def move(self, before: str, after: str) -> None:
        """Make a transition that reads no content; only if it is refused, somebody would have to look why."""
        done = self.records.update_one({"_id": ROOT, "state": before}, {"$set": {"state": after}, "$inc": {"rev": 1}})
        if not done.matched_count:
            raise Restricted(ROOT)


def _place(number: int) -> str:
    return f"Revision/{ROOT}/{number:010}"


def _revision(number: int, digest: str, bodies: Mapping[str, Any]) -> dict[str, Any]:
    about = RawRevision(
        number=number, digest=digest, state="Approved", transition="approve", at=time.time_ns() // 1000,
        members=len(bodies),
    )  # fmt: skip
    return {"_id": _place(number), **about.model_dump(), "packed": zlib.compress(json.dumps(bodies).encode())}


def _body(member: Resource) -> dict[str, Any]:
    return member.model_dump(mode="json", exclude={"parent"})


def _bodies(found: Any) -> dict[str, Any]:
    return {one["_id"]: one["body"] for one in found}


def _digest(bodies: Mapping[str, Any]) -> str:
    prints = [f"{key} {sha256(json.dumps(bodies[key], sort_keys=True).encode()).hexdigest()}" for key in sorted(bodies)]
    return sha256("\n".join(prints).encode()).hexdigest()
