"""ALL: the rules are stored with the data, so a store that knows no models obeys them, too."""

from __future__ import annotations

from typing import Annotated

import pytest

from emco_store.contracts.deletes import blocked, sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import (
    Cascade,
    Crate,
    NullLeg,
    Pair,
    Parcel,
    Protect,
    Rack,
    Remove,
    Restrict,
    SetDefault,
    SetNull,
    Site,
)
from emco_store.contracts.rules import rule
from emco_store.core.codec import Untyped
from emco_store.core.keys import Key
from emco_store.core.refs import Ref, on_delete
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.errors import DeleteRestricted, NotFound


class StoredRules:
    """Every store here is new and has never met a model."""

    @rule("ALL-1")
    def test_store_without_models_is_blocked(self, lab: Lab) -> None:
        """RESTRICT and PROTECT block deletes of a store that knows no models, in all places (ALL-1)."""
        (a,) = sites(lab, "a")
        lab.store.create(Restrict(name="r", one=a, trips={"k": [{"legs": [{"site": a}]}]}, by_site={a: "x"}))
        lab.store.create(Protect(name="p", listed=[a], also=a))
        lab.store.create(Rack(name="k", parent=a))
        before = lab.state()

        with pytest.raises(DeleteRestricted) as caught:
            lab.open().delete(a.key)

        assert {
            ("Restrict/r", "one", Rule.RESTRICT),
            ("Restrict/r", "trips.k[0].legs[0].site", Rule.RESTRICT),
            ("Restrict/r", "by_site{Site/a}", Rule.RESTRICT),
            ("Protect/p", "listed[0]", Rule.PROTECT),
            ("Rack/a/k", "parent", Rule.RESTRICT),
        } == blocked(caught.value)
        assert before == lab.state()

    @rule("ALL-2")
    def test_store_without_models_cascades(self, lab: Lab) -> None:
        """CASCADE deletes children and referrers of unknown kinds, to any depth (ALL-2)."""
        (a,) = sites(lab, "a")
        crate = lab.store.create(Crate(name="c", parent=a))
        lab.store.create(Parcel(name="p", parent=crate, code="x"))
        first = lab.store.create(Cascade(name="x", one=a))
        lab.store.create(Cascade(name="y", before=first))

        lab.open().delete(a.key)

        assert {} == lab.state()
        again = lab.store.create(Crate(name="c", parent=lab.store.create(Site(name="b"))))
        lab.store.create(Parcel(name="p", parent=again, code="x"))

    @rule("ALL-2")
    def test_store_without_models_changes_what_stays(self, lab: Lab) -> None:
        """SET_NULL, SET_DEFAULT and REMOVE edit documents of unknown kinds and change nothing else in them (ALL-2)."""
        a, b, main = sites(lab, "a", "b", "main")
        null = lab.store.create(
            SetNull(name="n", one=a, only=a, listed=[a, b], by_name={"x": a}, legs=[NullLeg(site=a.ref)], note="é")
        )
        fallen = lab.store.create(SetDefault(name="d", one=a, note="é"))
        pruned = lab.store.create(
            Remove(
                name="r", listed=[a, b, a], chosen=[a, b], row=[a], by_name={"x": a, "y": b}, by_site={a: "1", b: "2"},
                grid=[[a, b], [a]], pairs=[Pair(sites=[a.ref])], deep={"x": [b, a]}, note="é",
            )
        )  # fmt: skip

        lab.open().delete(a.key)

        assert SetNull(name="n", listed=[None, b], by_name={"x": None}, legs=[NullLeg()], note="é").model_dump() == (
            lab.store.get(null).model_dump()
        )
        assert SetDefault(name="d", one=main, note="é").model_dump() == lab.store.get(fallen).model_dump()
        assert Remove(
            name="r", listed=[b], chosen=[b], by_name={"y": b}, by_site={b: "2"}, grid=[[b], []], pairs=[Pair()],
            deep={"x": [b]}, note="é",
        ).model_dump() == lab.store.get(pruned).model_dump()  # fmt: skip
        assert [2, 2, 2] == [lab.store.get(item).meta.version for item in (null, fallen, pruned)]
        assert ["SetDefault/d"] == [item.key.text for item in lab.store.referrers(main)]

    @rule("ALL-2")
    def test_what_a_blind_store_changed_is_as_if_written(self, lab: Lab) -> None:
        """After a store without models has changed a resource, a put of the same content changes nothing (ALL-2)."""
        a, b, _ = sites(lab, "a", "b", "main")
        lab.store.create(SetNull(name="n", only=a, listed=[a, b]))
        lab.store.create(SetDefault(name="d", one=a))
        lab.store.create(Remove(name="r", chosen=[b, a], grid=[[a], [b, a]], routes={a: [], b: []}))

        lab.open().delete(a.key)

        for resource in (
            SetNull(name="n", listed=[None, b]),
            SetDefault(name="d"),
            Remove(name="r", chosen=[b], grid=[[], [b]], routes={b: []}),
        ):
            assert 2 == lab.store.put(resource).meta.version

    @rule("ALL-3")
    def test_unknown_kinds_can_be_read(self, lab: Lab) -> None:
        """A resource of an unknown kind is read by key, and listed as child, as referrer and by its kind (ALL-3)."""
        (a,) = sites(lab, "a")
        crate = lab.store.create(Crate(name="c", parent=a, note="x"))
        lab.store.create(Restrict(name="r", one=a))
        blind = lab.open()

        read = blind.get(crate.key)
        assert isinstance(read, Untyped)
        assert (crate.key, crate.meta, {"name": "c", "note": "x"}) == (read.key, read.meta, read.document)
        assert [read] == list(blind.children(a.key))
        assert [crate.key, Key("Restrict", "r")] == [item.key for item in blind.referrers(a.key)]
        assert [read] == list(blind.list("Crate")) == list(blind.list("Crate", under=a.key))
        assert sorted(lab.records()) == [item.key.text for item in blind.list(Resource)]

    @rule("ALL-3")
    def test_unknown_kinds_can_be_deleted(self, lab: Lab) -> None:
        """A resource of an unknown kind can be deleted, alone and in a transaction (ALL-3)."""
        (a,) = sites(lab, "a")
        lab.store.create(Crate(name="c", parent=a))
        lab.store.create(Restrict(name="r", one=a))
        blind = lab.open()

        with blind.transaction() as tx:
            tx.delete(*tx.referrers(a.key))
        blind.delete(blind.get(a.key))

        assert {} == lab.state()
        with pytest.raises(NotFound):
            blind.delete(a.key)

    @rule("ALL-4")
    def test_rule_that_counts_is_the_written_one(self, lab: Lab) -> None:
        """A referrer keeps the rule that it was written with, until it is written with another (ALL-4)."""
        (target, strict), (_, lenient) = _release(Rule.RESTRICT), _release(Rule.SET_NULL)
        old, new = lab.open(), lab.open()
        a = old.create(target(name="a"))
        old.create(strict(name="x", one=a))
        new.create(lenient(name="y", one=a.key))

        with pytest.raises(DeleteRestricted) as caught:
            new.delete(a.key)
        assert {("Changing/x", "one", Rule.RESTRICT)} == blocked(caught.value)

        new.put(lenient(name="x", one=a.key))
        old.delete(a)
        assert [None, None] == [new.get(lenient, name).one for name in ("x", "y")]


def _release(chosen: Rule) -> tuple[type[Resource], type[Resource]]:
    """Return the models of two kinds as one release of a service declares them."""

    class Target(Resource):
        pass

    class Changing(Resource):
        one: Annotated[Ref[Target] | None, on_delete(chosen)] = None

    return Target, Changing
