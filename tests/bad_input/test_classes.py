"""Classes that could not work, each refused when it is defined, or when a store first meets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict  # pydantic wants this one before Python 3.12

from emco_store import (
    PROTECT,
    REMOVE,
    SET_DEFAULT,
    SET_NULL,
    InvalidCall,
    InvalidModel,
    Ref,
    Resource,
    Rule,
    indexed,
    on_delete,
    reference,
    some_of,
    unique,
)
from emco_store.core.resource import Resource as Base
from tests.bad_input.case import Case, World, check, check_error
from tests.bad_input.models import Group, Host, Zone


class Loose(BaseModel):
    """A nested model that would drop unknown fields."""

    host: Ref[Host] | None = None


class Endless(BaseModel, extra="forbid"):
    """A nested model that contains itself."""

    host: Ref[Host] | None = None
    inner: list[Endless] = []


class Marked(BaseModel, extra="forbid"):
    """A nested model with a marker that only a resource can have."""

    serial: Annotated[str, unique()]


@dataclass
class Plain:
    """A dataclass with a reference."""

    host: Ref[Host]


class Typed(TypedDict):
    """A typed dict with a reference."""

    host: Ref[Host]


class Shared(Resource, abstract=True):
    """Shares a field, and is no kind of its own."""

    title: str = ""


def field(annotation: Any, default: Any = ...) -> Callable[[], type]:
    """Define a resource with one field of that annotation."""
    return lambda: resource("Bad", fields={"value": annotation}, values={} if default is ... else {"value": default})


def resource(
    name: str,
    *,
    fields: dict[str, Any] | None = None,
    values: dict[str, Any] | None = None,
    base: type = Base,
    **arguments: Any,
) -> type[Resource]:
    """Define a resource as ``class name(base, **arguments)`` does."""
    body = {"__module__": __name__, "__qualname__": name, "__annotations__": fields or {}, **(values or {})}
    return type(Base)(name, (base,), body, **arguments)  # type: ignore[no-any-return]  # the metaclass has no public name


SINGLE = Annotated[Ref[Host], on_delete(SET_NULL)]
BAD_FIELDS: dict[str, Callable[[], object]] = {
    "set-null-on-a-required-field": field(SINGLE),
    "set-null-in-a-list": field(Annotated[list[Ref[Host]], on_delete(SET_NULL)]),
    "set-null-in-a-set": field(Annotated[set[Ref[Host] | None], on_delete(SET_NULL)]),
    "set-null-on-the-key-of-a-map": field(Annotated[dict[Ref[Host], str], on_delete(SET_NULL)]),
    "set-null-of-a-nullable-list": field(Annotated[list[Ref[Host]] | None, on_delete(SET_NULL)], None),
    "set-default-without-a-default": field(Annotated[Ref[Host], on_delete(SET_DEFAULT)]),
    "set-default-with-none": field(Annotated[Ref[Host] | None, on_delete(SET_DEFAULT)], None),
    "set-default-in-a-list": field(Annotated[list[Ref[Host]], on_delete(SET_DEFAULT)], ["Host/z1/h1"]),
    "remove-of-a-single-reference": field(Annotated[Ref[Host] | None, on_delete(REMOVE)], None),
    "remove-in-a-nested-model": field(list[Annotated[Loose, on_delete(REMOVE)]], []),
    "remove-from-a-list-that-may-not-be-empty": field(
        Annotated[list[Ref[Host]], on_delete(REMOVE), Field(min_length=1)]
    ),
    "remove-from-a-map-that-may-not-be-empty": field(
        Annotated[dict[Ref[Host], str], on_delete(REMOVE), Field(min_length=1)]
    ),
    "remove-from-a-tuple-of-fixed-length": field(Annotated[tuple[Ref[Host], Ref[Host]], on_delete(REMOVE)]),
    "reference-without-a-target": field(Ref),
    "reference-to-a-text-type": field(Ref[str]),
    "reference-to-a-plain-model": field(Ref[Loose]),
    "reference-to-the-base": field(Ref[Resource]),
    "reference-to-an-abstract-class": field(Ref[Shared]),
    "reference-to-one-kind-or-a-text": field(Ref[Host | str]),
    "reference-or-text": field(Ref[Host] | str),
    "two-references-in-a-union": field(Ref[Host] | Ref[Zone]),
    "reference-in-a-dataclass": field(Plain),
    "reference-in-a-typed-dict": field(Typed),
    "references-in-a-fixed-tuple": field(tuple[Ref[Host], str]),
    "map-with-a-list-of-references-as-key": field(dict[tuple[Ref[Host], ...], str]),
    "resource-in-a-field": field(Host),
    "resources-in-a-list": field(list[Host], []),
    "nested-model-that-drops-fields": field(Loose),
    "nested-model-in-a-list-that-drops-fields": field(list[Loose], []),
    "nested-model-in-itself": field(Endless),
    "unique-list": field(Annotated[list[str], unique()]),
    "indexed-map": field(Annotated[dict[str, str], indexed()]),
    "indexed-anything": field(Annotated[Any, indexed()], None),
    "indexed-nested-model": field(Annotated[Endless, indexed()]),
    "unique-inside-a-list": field(list[Annotated[str, unique()]], []),
    "unique-inside-a-union": field(Annotated[str, unique()] | None, None),
    "unique-inside-a-nested-model": field(Marked),
    "fixed-name-that-is-no-key-field": field(Annotated[Ref[Group], reference(fixed={"nothing": "x"})]),
    "fixed-name-that-is-no-name": field(Annotated[Ref[Group], reference(fixed={"group": "a/b"})]),
    "selection-by-a-number": field(Annotated[int, some_of(Host)]),
    "selection-in-a-set": field(Annotated[set[str], some_of(Host)], set()),
    "selection-by-the-keys-of-a-map": field(dict[Annotated[str, some_of(Host)], str], {}),
    "selection-in-a-list-of-lists": field(list[list[Annotated[str, some_of(Host)]]], []),
    "selection-by-a-text-or-a-number": field(Annotated[str | int, some_of(Host)]),
    "selection-of-nothing": field(Annotated[str, some_of()]),
    "selection-by-an-unknown-field": field(Annotated[str, some_of(Host, where={"Zone": "nothing"})]),
    "selection-by-a-kind-that-is-no-ancestor": field(Annotated[str, some_of(Host, where={"Group": None})]),
    "selection-by-one-of-two-key-fields": field(Annotated[str, some_of(Group, where={"Group": None})]),
    "selection-with-a-fixed-name-that-is-no-key-field": field(Annotated[str, some_of(Group, fixed={"nothing": "x"})]),
    "selection-with-a-fixed-name-that-is-no-name": field(Annotated[str, some_of(Group, fixed={"group": "a/b"})]),
    "selection-on-an-unknown-condition": field(Annotated[str, some_of(Host), reference(when={"nothing": "x"})]),
    "selection-by-a-reference-that-a-rule-takes-away": field(
        Annotated[Ref[Zone] | None, some_of(Host), on_delete(SET_NULL)], None
    ),
    "rule-of-selections-on-a-reference": field(Annotated[Ref[Host], on_delete(Rule.RESELECT)]),
    "condition-on-an-unknown-field": field(Annotated[Ref[Host], reference(when={"nothing": "x"})]),
}


@pytest.mark.parametrize("name", BAD_FIELDS)
def test_field_that_cannot_work_is_refused(name: str):
    """BAD-9: A field whose reference could not be followed, or whose rule could not be kept, is refused at once."""
    with pytest.raises(InvalidModel) as caught:
        BAD_FIELDS[name]()

    check_error(Case(name, "BAD-9", lambda _: None, InvalidModel, fields={"model": "Bad"}), caught.value)


BAD_CLASSES: dict[str, Callable[[], object]] = {
    "own-ancestor": lambda: resource("Bad", parent=resource("Upper", kind="Bad")),
    "own-ancestor-further-up": lambda: resource("Bad", parent=resource("Mid", parent=resource("Top", kind="Bad"))),
    "second-kind-of-a-name-under-one-parent": lambda: resource("Bad", kind="Host", parent=Zone),
    "parent-that-is-no-class": lambda: resource("Bad", parent="Zone"),
    "parent-that-is-no-resource": lambda: resource("Bad", parent=dict),
    "parent-that-is-the-base": lambda: resource("Bad", parent=Resource),
    "parent-that-is-abstract": lambda: resource("Bad", parent=Shared),
    "parent-as-a-field": lambda: resource("Bad", fields={"parent": Ref[Zone]}),
    "key-that-names-no-field": lambda: resource("Bad", key=("name", "version")),
    "key-field-that-is-no-text": lambda: resource("Bad", fields={"number": int}, key=("name", "number")),
    "key-field-that-may-be-none": lambda: resource("Bad", fields={"more": str | None}, key=("name", "more")),
    "key-field-twice": lambda: resource("Bad", key=("name", "name")),
    "key-without-the-name": lambda: resource("Bad", fields={"other": str}, key=("other",)),
    "key-of-nothing": lambda: resource("Bad", key=()),
    "key-that-is-a-number": lambda: resource("Bad", key=7),
    "field-that-hides-the-key": lambda: resource("Bad", fields={"key": str}),
    "field-that-hides-the-meta": lambda: resource("Bad", fields={"meta": str}),
    "field-that-hides-the-reference": lambda: resource("Bad", fields={"ref": str}),
    "field-of-the-name-kind": lambda: resource("Bad", fields={"kind": str}),
    "name-of-another-type": lambda: resource("Bad", fields={"name": int}),
    "unknown-fields-ignored": lambda: resource("Bad", extra="ignore"),
    "not-frozen": lambda: resource("Bad", frozen=False),
    "set-null-for-the-parent": lambda: resource("Bad", parent=Zone, on_parent_delete=SET_NULL),
    "remove-for-the-parent": lambda: resource("Bad", parent=Zone, on_parent_delete=REMOVE),
    "unknown-rule-for-the-parent": lambda: resource("Bad", parent=Zone, on_parent_delete="NOTHING"),
    "rule-for-no-parent": lambda: resource("Bad", on_parent_delete=PROTECT),
    "unknown-argument": lambda: resource("Bad", parnet=Zone),
    "subclass-of-a-kind": lambda: resource("Bad", base=Zone),
    "kind-with-a-dot": lambda: resource("Bad", kind="a.b"),
    "kind-with-a-slash": lambda: resource("Bad", kind="a/b"),
    "kind-with-a-digit-first": lambda: resource("Bad", kind="1a"),
    "kind-with-a-dollar": lambda: resource("Bad", kind="$a"),
    "kind-in-another-script": lambda: resource("Bad", kind="\u00c9tat"),
    "kind-of-64-characters": lambda: resource("Bad", kind="a" * 64),
    "kind-that-is-no-text": lambda: resource("Bad", kind=7),
}


@pytest.mark.filterwarnings("ignore:Field name:UserWarning")  # pydantic's own hint, before our refusal
@pytest.mark.parametrize("name", BAD_CLASSES)
def test_class_that_cannot_work_is_refused(name: str):
    """BAD-9: A class that contradicts itself is refused when it is defined."""
    with pytest.raises(InvalidModel) as caught:
        BAD_CLASSES[name]()

    check_error(Case(name, "BAD-9", lambda _: None, InvalidModel, fields={"model": "Bad"}), caught.value)


def test_refused_class_leaves_nothing_behind():
    """BAD-9: A refused class is no child or referrer of anything, so it can be defined again, rightly."""
    with pytest.raises(InvalidModel):
        resource("Again", parent=Zone, fields={"value": Annotated[Ref[Host], on_delete(SET_NULL)]})

    made = resource("Again", parent=Zone, fields={"value": Ref[Host]})

    assert [made] == [child for child in Zone.__emco__.children if child.__name__ == "Again"]


def test_second_model_of_a_kind_is_refused_by_the_store(world: World):
    """BAD-9: One store has one model of a kind."""
    twin = resource("Zone")

    check(Case("create", "BAD-9", lambda w: w.store.create(twin(name="z")), InvalidModel, {"model": "Zone"}), world)
    check(Case("get", "BAD-9", lambda w: w.store.get(twin, "z1"), InvalidModel, {"model": "Zone"}), world)
    check(Case("list", "BAD-9", lambda w: w.store.list(twin), InvalidModel, {"model": "Zone"}), world)


def test_model_whose_target_was_never_defined_is_refused_when_it_is_used(world: World):
    """BAD-9: A reference to a name that nothing defines is told before anything is asked."""
    lonely = resource("Lonely", fields={"value": Ref["Nowhere"]})

    check(Case("use", "BAD-9", lambda w: w.store.create(lonely(name="a", value="x")), InvalidModel), world)


def test_abstract_class_is_no_model(world: World):
    """BAD-9: A class that only shares fields can neither be stored nor asked for."""
    check(Case("list", "BAD-9", lambda w: w.store.list(Shared), InvalidCall), world)
    check(Case("get", "BAD-9", lambda w: w.store.get(Shared, "a"), InvalidCall), world)


@pytest.mark.parametrize("rule", ["restrict", "NOTHING", None, 7])
def test_unknown_delete_rule_is_refused(rule: Any):
    """BAD-9: A rule is one of the six."""
    with pytest.raises(InvalidModel) as caught:
        on_delete(rule)

    check_error(Case("rule", "BAD-9", lambda _: None, InvalidModel), caught.value)
