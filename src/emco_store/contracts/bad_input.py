"""BAD: bad input is one clear error, before any request to the backend."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated, Any

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Anything, Item, Rack, Remove, Restrict, SetNull, Site
from emco_store.contracts.rules import rule
from emco_store.core.indexing import unique
from emco_store.core.keys import Key
from emco_store.core.query import F
from emco_store.core.refs import Ref, on_delete
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.errors import MAX_ENTRIES, MAX_SHOWN, InvalidCall, InvalidModel, InvalidResource, MissingReference

NAMES: tuple[Any, ...] = (
    "", "a/b", "a%2Fb", "a\\b", "a\x00b", "a\nb", " a", "a ", ".", "..", "x" * 254, "a\u200bb", "\u202ea", "e\u0301",
    "\ud800", "\ue000", "\u2028", 7, None,
)  # fmt: skip


class BadInputRules:
    """No bad input reaches the backend."""

    @rule("BAD-1")
    def test_names_that_could_be_misread_are_refused(self, lab: Lab) -> None:
        """Names that could mean another key, or look like another name, are refused everywhere (BAD-1)."""
        for name in NAMES:
            with refused(lab, InvalidResource):
                lab.store.create(Site(name=name))
            with refused(lab, InvalidResource):
                lab.store.get(Site, name)
            with refused(lab, InvalidResource):
                lab.store.delete(Key("Site", name))
            with refused(lab, InvalidResource):
                lab.store.put(Site(name="a").model_copy(update={"name": name}))

    @rule("BAD-2")
    def test_depth_has_a_limit(self, lab: Lab) -> None:
        """64 levels are stored; 65 and 10,000 are refused, in any mix of maps and lists (BAD-2)."""
        for build in (lambda inner: [inner], lambda inner: {"k": inner}):
            made = lab.store.put(Anything(name="a", value=_nested(build, 63)))
            assert made.value == lab.store.get(made).value
            for depth in (64, 10_000):
                deep = made.model_copy(update={"value": _nested(build, depth)})
                with refused(lab, InvalidResource):
                    lab.store.update(deep)

    @rule("BAD-3")
    def test_size_has_a_limit(self, lab: Lab) -> None:
        """A document at the limit in bytes is stored, one byte more is refused, and each store has its own (BAD-3)."""
        lab.store.create(Site(name="a"))
        empty = len(lab.records()["Site/a"].document)
        for store, limit in (
            (lab.store, 1 << 20),
            (lab.open(max_bytes=200), 200),
            (lab.open(max_bytes=8 << 20), 8 << 20),
        ):
            for letter in ("x", "é"):
                count, rest = divmod(limit - empty, len(letter.encode()))
                full = Site(name="a", title=letter * count + "x" * rest)
                assert full.title == store.put(full).title
                more = full.model_copy(update={"title": full.title + "x"})
                with refused(lab, InvalidResource):
                    store.put(more)
        assert limit == len(lab.records()["Site/a"].document)

    @rule("BAD-4")
    def test_numbers_beyond_the_common_range_are_refused(self, lab: Lab) -> None:
        """Integers beyond 64 bits, NaN and infinities are refused at any depth (BAD-4)."""
        for number in (2**63, -(2**63) - 1, 10**400, math.nan, math.inf, -math.inf):
            for value in (number, [number], {"k": [{"k": number}]}):
                with refused(lab, InvalidResource):
                    lab.store.create(Anything(name="a", value=value))
        for fields in ({"whole": 2**63}, {"real": math.nan}, {"real": math.inf}, {"listed": [-(2**64)]}):
            with refused(lab, InvalidResource):
                lab.store.create(Anything(name="a", **fields))
        for whole in (2**63, -(2**63) - 1):  # in a model whose resources need not be read back
            with refused(lab, InvalidResource):
                lab.store.create(Item(name="a", rank=whole))

    @rule("BAD-5")
    def test_keys_that_a_database_could_interpret_are_refused(self, lab: Lab) -> None:
        """Keys of maps that begin with ``$`` or hold NUL are refused, but not in ``Opaque``; dots are kept (BAD-5)."""
        for key in ("$set", "$", "a\x00"):
            for fields in ({"mapped": {key: 1}}, {"value": {"k": [{key: 1}]}}, {"listed": [{key: 1}]}):
                with refused(lab, InvalidResource):
                    lab.store.create(Anything(name="a", **fields))
            with refused(lab, InvalidResource):  # in a model whose resources need not be read back
                lab.store.create(SetNull(name="a", by_name={key: None}))
            made = lab.store.put(Anything(name="free", opaque={key: {key: 1}}))
            assert {key: {key: 1}} == lab.store.get(made).opaque
        dotted: dict[str, Any] = {"a.b": {".": {"..": 1, "a.": [{"x.$y": 1}]}}}
        made = lab.store.put(Anything(name="dots", mapped=dotted, value=dotted, listed=[dotted]))
        assert (dotted, dotted, [dotted]) == ((found := lab.store.get(made)).mapped, found.value, found.listed)
        named = lab.store.create(Remove(name="r", by_site={lab.store.create(Site(name="a.b")): "x"}))
        assert ["Site/a.b"] == [ref.text for ref in lab.store.get(named).by_site]

    @rule("BAD-6")
    def test_data_that_does_not_fit_its_model_is_refused(self, lab: Lab) -> None:
        """Unknown fields, wrong types and references to the wrong kind are refused (BAD-6)."""
        for fields in (
            {"unknown": 1},
            {"one": 7},
            {"one": "Rack/a/k"},
            {"one": "a/b"},
            {"one": ""},
            {"listed": "Site/a"},
            {"listed": [None]},
            {"by_site": {"a": "x", "Site/a": "y"}},
            {"leg": {"site": "a", "unknown": 1}},
            {"note": 1},
            {"parent": "Site/a"},
        ):
            with refused(lab, InvalidResource):
                lab.store.create(Restrict(name="r", **fields))

    @rule("BAD-6")
    def test_value_that_was_changed_around_its_model_is_refused(self, lab: Lab) -> None:
        """Values from ``model_copy`` or from changes in place are checked in the same way (BAD-6)."""
        made = lab.store.create(Anything(name="a"))
        change: dict[str, Any]
        for change in (
            {"whole": "many"},
            {"day": "soon"},
            {"value": object()},
            {"text": 7},
            {"new": 1},
        ):
            with refused(lab, InvalidResource):
                lab.store.update(made.model_copy(update=change))
        held = lab.store.create(Restrict(name="r"))
        for change in ({"one": 7}, {"listed": ["Crate/a/c"]}, {"leg": {"site": 7}}):
            with refused(lab, InvalidResource):
                lab.store.update(held.model_copy(update=change))

    @rule("BAD-6")
    def test_what_is_no_resource_is_refused(self, lab: Lab) -> None:
        """A call with something that is not a resource is ``InvalidCall`` (BAD-6)."""
        for thing in (None, 7, "Site/a", {"name": "a"}, object(), Site):
            for call in (lab.store.create, lab.store.update, lab.store.put, lab.store.delete, lab.store.children):
                with refused(lab, (InvalidCall, InvalidResource)):
                    call(thing)
        with refused(lab, InvalidCall):
            lab.store.update(Site(name="a"))

    @rule("BAD-7")
    def test_condition_takes_single_values_only(self, lab: Lab) -> None:
        """Operands that a database could read as operators are refused (BAD-7)."""
        lab.store.create(Item(name="i"))
        for value in ({"$gt": ""}, {"$ne": None}, ["a"], ("a",), {"a"}, object(), Site, lambda: 1):
            with refused(lab, InvalidCall):
                lab.store.list(Item, where=F.label == value)
            with refused(lab, InvalidCall):
                lab.store.list(Item, where=F.label.in_([value]))
        for where in ({"label": "a"}, "label == 'a'", ["label"], True):
            with refused(lab, InvalidCall):
                lab.store.list(Item, where=where)

    @rule("BAD-7")
    def test_condition_value_is_compared_and_not_interpreted(self, lab: Lab) -> None:
        """Text that looks like a pattern, a path or a command matches only itself (BAD-7)."""
        labels = ["*", ".*", "%", "a|b", "{$gt: 0}", "$where", "'; --", "a*", "\\", "[a]", "a", "ab", "", "@label:{a}"]
        for at, label in enumerate(labels):
            lab.store.create(Item(name=f"i{at:02}", label=label))

        for label in labels:
            assert [label] == [item.label for item in lab.store.list(Item, where=F.label == label).resources]
            assert [label] == [item.label for item in lab.store.list(Item, where=F.label.in_([label])).resources]

    @rule("BAD-9")
    def test_class_that_cannot_work_is_refused(self, lab: Lab) -> None:
        """A class with invalid rules, keys or references is refused when it is defined (BAD-9)."""
        for define in _IMPOSSIBLE:
            with pytest.raises(InvalidModel) as caught:
                define()
            assert caught.value.why
        assert {} == lab.state()

    @rule("BAD-10")
    def test_error_stays_small(self, lab: Lab) -> None:
        """An error about hundreds of references or names counts them and shows 20 (BAD-10)."""
        with pytest.raises(MissingReference) as caught:
            lab.store.create(Restrict(name="r", listed=[f"Site/s{at}" for at in range(300)]))
        with pytest.raises(InvalidResource) as hostile:
            lab.store.get(Key.parse("Site" + "/" * 100_000))

        assert [f"Site/s{at}" for at in range(300)] == [target.text for _, target in caught.value.missing]
        for error in (caught.value, hostile.value):
            assert len(error.why) > MAX_SHOWN
            assert MAX_SHOWN + 3 == len(str(error).splitlines())
            assert f"{len(error.why) - MAX_SHOWN:,} more" in str(error)
            assert len(error.why) <= MAX_ENTRIES


@contextmanager
def refused(lab: Lab, problem: Any) -> Generator[None]:
    """Expect that the block fails before any request to the backend."""
    asked = len(lab.faults.requests)
    with pytest.raises(problem):
        yield
    assert asked == len(lab.faults.requests)


def _nested(build: Callable[[Any], Any], depth: int) -> Any:
    value: Any = build("leaf")
    for _ in range(depth - 1):
        value = build(value)
    return value


def _class(bases: tuple[type, ...] = (Resource,), /, **options: Any) -> Callable[[], Any]:
    return lambda: _META("Impossible", bases, {}, **options)


def _field(annotation: Any) -> Callable[[], Any]:
    return lambda: _META("Impossible", (Resource,), {"__annotations__": {"field": annotation}})


_META: Any = type(Resource)
_IMPOSSIBLE: tuple[Callable[[], Any], ...] = (
    _field(Annotated[Ref[Site], on_delete(Rule.SET_NULL)]),
    _field(Annotated[Ref[Site] | None, on_delete(Rule.SET_DEFAULT)]),
    _field(Annotated[Ref[Site], on_delete(Rule.REMOVE)]),
    _field(Annotated[set[Ref[Site] | None], on_delete(Rule.SET_NULL)]),
    _field(tuple[Ref[Site], int]),
    _field(Ref),
    _field(Ref[Site] | int),
    _field(Site),
    _field(Annotated[list[int], unique()]),
    _class(key=("version",)),
    _class(parent=Site, on_parent_delete=Rule.SET_NULL),
    _class(kind="im/possible"),
    _class(parent=Resource),
    _class((SetNull,)),
    _class((Rack,), parent=Site),
)
