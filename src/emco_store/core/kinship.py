"""Kinship: how models find one another, by links between classes and by the names of kinds.

A class may be defined again: a cell of a notebook runs twice, a module is reloaded, two tests have local classes of one
name. Links lead to the newest definition of each kind that is still in use, and keep no class alive.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

from emco_store.core.reserved import is_reserved
from emco_store.errors import InvalidModel

Model = Any
"""A class of resources; the base of all of them is above this module."""


class Newest:
    """Models by kind (and writer), the newest definition of each; they are held weakly."""

    __slots__ = ("_models",)

    def __init__(self) -> None:
        self._models: list[tuple[str, int, weakref.ref[Model]]] = []

    def add(self, model: Model) -> None:
        """Add a model."""
        spec = model.__emco__
        self._models = sorted(
            (*(each for each in self._models if each[2]() is not None), (spec.label, spec.number, weakref.ref(model))),
            key=itemgetter(0, 1),
        )

    def __iter__(self) -> Iterator[Model]:
        newest: dict[str, Model] = {}
        for label, _, model in self._models:
            found = model()
            if found is not None:
                newest[label] = found
        return iter(newest.values())


def is_kind(value: object) -> bool:
    """Return whether it is the class of a kind, and neither an abstract one nor anything else."""
    return isinstance(value, type) and hasattr(value, "__emco__")


def is_defined_again(older: Model, newer: Model) -> bool:
    """Return whether two classes are definitions of the same one, at two times."""
    return (older.__module__, older.__name__) == (newer.__module__, newer.__name__)


def find_nearby(owner: Model, name: str) -> Model | None:
    """Find a class by the name of its kind or its own, without looking further than its family and its module."""
    spec = owner.__emco__
    while spec is not None:
        if spec.kind == name:
            return spec.model
        spec = None if spec.parent is None else spec.parent.__emco__
    found = getattr(sys.modules.get(owner.__module__), name, None)
    return found if is_kind(found) else None


def find_anywhere(owner: Model, name: str) -> Model | None:
    """Find the newest class by the name of its kind, else by its own name, wherever it was defined; views come last."""
    models = sorted(
        filter(is_kind, _subclasses(owner.__emco__.base)),
        key=lambda model: (not model.__emco__.is_view, model.__emco__.number),
    )
    by_name = {model.__name__: model for model in models}
    by_kind = {model.__emco__.kind: model for model in models}
    return by_kind.get(name, by_name.get(name))


def find_model(owner: Model, target: Any) -> Model:
    """Find the class of a reference's target, which may be given by the name of its kind.

    Raises:
        InvalidModel: There is no class of that name, or it is one of the store's own.

    Rules: REF-17, RES-1.
    """
    found = _find(owner, target) if isinstance(target, str) else target
    if found is not None and is_reserved(found.__emco__.kind):
        raise InvalidModel(
            f"Cannot define a reference of {owner.__name__} to {found.__name__}.",
            why=[f"{found.__name__} is a class of the store's own records, and nothing refers to these"],
            hint="refer to the resource that they belong to.",
            model=owner.__name__,
        )
    if found is not None:
        return found
    raise InvalidModel(
        f"Cannot resolve the reference of {owner.__name__} to {target!r}.",
        why=["there is no resource of that kind"],
        hint="import the module that defines it before the reference is used, or refer to the class itself.",
        model=owner.__name__,
    )


def _find(owner: Model, name: str) -> Model | None:
    family = (model for model in connected([owner]) if model.__emco__.kind == name)
    return find_nearby(owner, name) or next(family, None) or find_anywhere(owner, name)


def connected(models: Iterable[Model]) -> list[Model]:
    """Return the models and all that hang together with them: ancestors, children, targets and referrers."""
    found: dict[Model, None] = {}
    stack = list(models)
    while stack:
        model = stack.pop()
        if model in found:
            continue
        found[model] = None
        spec = model.__emco__
        if spec.parent is not None:
            stack.append(spec.parent)
        stack.extend((*spec.children, *spec.referrers))
        for target in spec.targets():
            named = find_nearby(model, target) or find_anywhere(model, target) if isinstance(target, str) else target
            if named is not None:
                stack.append(named)
    return list(found)


def _subclasses(base: Model) -> Iterator[Model]:
    for model in base.__subclasses__():
        yield model
        yield from _subclasses(model)
