"""A check of many records: what is asked for in one step, and what is held in memory, does not grow with the store."""

from __future__ import annotations

import tracemalloc

import pytest

from emco_store.contracts.faults import FaultyPort
from emco_store.core.keys import Key
from emco_store.core.records import PARENT_PATH, Edge, Record
from emco_store.core.rules import Rule
from emco_store.ports import Audit, Commit, Get, Receipt

MANY = 100_000
AT_ONCE = 5000
LIMIT = 1000
MAX_BYTES = 16 << 20
MEASURED_EACH = 40
ON_MANY = ("memory", pytest.param("redis", marks=pytest.mark.redis))


def record(number):
    """Make a record that refers to another one, and has an indexed value."""
    key = Key("Thing", f"t{number:06}")
    edges = (Edge(Key("Thing", "t000000"), PARENT_PATH, Rule.CASCADE),) if number else ()
    index = (("rank", f"2{number % 10}"),)
    return Record(key, f"u{number}", 1, b'{"name":"t%06d"}' % number, edges, (), index, 1, 1)


@pytest.mark.parametrize("bench", ON_MANY, indirect=True)
def test_check_of_many_records_is_bounded(lab, monkeypatch):
    """Of 100,000 records no step looks at more than it may, and holds more than 16 MiB in memory."""
    for first in range(0, MANY, AT_ONCE):
        commit = Commit(f"{lab.namespace}-{first}", puts=tuple(map(record, range(first, first + AT_ONCE))))
        assert isinstance(lab.port.ask(commit), Receipt)
    steps = []
    ask = FaultyPort.ask

    def noted(port, request):
        reply = ask(port, request)
        steps.extend([reply] if isinstance(request, Audit) else [])
        return reply

    monkeypatch.setattr(FaultyPort, "ask", noted)

    pages = list(measured(lab.store))

    assert MANY == sum(page.records for page, _ in pages)
    assert sum(page.entries for page, _ in pages) >= 3 * MANY  # the records, their references and their values
    assert max(page.entries for page, _ in pages) <= 2 * LIMIT
    assert max(len(step.records) for step in steps) <= LIMIT
    assert max(peak for _, peak in pages) < MAX_BYTES
    assert {()} == {page.flaws for page, _ in pages}
    assert lab.faults.count(Get) == 0


def measured(store):
    """Return each page of a check, with the most bytes that it held; of some pages only, because that takes long."""
    after, number = None, 0
    while number == 0 or after is not None:
        if number % MEASURED_EACH == 0:
            tracemalloc.start()
        page = store.check(after=after, limit=LIMIT)
        yield page, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        after, number = page.next, number + 1
