"""REF: in every committed state, every reference resolves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.models import (
    App,
    Bundle,
    Cascade,
    Crate,
    Leg,
    Parcel,
    Plan,
    Rack,
    Restrict,
    Site,
    Trip,
)
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.refs import Ref, on_delete
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.errors import DeleteRestricted, InvalidResource, MissingReference

Named = Ref["Stamp"]  # type: ignore[name-defined]


class ReferenceRules:
    """A reference is committed only if its target exists, in any field."""

    @rule("REF-1")
    def test_create_under_a_missing_parent_is_refused(self, lab: Lab) -> None:
        """A resource is created only under an existing parent, at any depth (REF-1)."""
        lab.store.create(Site(name="a"))
        before = lab.state()

        for resource, parent in (
            (Crate(name="c", parent="Site/b"), Key("Site", "b")),
            (Parcel(name="p", parent="Crate/a/c"), Key("Crate", "a", "c")),
        ):
            for write in (lab.store.create, lab.store.put):
                with pytest.raises(MissingReference) as caught:
                    write(resource)
                assert ((f"{resource.key} parent", parent),) == caught.value.missing

        assert before == lab.state()

    @rule("REF-1", "ATM-3")
    def test_create_under_a_parent_that_was_seen_absent_is_refused(self, lab: Lab) -> None:
        """A transaction that found no parent cannot create a child either (REF-1)."""

        def create(tx: Any) -> None:
            tx.list(Crate, parent=Key("Site", "b"))
            tx.create(Crate(name="c", parent="Site/b"))

        with pytest.raises(MissingReference) as caught:
            lab.store.run(create)

        assert (("Crate/b/c parent", Key("Site", "b")),) == caught.value.missing
        assert {} == lab.state()

    @rule("REF-2")
    def test_reference_to_nothing_is_refused(self, lab: Lab) -> None:
        """Create, update and put commit a reference only if its target exists (REF-2)."""
        _refused(lab, {"one": "Site/absent"}, {"one"})

    @rule("REF-2")
    def test_all_references_to_nothing_are_named_at_once(self, lab: Lab) -> None:
        """One error names all unresolved references of all resources of the commit (REF-2)."""
        lab.store.create(Site(name="a"))

        with pytest.raises(MissingReference) as caught, lab.store.transaction() as tx:
            tx.create(Restrict(name="r", one="Site/g1", listed=["Site/a", "Site/g2"], by_name={"k": "Site/g1"}))
            tx.create(Crate(name="c", parent="Site/g3"))

        assert {
            ("Restrict/r one", Key("Site", "g1")),
            ("Restrict/r listed[1]", Key("Site", "g2")),
            ("Restrict/r by_name.k", Key("Site", "g1")),
            ("Crate/g3/c parent", Key("Site", "g3")),
        } == set(caught.value.missing)
        assert ["Site/a"] == sorted(lab.state())

    @rule("REF-2")
    def test_optional_reference_may_be_absent(self, lab: Lab) -> None:
        """None needs no target (REF-2)."""
        made = lab.store.create(Restrict(name="r", one=None))

        assert lab.store.get(made).one is None

    @rule("REF-2")
    def test_deleted_target_is_no_target(self, lab: Lab) -> None:
        """A reference to a deleted target does not resolve (REF-2)."""
        site = lab.store.create(Site(name="a"))
        lab.store.delete(site)

        with pytest.raises(MissingReference):
            lab.store.create(Restrict(name="r", one=site))

    @rule("REF-3")
    def test_reference_to_nothing_in_a_list_set_or_tuple_is_refused(self, lab: Lab) -> None:
        """Each entry of a list, a set and a tuple must resolve, at any position (REF-3)."""
        for field in ("listed", "chosen", "row"):
            for sites in (["Site/absent"], ["Site/a", "Site/absent"], ["Site/absent", "Site/a"]):
                _refused(lab, {field: sites}, {field})

    @rule("REF-4")
    def test_reference_to_nothing_in_a_map_is_refused(self, lab: Lab) -> None:
        """Each value of a map, and each key of a map, must resolve (REF-4)."""
        _refused(lab, {"by_name": {"x": "Site/a", "y": "Site/absent"}}, {"by_name"})
        _refused(lab, {"by_site": {"Site/a": "x", "Site/absent": "y"}}, {"by_site"})

    @rule("REF-5")
    def test_reference_to_nothing_in_a_nested_model_is_refused(self, lab: Lab) -> None:
        """References in nested models, and in lists and maps of them, must resolve (REF-5)."""
        good, bad = Leg(site=Ref("Site/a")), Leg(site=Ref("Site/a"), spare=[Ref("Site/a"), Ref("Site/absent")])
        _refused(lab, {"leg": Leg(site=Ref("Site/absent"))}, {"leg"})
        _refused(lab, {"leg": bad}, {"leg"})
        _refused(lab, {"trips": {"k": [Trip(legs=[good]), Trip(legs=[good, bad])]}}, {"trips"})
        _refused(lab, {"trips": {"k": [Trip(by_day={"mon": good, "tue": bad})]}}, {"trips"})

    @rule("REF-6")
    def test_reference_to_one_of_several_kinds_must_resolve(self, lab: Lab) -> None:
        """A polymorphic reference resolves in the kind that it names, and refuses all other kinds (REF-6)."""
        _refused(lab, {"either": "Rack/a/absent"}, {"either"})
        _refused(lab, {"either": "Site/absent"}, {"either"})
        rack = lab.store.create(Rack(name="r", parent="Site/a"))
        for target in (rack, lab.store.get(Site, "a")):
            made = lab.store.put(Restrict(name="e", either=target))
            assert target.key == made.either.key
            assert ["Restrict/e"] == [found.key.text for found in lab.store.referrers(target) if found.name == "e"]
        for target in ("Crate/a/c", "a", "Bundle/a/b/1"):
            with pytest.raises(InvalidResource):
                Restrict(name="x", either=target)

    @rule("REF-7")
    def test_transaction_creates_in_any_order(self, lab: Lab) -> None:
        """Referrers may come before their targets, and children before their parents (REF-7)."""
        with lab.store.transaction() as tx:
            tx.create(Parcel(name="p", parent="Crate/a/c"))
            tx.create(Restrict(name="r", listed=["Site/a"], either="Rack/a/k"))
            tx.create(Rack(name="k", parent="Site/a"))
            tx.create(Crate(name="c", parent="Site/a"))
            tx.create(Site(name="a"))

        assert ["Crate/a/c", "Parcel/a/c/p", "Rack/a/k", "Restrict/r", "Site/a"] == sorted(lab.state())

    @rule("REF-7")
    def test_transaction_creates_a_cycle(self, lab: Lab) -> None:
        """Resources of one transaction may refer to each other in a cycle (REF-7)."""
        with lab.store.transaction() as tx:
            for name, before in (("x", "z"), ("y", "x"), ("z", "y")):
                tx.create(Cascade(name=name, before=before))

        for name, after in (("x", "y"), ("y", "z"), ("z", "x")):
            assert [f"Cascade/{after}"] == [item.key.text for item in lab.store.referrers(Key("Cascade", name))]

    @rule("REF-7")
    def test_order_of_steps_does_not_hide_a_missing_target(self, lab: Lab) -> None:
        """A target that is created and deleted again within the transaction does not resolve (REF-7)."""
        with pytest.raises((MissingReference, DeleteRestricted)), lab.store.transaction() as tx:
            site = tx.create(Site(name="a"))
            tx.create(Restrict(name="r", one=site))
            tx.delete(site)

        assert {} == lab.state()

    @rule("REF-8")
    def test_fixed_parts_are_filled_in(self, lab: Lab) -> None:
        """A reference with fixed parts is completed with them, and one that contradicts them is refused (REF-8)."""
        _bundle(lab, "root")
        _bundle(lab, "v1")
        made = lab.store.create(Plan(name="x", parent="Bundle/a/b/v1", root="b"))

        assert Key("Bundle", "a", "b", "root") == made.root.key
        assert made.root == lab.store.get(made).root
        for root in ("Bundle/a/b/v1", "Bundle/a/b/v2", "v1/b/a"):
            with pytest.raises(InvalidResource):
                Plan(name="y", parent="Bundle/a/b/v1", root=root)
        with pytest.raises(DeleteRestricted):
            lab.store.delete(Key("Bundle", "a", "b", "root"))

    @rule("REF-9")
    def test_ignored_name_is_no_reference(self, lab: Lab) -> None:
        """A name that is declared not to be a reference is stored unchanged and protects nothing (REF-9)."""
        _bundle(lab, "v1")
        lab.store.create(App(name="sink", parent="Bundle/a/b/v1"))
        plan = Plan(name="x", parent="Bundle/a/b/v1", targets={"all": "1", "sink": "2", "none": "3"})
        read = lab.store.get(lab.store.create(plan))

        assert ["all", "App/a/b/v1/sink", "none"] == [str(ref) for ref in read.targets]
        assert ["parent", "targets{App/a/b/v1/sink}"] == [edge.place for edge in read.meta.edges]
        with pytest.raises(MissingReference):
            lab.store.create(Plan(name="y", parent="Bundle/a/b/v1", targets={"every": "1"}))

    @rule("REF-10")
    def test_conditional_reference_counts_while_its_condition_holds(self, lab: Lab) -> None:
        """A conditional reference must resolve, and protects its target, only while its condition holds (REF-10)."""
        _bundle(lab, "v1")
        target = lab.store.create(Site(name="t"))
        made = lab.store.create(Plan(name="x", parent="Bundle/a/b/v1", how="host", to="absent"))
        assert "absent" == str(lab.store.get(made).to)

        for how in ("site", "both"):
            with pytest.raises(MissingReference):
                lab.store.update(made.model_copy(update={"how": how}))
            held = lab.store.update(lab.store.get(made).model_copy(update={"how": how, "to": target.ref}))
            with pytest.raises(DeleteRestricted):
                lab.store.delete(target)
            made = lab.store.update(held.model_copy(update={"how": "host", "to": Ref("absent")}))

        lab.store.delete(target)
        assert [] == lab.dangling()

    @rule("REF-11")
    def test_short_reference_is_stored_whole(self, lab: Lab) -> None:
        """A short reference is completed from the referrer's key and stored in full (REF-11)."""
        for version in ("v1", "v2"):
            _bundle(lab, version)
            lab.store.create(App(name="sink", parent=f"Bundle/a/b/{version}"))
        for text, version in (("sink", "v1"), ("v2/sink", "v2"), ("b/v2/sink", "v2"), ("App/a/b/v1/sink", "v1")):
            made = lab.store.put(Plan(name="x", parent="Bundle/a/b/v1", app=text))
            assert f"App/a/b/{version}/sink" == made.app.text == lab.state()["Plan/a/b/v1/x"][1]["app"]

        assert "App/a/b/v1/sink" == lab.open().get(Key("Plan", "a", "b", "v1", "x")).document["app"]
        with pytest.raises(InvalidResource):
            Plan(name="y", parent="Bundle/a/b/v1", app="x/a/b/v1/sink")

    @rule("REF-12")
    def test_reference_to_itself_or_upwards_is_refused(self, lab: Lab) -> None:
        """A resource cannot refer to itself or to its ancestors (REF-12)."""
        _bundle(lab, "v1")
        before = lab.state()

        for make in (
            lambda: Cascade(name="x", before="x"),
            lambda: Cascade(name="x", before="Cascade/x"),
            lambda: Plan(name="x", parent="Bundle/a/b/v1", to="Site/a"),
        ):
            with pytest.raises(InvalidResource):
                lab.store.create(make())

        assert before == lab.state()

    @rule("REF-13")
    def test_reference_that_is_taken_back_releases_its_target(self, lab: Lab) -> None:
        """After an update, a put or a delete of the referrer, its old target can be deleted (REF-13)."""
        for field, value in _FORMS.items():
            for give_up in ("update", "put", "delete"):
                site, other = (lab.store.put(Site(name=name)) for name in ("a", "b"))
                made = lab.store.put(Restrict(name="r", **{field: value}))
                with pytest.raises(DeleteRestricted):
                    lab.store.delete(site)
                if give_up == "update":
                    changed = Restrict(name="r", one=other)
                    lab.store.update(made.model_copy(update={field: getattr(changed, field), "one": other.ref}))
                elif give_up == "put":
                    lab.store.put(Restrict(name="r", note="free"))
                else:
                    lab.store.delete(made)
                assert [] == list(lab.store.referrers(site))
                lab.store.delete(site)
                assert [] == lab.dangling()

    @rule("REF-13")
    def test_referrers_follow_every_change(self, lab: Lab) -> None:
        """A re-pointed reference is found at its new target and no longer at its old one (REF-13)."""
        first, second = (lab.store.create(Site(name=name)) for name in ("a", "b"))
        made = lab.store.create(Restrict(name="r", one=first, listed=[first]))

        lab.store.update(made.model_copy(update={"one": second.ref}))
        both = [[item.key.text for item in lab.store.referrers(site)] for site in (first, second)]
        lab.store.put(Restrict(name="r", one=second))
        one = [[item.key.text for item in lab.store.referrers(site)] for site in (first, second)]

        assert ([["Restrict/r"], ["Restrict/r"]], [[], ["Restrict/r"]]) == (both, one)

    @rule("REF-17")
    def test_target_that_is_named_is_found_when_it_is_needed(self, lab: Lab) -> None:
        """A reference may name a kind that is defined later and elsewhere (REF-17)."""

        class Letter(Resource):
            stamp: Annotated[Named | None, on_delete(Rule.SET_NULL)] = None

        class Postmark(Resource, kind="Stamp"):
            pass

        made = lab.store.create(Postmark(name="s"))
        letter = lab.store.create(Letter(name="l", stamp="s"))

        assert made.key == letter.stamp.key
        assert [letter] == list(lab.store.referrers(made))
        with pytest.raises(MissingReference):
            lab.store.create(Letter(name="m", stamp="t"))
        lab.store.delete(made)
        assert lab.store.get(letter).stamp is None


def _refused(lab: Lab, fields: dict[str, Any], places: set[str]) -> None:
    """Assert that create, update and put refuse the absent target in ``fields``, and name its place."""
    lab.store.put(Site(name="a"))
    held = lab.store.put(Restrict(name="held"))
    before = lab.state()
    dangling = Restrict(name="new", **fields)
    write: Callable[[], Any]
    for write in (
        lambda: lab.store.create(dangling),
        lambda: lab.store.put(Restrict(name="held", **fields)),
        lambda: lab.store.update(held.model_copy(update={name: getattr(dangling, name) for name in fields})),
    ):
        with pytest.raises(MissingReference) as caught:
            write()
        assert {True} == {"absent" in target.text for _, target in caught.value.missing}
        found = {place.split(" ")[1].split("[")[0].split(".")[0].split("{")[0] for place, _ in caught.value.missing}
        assert places == found
    assert before == lab.state()


def _bundle(lab: Lab, version: str) -> None:
    lab.store.put(Site(name="a"))
    lab.store.create(Bundle(name="b", version=version, parent="Site/a"))


_FORMS: dict[str, Any] = {
    "one": "Site/a",
    "listed": ["Site/b", "Site/a"],
    "chosen": ["Site/a"],
    "row": ["Site/a", "Site/a"],
    "by_name": {"k": "Site/a"},
    "by_site": {"Site/a": "k"},
    "leg": {"site": "Site/a"},
    "trips": {"k": [{"legs": [{"site": "Site/a"}]}, {"by_day": {"mon": {"site": "Site/b", "spare": ["Site/a"]}}}]},
    "either": "Site/a",
}
