"""A watcher in a process of its own, which says when it has seen which version of a record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import monotonic, process_time
from typing import Any, Self

from pymongo import MongoClient

from benchmarks.model import Service
from benchmarks.raw import redis as raw_redis
from benchmarks.raw.feeds import RawRedisFeed, mongo_updates
from benchmarks.raw.mongo import RawMongo
from emco_store import connect

_FORKLESS = get_context("spawn")
_START_WITHIN_S = 120
_SEEN_WITHIN_S = 60
Seen = tuple[dict[int, float], float]
"""When each version was seen, by ``monotonic()``, and seconds of processor time since the round began."""


class Watcher:
    """The process.

    Args:
        url: The server.
        server: ``mongo`` or ``redis``.
        namespace: Where the record is; the hand-written code uses the same name.
        role: ``ours`` or ``raw safe``.
    """

    def __init__(self, url: str, server: str, namespace: str, role: str) -> None:
        self._end, theirs = _FORKLESS.Pipe()
        self._process = _FORKLESS.Process(target=_watch, args=(theirs, url, server, namespace, role), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._receive(_START_WITHIN_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._end.close()

    @contextmanager
    def watching(self, number: int) -> Iterator[Callable[[], Seen]]:
        """Let it wait for so many versions; give a function that returns when it has seen them."""
        self._end.send(number)
        yield lambda: self._receive(_SEEN_WITHIN_S)

    def _receive(self, within_s: float) -> Any:
        if not self._end.poll(within_s):
            raise TimeoutError("a watcher of the benchmark does not answer")
        found = self._end.recv()
        if isinstance(found, Exception):
            raise found
        return found


def _watch(end: Connection, url: str, server: str, namespace: str, role: str) -> None:
    try:
        number, seen, begun_s = 0, dict[int, float](), process_time()
        for version in _versions(lambda: end.send(None), url, server, namespace, role):
            now = monotonic()
            number = number or end.recv()
            seen[version] = now
            if len(seen) == number:
                end.send((seen, process_time() - begun_s))
                number, seen = end.recv(), {}  # others have their turns meanwhile
                begun_s = process_time()
    except EOFError:
        return
    except Exception as problem:  # noqa: BLE001 - whatever it is, the parent is to say it
        end.send(RuntimeError(f"{type(problem).__name__}: {problem}"))


def _versions(begun: Callable[[], object], url: str, server: str, namespace: str, role: str) -> Iterator[int]:
    """Yield the version of each update from now on; call ``begun`` once none can be missed any more."""
    if role == "ours":
        with connect(url, namespace=namespace, models=[Service]) as store:
            cursor = store.feed_cursor()
            begun()
            for event in store.watch(after=cursor, kinds=[Service]):
                yield event.changes[0].version
    elif server == "mongo":
        with MongoClient[dict[str, Any]](url) as client:
            yield from mongo_updates(RawMongo(client, namespace), begun)
    else:
        yield from RawRedisFeed(raw_redis.client(url), f"bench:{namespace}").updates(begun)
