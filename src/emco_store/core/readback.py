"""Read-back: the proof that a document gives back what was given, now and each time that it is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import ValidationError

from emco_store.core.keys import Key
from emco_store.core.likeness import is_alike
from emco_store.core.meta import Lineage
from emco_store.core.refs import as_ref
from emco_store.core.resource import Resource, invalid_resource, is_edited, place, validated_key
from emco_store.core.shapes import bind_field
from emco_store.core.strict import is_equal

_NO_FORM = "it would come back from the store as another value; JSON has no form for it"
_UNSTABLE = "a validator changes it each time that it is read; make the validator leave alone what it has made"


class ReadBack(NamedTuple):
    """A resource on its way to a document and back.

    Attributes:
        resource: What the store will give back.
        key: Its key.
        data: Its document; None where a look at the resource proved as much as its document would.
        problems: Where it is not what was given, or would change again.
    """

    resource: Any
    key: Key
    data: bytes | None
    problems: list[str]


def read_back(resource: Resource) -> ReadBack:
    """Return what a resource will be when it is read from the store, and prove that it is what was given.

    A value that the model has not seen, as ``model_copy(update=…)`` and ``model_construct`` make them, counts as given
    once the model has validated it; from then on it has to stay as it is.

    Raises:
        ValidationError: The document would not fit the model.
        PydanticSerializationError: The resource holds a value that has no JSON form.

    Rules: ID-13, ID-15.
    """
    storage = type(resource).__emco__.storage
    proved = storage.proved(resource)
    if proved is not None:
        try:
            return ReadBack(proved, place(proved), None, [])
        except ValueError:
            pass  # the other way gives the reasons
    parent = resource.__dict__["parent"]
    lineage = Lineage(None if parent is None else as_ref(parent))
    exact = storage.exact_text(resource)
    data = storage.text(resource) if exact is None else exact
    first = storage.read(data, lineage)
    own = validated_key(first)
    is_unchanged = is_equal(resource, first)
    if is_unchanged and exact is not None and not storage.compares_itself:
        return ReadBack(first, own, data, [])
    stored = storage.text(first)
    problems = list(_changed(resource, first, lineage))
    if not problems and stored != data:
        second = storage.read(stored, lineage)
        problems = [f"{name}: {_UNSTABLE}" for name in _differing(_values(first), _values(second))]
        if not problems and storage.text(second) != stored:
            problems = [_UNSTABLE]
    return ReadBack(first, own, stored, problems)


def _values(resource: Resource) -> dict[str, Any]:
    """Return the fields of a resource, without what is only computed from them."""
    model = type(resource)
    names = [name for name in resource.__dict__ if not isinstance(getattr(model, name, None), cached_property)]
    return {name: resource.__dict__[name] for name in names} | (resource.__pydantic_extra__ or {})


def _differing(left: Mapping[str, Any], right: Mapping[str, Any]) -> Iterator[str]:
    missing = object()
    for name in dict.fromkeys((*left, *right)):
        if not is_alike(left.get(name, missing), right.get(name, missing)):
            yield name


def _changed(resource: Resource, read: Resource, lineage: Lineage) -> Iterator[str]:
    """Name the fields that would come back as something else, each with the reason."""
    given, found = _values(resource), _values(read)
    changed = list(_differing(given, found))
    if not changed:
        return
    model = type(resource)
    try:
        again = model.__pydantic_validator__.validate_python(given, context=lineage, by_alias=False, by_name=True)
    except ValidationError as problem:
        yield from invalid_resource(model.__name__, problem).problems
        return
    validated = _values(again)
    for name in changed:
        if not is_alike(validated.get(name), found.get(name)):
            yield f"{name}: {_NO_FORM if is_alike(validated.get(name), given.get(name)) else _UNSTABLE}"
        elif not (_is_unseen(resource, name) or is_alike(_bound(resource, name, read.key), found.get(name))):
            yield f"{name}: {_UNSTABLE}"


def _is_unseen(resource: Resource, name: str) -> bool:
    """Return whether a field holds what the model has not validated."""
    return is_edited(resource) or type(resource).__emco__.storage.exact_text(resource, field=name) is None


def _bound(resource: Resource, name: str, own: Key) -> Any:
    """Return the value of a field with full references: a short one means the same."""
    values = _values(resource)
    node = type(resource).__emco__.shape.get(name)
    try:
        return values[name] if node is None else bind_field(name, node, values[name], own, values)
    except ValueError:
        return None
