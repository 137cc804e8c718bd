"""A test of the versions of a model: what older programs have written is read, kept and, where promised, given back."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from emco_store.core.codec import draft, load
from emco_store.core.documents import LARGEST_MAX_BYTES, decode, encode
from emco_store.core.evolution import split
from emco_store.core.records import Record
from emco_store.core.resource import Resource


def check_versions(older: Iterable[Resource], model: type[Resource]) -> tuple[Resource, ...]:
    """Check that a version of a model reads what older versions have written, and return what it reads.

    For each resource: the key stays; every step gives the same document for the same document and changes nothing else;
    what is read can be written, and reads as the same again, without a further step; and a program of the older version
    can read that where its stamp says so. No store is needed.

    Args:
        older: Resources of older versions of the model, with the odd values that a service may have stored; see
            :func:`~emco_store.contracts.generated.check_generated_versions` for a test that makes them.
        model: The newer version.

    Raises:
        AssertionError: A promise is broken; the text says for which resource.
        InvalidResource: A resource cannot be stored, or its document cannot be read by the newer version.

    Rules: MIG-1, MIG-2.
    """
    return tuple(_checked(resource, model) for resource in older)


def _checked(resource: Resource, model: type[Resource]) -> Resource:
    old = type(resource)
    assert old.__emco__.kind == model.__emco__.kind, f"{old.__name__} and {model.__name__} are of different kinds"
    stored = as_stored(resource)
    read = load(stored, model)
    _check_steps(model, stored)
    assert read.key == resource.key, f"{resource.key} has become {read.key}"
    made = as_stored(read)
    again = load(made, model)
    assert dict(read) == dict(again), f"{resource.key} reads as another value once it was written"
    assert not model.__emco__.evolution.is_outdated(made.document), f"{resource.key} is not current once it was written"
    assert made.document == as_stored(again).document, f"{resource.key} is written in another way each time"
    if split(made.document)[0].readable_by <= old.__emco__.evolution.version:
        back = load(made, old)
        assert back.key == resource.key, f"{resource.key} is {back.key} for the older program"
    return read


def _check_steps(model: type[Resource], stored: Record) -> None:
    """Check that each step depends on its document alone."""
    form, rest = split(stored.document)
    document: Any = decode(rest)
    for version, step in model.__emco__.evolution.steps.items():
        if version > form.form and step is not None:
            first, second = step(deepcopy(document)), step(deepcopy(document))
            assert encode(first) == encode(second), f"the step to version {version} is not the same each time"
            document = first


def as_stored(resource: Resource) -> Record:
    """Return the record that a store would write of a resource.

    Raises:
        InvalidResource: It cannot be stored.
    """
    return draft(resource, max_bytes=LARGEST_MAX_BYTES).record(uid="u", version=1, created_us=0, updated_us=0)
