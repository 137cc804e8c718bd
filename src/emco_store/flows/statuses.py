"""Statuses as flows: report one, read them, and read a condition. The resource itself is read, and never written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from emco_store.core.codec import Draft, draft
from emco_store.core.keys import Key, key_prefix
from emco_store.core.naming import STATUS, is_status
from emco_store.core.records import Record
from emco_store.core.reserved import status_resource
from emco_store.core.resource import Resource, is_model
from emco_store.core.status import Condition, Status, agreed, ahead, backwards, read_report, settled, status_key
from emco_store.errors import Conflict, InvalidCall, NotPermitted
from emco_store.flows.asking import Flow, records_at
from emco_store.flows.context import Context
from emco_store.flows.filling import scanned
from emco_store.flows.refusals import not_found
from emco_store.flows.unit import Unit
from emco_store.ports import Scan

S = TypeVar("S", bound=Status)
PAGE = 1000
"""Statuses of one resource that are read at once."""


class Observation(Generic[S]):
    """What one call reports. All its attempts are about the same resource, and not about another one of its name.

    Args:
        status: The status.
        observed: The resource as the writer has seen it, or its version.

    Raises:
        InvalidCall: One of them is something else, or they belong to different resources.
    """

    __slots__ = ("resource", "status", "uid", "version")

    def __init__(self, status: S, observed: Any) -> None:
        if not isinstance(status, Status):  # pyright: ignore[reportUnnecessaryIsInstance]  # see Key.parse
            raise InvalidCall(
                f"Cannot report {status!r:.80}.", why=["it is not a status"], hint="give an instance of a Status class."
            )
        self.status: S = status
        self.resource = status_resource(status.key)
        self.uid = ""
        if isinstance(observed, Resource):
            if not observed.is_stored or observed.key != self.resource:
                raise self.refused(observed, "it is not this resource as a store has returned it")
            self.uid, observed = observed.meta.uid, observed.meta.version
        if isinstance(observed, bool) or not isinstance(observed, int) or observed < 1:
            raise self.refused(observed, "it is not a version, which is a number from 1 on")
        self.version = observed

    def refused(self, observed: object, *why: str) -> InvalidCall:
        """Build the error for a version that cannot have been observed."""
        return InvalidCall(
            f"Cannot report a status of {self.resource} with observed={observed!r:.80}.",
            why=why,
            hint="give the resource that was looked at, as the store returned it, or its meta.version.",
        )


def report(unit: Unit, given: Observation[S]) -> Flow[S]:
    """Write a status, as part of a transaction; one that says the same as the last is not written again.

    It takes one request. The first status of a writer rests on the resource, so that no other one gets it that has the
    same name since; a later one rests on the status before it, which went if the resource did.

    Raises:
        NotPermitted: The store acts as somebody else than the writer.
        NotFound: The resource does not exist, or is another one than the one that was observed.
        InvalidCall: The version was never reached, or a condition is of a later one than the status.
        Conflict: An earlier version was observed than the last time.
        InvalidResource: The data is not acceptable.

    Rules: GEN-1 to GEN-5, LIF-12.
    """
    _check_writer(unit, type(given.status), given.resource)
    made, resource = _drafted(unit, given.status), given.resource
    found = yield from unit.load_beside([made.key], [resource])
    target = found.get(resource)
    if target is None:
        raise not_found([resource])
    if given.uid not in {"", target.uid}:
        raise not_found([resource], "it was deleted since it was observed, and created again")
    given.uid = target.uid
    if given.version > target.version:
        raise given.refused(given.version, f"the resource has version {target.version}")
    before = unit.current(made.key)
    last = read_report(before)
    status = settled(made.resource, last, given.version, unit.now_us)
    early, late = ahead(status), backwards(status, last)
    if early:
        raise given.refused(given.version, *early)
    if late:
        raise Conflict(
            f"Cannot report a status of {resource} by {made.key.name}: it would go back.",
            why=late,
            hint="get() the resource again, and report what is so now.",
            keys=(made.key,),
            pinned=True,
        )
    if before is None and resource not in unit.puts:
        unit.remember(target)
    return unit.write(_drafted(unit, status), before)


def _check_writer(unit: Unit, model: type[Status], resource: Key) -> None:
    writer, actor = model.__emco__.writer, unit.origin.actor
    if actor and actor != writer:
        raise NotPermitted(
            f"Cannot report the {model.__name__} of {resource}.",
            why=[f"it is that of {writer}, and this store acts as {actor}"],
            hint="report it through the store of that program, opened with connect(…, actor=…).",
            key=resource,
            actor=actor,
            writers=(writer,),
        )


def _drafted(unit: Unit, status: S) -> Draft[S]:
    unit.context.schema.learn(type(status))
    return draft(status, max_bytes=unit.context.limits.max_bytes)


def find(context: Context, resource: Key, model: type[S]) -> Flow[S | None]:
    """Read the status of one writer, None if it has reported none; with the resource, in one request."""
    own = _key_of(context, resource, model)
    found = yield from records_at([own, resource])
    value: S | None = _found(context, resource, found, found.get(own))
    return value


def find_in(unit: Unit, resource: Key, model: type[S]) -> Flow[S | None]:
    """Read the status of one writer; the transaction rests on it, and on its resource only where there is none."""
    own = _key_of(unit.context, resource, model)
    found = yield from unit.load_beside([own], [resource])
    record = unit.current(own)
    if record is None and resource in found and resource not in unit.puts:
        unit.remember(found[resource])
    value: S | None = _found(unit.context, resource, found, record)
    return value


def _found(context: Context, resource: Key, found: Mapping[Key, Record], record: Record | None) -> Any:
    if resource not in found:
        raise not_found([resource])
    return None if record is None else context.value(record)


def find_all(context: Context, resource: Key) -> Flow[tuple[Any, ...]]:
    """Read the statuses of all writers, by their names; one request, and another where there are none."""
    records = yield from _scanned(resource)
    if not records and resource not in (yield from records_at([resource])):
        raise not_found([resource])
    return tuple(context.value_or_error(record) for record in records)


def find_all_in(unit: Unit, resource: Key) -> Flow[tuple[Any, ...]]:
    """Read the statuses of all writers; none changes or joins them unnoticed until the commit."""
    _, records = yield from _all_in(unit, resource)
    return tuple(unit.context.value_or_error(record) for record in records)


def condition(context: Context, resource: Key, name: str, by: type[Status] | None) -> Flow[Condition]:
    """Read a condition as it counts now.

    The version is read with the statuses or after them. A status that is of this version then was so before.

    Rules: GEN-4.
    """
    _check_condition(name)
    if by is None:
        records = yield from _scanned(resource)
        found = yield from records_at([resource])
    else:
        own = _key_of(context, resource, by)
        found = yield from records_at([own, resource])
        records = [found[own]] if own in found else []
    if resource not in found:
        raise not_found([resource])
    return agreed(map(read_report, records), name, found[resource].version)


def condition_in(unit: Unit, resource: Key, name: str, by: type[Status] | None) -> Flow[Condition]:
    """Read the same inside a transaction, which then rests on the resource and on what was reported of it."""
    _check_condition(name)
    if by is None:
        target, records = yield from _all_in(unit, resource)
        return agreed(map(read_report, records), name, target.version)
    own = _key_of(unit.context, resource, by)
    unit.watched.add(own)
    found = yield from unit.fetch([own, resource])
    if resource not in found:
        raise not_found([resource])
    return agreed([read_report(found.get(own))], name, found[resource].version)


def records_of(unit: Unit, resource: Key) -> Flow[Sequence[Record]]:
    """Read the records of all statuses as the transaction sees them; none changes unnoticed until the commit."""
    stored = yield from _scanned(resource)
    unit.reads += 1
    unit.watched.update(record.key for record in stored)
    seen = {record.key: unit.remember(record) for record in stored if record.key not in unit.puts}
    own = {key: record for key, record in unit.puts.items() if _is_of(resource, key)}
    both = {key: record for key, record in (seen | own).items() if unit.current(key) is record}
    return [both[key] for key in sorted(both)]


def _all_in(unit: Unit, resource: Key) -> Flow[tuple[Record, Sequence[Record]]]:
    """Read a resource and its statuses; it is sealed, because the first status of a writer refers to it."""
    found = yield from unit.fetch([resource])
    if resource not in found:
        raise not_found([resource])
    unit.seal(resource)
    return found[resource], (yield from records_of(unit, resource))


def _is_of(resource: Key, key: Key) -> bool:
    return is_status(key.kind) and status_resource(key) == resource


def _scanned(resource: Key) -> Flow[Sequence[Record]]:
    """Read the statuses of a resource, page by page."""
    kind = STATUS + resource.kind
    prefix = key_prefix(kind, resource.segments)
    found: list[Record] = []
    while True:
        after = ("", found[-1].key.text) if found else None
        batch = yield from scanned(Scan(kind, prefix, after=after, limit=PAGE))
        found += batch
        if len(batch) < PAGE:
            return found


def _key_of(context: Context, resource: Key, model: Any) -> Key:
    """Return the key of the status of a resource that a class stands for."""
    if not (is_model(model) and issubclass(model, Status)):
        raise InvalidCall(
            f"Cannot read {model!r:.80} as a status.",
            why=["it is not a class of statuses, or an abstract one"],
            hint="give a subclass of Status; statuses() reads those of all writers.",
        )
    context.schema.learn(model)
    kind = model.__emco__.kind.removeprefix(STATUS)
    if kind != resource.kind:
        raise InvalidCall(
            f"Cannot read the {model.__name__} of {resource}.",
            why=[f"it is a status of the kind {kind}"],
            hint=f"give a status class with of={resource.kind}.",
        )
    return status_key(resource, model.__emco__.writer)


def _check_condition(name: Any) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidCall(
            f"Cannot read the condition {name!r:.80}.",
            why=["it is not the name of a condition"],
            hint='give its name, such as "Ready".',
        )
