"""ID-6: a unique value has one owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.identity import some_crate
from emco_store.contracts.models import Item, Parcel
from emco_store.contracts.rules import rule
from emco_store.errors import (
    UniqueViolation,
)


class UniqueRules:
    """Who may have a unique value, and when it is free."""

    @rule("ID-6")
    def test_unique_value_of_another_is_refused(self, lab: Lab) -> None:
        """A unique value belongs to one resource of its kind, whichever call writes it (ID-6)."""
        crate = some_crate(lab)
        first = lab.store.create(Parcel(name="c", parent=crate, code="x"))
        other = lab.store.create(Parcel(name="d", parent=crate, code="y"))
        before = lab.state()

        attempt: Callable[[], Any]
        for attempt in (
            lambda: lab.store.create(Parcel(name="e", parent=crate, code="x")),
            lambda: lab.store.update(other.model_copy(update={"code": "x"})),
            lambda: lab.store.put(Parcel(name="d", parent=crate, code="x")),
        ):
            with pytest.raises(UniqueViolation) as caught:
                attempt()
            assert ("code", first.key) == (caught.value.field, caught.value.owner)

        assert before == lab.state()

    @rule("ID-6")
    def test_unique_value_is_free_across_kinds_and_for_none(self, lab: Lab) -> None:
        """None is never taken, and a value of one kind is free for another (ID-6)."""
        crate = some_crate(lab)

        for name in ("c", "d"):
            lab.store.create(Parcel(name=name, parent=crate, code=None))
        lab.store.create(Parcel(name="e", parent=crate, code="x"))
        lab.store.create(Item(name="e", serial="x"))

        assert [None, None, "x"] == [parcel.code for parcel in lab.store.list(Parcel).resources]

    @rule("ID-6")
    def test_unique_value_is_free_once_given_up(self, lab: Lab) -> None:
        """A value is free after its owner has changed, or was deleted, alone or with its parent (ID-6)."""
        crate = some_crate(lab)
        first = lab.store.create(Parcel(name="c", parent=crate, code="x"))

        lab.store.update(first.model_copy(update={"code": "z"}))
        second = lab.store.create(Parcel(name="d", parent=crate, code="x"))
        lab.store.delete(second)
        lab.store.create(Parcel(name="e", parent=crate, code="x"))
        lab.store.delete(crate)
        last = lab.store.create(Parcel(name="f", parent=some_crate(lab), code="x"))

        assert last == lab.store.get(last)

    @rule("ID-6")
    def test_unique_value_moves_within_one_commit(self, lab: Lab) -> None:
        """One transaction can exchange two values, and give the value of a deleted resource to a new one (ID-6)."""
        crate = some_crate(lab)
        first = lab.store.create(Parcel(name="c", parent=crate, code="x"))
        second = lab.store.create(Parcel(name="d", parent=crate, code="y"))
        third = lab.store.create(Parcel(name="e", parent=crate, code="z"))

        with lab.store.transaction() as tx:
            tx.update(first.model_copy(update={"code": "y"}))
            tx.update(second.model_copy(update={"code": "x"}))
            tx.delete(third)
            tx.create(Parcel(name="f", parent=crate, code="z"))

        assert {"c": "y", "d": "x", "f": "z"} == {item.name: item.code for item in lab.store.list(Parcel).resources}

    @rule("ID-6")
    def test_unique_value_claimed_twice_in_one_commit_is_refused(self, lab: Lab) -> None:
        """A transaction cannot give one value to two resources (ID-6)."""
        with pytest.raises(UniqueViolation), lab.store.transaction() as tx:
            tx.create(Item(name="c", serial="x"))
            tx.create(Item(name="d", serial="x"))

        assert {} == lab.state()
