"""Patches: a change of what is stored, made to its newest state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from emco_store.core.likeness import is_alike
from emco_store.core.matching import Match
from emco_store.core.resource import Resource
from emco_store.errors import InvalidCall
from emco_store.flows import callbacks, resources
from emco_store.flows.asking import Flow
from emco_store.flows.context import uid_of
from emco_store.flows.refusals import not_found
from emco_store.flows.unit import Unit

Change = Mapping[str, Any] | Callable[[Any], Any]
"""New values by the names of fields, or a function from a resource to its changed copy."""


def refuse_change(change: Any) -> None:
    """Refuse what is no change.

    Raises:
        InvalidCall: It is neither a mapping by names of fields nor a function.
    """
    if isinstance(change, Mapping):
        names: Any = change  # pyright: ignore[reportUnknownVariableType]  # of any types
        is_change = all(isinstance(name, str) for name in names)
    else:
        is_change = callable(change) and not isinstance(change, Resource | type)
    if not is_change:
        raise InvalidCall(
            f"Cannot patch with {change!r:.80}.",
            why=["it is neither a mapping by the names of fields nor a function"],
            hint='give {"field": value}, or a function that returns a changed copy of the resource that it is given.',
        )


def patch(unit: Unit, target: Any, change: Change, only: Match | None) -> Flow[Any]:
    """Change a resource, as the transaction sees it; one that stays equal is not written.

    Raises:
        NotFound: It does not exist; or the target is a resource, and another one has its key by now.
        InvalidCall: The change names a field that there is not, or its function returns no resource.

    Rules: OCC-15.
    """
    key, uid = unit.context.address(target), uid_of(target)
    unit.context.refuse_view("patch", key)
    old = yield from resources.get(unit, key, only)
    if uid is not None and old.meta.uid != uid:
        raise not_found([key])
    if not isinstance(old, Resource):
        raise InvalidCall(
            f"Cannot patch {key}.",
            why=[f"this store knows no model of the kind {key.kind}"],
            hint="name the model once, for example connect(…, models=[…]).",
        )
    new = _changed(old, change)
    return old if _is_same(old, new) else unit.update(new)


def commit_patch(unit: Unit, target: Any, change: Change, only: Match | None) -> Flow[Any]:
    """Patch in a unit of its own."""
    made = yield from patch(unit, target, change, only)
    yield from unit.commit()
    return made


def _changed(old: Resource, change: Change) -> Resource:
    if isinstance(change, Mapping):
        values: Any = change  # pyright: ignore[reportUnknownVariableType]  # see refuse_change
        unknown = [name for name in values if name not in type(old).model_fields]
        if unknown:
            raise _no_such_field(old, unknown)
        return old.model_copy(update=values)
    new = callbacks.finished(change(old.model_copy(deep=True)))
    if type(new) is not type(old) or not new.is_stored:
        raise InvalidCall(
            f"Cannot patch {old.key}.",
            why=[f"the function returned {type(new).__name__}, and not the resource that it was given, changed"],
            hint="return resource.model_copy(update={…}).",
        )
    return new


def _is_same(old: Resource, new: Resource) -> bool:
    return old.meta == new.meta and is_alike(dict(old), dict(new))


def _no_such_field(old: Resource, unknown: Iterable[str]) -> InvalidCall:
    fields = list(type(old).model_fields)
    near = {name: get_close_matches(name, fields, 1) for name in unknown}
    return InvalidCall(
        f"Cannot patch {old.key}.",
        why=[
            f"{type(old).__name__} has no field {name!r:.80}" + (f"; {found[0]!r} is near" if found else "")
            for name, found in near.items()
        ],
        hint=f"its fields are {', '.join(fields)}; for a part of one, pass a function.",
    )
