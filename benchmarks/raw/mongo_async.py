"""The same for asyncio: see :mod:`benchmarks.raw.mongo`, which says why it is safe."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pymongo import AsyncMongoClient
from pymongo.errors import PyMongoError

from benchmarks.model import RawService
from benchmarks.raw.mongo import (
    DATABASE,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    MAJORITY,
    SNAPSHOT,
    Missing,
    Restricted,
    below,
    collided,
    creation,
    revision,
)

T = TypeVar("T")


class AsyncRawMongo:
    """The collection of :class:`benchmarks.raw.mongo.RawMongo`, which makes its index."""

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], name: str) -> None:
        self._client = client
        self.records = client[DATABASE].get_collection(name, write_concern=MAJORITY)
        self.attempts = 0

    async def create(self, made: RawService) -> None:
        """Add a record whose parent and targets must be there."""
        statements = creation(made)

        async def attempt(session: Any) -> None:
            done = await self.records.bulk_write(statements, session=session)
            if done.matched_count != len(made.refs):
                raise Missing(made.refs)

        await self.transact(attempt)

    async def insert(self, made: RawService) -> None:
        """Add a record and check nothing: unsafe, and the yardstick for throughput."""
        await self.records.insert_one(made.model_dump(by_alias=True))

    async def get(self, key: str) -> RawService:
        """Read one record."""
        return RawService.model_validate(await self.records.find_one({"_id": key}))

    async def increment(self, key: str) -> None:
        """Read, change and write one record, again with full jitter while others come between."""
        longest_s = FIRST_PAUSE_S
        while True:
            read = await self.get(key)
            changed = RawService.model_validate({**read.model_dump(by_alias=True), "weight": read.weight + 1})
            done = await self.records.update_one({"_id": key, "rev": read.rev}, revision(changed))
            if done.matched_count:
                return
            await asyncio.sleep(random.uniform(0, longest_s))  # noqa: S311 - a pause
            longest_s = min(2 * longest_s, LONGEST_PAUSE_S)

    async def delete(self, key: str) -> int:
        """Delete a record and all below it; refused where somebody else refers to any of them."""

        async def attempt(session: Any) -> int:
            going, suspects, level = {key}, set[str](), [key]
            while level:
                query = {"refs": {"$in": level}}
                found = await self.records.find(query, {"parent": 1}, session=session, batch_size=20_000).to_list()
                children = below(found, level, going)
                suspects |= {one["_id"] for one in found}
                going |= children
                level = list(children)
            if suspects - going:
                raise Restricted(suspects - going)
            done = await self.records.delete_many({"_id": {"$in": list(going)}}, session=session)
            if done.deleted_count != len(going):
                raise Missing(key)
            return len(going)

        return await self.transact(attempt)

    async def transact(self, attempt: Callable[[Any], Awaitable[T]]) -> T:
        """Run a transaction, again with full jitter while it collides."""
        longest_s = FIRST_PAUSE_S
        async with self._client.start_session() as session:
            while True:
                self.attempts += 1
                try:
                    async with await session.start_transaction(SNAPSHOT, MAJORITY):
                        return await attempt(session)
                except PyMongoError as problem:
                    if not collided(problem):
                        raise
                await asyncio.sleep(random.uniform(0, longest_s))  # noqa: S311 - a pause
                longest_s = min(2 * longest_s, LONGEST_PAUSE_S)
