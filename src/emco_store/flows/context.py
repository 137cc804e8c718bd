"""What every flow is given: the models, the limits, and where the time and new identifiers come from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from emco_store.core.codec import Untyped, load, load_untyped
from emco_store.core.documents import MAX_BYTES
from emco_store.core.keys import Key, checked_key
from emco_store.core.records import Record
from emco_store.core.refs import Ref
from emco_store.core.resource import Resource, is_model
from emco_store.core.schema import Schema
from emco_store.errors import InvalidCall, InvalidResource
from emco_store.ports import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86_400
MAX_RECORDS = 10_000
"""Records in one commit, unless the store is opened with another limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large things may be.

    Attributes:
        max_bytes: Bytes of one document, 1 to 8 MiB.
        max_records: Records that one commit writes, 1 or more.
    """

    max_bytes: int = MAX_BYTES
    max_records: int = MAX_RECORDS


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a call that lost a race is repeated: after a random pause up to a bound that doubles, until a deadline.

    Attributes:
        deadline_s: Seconds after which no further attempt begins.
        first_pause_s: The bound of the first pause, in seconds.
        longest_pause_s: The greatest bound, in seconds.
    """

    deadline_s: float = 30.0
    first_pause_s: float = 0.005
    longest_pause_s: float = 0.05

    def until(self, deadline: Any) -> RetryPolicy:
        """Give the same policy with another deadline; None keeps this one.

        Raises:
            InvalidCall: It is no ``timedelta``.
        """
        if deadline is None:
            return self
        if not isinstance(deadline, timedelta):
            raise InvalidCall(
                f"Cannot run with deadline={deadline!r:.40}.",
                why=["a number alone does not say its unit"],
                hint="give a timedelta.",
            )
        return replace(self, deadline_s=deadline.total_seconds())


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of the flows of one store.

    Attributes:
        schema: The models that the store knows.
        limits: How large things may be.
        clock: Where the time comes from.
        new_id: Gives a new identifier at each call.
    """

    schema: Schema
    limits: Limits
    clock: Clock
    new_id: Callable[[], str]

    def now_us(self) -> int:
        """Give the time, in microseconds since 1970, UTC."""
        since = self.clock.now() - _EPOCH
        return (since.days * _DAY_S + since.seconds) * 1_000_000 + since.microseconds

    def address(self, target: Any, segments: tuple[str, ...] = ()) -> Key:
        """Give the key that a call means: a model and names, or a resource, a key or a reference.

        Raises:
            InvalidCall: It means none.
            InvalidResource: A name is not acceptable.
        """
        if is_model(target):
            self.schema.learn(target)
            kind = target.__emco__.kind
            try:
                key = checked_key(kind, segments)
            except TypeError:  # what cannot be looked up is no name
                key = Key(kind, *segments)
        elif segments:
            raise InvalidCall(
                f"Cannot read {target!r:.80} with names after it.",
                why=["names make a key only after the class of a resource"],
                hint="give a model and the names of a key.",
            )
        elif isinstance(target, Resource):
            self.schema.learn(type(target))
            key = target.key
        elif isinstance(target, Key):
            key = target
        elif isinstance(target, Ref | Untyped) and target.key is not None:
            key = target.key
        elif isinstance(target, Ref):
            raise InvalidCall(
                f"Cannot follow the reference {target.text!r:.80}.",
                why=["it is short and belongs to no resource"],
                hint="give its whole key.",
            )
        else:
            raise InvalidCall(
                f"Cannot find the resource that {target!r:.80} means.",
                why=["it is no resource, no key and no reference"],
                hint="give a resource, a Key or a Ref; get() also takes a model and the names of a key.",
            )
        self.schema.check_key(key)
        return key

    def addresses(self, targets: Any) -> list[Key]:
        """Give the keys that a call means, where it takes several; see :meth:`address`."""
        if not isinstance(targets, Iterable):
            raise InvalidCall(
                f"Cannot find the resources that {targets!r:.80} means.",
                why=["several are asked for, and this is not a list or another iterable"],
                hint="give them in a list.",
            )
        return [self.address(target) for target in cast("Iterable[object]", targets)]

    def value(self, record: Record) -> Any:
        """Give the resource that a record holds, without a type where the kind is unknown here.

        Raises:
            InvalidResource: The document cannot be read.
        """
        model = self.schema.model_of(record.key.kind)
        return load_untyped(record) if model is None else load(record, model)

    def value_or_error(self, record: Record) -> Any:
        """Give the resource that a record holds, or the error that says why it cannot be read.

        Rules: BAD-8.
        """
        try:
            return self.value(record)
        except InvalidResource as problem:
            return problem
