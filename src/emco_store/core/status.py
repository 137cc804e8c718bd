"""Statuses: what programs observe of a resource, in records beside it; the resource stays as it was written."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, Field, ValidationError

from emco_store.core.definition import refused_class
from emco_store.core.keys import MAX_KIND_LENGTH, MAX_NAME_LENGTH, Key, kind_problem, name_problem
from emco_store.core.kinship import is_kind
from emco_store.core.naming import STATUS
from emco_store.core.records import Record
from emco_store.core.reserved import is_reserved
from emco_store.core.resource import Resource, invalid_resource
from emco_store.core.rules import CASCADE
from emco_store.core.times import moment
from emco_store.core.wording import count

_SAID_BY_OF: Final = ("parent", "key", "kind", "on_parent_delete")
"""Class arguments of resources that follow from ``of=`` and ``writer=``."""
ConditionName = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH)]
"""The name of a condition, such as ``Ready``."""


class Condition(BaseModel, frozen=True, extra="forbid"):
    """One thing that is true, false or unknown of a resource; made by :func:`yes`, :func:`no` and :func:`unknown`.

    Attributes:
        value: True, False, or None where it is unknown.
        reason: Why, as one word for programs.
        message: Why, for people.
        since: When the value became what it is, in UTC; the store sets it when the value changes.
        observed: The version of the resource for which this was observed; the store sets it where it is None.
    """

    value: bool | None
    reason: str = ""
    message: str = ""
    since: datetime | None = None
    observed: int | None = Field(default=None, ge=1)

    def at(self, version: int) -> Condition:
        """Return the condition as it counts at a version of the resource: unknown if it was observed before that.

        Rules: GEN-4.
        """
        if self.observed is not None and self.observed >= version:
            return self
        return self.model_copy(update={"value": None})

    @property
    def is_true(self) -> bool:
        """Whether it is true, and neither false nor unknown."""
        return self.value is True


def yes(reason: str = "", message: str = "") -> Condition:
    """Build a condition that is true.

    Args:
        reason: Why, as one word for programs.
        message: Why, for people.

    Raises:
        InvalidResource: One of them is no text.
    """
    return _condition(True, reason, message)  # noqa: FBT003 - the value is what it is about


def no(reason: str = "", message: str = "") -> Condition:
    """Build a condition that is false; see :func:`yes`."""
    return _condition(False, reason, message)  # noqa: FBT003 - see above


def unknown(reason: str = "", message: str = "") -> Condition:
    """Build a condition of which it is not known whether it is true; see :func:`yes`."""
    return _condition(None, reason, message)


def _condition(value: bool | None, reason: str, message: str) -> Condition:  # noqa: FBT001 - see above
    try:
        return Condition(value=value, reason=reason, message=message)
    except ValidationError as problem:
        raise invalid_resource("condition", problem) from problem


class Status(Resource, abstract=True):
    """The base class of statuses: what one writer observes of the resources of one kind.

    A status has fields of its own, which may be references with rules. It is stored with ``store.set_status``, and read
    with ``store.status`` and ``store.statuses``. No other call knows it: it is in no list, no page of children or
    referrers, no digest and no revision. It is deleted with its resource.

    Class arguments:
        of: The class of the resources.
        writer: The name of the writer, which is also the name of each status.
        abstract: True for a base class that only shares fields.

    Attributes:
        name: The name of the writer; it need not be given.
        parent: The resource that it is about.
        conditions: What is true, false or unknown of the resource, by name.
        observed: The version of the resource that the writer has looked at; ``set_status`` fills it in.

    Raises:
        InvalidModel: The class cannot work; raised when it is defined.

    Rules: GEN-1 to GEN-5.
    """

    name: str = ""
    conditions: dict[ConditionName, Condition] = {}
    observed: int = Field(default=0, ge=0)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Take the class arguments of statuses out, as :class:`Resource` does with its own."""
        super().__init_subclass__(**{name: value for name, value in kwargs.items() if name not in {"of", "writer"}})

    @classmethod
    def __pydantic_init_subclass__(
        cls, *, of: type[Resource] | None = None, writer: str | None = None, abstract: bool = False, **kwargs: Any
    ) -> None:
        """Compile the class; see the class arguments of :class:`Status`."""
        if abstract:
            super().__pydantic_init_subclass__(abstract=True, **kwargs)
            return
        problems = [f"{name}= follows from of= and writer=" for name in _SAID_BY_OF if name in kwargs]
        problems += _problems(cls, of, writer)
        if problems or of is None or writer is None:
            raise refused_class(cls, problems)
        super().__pydantic_init_subclass__(
            parent=of, kind=STATUS + of.__emco__.kind, on_parent_delete=CASCADE, _writer=writer, **kwargs
        )


S = TypeVar("S", bound=Status)
_GRAVITY: Final = {False: 0, None: 1, True: 2}
_NOT_REPORTED: Final = unknown("NotReported")


class SeenCondition(BaseModel, frozen=True, extra="ignore"):
    """A stored condition, whatever else a newer program may have written of it."""

    value: bool | None = None
    reason: str = ""
    message: str = ""
    since: datetime | None = None
    observed: int = 0


class Report(BaseModel, frozen=True, extra="ignore"):
    """What rules need of the document of a status, read without its model."""

    observed: int = 0
    conditions: dict[str, SeenCondition] = {}

    def condition(self, name: str, version: int) -> Condition | None:
        """Return a condition as it counts at a version of the resource; None if the status does not report it.

        Rules: GEN-4.
        """
        seen = self.conditions.get(name)
        if seen is None:
            return None
        observed = seen.observed if seen.observed > 0 else None
        return Condition(
            value=seen.value, reason=seen.reason, message=seen.message, since=seen.since, observed=observed
        ).at(version)


def agreed(reports: Iterable[Report], name: str, version: int) -> Condition:
    """Return a condition as it counts at a version: false if any report says so, else unknown if any does.

    Rules: GEN-4.
    """
    found = [said for report in reports if (said := report.condition(name, version)) is not None]
    return min(found, key=lambda said: _GRAVITY[said.value], default=_NOT_REPORTED)


NOTHING: Final = Report()
"""The report of a writer that has written none, or none that can be read."""


def status_key(resource: Key, writer: str) -> Key:
    """Return the key of the status that a writer reports of a resource."""
    return Key.trusted(STATUS + resource.kind, (*resource.segments, writer))


def read_report(record: Record | None) -> Report:
    """Read what rules need of a status; the same as that of a writer without one if it cannot be read."""
    try:
        return NOTHING if record is None else Report.model_validate_json(record.document)
    except ValidationError:
        return NOTHING


def backwards(status: Status, before: Report) -> list[str]:
    """List what a settled status reports of earlier versions than the one before it.

    Rules: GEN-3.
    """
    found: list[str] = []
    if status.observed < before.observed:
        found.append(f"version {before.observed} was observed before, this is of version {status.observed}")
    for name, condition in status.conditions.items():
        known = before.conditions.get(name, SeenCondition()).observed
        if (condition.observed or 0) < known:
            found.append(f"condition {name}: {known} was observed before, this is of version {condition.observed}")
    return found


def ahead(status: Status) -> list[str]:
    """List the conditions that are of later versions than the status itself."""
    return [
        f"condition {name} is of version {condition.observed}"
        for name, condition in status.conditions.items()
        if (condition.observed or 0) > status.observed
    ]


def settled(status: S, before: Report, observed: int, now_us: int) -> S:
    """Return a status with the version that was observed, and with the times at which its conditions changed.

    Args:
        status: A status as its writer has made it, validated.
        before: What the same writer reported before.
        observed: The version of the resource that the writer has looked at.
        now_us: The time in microseconds since 1970, UTC.

    Rules: GEN-3, GEN-4.
    """
    now = moment(now_us)
    conditions = {
        name: condition.model_copy(
            update={
                "since": _since(before.conditions.get(name), condition, now),
                "observed": observed if condition.observed is None else condition.observed,
            }
        )
        for name, condition in status.conditions.items()
    }
    return status.model_copy(update={"observed": observed, "conditions": conditions})


def _since(before: SeenCondition | None, condition: Condition, now: datetime) -> datetime:
    if before is None or before.since is None or before.value is not condition.value:
        return now
    return before.since


def _problems(cls: type[Status], of: Any, writer: Any) -> list[str]:
    """List why a class cannot be a status."""
    found: list[str] = []
    if not is_kind(of):
        found.append(f"of={of!r:.80} is not a resource")
    elif is_reserved(of.__emco__.kind):
        found.append(f"of={of.__name__} is a status itself")
    elif kind_problem(STATUS + of.__emco__.kind):
        kind, most = of.__emco__.kind, MAX_KIND_LENGTH - len(STATUS)
        long = count(len(kind), "character")
        found.append(f"the kind {kind} has {long}, and one with a status has at most {most}")
    problem = name_problem(writer)
    if problem:
        found.append(f"writer={writer!r:.80}: {problem}")
    own = {name: cls.model_fields[name].annotation for name in ("name", "conditions", "observed")}
    changed = [name for name, annotation in own.items() if annotation != Status.model_fields[name].annotation]
    return [*found, *(f"the field {name!r} is that of every status, and cannot be declared again" for name in changed)]
