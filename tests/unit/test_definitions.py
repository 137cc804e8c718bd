"""Definitions of classes: generic ones, mixins, aliases, defaults of rules."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar, Generic, NewType, TypeVar

import pytest
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints
from typing_extensions import TypeAliasType

from emco_store import (
    SET_DEFAULT,
    SET_NULL,
    F,
    InvalidModel,
    Key,
    Ref,
    Resource,
    UniqueViolation,
    connect,
    indexed,
    on_delete,
    unique,
)

T = TypeVar("T")


class Site(Resource):
    """What is referred to."""


class Room(Resource, parent=Site):
    """A child of it."""


# generic classes and mixins


class Box(Resource, Generic[T], abstract=True):
    """A generic base."""

    payload: T
    more: list[T] = []


class Link(Resource, Generic[T], abstract=True):
    """A generic base with a reference."""

    to: Ref[T]


class Numbers(Box[int]):
    """A kind of it."""


class Days(Box[date], parent=Site):
    """Another one."""


class ToSite(Link[Site]):
    """A kind whose reference is known."""


class Registered:
    """A mixin that hears of each class, with an argument of its own."""

    seen: ClassVar[list[tuple[str, str]]] = []

    def __init_subclass__(cls, *, tag: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.seen.append((cls.__name__, tag))


class Noted(BaseModel):
    """A mixin with a field."""

    note: str = ""


class Tagged(Resource, Registered, Noted, parent=Site, tag="x"):
    """A kind with mixins after the base."""


class Before(Registered, Resource, tag="y"):
    """One with a mixin before it."""


def test_kinds_of_a_generic_class_hold_values_of_their_types():
    """ID-13: Each class of a parametrized base is a kind of its own."""
    with connect("memory://", namespace="generic") as store:
        site = store.create(Site(name="s"))
        numbers = store.create(Numbers(name="a", payload=1, more=[2]))
        days = store.create(Days(parent=site, name="a", payload="2026-01-01"))
        link = store.create(ToSite(name="a", to="s"))

        assert [1, date(2026, 1, 1), site.key] == [numbers.payload, store.get(days).payload, link.to.key]
        assert [link] == list(store.referrers(site))[1:]


def test_generic_class_that_is_not_abstract_is_refused():
    """BAD-9: Before its types are known, a class is no kind."""
    with pytest.raises(InvalidModel):

        class Open(Resource, Generic[T]):
            value: T


def test_mixins_hear_of_the_class_and_their_arguments():
    """BAD-9: Class arguments of mixins are theirs; fields of mixins are fields."""
    assert [("Tagged", "x"), ("Before", "y")] == Registered.seen
    assert {"name", "parent", "note"} == set(Tagged.model_fields)


def test_kind_behind_a_mixin_cannot_be_subclassed_either():
    """BAD-9: A kind is no base, wherever it stands among the bases."""
    with pytest.raises(InvalidModel):

        class Mixed(Registered, Site):
            pass


# aliases of types

Code = NewType("Code", str)
ToASite = NewType("ToASite", Ref[Site])
Sites = TypeAliasType("Sites", list[Ref[Site]])
Many = TypeAliasType("Many", list[Ref[T]], type_params=(T,))
Name = Annotated[str, StringConstraints(min_length=1)]


class Aliased(Resource):
    """References and indexed values behind aliases."""

    one: ToASite | None = None
    some: Sites = []
    many: Many[Site] = []
    code: Annotated[Code | None, unique()] = None
    name2: Annotated[Name | None, indexed()] = None
    at: Annotated[AwareDatetime | None, indexed()] = None
    any_at: Annotated[datetime | None, unique()] = None


def test_reference_behind_an_alias_is_a_reference():
    """REF-2: ``NewType`` and type aliases hide nothing."""
    with connect("memory://", namespace="aliases") as store:
        site = store.create(Site(name="s"))
        made = store.create(Aliased(name="a", one="s", some=["s"], many=["s"]))

        assert {("one",), ("some", 0), ("many", 0)} == {edge.path for edge in made.meta.edges}
        assert [made] == list(store.referrers(site))


def test_values_behind_aliases_are_indexed_and_unique():
    """ID-6, ID-8: The index looks at the values."""
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    with connect("memory://", namespace="aliases") as store:
        first = store.create(Aliased(name="a", code="x", name2="n", at=moment, any_at=moment))
        store.create(Aliased(name="b", any_at=moment.replace(tzinfo=None)))

        for where in (F.code == "x", F.name2 == "n", F.at == moment, F.any_at == moment):
            assert [first] == list(store.list(Aliased, where=where))
        assert ["b", "a"] == [found.name for found in store.list(Aliased, order_by="at")]
        with pytest.raises(UniqueViolation):
            store.create(Aliased(name="c", code="x"))


@pytest.mark.parametrize(
    "annotation",
    [NewType("Marked", Annotated[str, unique()]), TypeAliasType("MarkedAlias", Annotated[str, indexed()])],  # type: ignore[valid-newtype]
    ids=["new-type", "alias"],
)
def test_marker_inside_an_alias_is_refused(annotation: Any):
    """BAD-9: A marker that would have no effect is not passed over."""
    with pytest.raises(InvalidModel):
        type(Resource)("Bad", (Resource,), {"__module__": __name__, "__annotations__": {"value": annotation}})


# defaults of SET_DEFAULT


@pytest.mark.parametrize(
    ("annotation", "default"),
    [
        (Ref[Site], Field(default_factory=lambda: "Site/s1")),
        (Ref[Site] | None, Field(default_factory=lambda: None)),
        (Ref[Site], "Room/s1/r1"),
        (Ref[Site], Key("Room", "s1", "r1")),
        (Ref[Site], "Site/s1/more"),
        (Ref[Site], "a/b/c"),
        (Ref[Site], 7),
        (Ref[Site], ["Site/s1"]),
        (Ref[Site], ""),
        (Ref[Site | Room], "s1"),
        (Ref[Room], "r1"),
        (Ref["Site"], "Room/s1/r1"),
    ],
    ids=str,
)
def test_default_that_could_not_stand_there_is_refused(annotation: Any, default: Any):
    """BAD-9: A default of another kind or shape, or one that may differ each time, cannot replace a reference."""
    marked = Annotated[annotation, on_delete(SET_DEFAULT)]

    with pytest.raises(InvalidModel):
        type(Resource)(
            "Bad", (Resource,), {"__module__": __name__, "__annotations__": {"value": marked}, "value": default}
        )


@pytest.mark.parametrize("default", ["s1", "Site/s1", Key("Site", "s1"), Ref("s1"), Ref(Key("Site", "s1"))], ids=repr)
def test_default_in_every_form_of_a_reference_takes_the_place(default: Any):
    """DEL-5: Whatever stands for the reference may be the default."""
    model: Any = type(Resource)(
        "Job",
        (Resource,),
        {
            "__module__": __name__,
            "__annotations__": {"home": Annotated[Ref[Site], on_delete(SET_DEFAULT)]},
            "home": default,
        },
    )
    with connect("memory://", namespace="defaults") as store:
        first, second = store.create(Site(name="s1")), store.create(Site(name="s2"))
        job = store.create(model(name="j", home=second))
        store.delete(second)

        assert first.key == store.get(job).home.key
        assert first.key == store.create(model(name="k")).home.key


def test_factory_of_a_reference_is_no_obstacle_to_other_rules():
    """DEL-4: Only the rule that puts the default there needs one that is always the same."""

    class Task(Resource):
        home: Annotated[Ref[Site] | None, on_delete(SET_NULL)] = Field(default_factory=lambda: "Site/s1")

    with connect("memory://", namespace="defaults") as store:
        site = store.create(Site(name="s1"))
        task = store.create(Task(name="t"))

        assert site.key == task.home.key
