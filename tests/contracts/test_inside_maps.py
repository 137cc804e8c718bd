"""Requests of the key-value base that compare nothing when they write are caught where another client comes between."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import closing
from dataclasses import replace

import pytest

from emco_store.backends.keyvalue.backend import KeyValueBackend
from emco_store.backends.keyvalue.ordered_map import Write
from emco_store.backends.keyvalue.rows import Names
from emco_store.contracts.harness import Bench, Harness, Mode
from emco_store.contracts.paused_map import inside_map
from emco_store.contracts.pauses import Pauses
from emco_store.contracts.proxy import Proxy
from emco_store.contracts.suite import Conformance
from tests.backends.keyvalue.maps import example
from tests.contracts.test_contracts_bite import first_failing_test

NAMES = Names("n")
TABLES = {"settle": NAMES.outcomes, "beat": NAMES.pulses, "release": NAMES.holds}


class BlindMap(example.DictMap):
    """Compares nothing where a write is about one table alone."""

    def __init__(self, table: bytes) -> None:
        super().__init__()
        self._table = table.removeprefix(NAMES.prefix)

    def write(self, write: Write) -> bool:
        """Write, whatever is there."""
        keys = {*write.when, *write.puts, *write.deletes}
        is_alone = all(key.split(b"/", 2)[2].startswith(self._table) for key in keys)
        return super().write(replace(write, when={}) if is_alone else write)


@pytest.mark.parametrize("verb", TABLES)
def test_request_that_compares_nothing_as_it_writes_is_caught(verb):
    """OCC-17: a settlement, a beat and a release each rest on what they have read."""
    harness = Harness("blind", lambda: KeyValueBackend(BlindMap(TABLES[verb])), inside=inside_map)

    assert first_failing_test(harness, "OCC-17", Mode.BLOCKING) is not None


def test_write_that_may_come_again_and_compares_nothing_is_caught():
    """OCC-17: a write of a commit that a network repeats must not bring back what was there before."""
    harness = Harness("blind", lambda: KeyValueBackend(BlindMap(b"")), inside=inside_map)

    with (
        closing(Bench(harness, Mode.BLOCKING)) as bench,
        bench.lab() as lab,
        pytest.raises(AssertionError, match="an old message came through"),
    ):
        Conformance().test_message_that_comes_again_later_changes_nothing(lab)


def test_proxy_sends_a_message_again_over_a_connection_of_its_own():
    """The server gets it twice, and the client gets one reply."""
    seen = []

    class Echo(socketserver.BaseRequestHandler):
        """Answers each message, and notes it with the connection."""

        def handle(self):
            """Serve one connection."""
            while message := self.request.recv(99):
                seen.append((message, self.client_address))
                self.request.sendall(message.upper())

    pauses = Pauses()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with (
            closing(Proxy("127.0.0.1", server.server_address[1], pauses)) as proxy,
            socket.create_connection(("127.0.0.1", proxy.port), 10) as client,
        ):
            for number, message in enumerate((b"a", b"b", b"c")):
                pauses.keep(0 if number == 1 else 9)
                client.sendall(message)
                assert message.upper() == client.recv(99)
                pauses.again()
        server.shutdown()

    assert [b"a", b"b", b"b", b"c"] == [message for message, _ in seen]
    assert [1, 1, 2] == [len({place for message, place in seen if message == one}) for one in (b"a", b"c", b"b")]
