"""Queries: conditions on fields, orders, cursors, and the pages that lists come in."""

from __future__ import annotations

import base64
import binascii
import json
import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Self, cast
from uuid import UUID

from emco_store.core.codec import Untyped
from emco_store.core.documents import problems_in
from emco_store.core.fields import kind_of, lead_of_model
from emco_store.core.indexing import in_utc, index_text
from emco_store.core.keys import Key
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.errors import InvalidCall

MAX_PAGE = 1000
"""The most resources that one page holds."""

_COMPARE: Mapping[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Condition(ABC):
    """Something that is true or false of a resource; combine with ``&`` and ``|``, negate with ``~``."""

    __slots__ = ()

    @abstractmethod
    def holds(self, resource: Any) -> bool:
        """Return whether the condition is true of a resource."""

    @abstractmethod
    def paths(self) -> Iterator[tuple[str, ...]]:
        """Yield the paths of the fields that the condition reads."""

    def __and__(self, other: Condition) -> Condition:
        return _Joined(all, (self, _condition(other)))

    def __or__(self, other: Condition) -> Condition:
        return _Joined(any, (self, _condition(other)))

    __rand__ = __and__
    __ror__ = __or__

    def __invert__(self) -> Condition:
        return _Not(self)

    def __bool__(self) -> bool:
        raise InvalidCall(
            "A condition has no truth value of its own.",
            why=["'and', 'or' and 'not' do not work on conditions, nor does a < F.x < b"],
            hint="join conditions with & and |, and turn one over with ~.",
        )


@dataclass(frozen=True, slots=True)
class Compare(Condition):
    """One field compared with one value."""

    path: tuple[str, ...]
    sign: str
    value: Any

    def holds(self, resource: Any) -> bool:
        """Compare; where the two cannot be compared, only ``!=`` is true."""
        found = _plain(_at(resource, self.path))
        if isinstance(found, bool) is not isinstance(self.value, bool):
            return self.sign == "!="  # True is not 1 here, as it is not in an index nor in JSON
        try:
            return bool(_COMPARE[self.sign](found, self.value))
        except TypeError:
            return False

    def paths(self) -> Iterator[tuple[str, ...]]:
        """Yield the one path."""
        yield self.path


@dataclass(frozen=True, slots=True)
class OneOf(Condition):
    """One field that has one of some values."""

    path: tuple[str, ...]
    values: tuple[Any, ...]

    def holds(self, resource: Any) -> bool:
        """Look the field's value up."""
        return any(Compare(self.path, "==", value).holds(resource) for value in self.values)

    def paths(self) -> Iterator[tuple[str, ...]]:
        """Yield the one path."""
        yield self.path


@dataclass(frozen=True, slots=True)
class _Joined(Condition):
    how: Callable[[Iterable[bool]], bool]
    parts: tuple[Condition, ...]

    def holds(self, resource: Any) -> bool:
        return self.how(part.holds(resource) for part in self.parts)

    def paths(self) -> Iterator[tuple[str, ...]]:
        for part in self.parts:
            yield from part.paths()


@dataclass(frozen=True, slots=True)
class _Not(Condition):
    part: Condition

    def holds(self, resource: Any) -> bool:
        return not self.part.holds(resource)

    def paths(self) -> Iterator[tuple[str, ...]]:
        return self.part.paths()


class FieldPath:
    """A field of a resource, as ``F.region`` or ``F.spec.app`` names it."""

    __slots__ = ("_path",)

    def __init__(self, path: tuple[str, ...] = ()) -> None:
        self._path = path

    def __getattr__(self, name: str) -> FieldPath:
        if name.startswith("__"):
            raise AttributeError(name)
        return FieldPath((*self._path, name))

    def __eq__(self, value: object) -> Condition:  # type: ignore[override]  # a condition, as in every query language
        return Compare(self._path, "==", _operand(value))

    def __ne__(self, value: object) -> Condition:  # type: ignore[override]  # see __eq__
        return Compare(self._path, "!=", _operand(value))

    def __lt__(self, value: object) -> Condition:
        return Compare(self._path, "<", _operand(value))

    def __le__(self, value: object) -> Condition:
        return Compare(self._path, "<=", _operand(value))

    def __gt__(self, value: object) -> Condition:
        return Compare(self._path, ">", _operand(value))

    def __ge__(self, value: object) -> Condition:
        return Compare(self._path, ">=", _operand(value))

    def in_(self, values: Any) -> Condition:
        """Build the condition that the field has one of the values."""
        several = None if isinstance(values, str | bytes) else _iterator(values)
        if several is None:
            raise InvalidCall(
                f"Cannot look for one of {values!r:.40}.",
                why=["it is not a list or another iterable of values"],
                hint="give the values in a list.",
            )
        return OneOf(self._path, tuple(_operand(value) for value in several))

    __hash__ = None  # type: ignore[assignment]  # equality makes a condition here

    def __repr__(self) -> str:
        return ".".join(("F", *self._path))


F: Any = FieldPath()
"""The fields of a resource, for conditions: ``F.region == "eu"``, ``F.spec.app.in_([...])``."""


def path_of(field: Any) -> tuple[str, ...]:
    """Return the names in ``F.spec.app``; none if it is something else."""
    return tuple(repr(field).split(".")[1:]) if isinstance(field, FieldPath) else ()


def _operand(value: Any) -> Any:
    """Accept a value to compare with; nothing that a database could read as an operator.

    Rules: BAD-7.
    """
    plain = _plain(value)
    if plain is None or isinstance(plain, str | int | float | date | UUID):
        problems = problems_in({"value": plain})
        if problems:
            raise InvalidCall(
                f"Cannot compare a field with {value!r:.80}.", why=problems, hint="compare with what a field can hold."
            )
        return plain
    raise InvalidCall(
        f"Cannot compare a field with a value of type {type(value).__name__}.",
        why=["a condition takes text, a number, a boolean, a date, an enum, a UUID, a reference or None"],
        hint="compare with single values; in_([...]) takes several.",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        # Python compares times of two zones otherwise in the hours in which clocks are changed.
        return in_utc(value)
    if isinstance(value, Ref):
        return value.text
    if isinstance(value, Key):
        return value.text
    if isinstance(value, Resource | Untyped):
        return value.key.text
    return value


def _at(resource: Any, path: tuple[str, ...]) -> Any:
    value: Any = resource.document if isinstance(resource, Untyped) else resource
    for step in path:
        value = cast("Mapping[str, Any]", value).get(step) if isinstance(value, Mapping) else getattr(value, step, None)
    return value


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: by key, or by one indexed field and then by key."""

    field: str | None = None
    descending: bool = False

    @classmethod
    def read(cls, text: Any, model: type[Resource], *, under_parent: bool) -> Self:
        """Read ``"region"`` or ``"-region"``.

        Raises:
            InvalidCall: There is no such field, or it is not indexed.
        """
        if text is None:
            return cls()
        name = text.removeprefix("-") if isinstance(text, str) else str(text)
        spec = model.__emco__
        own_key = name == spec.key_fields[0] and (under_parent or spec.parent is None)
        if name == "key" or own_key:
            return cls(None, descending=text != name)
        if name in spec.indexed:
            return cls(name, descending=text != name)
        raise InvalidCall(
            f"Cannot order {spec.kind} by {name!r:.80}.",
            why=[f"lists are ordered by key, or by a field that is indexed: {', '.join(spec.indexed) or 'none here'}"],
            hint="declare the field with indexed(), or order by key; by name, say parent= too.",
        )

    def position(self, resource_index: Mapping[str, str], key: Key) -> tuple[str, str]:
        """Return the place of a record in this order."""
        return ("" if self.field is None else resource_index.get(self.field, ""), key.text)


def check_limit(limit: Any) -> None:
    """Refuse a page size that is out of range.

    Raises:
        InvalidCall: It is not 1 to 1000.
    """
    if type(limit) is not int or not 1 <= limit <= MAX_PAGE:
        raise InvalidCall(
            f"Cannot give a page with limit={limit!r:.40}.",
            why=[f"a page has 1 to {MAX_PAGE} resources"],
            hint="read page by page, with after=page.next.",
        )


def conditions_of(where: Any) -> tuple[Condition, ...]:
    """Take one condition, or several.

    Raises:
        InvalidCall: It is something else.
    """
    several = None if type(where) in {str, dict} else _iterator(where)
    return (_condition(where),) if several is None else tuple(_condition(condition) for condition in several)


def _iterator(values: Any) -> Iterator[Any] | None:
    try:
        found: Iterator[Any] = iter(values)
    except TypeError:
        return None
    return found


def _condition(value: Any) -> Condition:
    if isinstance(value, Condition):
        return value
    raise InvalidCall(
        f"Cannot filter by {value!r:.80}.",
        why=["it is no condition"],
        hint="write conditions with F, for example F.region == 'eu'.",
    )


def check_fields(conditions: Iterable[Condition], model: type[Resource]) -> None:
    """Refuse conditions on fields that the model does not have.

    Raises:
        InvalidCall: A field is unknown.
    """
    if model.model_config.get("extra") == "allow":
        return
    for condition in conditions:
        for path in condition.paths():
            if path[0] not in model.model_fields:
                raise InvalidCall(
                    f"Cannot filter {model.__emco__.kind} by {path[0]!r:.80}.",
                    why=[f"its fields are: {', '.join(model.model_fields)}"],
                    hint="name one of these fields.",
                )


def equality_on(conditions: Iterable[Condition], fields: tuple[str, ...]) -> tuple[str, str] | None:
    """Find a condition that one index answers: the field, and the text of the value."""
    for condition in conditions:
        if isinstance(condition, Compare) and condition.sign == "==" and len(condition.path) == 1:
            name = condition.path[0]
            if name in fields:
                return name, index_text(condition.value)
    return None


def is_exact(condition: Condition, model: type[Resource]) -> bool:
    """Return whether an index alone answers an equality: no other value of the field has the same indexed text."""
    if not isinstance(condition, Compare):
        return False
    kind = kind_of(condition.value)
    lead = lead_of_model(model).step(condition.path[0])
    if lead is None or lead.is_open:
        return False
    return kind in {"None", "a number", "a boolean"} or lead.scalars - {"None", "a number", "a boolean"} <= {str(kind)}


def write_cursor(kind: str, order: Order, position: tuple[str, str]) -> str:
    """Write where a page ended, as text that only ``after=`` reads."""
    data = json.dumps([kind, order.field, order.descending, *position], separators=(",", ":"))
    return base64.urlsafe_b64encode(data.encode()).decode().rstrip("=")


def read_cursor(text: str, kind: str, order: Order) -> tuple[str, str]:
    """Read a cursor of the same query.

    Raises:
        InvalidCall: It is not a cursor, or one of another kind or order.
    """
    try:
        data = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        found_kind, field, descending, value, key = data
        is_same = [found_kind, field, descending] == [kind, order.field, order.descending]
        if is_same and isinstance(value, str) and isinstance(key, str):
            return value, key
    except (ValueError, TypeError, AttributeError, binascii.Error):
        pass
    raise InvalidCall(
        "Cannot continue after this cursor.",
        why=["it is not page.next of a list with the same kind and order"],
        hint="pass page.next unchanged, with the same order_by.",
        argument="after",
    )
