"""Lifecycle records: in which state a resource is, and what the store knows of its history; one beside each resource.

A resource without one is in the initial state of its lifecycle. The record is the store's own (see
:mod:`emco_store.core.reserved`), and its edges make the rules of the state hold for every program.

As long as the state freezes fields, a *freeze* stands beside the lifecycle record: an empty record whose absence a
program can rest on without having read anything. Which fields are frozen stands in the lifecycle record alone.
"""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from emco_store.core.keys import Key
from emco_store.core.naming import FREEZE, LIFECYCLE
from emco_store.core.records import Edge, Record
from emco_store.core.reserved import beside
from emco_store.core.rules import CASCADE
from emco_store.errors import InvalidResource


class Approval(BaseModel, frozen=True, extra="allow"):
    """What was approved, and by whom.

    Attributes:
        digest: The digest of the content that was approved.
        revision: The number of the revision that holds this content.
        actor: Who approved it.
        at_us: When, in microseconds since 1970, UTC.
        via: The number of the approved revision that a rollback has brought back; None where somebody looked at it.
    """

    digest: str
    revision: int
    actor: str = ""
    at_us: int = 0
    via: int | None = None


class HeldTarget(BaseModel, frozen=True, extra="allow"):
    """A resource that must stay in one of some states as long as this record is in its state.

    Attributes:
        path: The reference that leads to it, as the lifecycle declares it.
        target: The text of its key.
        needs: The states in which it must stay.
    """

    path: str
    target: str
    needs: tuple[str, ...]


class Standing(BaseModel, frozen=True, extra="allow"):
    """The document of a lifecycle record. Unknown fields are kept: a newer program may have written it.

    Attributes:
        state: The value of the state.
        transition: The name of the transition that led to it.
        since_us: When that was, in microseconds since 1970, UTC.
        actor: Who made the transition.
        note: What the actor said about it.
        frozen: The paths of the fields that may not change in this state.
        holds: The resources that must stay in certain states meanwhile.
        operation: The id of the operation that is on its way; None where none is.
        under_way: The number of the revision that this operation carries out; None where it recorded none.
        revisions: How many revisions the resource has had, which is the number of the newest.
        digest: The digest of the content of the newest revision; empty where there is none.
        approved: What was approved last; None where nothing was.
        applied: The number of the revision that was carried out last; None where none was.
        tags: Names of revisions.
    """

    state: str
    transition: str = ""
    since_us: int = 0
    actor: str = ""
    note: str = ""
    frozen: tuple[str, ...] = ()
    holds: tuple[HeldTarget, ...] = ()
    operation: str | None = None
    under_way: int | None = None
    revisions: int = 0
    digest: str = ""
    approved: Approval | None = None
    applied: int | None = None
    tags: dict[str, int] = {}


def standing_key(resource: Key) -> Key:
    """Return the key of the lifecycle record of a resource."""
    return beside(LIFECYCLE, resource)


def freeze_key(resource: Key) -> Key:
    """Return the key of the freeze of a resource."""
    return beside(FREEZE, resource)


def freeze_of(resource: Key, uid: str, now_us: int) -> Record:
    """Build the freeze of a resource; it is deleted with the resource.

    Args:
        resource: The key of the resource.
        uid: The uid of the new record.
        now_us: The time, in microseconds since 1970, UTC.
    """
    edges = (Edge(resource, ("resource",), CASCADE),)
    return Record(freeze_key(resource), uid, 1, b"{}", edges, (), (), now_us, now_us)


def read_standing(record: Record) -> Standing:
    """Read the document of a lifecycle record.

    Raises:
        InvalidResource: It cannot be read. Whatever rests on the state is then refused.
    """
    try:
        return Standing.model_validate_json(record.document)
    except ValidationError as problem:
        reasons = reasons_of(problem)
        raise InvalidResource(
            f"Cannot read the lifecycle record {record.key}.",
            why=reasons,
            hint="delete the resource if its rules allow that; check() names such records.",
            key=record.key,
            problems=tuple(reasons),
            stored=True,
        ) from problem


def reasons_of(problem: ValidationError) -> list[str]:
    """Say what does not fit in a document of the store's own, without its values."""
    return [f"at {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problem.errors(include_input=False)]
