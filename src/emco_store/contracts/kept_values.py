"""ID-24: a store that keeps the values that it has read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel

from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Site
from emco_store.contracts.rules import rule
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.errors import InvalidResource, NotFound
from emco_store.ports import Commit, Get, Receipt


class Grain(BaseModel, frozen=True, extra="forbid"):
    """A part that never changes."""

    size: int


class Stone(Resource):
    """Immutable throughout."""

    grains: tuple[Grain, ...] = ()
    colours: frozenset[str] = frozenset()
    at: Ref[Site] | None = None


class Basket(Resource):
    """Has a list, which its readers may change."""

    stones: list[str] = []


class KeptValueRules:
    """A store with ``keep_decoded=`` beside one without."""

    @rule("ID-24")
    def test_kept_value_is_given_while_its_record_is_the_same(self, lab: Lab) -> None:
        """Whatever changes a record, by hand too, a store that keeps values returns what others return (ID-24)."""
        site = lab.store.create(Site(name="s"))
        made = lab.store.create(Stone(name="a", grains=(Grain(size=1),), colours=frozenset({"red"}), at=site.ref))
        kept = lab.open(keep_decoded=10)
        assert made == kept.get(made)
        assert kept.get(made) is kept.get(made), "nothing was kept"

        current = lab.store.update(made.model_copy(update={"colours": frozenset({"blue"})}))
        _assert_equal(lab, kept, current)
        lab.tamper(made.key, b'{"name":"a","grains":[],"colours":[],"at":null}')
        _assert_equal(lab, kept, made)
        self._edit_by_hand(lab, made, b'{"name":"a","grains":[{"size":7}],"colours":[],"at":null}')
        _assert_equal(lab, kept, made)
        before = kept.get(made)
        lab.store.delete(made)
        with pytest.raises(NotFound):
            kept.get(made)
        lab.store.create(Stone(name="a", grains=(Grain(size=7),)))
        _assert_equal(lab, kept, made)
        assert before.meta.uid != kept.get(made).meta.uid
        lab.tamper(made.key, b"{")
        with pytest.raises(InvalidResource):
            kept.get(made)

    @rule("ID-24")
    def test_value_that_its_reader_may_change_is_not_kept(self, lab: Lab) -> None:
        """Readers of a model with a list get a value each (ID-24)."""
        made = lab.store.create(Basket(name="b", stones=["a"]))
        kept = lab.open(keep_decoded=10)

        kept.get(made).stones.append("mine")

        assert made == kept.get(made)

    @staticmethod
    def _edit_by_hand(lab: Lab, target: Resource, document: bytes) -> None:
        record = lab.port.ask(Get((target.key,)))[target.key]
        edited = replace(record, document=document)
        assert isinstance(lab.port.ask(Commit("by-hand", {target.key: record.stamp}, puts=(edited,))), Receipt)


def _assert_equal(lab: Lab, kept: Any, target: Resource) -> None:
    assert lab.store.get(target) == kept.get(target)
    assert lab.store.list(Stone).resources == kept.list(Stone).resources
