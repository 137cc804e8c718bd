"""What a model says today, against what older records were written with."""

from __future__ import annotations

from typing import Annotated

import pytest

from emco_store import (
    CASCADE,
    REMOVE,
    Conflict,
    F,
    FlawKind,
    MemoryBackend,
    Ref,
    Repair,
    Resource,
    UniqueViolation,
    connect,
    indexed,
    on_delete,
    unique,
)
from tests.checking.scenes import checked


class OldTown(Resource, kind="Town"):
    """A target, as the old model of a shop knows it."""


class Town(Resource):
    """The same for the new model."""


class Shop(Resource):
    """A shop as it once was."""

    owner: str = ""
    colour: str = ""
    near: Annotated[list[Ref[OldTown]], on_delete(REMOVE)] = []


class NewShop(Resource, kind="Shop"):
    """A shop whose owner is unique, whose colour is indexed and whose neighbours go with it, from now on."""

    owner: Annotated[str, unique()] = ""
    colour: Annotated[str, indexed()] = ""
    near: Annotated[list[Ref[Town]], on_delete(CASCADE)] = []
    size: int = 0


@pytest.fixture
def backend():
    """A backend with two shops of the old model."""
    backend = MemoryBackend()
    with connect(backend, namespace="n", models=[Shop]) as store:
        store.create(OldTown(name="t"))
        store.create(Shop(name="a", owner="ann", colour="red", near=["Town/t"]))
        store.create(Shop(name="b", owner="bob", colour="blue"))
    return backend


def test_field_that_became_indexed_is_found_and_the_record_written_again(backend):
    """A list by a new index misses older records, until the repair has written them again."""
    with connect(backend, namespace="n", models=[NewShop]) as store:
        before = [shop.name for shop in store.list(NewShop, where=F.colour == "red")]
        flaws = checked(store)
        repaired = store.repair(flaws)

        assert [] == before
        assert {("Shop/a", "unique"), ("Shop/a", "indexed"), ("Shop/b", "unique"), ("Shop/b", "indexed")} == {
            (flaw.key, flaw.place) for flaw in flaws
        }
        assert {(FlawKind.VALUES, Repair.REWRITE)} == {(flaw.kind, flaw.repair) for flaw in flaws}
        assert () == repaired.skipped
        assert ["a"] == [shop.name for shop in store.list(NewShop, where=F.colour == "red")]
        assert [] == checked(store)
        with pytest.raises(UniqueViolation):
            store.create(NewShop(name="c", owner="ann"))


def test_rewritten_record_has_another_version(backend):
    """A value that was read before the repair can no longer be written: one version names one state."""
    with connect(backend, namespace="n", models=[NewShop]) as store:
        shop = store.get(NewShop, "a")
        store.repair(checked(store))

        assert (1, 2) == (shop.meta.version, store.get(NewShop, "a").meta.version)
        with pytest.raises(Conflict):
            store.update(shop.model_copy(update={"size": 3}))


def test_value_that_cannot_become_unique_is_told(backend):
    """Where two older records have the same value, one is written again and the other is told with the reason."""
    with connect(backend, namespace="n", models=[Shop]) as old:
        old.put(Shop(name="c", owner="ann"))
    with connect(backend, namespace="n", models=[NewShop]) as store:
        repaired = store.repair(checked(store))

        assert {"Shop/c"} == {flaw.key for flaw, _ in repaired.skipped}
        assert all("Shop/a" in reason for _, reason in repaired.skipped)


def test_rule_that_changed_in_the_model_is_no_flaw(backend):
    """The rule that counts is the one that the record was written with (ALL-4)."""
    with connect(backend, namespace="n", models=[NewShop]) as store:
        assert FlawKind.EDGES not in {flaw.kind for flaw in checked(store)}


def test_record_that_does_not_fit_the_model_is_told(backend):
    """A document with a field that the model forbids is no resource of it; nothing is repaired."""
    with connect(backend, namespace="n", models=[NewShop]) as store:
        store.put(NewShop(name="b", owner="bob", size=3))
    with connect(backend, namespace="n", models=[Shop]) as old:
        flaws = [flaw for flaw in checked(old) if flaw.key == "Shop/b"]

        assert [(FlawKind.INVALID, None)] == [(flaw.kind, flaw.repair) for flaw in flaws]
        assert "size" in flaws[0].detail
