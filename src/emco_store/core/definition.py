"""Definition: what is checked of a class of resources before its fields are looked at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, Generic

from emco_store.core.evolution import evolution_problems
from emco_store.core.keys import kind_problem
from emco_store.core.kinship import Model, is_kind
from emco_store.core.naming import PREFIX
from emco_store.core.refs import OnExpire, Ref
from emco_store.core.reserved import is_reserved
from emco_store.core.rules import RESTRICT, Rule
from emco_store.core.trails import Trail
from emco_store.errors import InvalidModel

CLASS_ARGUMENTS = {
    *("parent", "key", "on_parent_delete", "kind", "abstract", "lifecycle", "trail", "lease", "indexes", "_writer"),
    *("model_version", "steps", "readable_by", "_is_view"),
}
"""The class arguments of resources; ``_writer`` is for statuses, whose kinds are reserved, ``_is_view`` for views."""
UNSAID: Final = object()
"""Stands for the parent of a view that does not say where its resources lie."""
MIN_TTL: Final = timedelta(seconds=1)
"""The shortest time that a lease counts as alive after a beat."""
MAX_TTL: Final = timedelta(days=1)
"""The longest."""
_RESERVED = {"key", "ref", "meta", "kind", "is_stored"}


def has_own_arguments(cls: Model, base: Model) -> bool:
    """Return whether a class after the base, a mixin, may take class arguments of its own."""
    mro = cls.__mro__
    return any("__init_subclass__" in mixin.__dict__ for mixin in mro[mro.index(base) + 1 : -1] if mixin is not Generic)


def is_parametrized(cls: Model) -> bool:
    """Return whether a class is ``Base[int]``, which pydantic makes of a generic one to be subclassed."""
    return cls.__pydantic_generic_metadata__["origin"] is not None


def refuse_subclass_of_a_kind(cls: Model) -> None:
    """Refuse a class that has a kind among its bases.

    Raises:
        InvalidModel: It has one.
    """
    above = next((base for base in cls.__mro__[1:] if "__emco__" in base.__dict__), None)
    if above is not None:
        raise refused_class(cls, [f"{above.__name__} is a kind of its own and cannot be subclassed"])


def class_problems(
    cls: Model,
    kind: str,
    key_fields: tuple[str, ...],
    *,
    parent: Any,
    on_parent_delete: Any,
    lifecycle: Any = None,
    trail: Any = None,
    lease: Any = None,
    writer: str = "",
    is_view: bool = False,
    versions: tuple[Any, Any, Any] = (1, {}, None),
) -> list[str]:
    """List why a class cannot be a kind.

    Rules: BAD-9, RES-1.
    """
    open_types = cls.__pydantic_generic_metadata__["parameters"]
    generic = [f"it is generic: say abstract=True, and define a class of {cls.__name__}[…] for each kind"]
    return [
        *(generic if open_types else ()),
        *_reserved_problems(kind, parent, is_own=bool(writer)),
        *_kind_problems(cls, kind, is_view=is_view),
        *(_key_problems(cls, key_fields) if key_fields or not is_view else ()),
        *_parent_problems(cls, kind, parent, on_parent_delete, writer),
        *(() if lifecycle is None else _lifecycle_problems(lifecycle)),
        *(() if isinstance(trail, Trail | None) else [f"trail={trail!r:.80} is not a Trail"]),
        *(() if lease is None else _lease_problems(lease, writer)),
        *evolution_problems(*versions),
        *(
            ["a status has no versions of its model; its writer reports it again"]
            if writer and versions[0] != 1
            else ()
        ),
    ]


def _reserved_problems(kind: object, parent: Any, *, is_own: bool) -> Iterator[str]:
    if isinstance(kind, str) and is_reserved(kind) and not is_own:
        yield f"kinds whose names begin with {PREFIX!r} are the store's own; choose another name, or another kind="
    if is_kind(parent) and is_reserved(parent.__emco__.kind):
        yield f"{parent.__emco__.kind} is the store's own, and nothing lies under it"


def _kind_problems(cls: Model, kind: str, *, is_view: bool) -> Iterator[str]:
    problem = kind_problem(kind)
    if problem:
        yield f"{kind!r:.80}: {problem}"
    for name in _RESERVED & set(cls.model_fields):
        yield f"the field {name!r} would hide Resource.{name}"
    extra = cls.model_config.get("extra")
    if is_view and extra != "ignore":
        yield "a view ignores the fields that it does not declare, so that their owner may add some; leave extra= out"
    if not is_view and extra not in {"forbid", "allow"}:
        yield 'extra="ignore" would drop unknown fields in silence; say "forbid" or "allow"'
    if not cls.model_config.get("frozen"):
        yield "a resource is a value: frozen=False is not possible"


def _key_problems(cls: Model, key_fields: tuple[str, ...]) -> Iterator[str]:
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


def _parent_problems(cls: Model, kind: str, parent: Any, on_parent_delete: Any, writer: str) -> Iterator[str]:
    if any(isinstance(mark, OnExpire) for mark in cls.model_fields["parent"].metadata):
        yield "a resource cannot lose its parent, so on_expire() cannot stand there"
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
    if not is_kind(parent) or not parent.__emco__.length:
        reason = "does not say where it lies: give that view parent=" if is_kind(parent) else "is not a resource"
        yield f"parent={parent!r:.80} {reason}"
        return
    if any(kind == above for above, _ in parent.__emco__.chain):
        yield f"{kind} would be its own ancestor"
    specs = (child.__emco__ for child in parent.__emco__.children)
    twin = next((spec.model for spec in specs if (spec.kind, spec.writer) == (kind, writer)), None)
    if twin is not None and twin.__name__ != cls.__name__:
        said = f"is the status by {writer!r}" if writer else f"is the kind {kind} under {parent.__emco__.kind}"
        yield f"{twin.__module__}.{twin.__name__} {said} already"


def _lifecycle_problems(lifecycle: Any) -> Iterator[str]:
    if not isinstance(lifecycle, type) or not hasattr(lifecycle, "problems_of") or not hasattr(lifecycle, "spec"):
        yield f"lifecycle={lifecycle!r:.80} is not a lifecycle"


def _lease_problems(lease: Any, writer: str) -> Iterator[str]:
    if not isinstance(lease, timedelta):
        yield f"lease={lease!r:.80} is not a timedelta"
    elif not MIN_TTL <= lease <= MAX_TTL:
        yield f"lease={lease} is not between {MIN_TTL} and {MAX_TTL}"
    if writer:
        yield "a status cannot be leased; lease the resource that it belongs to"


def refused_class(cls: type, problems: list[str]) -> InvalidModel:
    """Build the error for a class that cannot be a kind."""
    return InvalidModel(
        f"Cannot define {cls.__name__}.", why=problems, hint="change the class as said.", model=cls.__name__
    )
