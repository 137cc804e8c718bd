"""The MongoDB backend as it sends many records, however few there are, on a real replica set of one node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from emco_store.backends.mongo import sending
from emco_store.contracts.suite import ONE_STEP, Conformance, Harness, Mode
from tests.backends.shared import SharedClients, drop, empty, only
from tests.backends.test_mongo import damage
from tests.servers.process import Server

BY_THE_OTHER = replace(
    ONE_STEP, kind="notimpl", reason="test_mongo.py gets inside of requests to this server, which takes seconds"
)

contract_mode = only(Mode.BLOCKING)
"""One mode: which commands are sent is decided for both at once; ``test_mongo.py`` sends them in both."""


@pytest.fixture(scope="class")
def contract_backend(mongo_server: Server) -> Iterator[SharedClients]:
    """The server of this run, in the place of the harness's own."""
    backend = SharedClients(mongo_server.url)
    yield backend
    backend.client.close()


class TestMongoAsIfMany(Conformance):
    """Every rule once more, with a command of its own for whatever is new or deleted, however little that is."""

    harness = Harness(
        "mongodb",
        lambda: SharedClients("mongodb://"),
        drop=drop,
        empty=empty,
        examples=6,
        stride=40,
        gaps=(BY_THE_OTHER,),
        damage=damage,
    )

    @pytest.fixture(autouse=True)
    def every_record_is_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let no number be few."""
        monkeypatch.setattr(sending, "FEW", -1)
        monkeypatch.setattr(sending, "FEW_DELETES", -1)
