"""``python -m benchmarks.pieces``: what the pieces of one update take a MongoDB server, over a bare socket.

The messages are those that the store sends, made before the clock runs, so nearly all of the time is the server's.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from statistics import quantiles
from time import perf_counter
from typing import Any

from bson.binary import UUID_SUBTYPE, Binary
from bson.int64 import Int64
from pymongo import MongoClient

from benchmarks.__main__ import servers
from benchmarks.model import service
from emco_store.backends.mongo import commands
from emco_store.backends.mongo.aio_wire import MAJORITY, SNAPSHOT
from emco_store.backends.mongo.messages import HEAD_BYTES, answer, document_in, message, size_of
from emco_store.backends.mongo.sending import in_commands
from emco_store.core.codec import draft
from emco_store.core.documents import MAX_BYTES
from emco_store.ports import Commit

DATABASE, NAME = "bench", commands.collection("pieces")
LARGEST = 48_000_000
PRIMARY: dict[str, Any] = {"w": 1}


class Pieces:
    """One record, and messages that change it or are a part of that."""

    def __init__(self, client: MongoClient[Any]) -> None:
        host, port = client.address or ("", 0)
        self._socket = socket.create_connection((host, port))
        self._session = {"id": Binary(os.urandom(16), UUID_SUBTYPE)}
        self._number = 0
        self._made = draft(service("s0", "c0", "n0", "n1"), max_bytes=MAX_BYTES)
        self._record = self._made.record(uid="u", version=1, created_us=1, updated_us=1)
        client.drop_database(DATABASE)
        client[DATABASE].command({"createIndexes": NAME, "indexes": list(commands.INDEXES)})
        self._ask([self._update(commands.updates(Commit("t0", {self._record.key: None}, puts=(self._record,))), {})])

    def all(self) -> dict[str, Callable[[], list[bytes]]]:
        """Give what is measured: each makes the messages of one exchange."""
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
        """Give the seconds for one exchange."""
        begun = perf_counter()
        self._ask(messages)
        return perf_counter() - begun

    def _change(self) -> list[dict[str, Any]]:
        """Write the next change of the record as statements: its own, and the outcome."""
        before, self._record = (
            self._record,
            self._made.record(uid="u", version=self._record.version + 1, created_us=1, updated_us=self._number),
        )
        return commands.updates(Commit(f"t{self._number}", {before.key: before.stamp}, puts=(self._record,)))

    def _transaction(self, statements: list[dict[str, Any]], concern: Any) -> list[bytes]:
        said = {"lsid": self._session, "txnNumber": Int64(self._number + 1), "autocommit": False}
        first = self._update(statements, {**said, "startTransaction": True, "readConcern": SNAPSHOT.document})
        return [first, self._message({"commitTransaction": 1, **said, "writeConcern": concern}, "admin")]

    def _update(self, statements: list[dict[str, Any]], said: dict[str, Any]) -> bytes:
        (command,) = in_commands("update", statements)
        return self._message({"update": NAME, **said}, DATABASE, command)

    def _message(self, command: dict[str, Any], database: str, items: Any = None) -> bytes:
        self._number += 1
        return message(self._number, {**command, "$db": database}, items)

    def _ask(self, messages: Sequence[bytes]) -> None:
        self._socket.sendall(b"".join(messages))
        for number in range(self._number - len(messages) + 1, self._number + 1):
            head = self._read(HEAD_BYTES)
            reply = answer(document_in(self._read(size_of(head, number, LARGEST) - HEAD_BYTES)))
            assert "writeErrors" not in reply, reply

    def _read(self, size: int) -> memoryview:
        found = bytearray()
        while len(found) < size:
            found += self._socket.recv(size - len(found))
        return memoryview(found)


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
