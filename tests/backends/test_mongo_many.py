"""The MongoDB backend as it sends many records, however few there are, on a real replica set of one node."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emco_store.backends.mongo import sending
from emco_store.contracts.damages import DamageRules
from emco_store.contracts.suite import Harness, Mode, PortRules
from tests.backends.shared import SharedClients, drop, empty, only
from tests.backends.test_mongo import damage
from tests.servers.process import Server

contract_mode = only(Mode.BLOCKING)
"""One mode: which commands are sent is decided for both at once; ``test_mongo.py`` sends them in both."""


@pytest.fixture(scope="class")
def contract_backend(mongo_server: Server) -> Iterator[SharedClients]:
    """The server of this run, in the place of the harness's own."""
    backend = SharedClients(mongo_server.url)
    yield backend
    backend.client.close()


class TestMongoAsIfMany(PortRules, DamageRules):
    """What a backend decides once more, with a command of its own for whatever is new or deleted, however little."""

    harness = Harness(
        "mongodb",
        lambda: SharedClients("mongodb://"),
        drop=drop,
        empty=empty,
        examples=6,
        stride=40,
        damage=damage,
    )

    @pytest.fixture(autouse=True)
    def every_record_is_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let no number be few."""
        monkeypatch.setattr(sending, "FEW", -1)
        monkeypatch.setattr(sending, "FEW_DELETES", -1)
