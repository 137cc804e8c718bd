"""Safe by hand on MongoDB, blocking: what a careful service would write with PyMongo and nothing else.

It is safe for the reasons that emco_store is (docs/explanation/how-it-works.md). A create increments the ``guard`` of
its parent and of every target in the transaction that inserts it, so it collides with whoever deletes one of them; a
guard that matches nothing means that the target is gone. A delete reads the referrers in the snapshot of its
transaction, level by level, and deletes every record that it decided about, so it collides with every create that
guarded one of them meanwhile. An update that changes no reference is one conditional write. Guards and new record are
statements of one ``update`` command, the fastest shape that we know, not the one that comes to mind first
(``create_plainly``).

What it leaves out, and emco_store does not: an outcome record, so a caller whose reply to the commit was lost does
not learn how it ended; unique values; rules other than cascade from a parent and restrict; stored rules; clear errors.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from pymongo import MongoClient, ReplaceOne, UpdateOne
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from benchmarks.model import RawService

T = TypeVar("T")
MAJORITY = WriteConcern("majority")
SNAPSHOT = ReadConcern("snapshot")
DATABASE = "bench_raw"
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.005, 0.05
_CONFLICT = 112


class Missing(Exception):
    """A parent or target is not there."""


class Restricted(Exception):
    """Somebody who stays refers to what would go."""


class Stale(Exception):
    """The record is not in the state that was read."""


class RawMongo:
    """One collection of records, each with ``parent``, ``refs`` (indexed), ``rev`` and ``guard``."""

    def __init__(self, client: MongoClient[dict[str, Any]], name: str) -> None:
        self._client = client
        self.records = client[DATABASE].get_collection(name, write_concern=MAJORITY)
        self.records.create_index("refs")

    def create(self, made: RawService) -> None:
        """Add a record whose parent and targets must be there."""
        self.transact(lambda session: _check(made, self.records.bulk_write(creation(made), session=session)))

    def create_many(self, made: Sequence[RawService]) -> None:
        """Add records in one transaction."""
        guards = [UpdateOne({"_id": key}, {"$inc": {"guard": 1}}) for key in sorted({k for m in made for k in m.refs})]
        documents = [one.model_dump(by_alias=True) for one in made]

        def attempt(session: Any) -> None:
            if self.records.bulk_write(guards, session=session).matched_count != len(guards):
                raise Missing
            self.records.insert_many(documents, session=session)

        self.transact(attempt)

    def create_plainly(self, made: RawService) -> None:
        """Do what :meth:`create` does with one command for each step, which is what comes to mind first."""
        document = made.model_dump(by_alias=True)

        def attempt(session: Any) -> None:
            for key in made.refs:
                if not self.records.update_one({"_id": key}, {"$inc": {"guard": 1}}, session=session).matched_count:
                    raise Missing(key)
            self.records.insert_one(document, session=session)

        self.transact(attempt)

    def get(self, key: str) -> RawService:
        """Read one record."""
        return RawService.model_validate(self.records.find_one({"_id": key}))

    def update(self, changed: RawService) -> RawService:
        """Replace a record whose references stay as they are, unless it has changed or gone since it was read."""
        done = self.records.update_one({"_id": changed.id, "rev": changed.rev}, revision(changed))
        if not done.matched_count:
            raise Stale(changed.id)
        return changed.model_copy(update={"rev": changed.rev + 1})

    def delete(self, key: str) -> int:
        """Delete a record and all below it; refused where somebody else refers to any of them."""

        def attempt(session: Any) -> int:
            going, suspects, level = {key}, set[str](), [key]
            while level:
                query = {"refs": {"$in": level}}
                found = list(self.records.find(query, {"parent": 1}, session=session, batch_size=20_000))
                children = below(found, level, going)
                suspects |= {one["_id"] for one in found}
                going |= children
                level = list(children)
            if suspects - going:
                raise Restricted(suspects - going)
            if self.records.delete_many({"_id": {"$in": list(going)}}, session=session).deleted_count != len(going):
                raise Missing(key)
            return len(going)

        return self.transact(attempt)

    def transact(self, attempt: Callable[[Any], T]) -> T:
        """Run a transaction, again with full jitter while it collides."""
        longest_s = FIRST_PAUSE_S
        with self._client.start_session() as session:
            while True:
                try:
                    with session.start_transaction(SNAPSHOT, MAJORITY):
                        return attempt(session)
                except PyMongoError as problem:
                    if not collided(problem):
                        raise
                time.sleep(random.uniform(0, longest_s))  # noqa: S311, TID251 - a pause, in code without our clock
                longest_s = min(2 * longest_s, LONGEST_PAUSE_S)


def creation(made: RawService) -> list[Any]:
    """Write guards and new record as statements of one ``update`` command."""
    document = made.model_dump(by_alias=True)
    key = document.pop("_id")
    guards: list[Any] = [UpdateOne({"_id": target}, {"$inc": {"guard": 1}}) for target in made.refs]
    return [*guards, ReplaceOne({"_id": key, "rev": -1}, document, upsert=True)]  # no record has this rev


def _check(made: RawService, done: Any) -> None:
    if done.matched_count != len(made.refs):
        raise Missing(made.refs)


def revision(changed: RawService) -> dict[str, Any]:
    """Write the new state of a record; its guard stays, since creators move it without the writer's knowing."""
    document = changed.model_dump(by_alias=True, exclude={"id", "rev"})
    return {"$set": document, "$inc": {"rev": 1}}


def below(found: Sequence[Mapping[str, Any]], level: Sequence[str], going: set[str]) -> set[str]:
    """Return those of the referrers that go along: the children of what goes."""
    above = set(level)
    return {one["_id"] for one in found if one["parent"] in above} - going


def collided(problem: PyMongoError) -> bool:
    """Tell whether a transaction has only met another one."""
    if problem.has_error_label("TransientTransactionError"):
        return True
    return isinstance(problem, BulkWriteError) and any(
        error["code"] == _CONFLICT for error in problem.details.get("writeErrors", ())
    )
