"""Every error of emco_store: one base class, and a subclass only where a caller would act differently.

::

    StoreError
     ├─ NotFound            the resource is not there
     ├─ AlreadyExists       a resource with this key is there
     ├─ Conflict            something moved since it was read; run it again (retryable)
     │   └─ LeaseHeld       another holder has the lease
     ├─ LeaseLost           the lease is over; what was begun under it must stop
     ├─ FeedGap             events after a cursor are missing; read anew, then watch from now
     ├─ HandlerFailed       the function of a consumer raised; the consumer stands before that event
     ├─ StaleCache          a copy is older than was allowed; wait, or read from the store (retryable)
     ├─ SinkFailed          the sink of a relay fails; the relay stands after what the sink has
     ├─ MissingReference    a parent or a reference's target is not there
     ├─ DeleteRestricted    resources that stay still refer to what would go
     ├─ UniqueViolation     another resource holds this value
     ├─ TransitionRefused   the state, or a guard, does not allow the transition
     ├─ ContentChanged      the content is not what was looked at
     ├─ StateForbids        the state does not allow the change
     ├─ NotPermitted        another writer than the one that may do this
     ├─ InvalidResource     the data, a size or a name is not acceptable
     │   └─ NewerModel      a stored document that takes a newer version of its model
     ├─ InvalidModel        a resource class that could not work
     ├─ SegmentRefused      what a service declares contradicts what others rely on
     ├─ NotReady            what belongs to a segment that waits is not written yet (retryable)
     ├─ InvalidCall         the call itself is wrong: mend the program
     ├─ UnknownOutcome      the commit may or may not have happened; ``resolve(txid)`` settles it
     ├─ Unavailable         the backend does not answer (retryable)
     ├─ Misconfigured       server or client settings that would break a promise
     └─ NotSupported        the backend, or this release, cannot do that
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

MAX_TEXT = 1_000
"""Characters of what was refused, of one reason, or of a hint; the rest is cut off."""
MAX_SHOWN = 20
"""Reasons in the text of an error; ``why`` holds more."""
MAX_ENTRIES = 10_000
"""Reasons in ``why``, and entries in a field, of an error."""


class StoreError(Exception):
    """The base of all errors: what was refused, for which object, why, and what to do about it.

    Instances pickle, and compare by identity as exceptions do. ``str(error)`` is for people; programs read ``code``,
    ``retryable`` and the fields. However much is wrong, an error stays small: see the constants of this module.

    Args:
        what: What was refused and for which object, as one sentence.
        why: All reasons, not the first one only.
        hint: What the caller can do about it.
        fields: Facts for programs; each is readable as an attribute of the error.
    """

    code: ClassVar[str] = "STORE"
    retryable: ClassVar[bool] = False

    def __init__(self, what: str, *, why: Sequence[str] = (), hint: str = "", **fields: Any) -> None:
        self.what = _cut(what)
        super().__init__(self.what)
        self.why = tuple(map(_cut, why[:MAX_ENTRIES]))
        self.hint = _cut(hint)
        self.fields: Mapping[str, Any] = {name: _bounded(value) for name, value in fields.items()}
        self.__dict__.update(self.fields)

    def __str__(self) -> str:
        lines = [self.what, *(f"  {reason}" for reason in shown(self.why))]
        if self.hint:
            lines.append(f"  Hint: {self.hint}")
        lines[-1] += f"  [{self.code}]"
        return "\n".join(lines)

    @property
    def line(self) -> str:
        """What was refused and why, on one line."""
        return " ".join((self.what, *shown(self.why)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.what, self.why, self.hint, dict(self.fields))


def shown(reasons: Sequence[str]) -> Sequence[str]:
    """Return the reasons that a text for people holds, and how many it leaves out."""
    hidden = len(reasons) - MAX_SHOWN
    return reasons if hidden <= 0 else (*reasons[:MAX_SHOWN], f"… and {hidden:,} more")


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def _bounded(value: Any) -> Any:
    """Return a field without what is beyond the bounds; texts are cut only where there may be many of them."""
    if not isinstance(value, tuple):
        return value
    entries: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]  # of any types
    return tuple([_cut(entry) if isinstance(entry, str) else entry for entry in entries[:MAX_ENTRIES]])


def _rebuild(kind: type[StoreError], what: str, why: Sequence[str], hint: str, fields: dict[str, Any]) -> StoreError:
    return kind(what, why=why, hint=hint, **fields)


class NotFound(StoreError):
    """A resource that the call needs does not exist.

    Attributes:
        keys: The keys of all resources that do not exist.
    """

    code = "NOT-FOUND"
    keys: tuple[Any, ...] = ()


class AlreadyExists(StoreError):
    """A resource with the key of the new one exists already.

    Attributes:
        key: The key that is taken.
    """

    code = "ALREADY-EXISTS"
    key: Any = None


class Conflict(StoreError):
    """Something that the call depends on has changed since it was read: read again and repeat.

    Attributes:
        keys: The keys of what has changed, if they are known.
        pinned: True if the version came from the caller, so that the same call would fail again.
        held: True if nothing has changed, but a delete holds a record.
    """

    code = "CONFLICT"
    retryable = True
    keys: tuple[Any, ...] = ()
    pinned: bool = False
    held: bool = False


class LeaseHeld(Conflict):
    """Another holder has the lease.

    Attributes:
        holder: Who it is, for people.
        token: The token of its lease.
        lease_uid: The uid of its lease.
    """

    code = "LEASE-HELD"
    holder: str = ""
    token: int = 0
    lease_uid: str = ""


class LeaseLost(StoreError):
    """A lease that the call needs is over, or must count as over: stop what was begun under it.

    Attributes:
        keys: The keys of the resources whose leases are over.
    """

    code = "LEASE-LOST"
    keys: tuple[Any, ...] = ()


class FeedGap(StoreError):
    """The feed cannot continue after a cursor: what came after it is not kept any more, or may never have been.

    Attributes:
        cursor: The cursor.
    """

    code = "FEED-GAP"
    cursor: str = ""


class HandlerFailed(StoreError):
    """A consumer could not deal with an event, and stands before it: nothing was written, and nothing is skipped.

    The error of the consumer's function, or of the commit of what it did, is the cause (``__cause__``).

    Attributes:
        consumer: The name of the consumer.
        cursor: The cursor of the event.
        txid: The id of the commit that the event is about.
        attempts: How often it was tried.
        number: How many commits of the feed the consumer would have passed with it.
        version: The version of the cursor with which the consumer stands before it.
    """

    code = "HANDLER"
    consumer: str = ""
    cursor: str = ""
    txid: str = ""
    attempts: int = 0
    number: int = 0
    version: int = 0


class StaleCache(StoreError):
    """A copy of resources is older than was allowed, or no longer kept true; what it would show may be wrong.

    Attributes:
        keys: The keys that were waited for, if any were.
    """

    code = "CACHE-STALE"
    retryable = True
    keys: tuple[Any, ...] = ()


class SinkFailed(StoreError):
    """A relay could not send to its sink, or could not learn what the sink has; the error of the sink is the cause.

    Attributes:
        relay: The name of the relay.
        attempts: How often it was tried.
    """

    code = "SINK"
    relay: str = ""
    attempts: int = 0


class MissingReference(StoreError):
    """A parent or the target of a reference does not exist.

    Attributes:
        missing: For each such reference, its place and the key of the target.
    """

    code = "REF-MISSING"
    missing: tuple[tuple[str, Any], ...] = ()


class DeleteRestricted(StoreError):
    """Resources that would stay refer to resources that would be deleted.

    Attributes:
        keys: The keys of the resources to delete.
        blockers: The references that forbid the delete, as ``Blocker``: all of them, or the first 1,000 if there are
            more than a commit may hold records.
        blocker_count: The number of all of them, which is counted up to 100,000.
    """

    code = "DEL-RESTRICTED"
    keys: tuple[Any, ...] = ()
    blockers: tuple[Any, ...] = ()
    blocker_count: int = 0


class UniqueViolation(StoreError):
    """Another resource has the value of a ``unique()`` field.

    Attributes:
        key: The resource that was refused.
        field: The field.
        owner: The key of the resource that has the value.
    """

    code = "UNIQUE"
    key: Any = None
    field: str = ""
    owner: Any = None


class TransitionRefused(StoreError):
    """A transition is not possible from the state in which the resource is, or its guards refuse it.

    Attributes:
        key: The key of the resource.
        transition: The name of the transition.
        state: The value of the state in which the resource is.
        reasons: Everything that speaks against it.
        allowed: The names of the transitions that leave this state.
    """

    code = "LIFECYCLE"
    key: Any = None
    transition: str = ""
    state: str = ""
    reasons: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


class ContentChanged(StoreError):
    """The content of a resource is not the one that the caller has looked at.

    Attributes:
        key: The key of the resource.
        digest: The digest that the caller gave.
        found: The digest of the content now.
        changed: The keys of the members that differ, as far as that can be told.
    """

    code = "CONTENT-CHANGED"
    key: Any = None
    digest: str = ""
    found: str = ""
    changed: tuple[Any, ...] = ()


class StateForbids(StoreError):
    """The state of a resource does not allow the change.

    Attributes:
        key: The key of the resource.
        state: The value of its state.
        frozen: The paths of the fields that may not change.
    """

    code = "STATE"
    key: Any = None
    state: str = ""
    frozen: tuple[str, ...] = ()


class NotPermitted(StoreError):
    """Only certain writers may do this, and the caller is none of them.

    Attributes:
        key: The key of the resource.
        actor: Who tried; empty where the store has no actor.
        writers: Who may.
    """

    code = "WRITER"
    key: Any = None
    actor: str = ""
    writers: tuple[str, ...] = ()


class InvalidResource(StoreError):
    """Data, a name, a size or a stored document is not acceptable.

    Attributes:
        key: The key of the resource, if it is known.
        problems: All reasons, each with the path of its field.
        stored: True if it is what is stored that is not acceptable, and nothing that the caller gave.
    """

    code = "INVALID-RESOURCE"
    key: Any = None
    problems: tuple[str, ...] = ()
    stored: bool = False


class NewerModel(InvalidResource):
    """A stored document takes a newer version of its model than this program has.

    It is not read, changed or replaced; it can be deleted.

    Attributes:
        needed: The least version of the model that can read it.
        model_version: The version of the model here.
    """

    code = "NEWER-MODEL"
    needed: int = 0
    model_version: int = 0


class InvalidModel(StoreError):
    """A resource class cannot work as it is declared; raised when it is defined or first used.

    Attributes:
        model: The name of the class.
    """

    code = "INVALID-MODEL"
    model: str = ""


class SegmentRefused(StoreError):
    """What a service declares does not fit what is registered; the registry stays as it was.

    Attributes:
        segment: The name of the segment that was refused.
        owner: The name of the segment that owns a kind that this one declares; empty where that is not the reason.
        reasons: Everything that speaks against it.
    """

    code = "SEGMENT"
    segment: str = ""
    owner: str = ""
    reasons: tuple[str, ...] = ()


class NotReady(StoreError):
    """A segment waits for what others are to register, and its kinds are not written until then.

    Attributes:
        kinds: The kinds that were to be written.
        awaits: What the segment waits for.
    """

    code = "NOT-READY"
    retryable = True
    kinds: tuple[str, ...] = ()
    awaits: tuple[str, ...] = ()


class InvalidCall(StoreError):
    """No data could make the call right: correct the program.

    Attributes:
        argument: The name of the argument, if it is one that a program passes on as a client sent it: ``after`` or
            ``if_match``.
    """

    code = "INVALID-CALL"
    argument: str = ""


class UnknownOutcome(StoreError):
    """The commit may or may not have happened; ``store.resolve(error.txid)`` settles it.

    Attributes:
        txid: The identifier of the commit.
    """

    code = "UNKNOWN-OUTCOME"
    txid: str = ""


class Unavailable(StoreError):
    """The backend did not answer, and nothing was written; a later attempt may succeed."""

    code = "UNAVAILABLE"
    retryable = True


class Misconfigured(StoreError):
    """A setting of the server or the client would break a promise.

    Attributes:
        setting: The setting to change.
    """

    code = "MISCONFIGURED"
    setting: str = ""


class NotSupported(StoreError):
    """The backend, or this release, does not support the call."""

    code = "NOT-SUPPORTED"
