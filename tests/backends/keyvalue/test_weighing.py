"""A commit that does not fit into one write is one clear error, before anything is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emco_store import Resource, connect
from emco_store.backends.keyvalue.backend import KeyValueBackend
from emco_store.backends.keyvalue.ordered_map import Limits
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.errors import InvalidCall
from emco_store.ports import Commit, Get, Outcome, Receipt, Settle
from tests.backends.keyvalue.maps import StruckMap

A = Key("Site", "a")
RECORD = Record(A, "u", 1, b'"%b"' % (b"x" * 500), (), (), (("field", "y" * 300),), 1, 1)


class Site(Resource):
    """Something to store."""

    text: str = ""


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(key_bytes=200), "a key has"),
        (Limits(value_bytes=400), "a record has"),
        (Limits(write_bytes=800), "it writes"),
        (Limits(write_entries=3), "it compares and writes"),
    ],
)
def test_commit_beyond_a_limit_is_refused_before_it_is_sent(limits, reason):
    """Nothing is read, written or noted; what fits goes on."""
    rows = StruckMap()
    rows.limits = limits
    port = KeyValueBackend(rows).port("ns")
    port.open()

    with pytest.raises(InvalidCall) as caught:
        port.ask(Commit("one", {A: None}, puts=(RECORD,)))

    assert ([], True) == (rows.writes, caught.value.why[0].startswith(reason))
    rows.limits = Limits()
    assert (Outcome.ABORTED, {}) == (port.ask(Settle("one")), port.ask(Get((A,))))


def test_write_that_grows_beyond_a_limit_by_what_is_there_is_refused():
    """A delete removes the rows that lead to a record, and only the map knows how many those are."""
    rows = StruckMap()
    port = KeyValueBackend(rows).port("ns")
    port.open()
    many = tuple((f"f{number}", "v") for number in range(30))
    assert Receipt("one") == port.ask(Commit("one", puts=(replace(RECORD, index=many),)))
    rows.limits = Limits(write_entries=20)

    with pytest.raises(InvalidCall):
        port.ask(Commit("two", deletes=(A,)))

    assert [A] == [*port.ask(Get((A,)))]


def test_limits_are_told_to_the_caller_of_a_store():
    """Who plans a transaction can look."""
    rows = StruckMap()
    rows.limits = Limits(write_entries=40)
    with connect(KeyValueBackend(rows), namespace="ns") as store:
        assert 40 == store.guarantees.limits.write_entries
        store.create(Site(name="a"))
        with pytest.raises(InvalidCall):
            store.run(lambda tx: [tx.create(Site(name=f"n{number}")) for number in range(40)] and None)
        assert ["a"] == [site.name for site in store.list(Site)]
