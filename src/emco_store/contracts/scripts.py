"""The transactions that run against each other, on the same few resources."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emco_store.contracts.models import REFERRERS, Beacon, Crate, Item, Lamp, Parcel, Pilot, Rack, SetNull, Site
from emco_store.core.keys import Key
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule

Step = Callable[[Any, dict[str, Any]], Any]
"""One step of a transaction: takes ``tx`` and the notes of the steps before, and returns what it has seen."""


@dataclass(frozen=True, slots=True)
class Script:
    """A transaction: the steps before its commit."""

    name: str
    steps: tuple[Step, ...]


_A, _B, _R, _S = Key("Site", "a"), Key("Site", "b"), "held", "other"


def begin_with(chosen: Rule) -> Callable[[Any], None]:
    """Return a function that creates the data of each run: sites, and two referrers under the rule."""
    kind: Any = REFERRERS[chosen]

    def begin(tx: Any) -> None:
        for name in ("a", "b", "main"):
            tx.create(Site(name=name))
        tx.create(kind(name=_R, **_pointing(chosen, _A)))
        tx.create(kind(name=_S, **_pointing(chosen, _B)))
        tx.create(Item(name="i", serial="taken"))

    return begin


def _pointing(chosen: Rule, *targets: Key) -> dict[str, Any]:
    return {"listed": [*targets]} if chosen is Rule.REMOVE else {"one": targets[0]}


def scripts_for(chosen: Rule) -> tuple[Script, ...]:
    """Return the transactions around the same resources, with referrers under one rule."""
    kind: Any = REFERRERS[chosen]
    going = (_A, Key(kind.__name__, _R)) if chosen in {Rule.RESTRICT, Rule.PROTECT} else (_A,)

    create_referrer = _do(lambda tx: tx.create(kind(name="new", **_pointing(chosen, _A))))

    return (
        Script("create a child", (_do(lambda tx: tx.create(Rack(name="new", parent="Site/a"))),)),
        Script("create a cascading child", (_do(lambda tx: tx.create(Crate(name="new", parent="Site/a"))),)),
        Script("create a referrer", (create_referrer,)),
        Script(
            "read and create a referrer",
            (_version(_A), _do(lambda tx: tx.create(kind(name="new", **_pointing(chosen, _A))))),
        ),
        Script("re-point to it", _change(kind, _S, **_pointing(chosen, _A))),
        Script("re-point away", _change(kind, _R, **_pointing(chosen, _B))),
        Script("update the target", _change(Site, "a", title="new")),
        Script("update the referrer", _change(kind, _R, note="new")),
        Script("put the target", (_do(lambda tx: tx.put(Site(name="a", title="put"))),)),
        Script("put the referrer", (_do(lambda tx: tx.put(kind(name=_R, note="put", **_pointing(chosen, _A)))),)),
        Script("delete the target", (_do(lambda tx: tx.delete(*going)),)),
        Script("look and delete the target", (_count(_A), _do(lambda tx: tx.delete(_A)))),
        Script("delete the other target", (_do(lambda tx: tx.delete(_B)),)),
        Script("delete the referrer", (_do(lambda tx: tx.delete(Key(kind.__name__, _R))),)),
        Script("count the referrers", (_count(_A), _note("count"))),
    )


def renames_for(chosen: Rule) -> tuple[Script, ...]:
    """Return the renames of a target and of a referrer under one rule: a create and a delete each."""
    kind: Any = REFERRERS[chosen]
    create_site = _do(lambda tx: tx.create(Site(name="renamed")))
    create_referrer = _do(lambda tx: tx.create(kind(name="renamed", **_pointing(chosen, _A))))
    delete_referrer = _do(lambda tx: tx.delete(Key(kind.__name__, _R)))
    return (
        Script("rename the target", (create_site, _do(lambda tx: tx.delete(_A)))),
        Script("rename the referrer", (create_referrer, delete_referrer)),
    )


def scripts_of_values() -> tuple[Script, ...]:
    """Return the transactions that compete for keys, unique values, lists and positions."""

    def title(tx: Any, notes: dict[str, Any]) -> str:
        notes["site"] = tx.get(Site, "a")
        return str(notes["site"].title)

    def copy(tx: Any, notes: dict[str, Any]) -> None:
        tx.put(Site(name="b", title=f"saw {notes['site'].title!r}"))

    def copy_back(tx: Any, notes: dict[str, Any]) -> None:
        tx.put(Site(name="a", title=f"saw {notes['site'].title!r}"))

    def title_of_b(tx: Any, notes: dict[str, Any]) -> str:
        notes["site"] = tx.get(Site, "b")
        return str(notes["site"].title)

    free = _do(lambda tx: tx.delete(Key("Item", "i")))
    take = _do(lambda tx: tx.create(Item(name="two", serial="taken")))
    remove = _do(lambda tx: tx.delete(_B))
    create_again = _do(lambda tx: tx.create(Site(name="b", title="again")))
    return (
        Script("claim", (_do(lambda tx: tx.create(Item(name="one", serial="x"))),)),
        Script("claim too", (_do(lambda tx: tx.create(Item(name="two", serial="x"))),)),
        Script("claim what is taken", (_do(lambda tx: tx.create(Item(name="one", serial="taken"))),)),
        Script("release", (_do(lambda tx: tx.put(Item(name="i"))),)),
        Script("take over", (free, take)),
        Script("create the key", (_do(lambda tx: tx.create(Site(name="k"))),)),
        Script("put the key", (_do(lambda tx: tx.put(Site(name="k", title="put"))),)),
        Script("count children", (_list(_A), _note("count"))),
        Script("add a child", (_do(lambda tx: tx.create(Rack(name="n1", parent="Site/a"))),)),
        Script("count and add a child", (_list(_A), _do(lambda tx: tx.create(Rack(name="n2", parent="Site/a"))))),
        Script("copy a to b", (title, copy)),
        Script("copy b to a", (title_of_b, copy_back)),
        Script("delete and create again", (remove, create_again)),
    )  # fmt: skip


def scripts_of_hierarchies() -> tuple[Script, ...]:
    """Return the transactions that meet in a cascade: over one resource, over both of a pair, or over none."""
    root, middle, leaf = _A, Key("Crate", "a", "c"), Key("Parcel", "a", "c", "p")

    def create(*made: Resource) -> tuple[Step, ...]:
        return tuple(map(_creating, made))

    return (
        Script("delete the root", (_do(lambda tx: tx.delete(root)),)),
        Script("delete the middle", (_do(lambda tx: tx.delete(middle)),)),
        Script("delete the leaf", (_do(lambda tx: tx.delete(leaf)),)),
        Script("add a leaf", create(Parcel(name="new", parent="Crate/a/c"))),
        Script("add a middle", create(Crate(name="d", parent="Site/a"))),
        Script("update the leaf", _change(Parcel, "a", "c", "p", colour="red")),
        Script("update the middle", _change(Crate, "a", "c", note="new")),
        Script("move the leaf", (*create(Parcel(name="p", parent="Crate/b/e")), _do(lambda tx: tx.delete(leaf)))),
        Script(
            "rename the middle",
            (*create(Crate(name="d", parent="Site/a"), Parcel(name="p", parent="Crate/a/d", code="x")),
             _do(lambda tx: tx.delete(middle))),
        ),
        Script(
            "rename the root",
            (*create(Site(name="n"), Crate(name="c", parent="Site/n")), _do(lambda tx: tx.delete(root))),
        ),
        Script("delete and create the root again", (_do(lambda tx: tx.delete(root)), *create(Site(name="a")))),
        Script("refer to the root", create(SetNull(name="new", one=Ref("Site/a")))),
        Script("claim what the leaf has", create(Parcel(name="q", parent="Crate/b/e", code="x"))),
        Script("count the leaves", (_list(middle, Parcel), _note("count"))),
    )  # fmt: skip


def begin_with_hierarchies(tx: Any) -> None:
    """Create the data of :func:`scripts_of_hierarchies`."""
    for made in (
        Site(name="a"), Site(name="b"), Crate(name="c", parent="Site/a"), Crate(name="e", parent="Site/b"),
        Parcel(name="p", parent="Crate/a/c", code="x"),
    ):  # fmt: skip
        tx.create(made)


def scripts_of_selections() -> tuple[Script, ...]:
    """Return the transactions that make selections, take matches away and bring others."""
    first, second, lamp = Key("Beacon", "a", "x"), Key("Beacon", "b", "x"), Key("Lamp", "a", "y")
    select = _do(lambda tx: tx.create(Pilot(name="new", one="x")))
    move = (_do(lambda tx: tx.create(Beacon(name="x", parent="Site/c"))), _do(lambda tx: tx.delete(second)))
    return (
        Script("select", (select,)),
        Script("select what has one match", (_do(lambda tx: tx.create(Pilot(name="new", light="y"))),)),
        Script("count and select", (_count(second), select)),
        Script("select nothing any more", _change(Pilot, _R, one=None)),
        Script("update the selector", _change(Pilot, _R, note="new")),
        Script("select something else", _change(Pilot, _R, one="z")),
        Script("delete the selector", (_do(lambda tx: tx.delete(Key("Pilot", _R))),)),
        Script("delete the first match", (_do(lambda tx: tx.delete(first)),)),
        Script("delete the second match", (_do(lambda tx: tx.delete(second)),)),
        Script("delete the only match", (_do(lambda tx: tx.delete(lamp)),)),
        Script("delete the site of a match", (_do(lambda tx: tx.delete(_B)),)),
        Script("delete both matches", (_do(lambda tx: tx.delete(first, second)),)),
        Script("bring a match and delete one", move),
        Script("bring a match", (_do(lambda tx: tx.create(Lamp(name="y", parent="Site/b"))),)),
        Script("delete a match and bring it again", (
            _do(lambda tx: tx.delete(first)), _do(lambda tx: tx.create(Beacon(name="x", parent="Site/a"))),
        )),
    )  # fmt: skip


def begin_with_selections(tx: Any) -> None:
    """Make the data of :func:`scripts_of_selections`."""
    for made in (
        Site(name="a"), Site(name="b"), Site(name="c"), Beacon(name="x", parent="Site/a"),
        Beacon(name="x", parent="Site/b"), Beacon(name="z", parent="Site/c"), Lamp(name="y", parent="Site/a"),
        Pilot(name=_R, one="x"), Pilot(name=_S, light="z"),
    ):  # fmt: skip
        tx.create(made)


def begin_with_values(tx: Any) -> None:
    """Create the data of :func:`scripts_of_values`."""
    tx.create(Site(name="a", title="of a"))
    tx.create(Site(name="b", title="of b"))
    tx.create(Rack(name="n0", parent="Site/a"))
    tx.create(Item(name="i", serial="taken"))


def _change(model: type[Resource], *names: str, **fields: Any) -> tuple[Step, ...]:
    def read(tx: Any, notes: dict[str, Any]) -> int:
        notes["found"] = tx.get(model, *names)
        return int(notes["found"].meta.version)

    def write(tx: Any, notes: dict[str, Any]) -> None:
        # What is given is validated, as a caller's code is: a reference may come as a key.
        parent = {"parent": notes["found"].parent} if "parent" in model.model_fields else {}
        made = model.__pydantic_validator__.validate_python({"name": names[-1], **parent, **fields})
        tx.update(notes["found"].model_copy(update={name: getattr(made, name) for name in fields}))

    return read, write


def _do(act: Callable[[Any], Any]) -> Step:
    def step(tx: Any, _: dict[str, Any]) -> None:
        act(tx)

    return step


def _creating(made: Resource) -> Step:
    return _do(lambda tx: tx.create(made))


def _version(key: Key) -> Step:
    return lambda tx, _: tx.get(key).meta.version


def _count(key: Key) -> Step:
    def step(tx: Any, notes: dict[str, Any]) -> tuple[str, ...]:
        notes["seen"] = tuple(found.key.text for found in tx.referrers(key))
        return notes["seen"]  # type: ignore[no-any-return]  # as it was just put there

    return step


def _list(key: Key, model: type[Resource] = Rack) -> Step:
    def step(tx: Any, notes: dict[str, Any]) -> tuple[str, ...]:
        notes["seen"] = tuple(found.key.text for found in tx.list(model, parent=key))
        return notes["seen"]  # type: ignore[no-any-return]  # as it was just put there

    return step


def _note(name: str) -> Step:
    return lambda tx, notes: tx.create(Item(name=name, plain=len(notes["seen"]))) and None
