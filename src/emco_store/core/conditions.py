"""Conditions: what is true or false of a resource, written with ``F``."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from inspect import Parameter, Signature
from typing import Any, ClassVar, TypeAlias, TypeVar, cast, overload
from uuid import UUID

from pydantic import BaseModel, TypeAdapter, ValidationError

from emco_store.core.codec import Untyped
from emco_store.core.documents import problems_in
from emco_store.core.fields import Lead, kind_of, lead_of_model, unknown_name
from emco_store.core.indexing import in_utc
from emco_store.core.keys import Key
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource
from emco_store.errors import InvalidCall

M = TypeVar("M", bound=BaseModel)
Path = tuple[str, ...]
_ORDERS: Mapping[str, Callable[[Any, Any], Any]] = {
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
    def leaves(self) -> Iterator[OfField]:
        """Yield the conditions on single fields that it consists of."""

    def __and__(self, other: Condition | bool) -> Condition:
        return _Joined(all, (self, _condition(other)))

    def __or__(self, other: Condition | bool) -> Condition:
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


Filter: TypeAlias = Condition | bool | Sequence[Condition | bool]
"""What ``where=`` accepts: a condition, or several that must all hold.

A type checker takes ``F(App).region == "eu"`` for a ``bool``; a value that is one is refused.
"""


class OfField(Condition):
    """A condition on one field.

    Attributes:
        path: The names that lead to the field.
    """

    __slots__ = ()
    path: Path

    def holds(self, resource: Any) -> bool:
        """Judge the value of the field."""
        is_json = isinstance(resource, Untyped)
        return self.admits(_at(resource.document if is_json else resource, self.path), is_json=is_json)

    @abstractmethod
    def admits(self, found: Any, *, is_json: bool) -> bool:
        """Return whether the condition is true of a value; ``is_json`` says that it is in its JSON form."""

    @abstractmethod
    def objection(self, lead: Lead, *, may_be_absent: bool) -> str | None:
        """Say why the condition could never be true, or never be false, of such a field; None if nothing speaks so."""

    def leaves(self) -> Iterator[OfField]:
        """Yield itself."""
        yield self


@dataclass(frozen=True, slots=True)
class Compare(OfField):
    """One field compared with one value."""

    path: Path
    sign: str
    value: Any

    def admits(self, found: Any, *, is_json: bool) -> bool:
        """Compare; where the two cannot be compared, only ``!=`` is true."""
        if self.sign in _ORDERS:
            return _is_in_order(self.sign, found, self.value, is_json=is_json)
        return _is_equal(found, self.value, is_json=is_json) is (self.sign == "==")

    def objection(self, lead: Lead, *, may_be_absent: bool) -> str | None:
        """See :meth:`OfField.objection`."""
        if self.value is None and self.sign in _ORDERS:
            return "nothing is less or greater than None"
        return _mismatch(self.value, lead, may_be_absent=may_be_absent)


@dataclass(frozen=True, slots=True)
class OneOf(OfField):
    """One field that has one of some values."""

    path: Path
    values: tuple[Any, ...]

    def admits(self, found: Any, *, is_json: bool) -> bool:
        """Look the field's value up."""
        return any(_is_equal(found, value, is_json=is_json) for value in self.values)

    def objection(self, lead: Lead, *, may_be_absent: bool) -> str | None:
        """See :meth:`OfField.objection`."""
        reasons = (_mismatch(value, lead, may_be_absent=may_be_absent) for value in self.values)
        return next((reason for reason in reasons if reason), None)


@dataclass(frozen=True, slots=True)
class StartsWith(OfField):
    """One field whose text begins with another text, character by character."""

    path: Path
    prefix: str

    def admits(self, found: Any, *, is_json: bool) -> bool:  # noqa: ARG002 - text is the same in JSON
        """Look at the beginning."""
        plain = _plain(found)
        return isinstance(plain, str) and plain.startswith(self.prefix)

    def objection(self, lead: Lead, *, may_be_absent: bool) -> str | None:  # noqa: ARG002 - absent fields begin with nothing
        """See :meth:`OfField.objection`."""
        return None if lead.is_open or "text" in lead.scalars else f"the field is {lead.shown}, and only text begins so"


@dataclass(frozen=True, slots=True)
class Contains(OfField):
    """A list or a set that holds a value, or a map that has a key."""

    path: Path
    value: Any

    def admits(self, found: Any, *, is_json: bool) -> bool:
        """Look the value up."""
        if not isinstance(found, Mapping | AbstractSet | list | tuple):
            return False
        return any(_is_equal(one, self.value, is_json=is_json) for one in cast("Iterable[Any]", found))

    def objection(self, lead: Lead, *, may_be_absent: bool) -> str | None:  # noqa: ARG002 - what is absent holds nothing
        """See :meth:`OfField.objection`."""
        if lead.is_open:
            return None
        inner = lead.entries
        if inner is None:
            return f"the field is {lead.shown}, and only a list, a set or a map contains something"
        return _mismatch(self.value, inner, may_be_absent=False)


@dataclass(frozen=True, slots=True)
class _Joined(Condition):
    how: Callable[[Iterable[bool]], bool]
    parts: tuple[Condition, ...]

    def holds(self, resource: Any) -> bool:
        return self.how(part.holds(resource) for part in self.parts)

    def leaves(self) -> Iterator[OfField]:
        for part in self.parts:
            yield from part.leaves()


@dataclass(frozen=True, slots=True)
class _Not(Condition):
    part: Condition

    def holds(self, resource: Any) -> bool:
        return not self.part.holds(resource)

    def leaves(self) -> Iterator[OfField]:
        return self.part.leaves()


class FieldPath:
    """A field of a resource, as ``F.region``, ``F.spec.app`` or ``F.labels["a.b/c"]`` names it."""

    __slots__ = ("_lead", "_path")

    def __init__(self, path: Path = (), lead: Lead | None = None) -> None:
        self._path = path
        self._lead = lead

    def __getattr__(self, name: str) -> FieldPath:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> FieldPath:
        """Name a field, or a key of a map, that is no identifier or is hidden by a method."""
        if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # not every caller is type-checked
            raise InvalidCall(
                f"Cannot name a field by {name!r:.80}.",
                why=["a path consists of names and of keys of maps"],
                hint="use contains(...) for what a list or a set holds.",
            )
        lead = None if self._lead is None else self._lead.step(name)
        if self._lead is not None and lead is None:
            raise InvalidCall(f"{self!r} has no {name!r:.80}.", **unknown_name(self._lead, name, self._path))
        return FieldPath((*self._path, name), lead)

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *([] if self._lead is None else self._lead.names())]

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
        several = None if isinstance(values, str | bytes) else iterator(values)
        if several is None:
            raise InvalidCall(
                f"Cannot look for one of {values!r:.40}.",
                why=["it is not a list or another iterable of values"],
                hint="give the values in a list.",
            )
        return OneOf(self._path, tuple(_operand(value) for value in several))

    def startswith(self, prefix: str) -> Condition:
        """Build the condition that the text of the field begins with a text; no character of it means anything else."""
        if not isinstance(prefix, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # see __getitem__
            raise InvalidCall(f"A text does not begin with {prefix!r:.80}.", why=["it is no text"], hint="give a text.")
        return StartsWith(self._path, _operand(prefix))

    def contains(self, value: object) -> Condition:
        """Build the condition that the list or set holds a value, or that the map has a key."""
        return Contains(self._path, _operand(value))

    def is_set(self) -> Condition:
        """Build the condition that there is a value other than None."""
        return Compare(self._path, "!=", None)

    def __contains__(self, value: object) -> bool:
        raise InvalidCall(
            f"Cannot ask with 'in' for what {self!r} holds.",
            why=["'in' makes a truth value, and no condition"],
            hint="write contains(...), or in_([...]) for one of several values.",
        )

    __iter__ = None  # a path is no list, although it has __getitem__
    __hash__ = None  # type: ignore[assignment]  # equality makes a condition here

    def __repr__(self) -> str:
        return "F" + "".join(f".{name}" if name.isidentifier() else f"[{name!r}]" for name in self._path)


class Fields(FieldPath):
    """The type of :data:`F`."""

    __slots__ = ()
    __signature__: ClassVar = Signature([Parameter("model", Parameter.POSITIONAL_OR_KEYWORD)])
    """For tools that would otherwise compare ``F`` with other things to learn what it is."""

    @overload
    def __call__(self, model: type[M]) -> M: ...  # type: ignore[overload-overlap]  # a class is no field
    @overload
    def __call__(self, model: object) -> FieldPath: ...
    def __call__(self, model: Any) -> Any:
        """Return the fields of a model; to a type checker they are those of a resource.

        Args:
            model: A class. Names that it does not have are refused at once. Or one of its fields, for a type checker
                that would miss ``contains`` in a list: ``F(F(App).tags).contains("x")``.
        """
        if isinstance(model, FieldPath):
            return model
        if isinstance(model, type) and issubclass(model, BaseModel):
            return FieldPath((), lead_of_model(model))
        raise InvalidCall(
            f"Cannot name the fields of {model!r:.80}.", why=["it is no model"], hint="give a class, as in F(App)."
        )


F = Fields()
"""The fields of a resource, for conditions: ``F.region == "eu"``, ``F.spec.app.in_([...])``, ``F(App).region``."""


def path_of(field: Any) -> Path:
    """Return the names in ``F.spec.app``; none if it is something else."""
    found: Path = object.__getattribute__(field, "_path") if isinstance(field, FieldPath) else ()
    return found


def conditions_of(where: Any) -> tuple[Condition, ...]:
    """Take one condition, or several.

    Raises:
        InvalidCall: It is something else.
    """
    several = None if type(where) in {str, dict} else iterator(where)
    return (_condition(where),) if several is None else tuple(_condition(condition) for condition in several)


def iterator(values: Any) -> Iterator[Any] | None:
    """Return an iterator over values; None if they are no several ones."""
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


def _operand(value: Any) -> Any:
    """Accept a value to compare with; nothing that a database could read as an operator.

    Rules: BAD-7.
    """
    plain = _plain(value)
    if isinstance(plain, Decimal) and plain.is_finite():
        return plain
    if plain is None or isinstance(plain, str | int | float | date | time | timedelta | UUID):
        problems = problems_in({"value": plain})
        if problems:
            raise InvalidCall(
                f"Cannot compare a field with {value!r:.80}.", why=problems, hint="compare with what a field can hold."
            )
        return plain
    raise InvalidCall(
        f"Cannot compare a field with a value of type {type(value).__name__}.",
        why=["a condition takes text, a number, a boolean, a date or time, an enum, a UUID, a reference or None"],
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


def _is_equal(found: Any, value: Any, *, is_json: bool) -> bool:
    pair = _comparable(found, value, is_json=is_json)
    return pair is not None and bool(pair[0] == pair[1])


def _is_in_order(sign: str, found: Any, value: Any, *, is_json: bool) -> bool:
    pair = _comparable(found, value, is_json=is_json)
    try:
        return pair is not None and bool(_ORDERS[sign](*pair))
    except (TypeError, ArithmeticError):  # a time without a zone and one with, None, or a Decimal that is no number
        return False


def _comparable(found: Any, value: Any, *, is_json: bool) -> tuple[Any, Any] | None:
    """Return two values that Python compares as people do; None if they are of two kinds.

    True is not 1 here, as it is not in an index nor in JSON, and a date is no datetime.
    """
    plain = _plain(found)
    if is_json and isinstance(plain, str | int | float) and type(value) not in {str, bool, int, float}:
        plain = _read(plain, value.__class__)
    if kind_of(plain) != kind_of(value):
        return None
    if isinstance(plain, Decimal) and isinstance(value, float):
        value = Decimal(repr(value))  # as a model reads it: 0.1 is Decimal("0.1")
    elif isinstance(value, Decimal) and isinstance(plain, float):
        plain = Decimal(repr(plain))
    return plain, value


def _read(form: Any, kind: type) -> Any:
    """Read the JSON form of a value; what is no such form stays as it is."""
    try:
        return _plain(TypeAdapter[Any](kind).validate_python(form))
    except ValidationError:
        return form


def _mismatch(value: Any, lead: Lead, *, may_be_absent: bool) -> str | None:
    """Say why a value is never in a field."""
    kind = kind_of(value)
    if lead.is_open or kind in lead.scalars or (value is None and may_be_absent):
        return None
    return f"the field is {lead.shown}, and {value!r:.80} is {kind}"


def _at(value: Any, path: Path) -> Any:
    for step in path:
        value = cast("Mapping[str, Any]", value).get(step) if isinstance(value, Mapping) else getattr(value, step, None)
    return value
