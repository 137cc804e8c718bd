"""Reserved kinds, where no store leads to what is tested."""

from __future__ import annotations

import pytest

from emco_store.core.keys import Key
from emco_store.core.plan import Blocker, BlockReason
from emco_store.core.query import Order
from emco_store.core.records import Record
from emco_store.core.reserved import BEHIND, PREFIX, beside, is_reserved, named_by_resource, resource_of
from emco_store.core.rules import Rule
from emco_store.flows.lists import Listing, _read_batch
from emco_store.flows.refusals import moved, restricted

KINDS = ("A", "emco", "emco_", "emco_Z", "emco_0", "emco__", "emco__Lifecycle", "emco__z", "emco_a", "emcp", "z")


@pytest.mark.parametrize("kind", KINDS)
def test_reserved_kinds_sort_together(kind):
    """The keys of reserved kinds lie between the prefix and what comes after them, and no others do (RES-2)."""
    key = Key(kind, "a")

    assert is_reserved(kind) == (PREFIX < key.text < BEHIND)


@pytest.mark.parametrize(("descending", "goes_on"), [(False, BEHIND), (True, PREFIX)])
def test_list_goes_on_after_reserved_records_in_both_directions(descending, goes_on):
    """Where the last record of a batch is reserved, the next batch begins after all of them (RES-2)."""
    listing = Listing(None, "", None, (), Order(descending=descending), (), None, 10)
    flow = _read_batch(listing, None, 1)
    flow.send(None)

    with pytest.raises(StopIteration) as ended:
        flow.send((_record(Key("emco__Revision", "x")),))

    assert ((), ("", goes_on), True) == ended.value.value


def test_record_beside_a_resource_leads_back_to_it():
    """The resource of a reserved record is found from its key."""
    key = Key("Rack", "a b", "c")

    assert key == resource_of(beside("emco__Lifecycle", key))
    assert key == resource_of(beside("emco__Revision", key, "uid", "0000000001"), more=2)


def test_reserved_records_are_named_by_their_resource():
    """Errors name what people know."""
    assert "Rack/a/b" == named_by_resource(Key("Rack", "a", "b"))
    assert "the lifecycle of Rack/a/b" == named_by_resource(Key("emco__Lifecycle", "Rack", "a", "b"))
    assert "the status of Rack/a/b by w" == named_by_resource(Key("emco__Status_Rack", "a", "b", "w"))
    assert "emco__" not in str(moved([Key("emco__Lifecycle", "Rack", "a", "b")]))


def test_refusal_by_a_state_says_what_to_do():
    """A delete that a state forbids advises a transition."""
    key = Key("Rack", "a", "b")
    problem = restricted([key], [Blocker(key, "", Rule.PROTECT, key, BlockReason.STATE, "is Up")], 10)

    assert (("Rack/a/b is Up",), True) == (problem.why, "transition" in problem.hint)


def _record(key: Key) -> Record:
    return Record(key, "u", 1, b"{}", (), (), (), 1, 1)
