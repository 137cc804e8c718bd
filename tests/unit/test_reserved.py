"""Reserved kinds, where no store leads to what is tested."""

from __future__ import annotations

import pytest

from emco_store import InvalidCall, Resource, connect
from emco_store.core.keys import Key
from emco_store.core.naming import FREEZE, LIFECYCLE, PREFIX, REVISION, REVISION_PART, TRAIL
from emco_store.core.plan import Blocker, BlockReason
from emco_store.core.query import Order
from emco_store.core.records import Record
from emco_store.core.reserved import BEHIND, beside, is_reserved, lease_of, numbered, resource_of
from emco_store.core.rules import Rule
from emco_store.flows.lists import Listing, _read_batch
from emco_store.flows.refusals import moved, restricted
from emco_store.ports import RecordPage

KINDS = ("A", "emco", "emco_", "emco_Z", "emco_0", "emco__", "emco__Lifecycle", "emco__z", "emco_a", "emcp", "z")


@pytest.mark.parametrize("kind", KINDS)
def test_reserved_kinds_sort_together(kind):
    """The keys of reserved kinds lie between the prefix and what comes after them, and no others do (RES-2)."""
    key = Key(kind, "a")

    assert is_reserved(kind) == (PREFIX < key.text < BEHIND)


@pytest.mark.parametrize(
    ("position", "until", "found", "goes_on", "has_more"),
    [
        (None, PREFIX, 1, "A/a", True),
        (None, PREFIX, 0, BEHIND, True),
        ("emco/a", PREFIX, 0, BEHIND, True),
        (BEHIND, "", 1, "A/a", True),
        (BEHIND, "", 0, BEHIND, False),
        ("emco_a/a", "", 0, BEHIND, False),
    ],
)
def test_list_of_all_kinds_reads_up_to_reserved_records_and_then_after_them(position, until, found, goes_on, has_more):
    """No batch reaches reserved records, and one that ends before them is followed by one after them (RES-2)."""
    listing = Listing(None, "", None, (), Order(), None, None, 10)
    records = (_record(Key("A", "a")),) * found
    flow = _read_batch(listing, position and ("", position), 1)
    asked = flow.send(None)

    with pytest.raises(StopIteration) as ended:
        flow.send(RecordPage(records, None))

    assert until == asked.until
    assert (records, ("", goes_on), has_more) == ended.value.value


@pytest.mark.parametrize("order", ["name", "-name", "-"])
def test_list_of_all_kinds_has_one_direction(order):
    """A list of all kinds is ordered by key, so nobody comes upon reserved records from behind (RES-2)."""
    with connect("memory://", namespace="order") as store, pytest.raises(InvalidCall):
        store.list(Resource, order_by=order)


def test_record_beside_a_resource_leads_back_to_it():
    """The resource of a reserved record is found from its key."""
    key = Key("Rack", "a b", "c")

    assert key == resource_of(beside("emco__Lifecycle", key))
    assert key == resource_of(beside("emco__Revision", key, "uid", "0000000001"), more=2)


def test_reserved_records_are_named_by_their_resource():
    """Texts for people name what people know (RES-5)."""
    rack = Key("Rack", "a", "b")

    assert "Rack/a/b" == str(rack)
    assert "the lifecycle of Rack/a/b" == str(beside(LIFECYCLE, rack))
    assert "the frozen fields of Rack/a/b" == str(beside(FREEZE, rack))
    assert "the lease of Rack/a/b" == str(lease_of(rack))
    assert "the status of Rack/a/b by w" == str(Key("emco__Status_Rack", "a", "b", "w"))
    assert "revision 10 of Rack/a/b" == str(numbered(REVISION, rack, "uid", 10))
    assert "part 0 of revision 1 of Rack/a/b" == str(beside(REVISION_PART, rack, "uid", "0000000001", "0"))
    assert "the trail of Rack/a/b at version 3" == str(numbered(TRAIL, rack, "uid", 3))
    assert "emco__" not in str(moved([beside(LIFECYCLE, rack)]))


@pytest.mark.parametrize("text", ["emco__Lifecycle/Rack", "emco__Revision/Rack/a/1", "emco__Other/Rack/a"])
def test_key_that_the_store_does_not_write_is_shown_as_it_is(text):
    """A record of no form that is known is named by its key."""
    assert text == str(Key.parse(text))


def test_refusal_by_a_state_says_what_to_do():
    """A delete that a state forbids advises a transition."""
    key = Key("Rack", "a", "b")
    problem = restricted([key], [Blocker(key, "", Rule.PROTECT, key, BlockReason.STATE, "is Up")], 10)

    assert (("Rack/a/b is Up",), True) == (problem.why, "transition" in problem.hint)


def _record(key: Key) -> Record:
    return Record(key, "u", 1, b"{}", (), (), (), 1, 1)
