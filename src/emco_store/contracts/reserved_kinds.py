"""RES: the store's own records of reserved kinds, which no caller can name, no list shows, and every rule obeys."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import new_class
from typing import Annotated, Any

import pytest

from emco_store.contracts.checks import checked
from emco_store.contracts.deletes import blocked, sites
from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Cascade, Crate, Restrict, SetNull, Site
from emco_store.contracts.recorded import PLANT, PlantLife, begin
from emco_store.contracts.rules import rule
from emco_store.core.codec import Untyped, meta_of
from emco_store.core.flaws import Flaw, FlawKind, Repair
from emco_store.core.keys import Key
from emco_store.core.naming import LIFECYCLE, REVISION, STATUS
from emco_store.core.plan import BlockReason
from emco_store.core.records import PARENT_PATH, Edge, Record
from emco_store.core.refs import Ref, on_delete
from emco_store.core.reserved import beside
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.core.some_of import some_of
from emco_store.core.status import Status
from emco_store.errors import DeleteRestricted, InvalidCall, InvalidModel, InvalidResource
from emco_store.ports import Commit, Receipt, ReferrerQuery, Scan

UP = b'{"state":"Up"}'
"""The document of a lifecycle record."""
PAGE = 5
MANY = 2 * PAGE + 3
"""More records than two pages hold."""


class ReservedRules:
    """Lifecycle records, revisions and statuses are written through the port, as the store itself writes them."""

    @rule("RES-1", "RES-3")
    def test_delete_that_names_a_lifecycle_record_is_refused(self, lab: Lab) -> None:
        """Naming the record that protects a resource beside it lifts no PROTECT (RES-1, RES-3)."""
        (a,) = sites(lab, "a")
        record = _lifecycle(a.key, UP, Rule.PROTECT)
        _put(lab, record)
        before = lab.records()

        with pytest.raises(InvalidCall):
            lab.store.delete(a, record.key)
        with lab.store.transaction() as tx:
            with pytest.raises(InvalidCall):
                tx.delete(record.key, a.key)
            tx.end()
        with pytest.raises(DeleteRestricted):
            lab.store.delete(a)
        with pytest.raises(DeleteRestricted):
            lab.open().delete(a.key)
        assert before == lab.records()

    @rule("RES-1")
    def test_reserved_kind_is_refused_before_any_request(self, lab: Lab) -> None:
        """A key, reference, value, class or kind that is reserved is refused in every call, with no request (RES-1)."""
        (a,) = sites(lab, "a")
        record = _lifecycle(a.key, UP, Rule.CASCADE)
        _put(lab, record)
        own = _status_of_site()
        stored = own(name="w", parent=a)
        untyped = Untyped(record.key, meta_of(record), {})
        lab.faults.clear()

        for on in (lab.store, lab.open()):
            for refused in (*_calls(on, record.key, own, stored, untyped), *_only_of_stores(on, record.key, untyped)):
                _is_refused(refused)
        with lab.store.transaction() as tx:
            for refused in _calls(tx, record.key, own, stored, untyped):
                _is_refused(refused)
            tx.end()

        assert [] == lab.faults.requests

    @rule("RES-1")
    def test_class_of_a_reserved_kind_is_refused(self, lab: Lab) -> None:
        """A class whose kind is reserved, lies under such a kind, or refers to one, is refused (RES-1)."""
        own = _status_of_site()

        for name, arguments, fields in (
            ("emco__Mine", {}, {}),
            ("Mine", {"kind": "emco__Lifecycle"}, {}),
            ("Below", {"parent": own}, {}),
            ("Referrer", {}, {"one": Ref[own]}),  # type: ignore[valid-type]  # made here
            ("Selecting", {}, {"one": Annotated[str, some_of(own)]}),
        ):
            with pytest.raises(InvalidModel):
                _define(name, fields, **arguments)

        class ByName(Resource):
            one: Ref["emco__Status_Site"]  # type: ignore[name-defined]  # noqa: F821, UP037 - found by the name of its kind

        with pytest.raises(InvalidModel):
            lab.store.create(ByName(name="n", one="emco__Status_Site/a/w"))

    @rule("RES-1")
    def test_reference_to_a_reserved_record_is_refused(self, lab: Lab) -> None:
        """No reference, parent or default of a rule can be the key of a reserved record (RES-1)."""
        (a,) = sites(lab, "a")
        record = _lifecycle(a.key, UP, Rule.CASCADE)
        _put(lab, record)

        for target in (record.key, Ref[Any](record.key), record.key.text):
            for model, values in (
                (Restrict, {"one": target}),
                (Restrict, {"either": target}),
                (Restrict, {"by_site": {target: "x"}}),
                (Crate, {"parent": target}),
            ):
                with pytest.raises(InvalidResource):
                    lab.store.create(model(name="r", **values))
        with pytest.raises(InvalidModel):
            _define("Fallen", {"one": Annotated[Ref[Site], on_delete(Rule.SET_DEFAULT)]}, one=Ref[Any](record.key))

        assert {"Site/a", record.key.text} == set(lab.records())

    @rule("RES-2")
    def test_list_of_all_kinds_passes_over_them(self, lab: Lab) -> None:
        """A list of all kinds shows no reserved record, on pages that stay full, for one request more (RES-2)."""
        _fill(lab)
        shown = sorted(text for text in lab.records() if not text.startswith("emco__"))
        assert any(text < "emco__" for text in shown)
        assert any(text > "emco_`" for text in shown)

        for size in (1, 2, PAGE, len(shown) - 1, len(shown), 1000):
            assert shown == _pages(lab.store.list, size, Resource)
            with lab.store.transaction() as tx:
                assert shown == _pages(tx.list, size, Resource, stable=False)
        for limit in (len(shown), 1000):
            lab.faults.clear()
            assert len(shown) == len(lab.store.list(Resource, limit=limit))
            assert lab.faults.count(Scan) <= 2
            for scan in lab.faults.asked(Scan):
                assert not any(record.key.kind.startswith("emco__") for record in lab.port.ask(scan).records), scan

    @rule("RES-2")
    def test_transaction_lists_no_record_that_it_writes_for_the_store(self, lab: Lab) -> None:
        """The lifecycle record and the revision of a transition are in no list of the same transaction (RES-2)."""
        begin(lab.store)
        shown = sorted(lab.records())

        with lab.store.transaction() as tx:
            tx.transition(PLANT, PlantLife.save)
            assert shown == [item.key.text for item in tx.list(Resource, limit=1000, stable=False)]

        assert len(shown) < len(lab.records())

    @rule("RES-2")
    def test_children_and_referrers_pass_over_them(self, lab: Lab) -> None:
        """Neither children nor referrers hold reserved records; pages stay full, for one request more (RES-2)."""
        a = _fill(lab)
        wanted = ["Crate/a/c", "Restrict/r", "emco_a/z"]

        for size in (1, 2, 3, 1000):
            assert ["Crate/a/c"] == _pages(lab.store.children, size, a)
            assert wanted == _pages(lab.store.referrers, size, a)
        lab.faults.clear()
        assert 3 == len(lab.store.referrers(a, limit=3))
        assert lab.faults.count(ReferrerQuery) <= 2
        with lab.store.transaction() as tx:
            assert ["Crate/a/c"] == [child.key.text for child in tx.children(a)]
            assert wanted == [item.key.text for item in tx.referrers(a)]
        tight = lab.open(max_records=3)
        with tight.transaction() as tx:
            assert wanted == [item.key.text for item in tx.referrers(a)]

    @rule("RES-2")
    def test_delete_and_its_plan_count_resources_alone(self, lab: Lab) -> None:
        """Plans and figures show resources; the reserved records go with them all the same (RES-2)."""
        a, b = sites(lab, "a", "b")
        lab.store.create(Crate(name="c", parent=a))
        _put(
            lab,
            _lifecycle(a.key, UP, Rule.CASCADE),
            _status(a.key, "w", Edge(a.key, PARENT_PATH, Rule.CASCADE)),
            _status(b.key, "w", Edge(b.key, PARENT_PATH, Rule.CASCADE), Edge(a.key, ("on",), Rule.SET_NULL)),
        )

        plan = lab.store.plan_delete(a)
        assert (["Site/a", "Crate/a/c"], ()) == ([one.key.text for one in plan.deletes], plan.updates)
        assert "emco__" not in str(plan)
        assert plan.figures == lab.store.apply(plan)
        assert ({"Crate": 1, "Site": 1}, {}) == (plan.figures.deleted, plan.figures.changed)
        assert {"Site/b", f"{STATUS}Site/b/w"} == set(lab.records())
        assert [] == lab.dangling()

    @rule("RES-2")
    def test_transaction_does_not_rest_on_what_it_cannot_see(self, lab: Lab) -> None:
        """A change of a reserved record does not disturb a transaction that has read lists of resources (RES-2)."""
        a = _fill(lab)
        status = next(record for record in lab.records().values() if record.key.kind.startswith(STATUS))

        with lab.store.transaction() as tx:
            tx.list(Resource, stable=False, limit=1000)
            tx.children(a)
            tx.referrers(a)
            lab.tamper(status.key, b'{"on":"Site/a","note":1}')
            tx.create(Site(name="new"))

        assert "Site/new" in lab.records()

    @rule("RES-3")
    def test_blocker_says_the_state_of_the_resource(self, lab: Lab) -> None:
        """What a reserved record forbids is said in words of the resource, in plans and errors (RES-3)."""
        a, b, c, d = sites(lab, "a", "b", "c", "d")
        held = _lifecycle(d.key, UP, Rule.CASCADE)
        _put(
            lab,
            _lifecycle(a.key, UP, Rule.PROTECT),
            _lifecycle(b.key, b"{", Rule.PROTECT),
            held,
            _lifecycle(c.key, UP, Rule.CASCADE, Edge(held.key, ("holds", 0), Rule.PROTECT)),
            _status(c.key, "w", Edge(a.key, ("on",), Rule.RESTRICT)),
        )

        for store in (lab.store, lab.open()):
            plan = store.plan_delete(a.key, b.key, d.key)
            said = [str(blocker) for blocker in plan.blockers]
            assert {
                "Site/a is Up",
                "Site/b is in a state that cannot be read",
                "Site/c is Up and holds Site/d",
                "status of Site/c by w on -> Site/a (RESTRICT)",
            } == set(said)
            states = [one for one in plan.blockers if one.reason is BlockReason.STATE]
            assert {("Site/a", "Site/a"), ("Site/b", "Site/b"), ("Site/c", "Site/d")} == {
                (one.referrer.text, one.target.text) for one in states
            }
            with pytest.raises(DeleteRestricted) as caught:
                store.delete(a.key, b.key, d.key)
            assert set(plan.blockers) == set(caught.value.blockers)
            assert "emco__" not in f"{plan} {caught.value}"

    @rule("RES-3")
    def test_state_forbids_a_cascade(self, lab: Lab) -> None:
        """A resource whose record protects it is not deleted by a cascade or by naming its referrers (RES-3)."""
        (a,) = sites(lab, "a")
        crate = lab.store.create(Crate(name="c", parent=a))
        other = lab.store.create(Cascade(name="x", one=a))
        _put(lab, _lifecycle(crate.key, UP, Rule.PROTECT))
        before = lab.records()

        for named in ((a,), (a, crate), (a, crate, other)):
            with pytest.raises(DeleteRestricted) as caught:
                lab.store.delete(*named)
            assert ["Crate/a/c is Up"] == [str(blocker) for blocker in caught.value.blockers]
        assert before == lab.records()

    @rule("RES-3")
    def test_too_many_blockers_are_said_in_words_of_the_resource(self, lab: Lab) -> None:
        """So are those of a delete that is too large for one commit (RES-3)."""
        (a,) = sites(lab, "a")
        lab.store.create(SetNull(name="n", one=a))
        _put(lab, _lifecycle(a.key, UP, Rule.PROTECT))

        with pytest.raises(DeleteRestricted) as caught:
            lab.open(max_records=1).delete(a.key)

        assert {("Site/a", "", Rule.PROTECT)} == blocked(caught.value)

    @rule("RES-4")
    def test_check_finds_their_flaws_and_does_not_count_them(self, lab: Lab) -> None:
        """A check finds flaws of reserved records, and neither counts them nor calls their kinds unknown (RES-4)."""
        (a,) = sites(lab, "a")
        gone = Key("Site", "gone")
        revision = _revision(a.key, 1)  # without the content of its digest
        _put(lab, _lifecycle(a.key, UP, Rule.PROTECT), revision, _lifecycle(a.key, UP, Rule.CASCADE, of=gone))

        flaws = checked(lab.store, 1000, unknown_kinds=True)

        assert 1 == _checked_records(lab)
        assert {
            (FlawKind.DANGLING, beside(LIFECYCLE, gone).text, Repair.DELETE),
            (FlawKind.INVALID, revision.key.text, None),
        } == {(flaw.kind, flaw.key, flaw.repair) for flaw in flaws}
        assert 1 == len(lab.store.repair(flaws).done)
        assert {"Site/a", beside(LIFECYCLE, a.key).text, revision.key.text} == set(lab.records())

    @rule("RES-4")
    def test_flaw_that_nobody_found_repairs_no_reserved_record(self, lab: Lab) -> None:
        """A flaw made by hand cannot delete the record that protects a resource (RES-4)."""
        (a,) = sites(lab, "a")
        record = _lifecycle(a.key, UP, Rule.PROTECT)
        _put(lab, record)

        for kind, entry in ((FlawKind.INVALID, ""), (FlawKind.DANGLING, ("Site/other",))):
            made = Flaw(kind, record.key.text, "", "made by hand", "", Repair.DELETE, entry=tuple(entry))
            assert [made] == [flaw for flaw, _ in lab.store.repair([made]).skipped]
        assert record.key.text in lab.records()


def _status_of_site() -> type[Resource]:
    """Define a class of statuses."""

    class SiteStatus(Status, of=Site, writer="w"):
        pass

    return SiteStatus


def _define(name: str, annotations: dict[str, Any], *, one: Any = None, **arguments: Any) -> None:
    """Define a class of resources whose annotations are given as values."""
    values = {} if one is None else {"one": one}
    new_class(
        name,
        (Resource,),
        arguments,
        lambda body: body.update(__module__=__name__, __annotations__=annotations, **values),
    )


def _calls(on: Any, key: Key, own: Any, stored: Resource, untyped: Untyped) -> list[Callable[[], Any]]:
    """Return calls of a store or transaction that name reserved records."""
    more: dict[str, Any] = {} if hasattr(on, "plan_delete") else {"stable": False}
    return [
        *(partial(on.get, target) for target in (key, Ref[Any](key), untyped, stored)),
        lambda: on.get(own, "a", "w"),
        lambda: on.get_many([Key("Site", "a"), key]),
        lambda: on.get_many([untyped], missing_ok=True),
        lambda: on.children(key),
        lambda: on.referrers(untyped),
        lambda: on.list(key.kind, **more),
        lambda: on.list("emco__AnythingElse", **more),
        lambda: on.list(own, **more),
        lambda: on.list(Crate, parent=key, **more),
        lambda: on.list(Crate, under=stored, **more),
        lambda: on.create(stored),
        lambda: on.update(stored),
        lambda: on.put(stored),
        lambda: on.delete(key),
        lambda: on.delete(Key("Site", "a"), Ref(key), missing_ok=True),
        lambda: on.delete(untyped),
        lambda: on.delete(stored),
    ]


def _only_of_stores(on: Any, key: Key, untyped: Untyped) -> list[Callable[[], Any]]:
    return [lambda: on.plan_delete(key), lambda: on.plan_delete(Key("Site", "a"), untyped, missing_ok=True)]


def _is_refused(call: Callable[[], Any]) -> None:
    with pytest.raises(InvalidCall) as caught:
        call()
    assert "emco__" in caught.value.line


def _fill(lab: Lab) -> Site:
    """Store resources before and after the reserved kinds, and reserved records of each kind; return their resource."""

    class Later(Resource, kind="emco_a"):
        one: Ref[Site] | None = None

    a, _ = sites(lab, "a", "b")
    lab.store.create(Crate(name="c", parent=a))
    lab.store.create(Restrict(name="r", one=a))
    lab.store.create(Later(name="y"))
    lab.store.create(Later(name="z", one=a))
    _put(
        lab,
        _lifecycle(a.key, UP, Rule.CASCADE),
        *(_revision(a.key, number) for number in range(MANY)),
        *(_status(a.key, f"w{number}", Edge(a.key, PARENT_PATH, Rule.CASCADE)) for number in range(MANY)),
    )
    return a


def _pages(call: Callable[..., Any], size: int, *args: Any, **more: Any) -> list[str]:
    """Read all pages, of which every one but the last is full, and return the keys."""
    found: list[str] = []
    after = None
    while True:
        page = call(*args, limit=size, after=after, **more)
        found += [item.key.text for item in page]
        after = page.next
        if after is None:
            return found
        assert size == len(page)


def _checked_records(lab: Lab) -> int:
    number = 0
    after: str | None = None
    while True:
        page = lab.store.check(after=after)
        number += int(page.records)
        after = page.next
        if after is None:
            return number


def _lifecycle(resource: Key, document: bytes, by: Rule, *more: Edge, of: Key | None = None) -> Record:
    target = of or resource
    return _record(beside(LIFECYCLE, target), document, Edge(target, ("resource",), by), *more)


def _status(resource: Key, writer: str, *edges: Edge) -> Record:
    document = b'{"on":"Site/a"}' if any(edge.path == ("on",) for edge in edges) else b"{}"
    return _record(Key(f"{STATUS}{resource.kind}", *resource.segments, writer), document, *edges)


def _revision(resource: Key, number: int) -> Record:
    return _record(beside(REVISION, resource, "uid", f"{number:010}"), b"{}")


def _record(key: Key, document: bytes, *edges: Edge) -> Record:
    return Record(key, f"uid-{key.text}", 1, document, edges, (), (), 1, 1)


def _put(lab: Lab, *records: Record) -> None:
    """Write reserved records, one commit for all; targets that are not there are not asked for."""
    txid = f"{lab.namespace}-{records[0].key.text}"
    absent = dict.fromkeys([record.key for record in records])
    targets = {target for record in records for target in record.targets} - absent.keys()
    there = frozenset(key for key in targets if key.text in lab.records())
    assert isinstance(lab.port.ask(Commit(txid, absent, there, puts=records)), Receipt)
