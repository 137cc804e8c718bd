"""What every flow needs: the models, the limits, the clock and the source of identifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, TypeVar, cast

from emco_store.core.codec import Untyped, draft, load, load_untyped
from emco_store.core.documents import MAX_BYTES
from emco_store.core.indexing import dated
from emco_store.core.kept import Kept
from emco_store.core.keys import Key, checked_key
from emco_store.core.leases import LeaseTarget
from emco_store.core.records import Record
from emco_store.core.refs import Ref
from emco_store.core.reserved import refuse_reserved
from emco_store.core.resource import Resource, is_model
from emco_store.core.schema import Schema
from emco_store.core.segments import Registered
from emco_store.core.times import EPOCH
from emco_store.core.views import refuse_write
from emco_store.errors import InvalidCall, InvalidResource
from emco_store.flows.acting import Actors
from emco_store.ports import Clock

T = TypeVar("T")
_DAY_S = 86_400
MAX_RECORDS = 10_000
"""Default maximum number of records in one commit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one store.

    Attributes:
        max_bytes: Maximum size of a document in bytes, 1 to 8 MiB.
        max_records: Maximum number of records that one commit writes (>= 1).
        keep_decoded: Maximum number of resources that are given again instead of validated again (>= 0).
    """

    max_bytes: int = MAX_BYTES
    max_records: int = MAX_RECORDS
    keep_decoded: int = 0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a call that lost a race is repeated: after random pauses whose maximum doubles, until a deadline.

    Attributes:
        deadline_s: Seconds after which no further attempt begins.
        first_pause_s: Maximum of the first pause, in seconds.
        longest_pause_s: Maximum of every later pause, in seconds.
    """

    deadline_s: float = 30.0
    first_pause_s: float = 0.005
    longest_pause_s: float = 0.05

    def until(self, deadline: Any) -> RetryPolicy:
        """Return the same policy with another deadline; None keeps this one.

        Raises:
            InvalidCall: It is no ``timedelta``, or below zero.
        """
        given = None if deadline is None else checked_deadline(deadline)
        return self if given is None else replace(self, deadline_s=given.total_seconds())


def checked_deadline(deadline: Any) -> timedelta | None:
    """Return a deadline as a caller gives it, a time span from now on; None where there is none.

    Raises:
        InvalidCall: It is no ``timedelta``, or below zero.
    """
    if deadline is None or (isinstance(deadline, timedelta) and deadline >= timedelta(0)):
        return deadline
    raise InvalidCall(
        f"Cannot work with deadline={deadline!r:.40}.",
        why=["a number alone does not say its unit" if isinstance(deadline, int | float) else "it is no time span"],
        hint="give a timedelta of 0 or more.",
    )


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of the flows of one store.

    Attributes:
        schema: The models that the store knows.
        limits: The limits of the store.
        clock: The clock.
        new_id: Returns a new identifier at each call.
        actors: Who acts through the store.
        registered: What the store has registered.
        kept: What the store has read and gives again.
    """

    schema: Schema
    limits: Limits
    clock: Clock
    new_id: Callable[[], str]
    actors: Actors = field(default_factory=Actors)
    registered: Registered = field(default_factory=Registered)
    kept: Kept = field(default_factory=Kept)

    def now_us(self) -> int:
        """Return the time in microseconds since 1970, UTC."""
        since = self.clock.now() - EPOCH
        return (since.days * _DAY_S + since.seconds) * 1_000_000 + since.microseconds

    def address(self, target: Any, segments: tuple[str, ...] = ()) -> Key:
        """Return the key of a target: a model with names, a resource, a key or a reference.

        Raises:
            InvalidCall: The target is none of these, its kind is reserved, or the key is not one of its kind.
            InvalidResource: A name is not valid.

        Rules: RES-1.
        """
        if is_model(target):
            kind = self.schema.learn(target).kind
            try:
                key = checked_key(kind, segments)
            except TypeError:  # a value that cannot be hashed is no name
                key = Key(kind, *segments)
        elif segments:
            raise InvalidCall(
                f"Cannot read {target!r:.80} with names.",
                why=["names follow a model only"],
                hint="give a model and the names of a key.",
            )
        elif isinstance(target, Resource):
            self.schema.learn(type(target))
            key = target.key
        elif isinstance(target, Key):
            key = target
        elif isinstance(target, Untyped) or (isinstance(target, Ref) and target.has_key):
            key = target.key
        elif isinstance(target, Ref):
            raise InvalidCall(
                f"Cannot follow the reference {target.text!r:.80}.",
                why=["it is short, and there is no resource that it belongs to"],
                hint="give the whole key.",
            )
        else:
            raise InvalidCall(
                f"Cannot use {target!r:.80} as a target.",
                why=["it is not a resource, a key or a reference"],
                hint="give a resource, a Ref, or a Key, such as Key.parse('App/p1/web'); get() also takes a model and "
                "the names of a key.",
            )
        refuse_reserved(key.kind)
        self.schema.check_key(key)
        return key

    def addresses(self, targets: Any) -> list[Key]:
        """Return the keys of several targets; see :meth:`address`."""
        if not isinstance(targets, Iterable) or isinstance(targets, str | bytes | Resource):
            raise InvalidCall(
                f"Cannot use {targets!r:.80} as targets.",
                why=["it is not a list or another iterable of targets"],
                hint="give a list of resources, keys or references.",
            )
        return [self.address(target) for target in cast("Iterable[object]", targets)]

    def deletable(self, targets: Any) -> list[Key]:
        """Return the keys of what a delete names, leases included; see :meth:`address`.

        Rules: LEA-7.
        """
        if not isinstance(targets, Iterable):
            return self.addresses(targets)
        named = cast("Iterable[object]", targets)
        keys = [target.key if isinstance(target, LeaseTarget) else self.address(target) for target in named]
        for key in keys:
            self.refuse_view("delete", key)
        return keys

    def refuse_view(self, what: str, key: Key) -> None:
        """Refuse to write a resource whose kind this store knows by a view.

        Raises:
            InvalidCall: It does.

        Rules: VIEW-3.
        """
        view = self.schema.view_of(key.kind)
        if view is not None:
            refuse_write(what, view, key)

    def value(self, record: Record) -> Any:
        """Return the resource of a record, as ``Untyped`` if no model of its kind is known here.

        Raises:
            InvalidResource: The document cannot be read.
        """
        model = self.schema.reader_at(record.key)
        return load_untyped(record) if model is None else self.kept.load(record, model)

    def by_model(self, record: Record) -> Record:
        """Return a record as the model of its kind would write it; as it is if none is known here, or a view.

        Raises:
            InvalidResource: The document does not fit the model, or is beyond a limit of this store.

        Rules: HIS-9, EXP-1.
        """
        model = self.schema.model_of(record.key.kind)
        if model is None:
            return record
        made = draft(load(record, model), max_bytes=self.limits.max_bytes)
        return replace(
            record,
            document=made.document,
            edges=made.edges,
            unique=made.unique,
            index=dated(made.index, record.created_us, record.updated_us),
        )

    def refuse_newer(self, old: Record) -> None:
        """Refuse to write over a record that only newer versions of the model of its kind can read.

        Raises:
            NewerModel: It is one.

        Rules: MIG-3.
        """
        model = self.schema.model_of(old.key.kind)
        if model is not None:
            model.__emco__.evolution.check_replaced(old.document, old.key)

    def value_or_error(self, record: Record) -> Any:
        """Return the resource of a record, or the error that says why it cannot be read.

        Rules: BAD-8.
        """
        return or_error(self.value, record)


def or_error(reader: Callable[[Record], T], record: Record) -> T | InvalidResource:
    """Return what a function reads of a record, or the error that says why it cannot be read."""
    try:
        return reader(record)
    except InvalidResource as problem:
        return problem


def uid_of(target: Any) -> str | None:
    """Return the uid that a target has where it is the value of a resource; None for a key or a reference."""
    if isinstance(target, LeaseTarget):
        return target.uid
    is_value = isinstance(target, Untyped) or (isinstance(target, Resource) and target.is_stored)
    return target.meta.uid if is_value else None
