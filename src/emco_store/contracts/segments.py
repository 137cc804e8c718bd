"""SEG-1 to SEG-7: what services declare in a namespace fits together, in whatever order they come."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import pytest

from emco_store.contracts.checks import checked
from emco_store.contracts.harness import Lab
from emco_store.contracts.rules import rule
from emco_store.core.keys import Key
from emco_store.core.lifecycle import Lifecycle
from emco_store.core.lifecycle_parts import transition
from emco_store.core.refs import Ref, on_delete
from emco_store.core.registry import REGISTRY_KEY
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.core.segments import Segment
from emco_store.core.views import View
from emco_store.errors import InvalidCall, NotReady, SegmentRefused, Unavailable
from emco_store.ports import Commit, Get


class Line(Resource):
    """A root, of the first segment."""

    title: str = ""


class Stop(Resource, parent=Line):
    """Lies under it."""

    zone: int = 1


class LineView(View, of="Line", parent=None):
    """What the others know of a line."""

    title: str


class StopView(View, of="Stop"):
    """What the others know of a stop."""

    zone: int


class Bus(Resource, parent=LineView):
    """Of the second segment; lies under what the first one owns."""

    at: Ref[StopView]


class BusView(View, of="Bus"):
    """What the others know of a bus."""


class Driver(Resource):
    """Of the third segment; refers to what the second one owns."""

    bus: Ref[BusView]


NETWORK = Segment("network", [Line, Stop])
FLEET = Segment("fleet", [Bus, LineView, StopView])
STAFF = Segment("staff", [Driver, BusView])


def _class(base: Any, kind: str, fields: dict[str, Any], **options: Any) -> Any:
    """Define another class of a kind, as another program would."""
    values = {"__module__": f"{__name__}.other", "__annotations__": {name: one[0] for name, one in fields.items()}}
    return type(kind, (base,), values | {name: one[1] for name, one in fields.items() if len(one) > 1}, **options)


def _ref(target: Any) -> Any:
    """Return the type of a reference to a class."""
    return Ref[target]


class StopState(StrEnum):
    """The states of a stop that has some."""

    OPEN = "Open"
    SHUT = "Shut"


class Opening(Lifecycle[StopState]):
    """One way."""

    initial = StopState.OPEN
    shut = transition(StopState.OPEN, to=StopState.SHUT)
    deletable = {StopState.OPEN, StopState.SHUT}


class Both(Lifecycle[StopState]):
    """Both ways."""

    initial = StopState.OPEN
    shut = transition(StopState.OPEN, to=StopState.SHUT)
    open = transition(StopState.SHUT, to=StopState.OPEN)
    deletable = {StopState.OPEN, StopState.SHUT}


class Thing(View, of="Thing", parent=None):
    """What no segment declares."""


def _post(fields: dict[str, Any], **options: Any) -> Any:
    return _class(Resource, "Post", fields, **options)


_REF = Annotated[Ref[LineView] | None, on_delete(Rule.SET_NULL)]
_RESTRICTING = Ref[LineView] | None


class SegmentRules:
    """Registrations, one after the other."""

    @rule("SEG-1", "SEG-4")
    def test_registering_again_writes_nothing(self, lab: Lab) -> None:
        """What means the same, in another order and in another program, is registered already (SEG-1, SEG-4)."""
        assert lab.store.register(NETWORK).is_active
        before = lab.records()
        line = _class(Resource, "Line", {"title": (str, "")})
        stop = _class(Resource, "Stop", {"zone": (int, 1)}, parent=line)

        for again in (NETWORK, Segment("network", [stop, line])):
            state = lab.open().register(again)
            assert (True, 1) == (state.is_active, state.version)
        assert before == lab.records()
        assert REGISTRY_KEY.text in before

    @rule("SEG-1")
    def test_registrations_at_once_lose_none(self, lab: Lab) -> None:
        """What another service registers between the read and the write of one stays (SEG-1)."""
        other = lab.open()
        other.register(FLEET)
        lab.faults.do(Commit, lambda: lab.inside(other).register(STAFF))
        assert lab.store.register(NETWORK).is_active

        assert ["fleet", "network", "staff"] == [one.name for one in lab.open().segments()]

    @rule("SEG-2")
    def test_segment_that_lacks_something_waits_and_is_completed(self, lab: Lab) -> None:
        """It disturbs nobody, says what it waits for, and whoever completes it activates it (SEG-2)."""
        states = [lab.store.register(one) for one in (STAFF, FLEET)]
        assert [False, False] == [state.is_active for state in states]
        assert all(state.awaits for state in states)

        assert lab.open().register(NETWORK).is_active
        assert {"fleet": True, "network": True, "staff": True} == {
            one.name: one.is_active for one in lab.store.segments()
        }
        assert [] == checked(lab.store)

    @rule("SEG-2")
    def test_segment_that_never_fits_harms_nobody(self, lab: Lab) -> None:
        """Neither a missing parent nor a claim of somebody's kind keeps the others from being active (SEG-2)."""
        squatter = Segment(
            "squatter", [_class(Resource, "Line", {"x": (int,)}), _class(Resource, "Y", {}, parent=Thing)]
        )
        assert not lab.store.register(squatter).is_active

        for one in (NETWORK, FLEET, STAFF):
            assert lab.open().register(one).is_active
        (waiting,) = (one for one in lab.store.segments() if not one.is_active)
        assert "squatter" == waiting.name
        assert any("network" in reason for reason in waiting.awaits)

    @rule("SEG-2")
    def test_segments_that_rely_on_each_other_become_active_together(self, lab: Lab) -> None:
        """The first one waits, and the second one activates both (SEG-2)."""
        here, there = _class(View, "HereView", {}, of="Here"), _class(View, "ThereView", {}, of="There")
        first = Segment("a", [_class(Resource, "Here", {"to": (_ref(there) | None, None)}), there])
        second = Segment("b", [_class(Resource, "There", {"to": (_ref(here) | None, None)}), here])

        assert not lab.store.register(first).is_active
        assert lab.store.register(second).is_active
        assert [True, True] == [one.is_active for one in lab.store.segments()]

    @rule("SEG-3")
    def test_kind_of_another_segment_is_refused_with_the_difference(self, lab: Lab) -> None:
        """A kind has one owner; whoever declares it too is told who that is, and what differs (SEG-3)."""
        lab.store.register(NETWORK)
        before = lab.records()
        for fields, differs in (({"title": (str, "")}, False), ({"title": (int, 0)}, True), ({"other": (str,)}, True)):
            with pytest.raises(SegmentRefused) as caught:
                lab.open().register(Segment("mine", [_class(Resource, "Line", fields)]))
            assert ("mine", "network") == (caught.value.segment, caught.value.owner)
            assert differs is any("'title'" in reason for reason in caught.value.reasons)
        assert before == lab.records()

    @rule("SEG-3")
    def test_model_that_contradicts_the_owner_is_refused(self, lab: Lab) -> None:
        """Another place, a field that is not there, or is of another type (SEG-3)."""
        lab.store.register(NETWORK)
        before = lab.records()
        for view in (
            _class(View, "V", {}, of="Stop", parent=None),
            _class(View, "V", {"no": (str,)}, of="Stop"),
            _class(View, "V", {"zone": (str,)}, of="Stop"),
            _class(View, "V", {"zone": (list[int],)}, of="Stop"),
        ):
            user = _class(Resource, "User", {"to": (_ref(view),)})
            with pytest.raises(SegmentRefused):
                lab.open().register(Segment("user", [user, view]))
        assert before == lab.records()
        for view in (
            _class(View, "V", {"zone": (int | None,)}, of="Stop"),
            _class(View, "V", {"no": (str, "")}, of="Stop", parent=LineView),
            _class(View, "V", {"zone": (Any,)}, of="Stop"),
        ):
            assert (
                lab.open().register(Segment("user", [_class(Resource, "User", {"to": (_ref(view),)}), view])).is_active
            )
            lab.store.unregister("user")

    @rule("SEG-5")
    def test_changed_segment_needs_a_higher_version(self, lab: Lab) -> None:
        """The same version of something else is refused; earlier programs may run on beside later ones (SEG-5)."""
        old = Segment("posts", [_post({"a": (int, 0)}, extra="allow")])
        new = Segment("posts", [_post({"a": (int, 0), "b": (int, 0)}, extra="allow")], 2)
        lab.store.register(old)
        with pytest.raises(SegmentRefused):
            lab.store.register(Segment("posts", new.models))

        assert lab.store.register(new).is_active
        before = lab.records()
        state = lab.open().register(old)
        assert (True, 2) == (state.is_active, state.version)
        with pytest.raises(SegmentRefused):
            lab.open().register(Segment("posts", [_post({"a": (str, "")})]))
        assert before == lab.records()

    @rule("SEG-5")
    def test_change_that_earlier_programs_cannot_live_with_is_refused(self, lab: Lab) -> None:
        """Kinds, states and transitions may be added; all else needs a model version and its step (SEG-5)."""
        begin = {"a": (int, 0), "to": (_REF, None)}
        lab.store.register(NETWORK)
        lab.store.register(Segment("posts", [_post(begin, lifecycle=Opening), LineView]))
        before = lab.records()
        cases: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
            ({**begin, "b": (int, 0)}, {}),
            ({"a": (str, ""), "to": begin["to"]}, {}),
            ({"to": begin["to"]}, {}),
            ({"a": (int,), "to": begin["to"]}, {}),
            ({**begin, "to": (_RESTRICTING, None)}, {}),
            (begin, {"parent": LineView}),
            (begin, {"indexes": ["a"]}),
            (begin, {"lifecycle": None}),
            (begin, {"extra": "allow"}),
        )
        for fields, options in cases:
            with pytest.raises(SegmentRefused):
                lab.store.register(Segment("posts", [_post(fields, **({"lifecycle": Opening} | options)), LineView], 2))
        assert before == lab.records()

        more = _class(Resource, "More", {})
        assert lab.store.register(Segment("posts", [_post(begin, lifecycle=Both), LineView, more], 2)).is_active
        with pytest.raises(SegmentRefused):
            lab.store.register(Segment("posts", [_post(begin, lifecycle=Opening), LineView, more], 3))
        changed = _post(
            {"a": (str, "")}, lifecycle=Both, model_version=2, steps={2: lambda old: {**old, "a": str(old["a"])}}
        )
        assert lab.store.register(Segment("posts", [changed, more], 3)).is_active
        with pytest.raises(SegmentRefused):
            lab.store.register(
                Segment("posts", [_post({"a": (str, "")}, lifecycle=Both, parent=LineView, model_version=3), more], 4)
            )

    @rule("SEG-5")
    def test_form_for_which_a_view_has_no_step_is_refused_until_it_has_one(self, lab: Lab) -> None:
        """The owner hears which segment cannot read the new form, and registers it once that can (SEG-5)."""

        def rename(old: dict[str, Any]) -> dict[str, Any]:
            return {**{name: value for name, value in old.items() if name != "a"}, "b": old.get("a", 0)}

        def users(version: int, field: str, **options: Any) -> Segment:
            view = _class(View, "V", {field: (int, 0)}, of="Post", parent=None, **options)
            return Segment("users", [_class(Resource, "User", {"to": (_ref(view),)}), view], version)

        lab.store.register(Segment("posts", [_post({"a": (int, 0)})]))
        assert lab.open().register(users(1, "a")).is_active
        later = Segment("posts", [_post({"b": (int, 0)}, model_version=2, steps={2: rename})], 2)
        before = lab.records()
        with pytest.raises(SegmentRefused) as caught:
            lab.store.register(later)
        assert any("version 2" in reason and "users" in reason for reason in caught.value.reasons)
        assert before == lab.records()

        assert lab.open().register(users(2, "b", model_version=2, steps={2: rename})).is_active
        assert lab.store.register(later).is_active
        with pytest.raises(SegmentRefused):
            lab.open().register(users(3, "a"))

    @rule("SEG-6")
    def test_write_of_what_waits_is_refused_until_it_is_complete(self, lab: Lab) -> None:
        """Everything else works meanwhile, and the store tells whether it is ready (SEG-6)."""
        network, fleet = lab.store, lab.open()
        assert (True, True) == (bool(fleet.ready()), fleet.ready().is_ready)
        fleet.register(FLEET)
        bus = Bus(name="b", parent="Line/l", at="Stop/l/s")
        line = network.create(Line(name="l", title="t"))
        stop = network.create(Stop(parent=line, name="s"))

        assert not fleet.ready()
        assert fleet.ready().awaits
        calls: tuple[Callable[[], Any], ...] = (lambda: fleet.create(bus), lambda: fleet.put(bus))
        for call in calls:
            with pytest.raises(NotReady) as caught:
                call()
            assert (("Bus",), True) == (caught.value.kinds, caught.value.retryable)
        assert stop.key == fleet.get(StopView, "l", "s").key
        assert Key("Driver", "d") == fleet.create(_class(Resource, "Driver", {})(name="d")).key

        network.register(NETWORK)
        assert bus.key == fleet.create(bus).key
        assert fleet.ready()
        lab.faults.clear()
        fleet.delete(bus)
        fleet.create(bus)
        assert all(REGISTRY_KEY not in one.keys for one in lab.faults.asked(Get)), "an active segment costs nothing"

    @rule("SEG-6")
    def test_backend_that_fails_is_never_an_empty_registry(self, lab: Lab) -> None:
        """Neither a registration nor the question whether a store is ready takes an outage for an answer (SEG-6)."""
        lab.store.register(FLEET)
        other = lab.open()
        calls: tuple[Callable[[], Any], ...] = (other.ready, other.segments, lambda: other.register(NETWORK))
        for call in calls:
            lab.faults.unreachable(Get)
            with pytest.raises(Unavailable):
                call()
        assert ["fleet"] == [one.name for one in lab.store.segments()]
        lab.faults.unreachable(Get)
        with pytest.raises(Unavailable):
            lab.store.create(Bus(name="b", parent="Line/l", at="Stop/l/s"))

    @rule("SEG-6")
    def test_store_that_registers_nothing_works_as_ever(self, lab: Lab) -> None:
        """Neither waiting nor refused segments of others keep it from writing (SEG-6)."""
        lab.store.register(FLEET)
        other = lab.open()
        line = other.create(Line(name="l", title="t"))
        stop = other.create(Stop(parent=line, name="s"))

        assert 1 == other.create(Bus(name="b", parent=line, at=stop)).meta.version
        assert other.ready()

    @rule("SEG-7")
    def test_removal_is_refused_while_others_rely_on_it_or_it_is_used(self, lab: Lab) -> None:
        """Its kinds are free again afterwards; what is not there stays so (SEG-7)."""
        for one in (NETWORK, FLEET):
            lab.store.register(one)
        with pytest.raises(SegmentRefused):
            lab.store.unregister("network")
        lab.store.unregister("fleet")
        line = lab.store.create(Line(name="l"))
        calls: tuple[Callable[[], Any], ...] = (
            lambda: lab.store.unregister("network"),
            lambda: lab.store.register(Segment("network", [_class(Resource, "Else", {})], 2)),
        )
        for call in calls:
            with pytest.raises(SegmentRefused):
                call()
        lab.store.delete(line)
        lab.store.unregister("network")
        lab.store.unregister("network")

        assert () == lab.store.segments()
        assert lab.store.register(Segment("heir", [_class(Resource, "Line", {"x": (int, 0)})])).is_active

    @rule("SEG-1")
    def test_what_is_no_segment_is_refused_before_anything_is_asked(self, lab: Lab) -> None:
        """A clear error, and no request (SEG-1)."""
        wrong: tuple[Callable[[], Any], ...] = (
            lambda: lab.store.register(Line),
            lambda: lab.store.register("network"),
            lambda: lab.store.unregister(""),
            lambda: Segment("", [Line]),
            lambda: Segment("a", []),
            lambda: Segment("a", [Line, LineView]),
            lambda: Segment("a", [Resource]),
            lambda: Segment("a", [Line], 0),
            lambda: Segment("a", Line),  # type: ignore[arg-type]  # that is what is wrong
        )
        lab.faults.clear()
        for call in wrong:
            with pytest.raises(InvalidCall):
                call()
        assert [] == lab.faults.requests
