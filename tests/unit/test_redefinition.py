"""Classes that are defined again, local classes, and references between modules that import each other."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest

from emco_store import (
    CASCADE,
    InvalidModel,
    InvalidResource,
    Key,
    MemoryBackend,
    Ref,
    Resource,
    Untyped,
    connect,
    on_delete,
)

Import = Callable[..., list[ModuleType]]


class Person(Resource):
    """What local classes refer to."""


class Owned(Resource, parent=Person):
    """A child that is defined again below."""

    note: str = ""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Import]:
    """Write modules, import them in the order given, and forget them at the end."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    names: list[str] = []

    def write_and_import(**sources: str) -> list[ModuleType]:
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source, "utf-8")
            names.append(name)
        importlib.invalidate_caches()
        return [importlib.import_module(name) for name in sources]

    yield write_and_import
    for name in names:
        sys.modules.pop(name, None)


def cell(source: str, names: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run a cell of a notebook."""
    found = {"__name__": "__main__", "Resource": Resource, "Ref": Ref, **(names if names is not None else {})}
    exec(compile(source, "cell", "exec", dont_inherit=True), found)  # noqa: S102 - a cell
    return found


SOURCES = {
    "Root": "class Root(Resource):\n    note: str = ''",
    "Child": "class Child(Resource, parent=Person):\n    note: str = ''",
    "Referrer": "class Referrer(Resource):\n    who: Ref[Person] | None = None\n    note: str = ''",
    "Itself": "class Itself(Resource):\n    next: Ref['Itself'] | None = None\n    note: str = ''",
}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("is_kept", [True, False], ids=["earlier-kept", "earlier-dropped"])
def test_cell_may_run_twice(name: str, is_kept: bool):  # noqa: FBT001 - a column
    """The newest definition counts for a store that was open before, and for one that is opened later."""
    backend, source = MemoryBackend(), SOURCES[name]
    first = cell(source, {"Person": Person})[name]
    with connect(backend, namespace="cells") as store:
        person = store.create(Person(name="p"))
        parent = {"parent": person} if "parent=" in source else {}
        made = store.create(first(name="a", **parent))
        assert [made] == list(store.list(first))
        if not is_kept:
            del first, made
            gc.collect()
        second = cell(source.replace("note", "more"), {"Person": Person})[name]
        store.create(second(name="b", more="x", **parent))
        with connect(backend, namespace="cells") as later:
            later.get(person)
            found = later.get(Key(second.__emco__.kind, *(("p",) if parent else ()), "b"))

            assert type(found) in {second, Untyped}
            assert "x" == later.get(second, *(("p",) if parent else ()), "b").more
        if is_kept:
            with pytest.raises(InvalidModel):
                store.create(first(name="c", **parent))


def test_reloaded_modules_are_those_that_count(modules: Import):
    """A module that is reloaded defines its classes again; references to them by name lead to the new ones."""
    shared, mod = modules(
        shared="from emco_store import Resource\nclass Site(Resource): pass\n",
        mod="from emco_store import Ref, Resource\nfrom shared import Site\n"
        "class Host(Resource, parent=Site):\n    site: Ref['Rack'] | None = None\n    at: Ref[Site] | None = None\n"
        "class Rack(Resource):\n    pass\n",
    )
    for _ in range(3):
        mod = importlib.reload(mod)
    with connect("memory://", namespace="reload") as store:
        site = store.create(shared.Site(name="s"))
        rack = store.create(mod.Rack(name="r"))
        host = store.create(mod.Host(parent=site, name="h", site="r", at=None))

        assert rack.key == host.site.key
        assert [host] == list(store.referrers(rack))
        assert {mod.Host, mod.Rack, shared.Site} == set(store.schema.models())


def test_class_under_a_parent_that_was_defined_again_with_another_key_is_refused():
    """A class keeps the form of the key that its parent had; where that has changed, it has to be defined again."""
    old = cell("class Top(Resource):\n    version: str = ''\nclass Sub(Resource, parent=Top): pass\n"
               "class Seer(Resource):\n    top: Ref[Top]\n")  # fmt: skip
    new = cell("class Top(Resource, key=('name', 'version')):\n    version: str\n")
    with connect("memory://", namespace="keys") as store:
        store.create(old["Top"](name="a"))
        store.create(old["Sub"](parent="Top/a", name="s"))
        store.create(new["Top"](name="b", version="1"))

        for made in (old["Sub"](parent="Top/a", name="t"), old["Seer"](name="x", top="a")):
            with pytest.raises(InvalidModel):
                store.create(made)
        again = cell("class Sub(Resource, parent=Top): pass\n", {"Top": new["Top"]})["Sub"]
        assert "b/1" in str(store.create(again(parent="Top/b/1", name="s")))


def test_two_tests_may_have_local_classes_of_one_kind():
    """Each store knows the class that it was given, and one that was given none knows the newest."""

    def one() -> Any:
        class Task(Resource):
            who: Annotated[Ref[Person], on_delete(CASCADE)]

        return Task

    def two() -> Any:
        class Task(Resource):
            who: Ref[Person] | None = None
            note: str = ""

        return Task

    first, second = one(), two()
    with connect(MemoryBackend(), namespace="a") as here, connect(MemoryBackend(), namespace="b") as there:
        for store, model in ((here, first), (there, second)):
            person = store.create(Person(name="p"))
            task = store.create(model(name="t", who=person))

            assert [task] == list(store.referrers(person))
            assert model is store.schema.model_of("Task")
        assert second is connect("memory://", namespace="c", models=[Person]).schema.model_of("Task")
        later = there.create(two()(name="u", note="in the same store"))
        assert later == there.get(later)


def test_other_class_of_the_same_kind_is_refused_in_one_store():
    """BAD-9: Only definitions of the same class replace each other."""
    other = type(Resource)("Owned", (Resource,), {"__module__": "elsewhere"}, parent=Person)
    with connect("memory://", namespace="one") as store:
        store.create(Person(name="p"))
        store.create(Owned(parent="Person/p", name="a"))

        with pytest.raises(InvalidModel):
            store.create(other(parent="Person/p", name="b"))
        assert {other, Owned} & set(connect("memory://", namespace="two", models=[other]).schema.models()) == {other}


A = """
from __future__ import annotations
from typing import TYPE_CHECKING
from emco_store import Ref, Resource
from pydantic import BaseModel
if TYPE_CHECKING:
    from loop_b import LoopB
class Part(BaseModel, extra="forbid"):
    b: Ref["LoopB"] | None = None
class LoopA(Resource):
    b: Ref[LoopB] | None = None
    part: Part = Part()
"""
B = """
from __future__ import annotations
from typing import TYPE_CHECKING
from emco_store import Ref, Resource
if TYPE_CHECKING:
    from loop_a import LoopA
class LoopB(Resource):
    a: Ref[LoopA] | None = None
    either: Ref["LoopA | LoopB"] | None = None
"""


@pytest.mark.parametrize("names", [True, False], ids=["models-named", "models-met"])
def test_modules_that_import_each_other_for_types_only_refer_to_each_other(modules: Import, names: bool):  # noqa: FBT001 - a column
    """REF-17: A target that is only named is found by its kind."""
    a, b = modules(loop_a=A, loop_b=B)
    with connect("memory://", namespace="loop", models=[a.LoopA, b.LoopB] if names else []) as store:
        one = store.create(a.LoopA(name="a"))
        two = store.create(b.LoopB(name="b", a="a", either="LoopA/a"))
        one = store.update(one.model_copy(update={"b": two, "part": a.Part(b="b")}))

        assert [two.key] * 2 == [one.b.key, one.part.b.key]
        assert [one] == list(store.referrers(two))
        store.delete(one, two)
        assert 0 == len(store.list(a.LoopA))


def test_target_in_another_module_is_found_by_its_kind(modules: Import):
    """REF-17: The text in a reference is the name of a kind, and not code of the module."""
    c, d = modules(
        far_c="from emco_store import Ref, Resource\nclass FarC(Resource):\n    d: Ref['FarD'] | None = None\n",
        far_d="from emco_store import Resource\nclass Other(Resource, kind='FarD'):\n    pass\n",
    )
    with connect("memory://", namespace="far") as store:
        target = store.create(d.Other(name="d"))
        made = store.create(c.FarC(name="c", d="d"))

        assert target.key == made.d.key
        assert [made] == list(store.referrers(target))
        assert {c.FarC, d.Other} == set(store.schema.models())


def test_target_that_nobody_defines_is_refused_when_it_is_used(modules: Import):
    """BAD-9: A kind that is nowhere is one clear error, and so is a name that only type checkers see."""
    (e,) = modules(
        lone_e="from __future__ import annotations\nfrom emco_store import Ref, Resource\n"
        "class LoneE(Resource):\n    d: Ref['NoSuchKind'] | None = None\n"
        "class LoneF(Resource):\n    d: Ref[NoSuchKind] | None = None\n"
    )

    with pytest.raises(InvalidModel):
        e.LoneE(name="e", d="x")
    with pytest.raises(InvalidModel):
        e.LoneF(name="f")
    with pytest.raises(InvalidModel):
        connect("memory://", namespace="lone", models=[e.LoneF])


class Depot(Resource):
    """A root of another service."""


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [({}, {}), ({"parent": Depot}, {}), ({"parent": Person, "key": ("name", "version")}, {"version": str})],
    ids=["root", "other-parent", "other-key"],
)
def test_models_that_contradict_each_other_are_reported(arguments: dict[str, Any], fields: dict[str, Any]):
    """BAD-8: What a model with another key or parent has written is an error in its place, and a check names it."""
    other = type(Resource)("Owned", (Resource,), {"__module__": "elsewhere", "__annotations__": fields}, **arguments)
    backend = MemoryBackend()
    with connect(backend, namespace="two", models=[Owned]) as mine:
        mine.create(Person(name="p"))
        key = mine.create(Owned(parent="Person/p", name="a")).key
    with connect(backend, namespace="two", models=[other]) as theirs:
        with pytest.raises(InvalidResource, match="models contradict"):
            raise theirs.list(other).errors[0]
        assert [str(key)] == [str(flaw.key) for flaw in theirs.check().flaws]
