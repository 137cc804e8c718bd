"""The indexes of one collection, made when they are first needed; the blocking form is generated from this one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from pymongo.errors import OperationFailure

from emco_store.backends.mongo import indexes
from emco_store.backends.mongo.calls import AsyncCalls
from emco_store.backends.mongo.documents import Document
from emco_store.backends.mongo.errors import DUPLICATE_KEY, UNAUTHORIZED, confirmed, shared_value


class AsyncIndexes:
    """The indexes of one collection.

    Args:
        database: The database of PyMongo.
        calls: How PyMongo is called.
        collection: The name of the collection.
    """

    def __init__(self, database: Any, calls: AsyncCalls, collection: str) -> None:
        self._database = database
        self._calls = calls
        self._collection = collection
        self._is_proven = False

    def unproven(self, needs: Collection[str]) -> Collection[str]:
        """Return what is to be made before a request that needs indexes, though the server may have them.

        A hint says nothing about the options of an index, and one that is not unique would be worth nothing. The server
        refuses to make an index under the name of one that has other options, so each port asks for it once.
        """
        return needs if indexes.UNIQUE in needs and not self._is_proven else indexes.NO_INDEX

    async def make(self, names: Collection[str], within_s: float) -> None:
        """Make indexes where they are missing, and wait until a majority has them.

        Those of every namespace are made along, since whoever has dropped the collection has dropped them, too.

        The server gets no time limit, because it would throw away what it has built when the time is up. So the index
        of a large collection is completed even if nobody waits for it any more; whoever asks again waits for the same.

        Raises:
            Misconfigured: Two records share a unique value, or an index of that name has other options.
            Collided: A majority may not have them.
            PyMongoError: The server refuses, or does not answer in time.
        """
        command = indexes.making(self._collection, indexes.FIRST.union(names))
        await self._calls.within(within_s, self._calls.find_primary)
        try:
            confirmed(await self._calls.waiting(within_s, lambda: self._database.command(command)))
        except OperationFailure as problem:
            if problem.code == DUPLICATE_KEY:
                raise shared_value(problem.details) from problem
            raise
        self._is_proven = self._is_proven or indexes.UNIQUE in names

    async def there(self, within_s: float) -> Sequence[Document] | None:
        """List those that are there; None where the user may not."""
        try:
            reply: Document = await self._calls.ask(
                within_s, lambda: self._database.command("listIndexes", self._collection)
            )
        except OperationFailure as problem:
            if problem.code == UNAUTHORIZED:
                return None
            raise
        found: Sequence[Document] = reply["cursor"]["firstBatch"]
        return found
