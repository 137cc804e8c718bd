"""What an item is given: servers, an event loop, clients that are closed behind it, and the peers that are here."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from importlib import import_module
from itertools import count, islice
from typing import Any, Self, TypeVar

from pymongo import AsyncMongoClient, MongoClient
from redis import Redis

from benchmarks.measure import Contender, Effort, one_client, one_task
from emco_store import AsyncStore, Store, connect, connect_async

T = TypeVar("T")
MONGO_PEERS = ("beanie", "mongoengine", "odmantic")
REDIS_PEERS = ("redis_om",)


class Bench:
    """The surroundings of one item; everything that it opens is closed with it, and its data is removed.

    Args:
        name: The item's name, which becomes part of every namespace.
        urls: Where the servers answer, by ``mongo`` and ``redis``.
        effort: How much is done, for items whose preparation depends on it.
        say: Shows progress.
    """

    def __init__(self, name: str, urls: dict[str, str], effort: Effort, say: Callable[[str], None]) -> None:
        self.name = name
        self.urls = urls
        self.effort = effort
        self.say = say
        self.random = random.Random(20)  # noqa: S311 - targets are the same in every run
        self._stack = ExitStack()
        self._numbers = count()

    def __enter__(self) -> Self:
        self.runner = self._stack.enter_context(asyncio.Runner())
        self.runner.get_loop().set_exception_handler(lambda *_: None)  # peers leave tasks behind when they are closed
        self._stack.callback(self._clean)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def namespace(self) -> str:
        """Return a name that no other item uses."""
        return f"bench-{self.name}-{next(self._numbers)}"

    def store(self, server: str, namespace: str, **options: Any) -> Store:
        """Open a blocking store."""
        return self._stack.enter_context(connect(self._url(server), namespace=namespace, **options))

    def async_store(self, server: str, namespace: str, **options: Any) -> AsyncStore:
        """Open an asyncio store in the item's event loop."""
        store = connect_async(options.pop("target", None) or self._url(server), namespace=namespace, **options)
        self.runner.run(store.__aenter__())
        self._stack.callback(lambda: self.runner.run(store.__aexit__(None, None, None)))
        return store

    def redis(self) -> Redis:
        """Open a blocking client."""
        client: Redis = Redis.from_url(self.urls["redis"])
        self._stack.callback(client.close)
        return client

    def mongo(self) -> MongoClient[dict[str, Any]]:
        """Open a blocking client."""
        return self._stack.enter_context(MongoClient(self.urls["mongo"]))

    def async_mongo(self, **options: Any) -> AsyncMongoClient[dict[str, Any]]:
        """Open an asyncio client."""
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(self.urls["mongo"], **options)
        self._stack.callback(lambda: self.runner.run(client.close()))
        return client

    def enter(self, block: AbstractContextManager[T]) -> T:
        """Enter a block, which is left at the end."""
        return self._stack.enter_context(block)

    def closing(self, close: Callable[[], object]) -> None:
        """Call something at the end."""
        self._stack.callback(close)

    def run(self, work: Any) -> Any:
        """Wait for a coroutine in the item's event loop."""
        return self.runner.run(work)

    def peers(self, names: tuple[str, ...]) -> Iterator[Any]:
        """Start those of the peers that are installed."""
        for name in names:
            try:
                module = import_module(f"benchmarks.peers.{name}")
            except ModuleNotFoundError as problem:
                self.say(f"{name}: not measured, {problem.name} is not installed")
                continue
            self.say(f"{name}: starting")
            yield module.Peer(self)

    def peer(
        self, peer: Any, operation: str, *arguments: Any, operations: int | None = None, name: str = ""
    ) -> Contender:
        """Make a contender of a peer's method, which may be a coroutine function."""
        method = getattr(peer, operation)
        is_async = asyncio.iscoroutinefunction(method)
        run = (
            one_task(self.runner, lambda: method(*arguments), operations=operations)
            if is_async
            else one_client(lambda: method(*arguments), operations=operations)
        )
        before = getattr(peer, f"before_{operation}", None)
        return Contender(
            name or peer.name, "peer", run, "async" if is_async else "sync",
            prepare=None if before is None else lambda: before(*arguments), lacks=peer.lacks.get(operation, ""),
        )  # fmt: skip

    def _url(self, server: str) -> str:
        return "memory://" if server == "memory" else self.urls[server]

    def _clean(self) -> None:
        if "mongo" in self.urls:
            with MongoClient[dict[str, Any]](self.urls["mongo"]) as client:
                for database in client.list_database_names():
                    if database.startswith("bench_"):
                        client.drop_database(database)
                for name in client["emco"].list_collection_names(filter={"name": {"$regex": "^emco\\.bench-"}}):
                    client["emco"].drop_collection(name)
        if "redis" in self.urls:
            with Redis.from_url(self.urls["redis"]) as client:
                for pattern in ("*bench-*", "bench:*"):
                    found = client.scan_iter(pattern, count=10_000)
                    while some := [*islice(found, 1_000)]:
                        client.unlink(*some)
