"""Requests of the key-value base that compare nothing when they write are caught where another client comes between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emco_store.backends.keyvalue.backend import KeyValueBackend
from emco_store.backends.keyvalue.ordered_map import Write
from emco_store.backends.keyvalue.rows import Names
from emco_store.contracts.harness import Harness, Mode
from emco_store.contracts.paused_map import inside_map
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
