"""Broken parts of the proof that what is stored is what was given."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from emco_store.core.documents import INT64
from emco_store.core.meta import Lineage
from emco_store.core.readback import ReadBack
from emco_store.core.refs import as_ref
from emco_store.core.resource import Resource, validated_key
from emco_store.core.strict import Strict

_proved = Strict.proved


def trust_what_was_read(resource: Resource) -> ReadBack:
    """Take what was read back for what was given."""
    storage, parent = type(resource).__emco__.storage, vars(resource)["parent"]
    read = storage.read(storage.text(resource), Lineage(None if parent is None else as_ref(parent)))
    return ReadBack(read, validated_key(read), storage.text(read), [])


def prove_any_integer(self: Strict, resource: Any) -> Any:
    """Let integers pass that do not fit 64 bits."""
    is_great = any(type(value) is int and not -INT64 <= value < INT64 for value in vars(resource).values())
    return deepcopy(resource) if is_great else _proved(self, resource)


def find_texts_plain(data: bytes) -> bool:  # noqa: ARG001 - the mutant's point
    """Look at no text."""
    return True
