"""A client that ends at once when it is told so by a command; run by the tests of faults as a program of its own."""

from __future__ import annotations

import os
import sys
from typing import Any

from pymongo import MongoClient
from pymongo.monitoring import CommandListener

from emco_store.backends.mongo.backend import MongoBackend
from emco_store.core.codec import draft
from emco_store.ports import Commit
from tests.backends.mongo.conftest import Thing


class Dying(CommandListener):
    """Ends the process around one command."""

    def __init__(self, command: str, moment: str) -> None:
        self._fatal = (command, moment)

    def _see(self, event: Any, moment: str) -> None:
        if (event.command_name, moment) == self._fatal:
            os._exit(9)

    def started(self, event: Any) -> None:
        """End before the command is sent."""
        self._see(event, "started")

    def succeeded(self, event: Any) -> None:
        """End after its reply has come."""
        self._see(event, "succeeded")

    def failed(self, event: Any) -> None:
        """See the base class."""


def main(url: str, namespace: str, command: str, moment: str) -> None:
    """Commit two records under a txid that others know."""
    made = [draft(Thing(name=name), max_bytes=1000) for name in ("a", "b")]
    puts = tuple(one.record(uid=one.key.text, version=1, created_us=0, updated_us=0) for one in made)
    commit = Commit("the-txid", expect=dict.fromkeys([put.key for put in puts]), puts=puts)
    port = MongoBackend(MongoClient(url, event_listeners=[Dying(command, moment)])).port(namespace)
    port.open()
    port.ask(commit)


if __name__ == "__main__":
    main(*sys.argv[1:])
