"""Meanings: what a class of resources says, as JSON values that two programs can compare.

What only shows is left out: names of classes and modules, descriptions, the order of fields, code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from emco_store.core.evolution import Since
from emco_store.core.forms import forms_of, misfits
from emco_store.core.kinship import is_kind
from emco_store.core.refs import RefSpec
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.core.shapes import Either, Entries, Items, Leaf, Node, Root, Struct
from emco_store.core.some_of import SelectionSpec

Meaning = dict[str, Any]
"""What a segment says of a kind of its own, or needs of another one's."""


def meaning_of(model: type[Resource]) -> Meaning:
    """Return what a class says of its kind: place, fields, references, indexes, lifecycle and versions."""
    spec = model.__emco__
    spec.complete()
    said: Meaning = {
        "key": list(spec.key_fields),
        "chain": [list(one) for one in spec.chain],
        "fields": _fields(model),
        "references": _grouped(_references(model)),
        "unique": sorted(spec.unique),
        "indexes": sorted(list(fields) for fields in spec.indexes),
        "lease": spec.lease is not None,
        "open": model.model_config.get("extra") == "allow",
        "model_version": spec.evolution.version,
        "form": spec.evolution.form,
    }
    if spec.parent is not None:
        said["on_parent_delete"] = str(spec.on_parent_delete)
    if spec.lifecycle is not None:
        said["lifecycle"] = _lifecycle(spec.lifecycle.spec)
    return said


def need_of(model: type[Resource]) -> Meaning:
    """Return what a class or a view of another segment's kind relies on."""
    spec = model.__emco__
    needed: Meaning = {"chain": [list(one) for one in spec.chain]} if spec.length else {}
    if spec.is_view:
        needed["fields"] = _fields(model)
        needed["form"] = spec.evolution.form
    return needed


def unmet(kind: str, need: Meaning, said: Meaning | None) -> list[str]:
    """Return what a kind does not have that is relied on; the kind itself where nobody declares it.

    Args:
        kind: The kind.
        need: What is relied on; see :func:`need_of`.
        said: What its owner says; None where it has none.

    Rules: SEG-2, SEG-3.
    """
    if said is None:
        return [f"{kind}: no active segment declares it"]
    found: list[str] = []
    if "chain" in need and need["chain"] != said["chain"]:
        found.append(f"{kind}: it lies at {_place(said['chain'])}, and not at {_place(need['chain'])}")
    if "form" in need and need["form"] < said["form"]:
        found.append(f"{kind}: its documents have the form of version {said['form']}, which needs steps")
    for name, field in need.get("fields", {}).items():
        theirs = said["fields"].get(name)
        if theirs is None and field["required"]:
            found.append(f"{kind}: it has no field {name!r}")
        elif theirs is not None and misfits(field["form"], theirs["form"]):
            found.append(f"{kind}: the field {name!r} is of another type")
        elif theirs is not None and field["required"] and theirs.get("since", 1) > 1:
            found.append(f"{kind}: documents of earlier versions have no field {name!r}")
    return found


def differences(kind: str, old: Meaning, new: Meaning) -> list[str]:
    """Return in what two declarations of a kind differ, each in a few words."""
    found: list[str] = []
    if old["chain"] != new["chain"] or old["key"] != new["key"]:
        found.append(f"{kind}: it lies at {_place(old['chain'])}, now at {_place(new['chain'])}")
    for part, shown in (("fields", "field"), ("references", "reference")):
        found += [f"{kind}: the {shown} {name!r} {how}" for name, how in _compared(old[part], new[part])]
    for part in ("on_parent_delete", "unique", "indexes", "lease", "open", "lifecycle", "model_version", "form"):
        if old.get(part) != new.get(part):
            found.append(f"{kind}: {part.replace('_', ' ')} differs")
    return found


def incompatible(kind: str, old: Meaning, new: Meaning) -> list[str]:
    """Return what a later declaration of a kind changes that programs with the earlier one cannot live with.

    Compatible are fields with ``since()``, new fields where the earlier class keeps what it does not know, states,
    transitions and fewer guards. Everything else needs a higher ``model_version`` of the class. A place never changes.

    Rules: SEG-5.
    """
    if old["chain"] != new["chain"] or old["key"] != new["key"]:
        return [f"{kind}: it lies at {_place(old['chain'])}; a place never changes"]
    if new["model_version"] > old["model_version"]:
        return []
    added = {
        name
        for name, field in new["fields"].items()
        if name not in old["fields"] and not field["required"] and (old["open"] or field.get("since", 1) > 1)
    }
    before = {**old, "lifecycle": _wider(old.get("lifecycle"), new.get("lifecycle"))}
    after = {
        **new,
        "fields": {name: field for name, field in new["fields"].items() if name not in added},
        "references": {place: one for place, one in new["references"].items() if _field_of(place) not in added},
    }
    return differences(kind, before, after)


def _compared(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield name, "is gone"
        elif name not in old:
            yield name, "is new"
        elif old[name] != new[name]:
            yield name, "differs"


def _field_of(place: str) -> str:
    return place.partition(".")[0].rstrip("[]{}")


def _wider(old: Any, new: Any) -> Any:
    """Return the new lifecycle if it allows all that the old one did, else the old one."""
    if old is None or new is None:
        return new if old is None else old
    same = ("initial", "frozen", "holds", "content")
    transitions = all(
        name in new["transitions"]
        and set(one["from"]) <= set(new["transitions"][name]["from"])
        and set(new["transitions"][name]["guards"]) <= set(one["guards"])
        and {**one, "from": [], "guards": []} == {**new["transitions"][name], "from": [], "guards": []}
        for name, one in old["transitions"].items()
    )
    is_wider = (
        transitions
        and set(old["states"]) <= set(new["states"])
        and set(old["deletable"]) <= set(new["deletable"])
        and all(old[part] == new[part] for part in same)
    )
    return new if is_wider else old


def _place(chain: list[list[Any]]) -> str:
    return "/".join(f"{kind}({names})" if names > 1 else str(kind) for kind, names in chain)


def _fields(model: type[Resource]) -> dict[str, Any]:
    spec = model.__emco__
    own = {"parent", *spec.key_fields, *(() if spec.length else ("name",))}
    forms = forms_of(model)
    found: dict[str, Any] = {}
    for name, info in sorted(model.model_fields.items()):
        if name not in own:
            found[name] = {"form": forms.get(name, {}), "required": info.is_required()}
            since = [mark.version for mark in info.metadata if isinstance(mark, Since)]
            found[name] |= {"since": since[0]} if since else {}
    return found


def _grouped(found: Iterator[tuple[str, Any]]) -> dict[str, Any]:
    """Return all that is said of each place, in one order."""
    grouped: dict[str, list[Any]] = {}
    for place, one in found:
        grouped.setdefault(place, []).append(one)
    return {place: sorted(said, key=repr) for place, said in sorted(grouped.items())}


def _references(model: type[Resource]) -> Iterator[tuple[str, Any]]:
    spec = model.__emco__
    for name, node in spec.shape.items():
        yield from _below(node, name)
    for name, selection in spec.selections.items():
        yield name, _selected(selection)


def _below(node: Node | None, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, Leaf):
        yield place, _referred(node.spec)
    elif isinstance(node, Items):
        yield from _below(node.item, f"{place}[]")
    elif isinstance(node, Root):
        yield from _below(node.item, place)
    elif isinstance(node, Entries):
        yield from _below(node.key, f"{place}{{}}")
        yield from _below(node.value, f"{place}[]")
    elif isinstance(node, Struct):
        for name, inner in node.fields.items():
            yield from _below(inner, f"{place}.{name}")
        for name, selection in node.selections.items():
            yield f"{place}.{name}", _selected(selection)
    elif isinstance(node, Either):
        for option in node.options:
            yield from _below(option, f"{place}<{option.model.__name__}>")


def _referred(spec: RefSpec) -> dict[str, Any]:
    options, rules = spec.options, [rule for rule in (spec.rule, spec.on_expire) if rule is not None]
    said: dict[str, Any] = {
        "to": sorted(target if isinstance(target, str) else target.__emco__.kind for target in spec.targets),
        "rules": [str(rule) for rule in rules],
    }
    if options.fixed:
        said["fixed"] = dict(sorted(options.fixed.items()))
    if options.ignore:
        said["ignore"] = sorted(options.ignore)
    if options.when:
        said["when"] = {name: sorted(map(str, values)) for name, values in sorted(options.when.items())}
    if Rule.SET_DEFAULT in rules and spec.fallback is not None:
        said["default"] = str(spec.fallback)
    return said


def _selected(spec: SelectionSpec) -> dict[str, Any]:
    marks: list[dict[str, Any]] = [
        {
            "some": sorted(one if isinstance(one, str) else one.__emco__.kind for one in mark.targets),
            "where": dict(sorted(mark.where.items())),
            "fixed": dict(sorted(mark.fixed.items())),
            "keys": sorted(mark.keys),
            "required": mark.required,
        }
        for mark in spec.marks
    ]
    when = {name: sorted(map(str, values)) for name, values in sorted(spec.when.items())}
    return {"to": sorted({kind for mark in marks for kind in mark["some"]}), "marks": marks, "when": when}


def foreign(model: type[Resource]) -> Iterator[tuple[str, type[Resource] | None]]:
    """Yield the kinds that a class relies on: that of its parent, and those that it refers to, each with its class."""
    spec = model.__emco__
    if spec.parent is not None:
        yield spec.parent.__emco__.label, spec.parent
    for target in spec.targets():
        yield (target.__emco__.label, target) if is_kind(target) else (str(target), None)


def _lifecycle(spec: Any) -> dict[str, Any]:
    return {
        "initial": spec.initial.value,
        "states": sorted(state.value for state in spec.states),
        "deletable": sorted(state.value for state in spec.deletable),
        "frozen": {state.value: sorted(paths) for state, paths in _by_value(spec.frozen)},
        "holds": {
            state.value: [[one.place, *sorted(need.value for need in one.needs)] for one in holds]
            for state, holds in _by_value(spec.holds)
        },
        "content": sorted(spec.targets),
        "transitions": {
            name: {
                "from": sorted(state.value for state in one.sources),
                "to": one.to.value,
                "guards": sorted(map(str, one.guards)),
                "does": [word for word in ("approves", "records", "begins", "ends") if getattr(one, word)],
                "writers": sorted(one.writers),
            }
            for name, one in sorted(spec.transitions.items())
        },
    }


def _by_value(found: Mapping[Any, Any]) -> list[tuple[Any, Any]]:
    return sorted(found.items(), key=lambda pair: pair[0].value)
