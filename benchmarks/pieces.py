"""``python -m benchmarks.pieces``: what the pieces of one update take a MongoDB server, over a pinned connection.

The messages are those that the store sends, made before the clock runs, so nearly all of the time is the server's.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from statistics import quantiles
from time import perf_counter
from typing import Any

from bson.int64 import Int64
from pymongo import MongoClient

from benchmarks.model import service
from benchmarks.servers import servers
from emco_store.backends.mongo import commands
from emco_store.backends.mongo.fast.messages import answer, message
from emco_store.backends.mongo.fast.sync import FastTransport
from emco_store.backends.mongo.indexes import FIRST, making
from emco_store.backends.mongo.sending import Command, in_commands
from emco_store.backends.mongo.sync_transport import MAJORITY, SNAPSHOT, PlainTransport
from emco_store.core.codec import draft
from emco_store.core.documents import MAX_BYTES
from emco_store.ports import Commit

DATABASE, NAME = "bench", commands.collection("pieces")
WITHIN_S = 10.0
PRIMARY: dict[str, Any] = {"w": 1}


class Pieces:
    """One record, and messages that change it or are a part of that."""

    def __init__(self, client: MongoClient[Any]) -> None:
        client.drop_database(DATABASE)
        client[DATABASE].command(making(NAME, FIRST))
        transport = FastTransport(client, DATABASE, NAME, PlainTransport(client, DATABASE, NAME, ""), pinned=1)
        self._pinned = transport.take(WITHIN_S)
        self._session = transport.session()
        self._number = 0
        self._made = draft(service("s0", "c0", "n0", "n1"), max_bytes=MAX_BYTES)
        self._record = self._made.record(uid="u", version=1, created_us=1, updated_us=1)
        self.take([self._update(commands.updates(Commit("t0", {self._record.key: None}, puts=(self._record,))), {})])

    def all(self) -> dict[str, Callable[[], list[bytes]]]:
        """Return what is measured: each makes the messages of one exchange."""
        return {
            "a message and its reply": lambda: [self._message({"ping": 1}, "admin")],
            "an update, written by the primary": lambda: [self._update(self._change()[:1], {"writeConcern": PRIMARY})],
            "... in the journal of a majority": lambda: [
                self._update(self._change()[:1], {"writeConcern": MAJORITY.document})
            ],
            "in a transaction, by the primary": lambda: self._transaction(self._change()[:1], PRIMARY),
            "... with its outcome": lambda: self._transaction(self._change(), PRIMARY),
            "... in the journal of a majority, which is what a store does": lambda: self._transaction(
                self._change(), MAJORITY.document
            ),
        }

    def take(self, messages: Sequence[bytes]) -> float:
        """Return the seconds for one exchange; only the last message is answered."""
        begun = perf_counter()
        (raw,) = self._pinned.exchange(b"".join(messages), (self._number,), WITHIN_S)
        seconds = perf_counter() - begun
        reply = answer(raw)
        assert "writeErrors" not in reply, reply
        return seconds

    def _change(self) -> list[dict[str, Any]]:
        """Write the next change of the record as statements: its own, and the outcome."""
        before = self._record
        self._record = self._made.record(uid="u", version=before.version + 1, created_us=1, updated_us=self._number)
        return commands.updates(Commit(f"t{self._number}", {before.key: before.stamp}, puts=(self._record,)))

    def _transaction(self, statements: list[dict[str, Any]], concern: Any) -> list[bytes]:
        said = {"lsid": self._session.name, "txnNumber": Int64(self._number + 1), "autocommit": False}
        begin = {**said, "startTransaction": True, "readConcern": SNAPSHOT.document}
        first = self._update(statements, begin, is_answered=False)
        return [first, self._message({"commitTransaction": 1, **said, "writeConcern": concern}, "admin")]

    def _update(self, statements: list[dict[str, Any]], said: dict[str, Any], *, is_answered: bool = True) -> bytes:
        (command,) = in_commands("update", statements)
        return self._message({"update": NAME, **said}, DATABASE, command, is_answered=is_answered)

    def _message(
        self, command: dict[str, Any], database: str, items: Command | None = None, *, is_answered: bool = True
    ) -> bytes:
        self._number += 1
        return message(self._number, {**command, "$db": database}, items, is_answered=is_answered)


def main(arguments: Sequence[str]) -> int:
    """Measure and print; return 2 without a MongoDB."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pieces", description=__doc__)
    parser.add_argument("--rounds", type=int, default=500, metavar="N", help="how often each is done")
    known = parser.parse_args(arguments)
    with servers({"mongo"}) as found:
        if not found:
            return 2
        with MongoClient[Any](found["mongo"][0]) as client:
            for line in _table(Pieces(client), known.rounds):
                print(line)
    return 0


def _table(pieces: Pieces, rounds: int) -> Iterator[str]:
    taken: dict[str, list[float]] = {name: [] for name in pieces.all()}
    for _ in range(rounds):
        for name, make in pieces.all().items():
            taken[name].append(pieces.take(make()))
    yield f"{'':62} {'quarter':>8} {'median':>8} {'quarter':>8}  us"
    for name, seconds in taken.items():
        yield f"{name:62} " + " ".join(f"{1e6 * one:8.0f}" for one in quantiles(seconds, n=4))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
