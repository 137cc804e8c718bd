"""Definition: what is checked of a class of resources before its fields are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from emco_store.core.keys import kind_problem
from emco_store.core.refs import Ref
from emco_store.core.rules import RESTRICT, Rule
from emco_store.core.specs import Model, is_kind
from emco_store.errors import InvalidModel

_RESERVED = {"key", "ref", "meta", "kind", "is_stored"}


def class_problems(
    cls: Model, kind: str, key_fields: tuple[str, ...], *, parent: Any, on_parent_delete: Any
) -> list[str]:
    """List why a class cannot be a kind.

    Rules: BAD-9.
    """
    return [*_key_problems(cls, kind, key_fields), *_parent_problems(cls, kind, parent, on_parent_delete)]


def _key_problems(cls: Model, kind: str, key_fields: tuple[str, ...]) -> Iterator[str]:
    problem = kind_problem(kind)
    if problem:
        yield f"{kind!r:.80}: {problem}"
    if not key_fields or len(set(key_fields)) != len(key_fields):
        yield "key= names at least one field, and none twice"
    for name in key_fields:
        info = cls.model_fields.get(name)
        if info is None:
            yield f"key= names {name!r}, which is no field"
        elif info.annotation is not str:
            yield f"the key field {name!r} must be a str"
    if "name" not in key_fields:
        yield 'key= must hold "name"'
    for name in _RESERVED & set(cls.model_fields):
        yield f"the field {name!r} would hide Resource.{name}"
    if cls.model_config.get("extra") not in {"forbid", "allow"}:
        yield 'extra="ignore" would drop unknown fields in silence; say "forbid" or "allow"'
    if not cls.model_config.get("frozen"):
        yield "a resource is a value: frozen=False is not possible"


def _parent_problems(cls: Model, kind: str, parent: Any, on_parent_delete: Any) -> Iterator[str]:
    if cls.model_fields["parent"].annotation != Ref[Any] | None:
        yield "the field 'parent' is declared by the class argument parent="
    try:
        if Rule(on_parent_delete).edits:
            yield f"on_parent_delete={on_parent_delete} cannot work: a resource cannot lose its parent"
    except ValueError as problem:
        yield f"on_parent_delete={problem}"
    if parent is None:
        if on_parent_delete != RESTRICT:
            yield f"on_parent_delete={on_parent_delete} says what becomes of it with its parent, and it has none"
        return
    if not is_kind(parent):
        yield f"parent={parent!r:.80} is not a resource"
        return
    if any(kind == above for above, _ in parent.__emco__.chain):
        yield f"{kind} would be its own ancestor"
    twin = next((child for child in parent.__emco__.children if child.__emco__.kind == kind), None)
    if twin is not None:
        yield f"the kind {kind} is defined already under {parent.__emco__.kind}, in {twin.__module__}"


def refused_class(cls: type, problems: list[str]) -> InvalidModel:
    """Build the error for a class that cannot be a kind."""
    return InvalidModel(
        f"Cannot define {cls.__name__}.", why=problems, hint="change the class as said.", model=cls.__name__
    )
