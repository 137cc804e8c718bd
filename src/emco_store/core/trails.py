"""Trails: for each write of a resource whose class asks for it, what changed, who changed it and why; pure.

An entry is a record of the reserved kind ``emco__Trail`` in the commit of the write. It has no edges, so it outlives
its resource. That a resource has a trail stands among its indexed values, so programs without its model keep the trail
too. The uid of an entry is the txid of its commit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, cast

from emco_store.core.documents import decode, encode
from emco_store.core.indexing import index_text
from emco_store.core.keys import Key
from emco_store.core.naming import TRAIL
from emco_store.core.origins import Origin
from emco_store.core.records import Record
from emco_store.core.reserved import numbered, read_numbered
from emco_store.core.times import moment
from emco_store.errors import InvalidModel, InvalidResource

FIELD: Final = "emco__trail"
"""The name under which the number of versions to keep stands, the last of a record's indexed values."""
MAX_KEEP: Final = 10_000
MAX_DAYS: Final = 36_525
_KEEP: Final = 100


@dataclass(frozen=True, slots=True)
class Trail:
    """A class argument of a resource: each write of it adds an entry to a trail.

    Attributes:
        keep: How many versions of a resource the trail goes back, 1 to 10,000; older entries go with each write.
        days: After how many days ``store.prune_trail`` removes entries, 1 to 36,525; None for never.
    """

    keep: int = _KEEP
    days: int | None = None

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            InvalidModel: One of them is out of range.
        """
        problems = [
            f"{name}={value!r:.40} is no number of {allowed}"
            for name, value, most, allowed in (
                ("keep", self.keep, MAX_KEEP, f"1 to {MAX_KEEP:,}"),
                ("days", 1 if self.days is None else self.days, MAX_DAYS, f"1 to {MAX_DAYS:,}"),
            )
            if type(value) is not int or not 1 <= value <= most
        ]
        if problems:
            raise InvalidModel("Cannot use this trail.", why=problems, hint="use Trail(keep=100, days=90).", model="")

    @property
    def mark(self) -> tuple[str, str]:
        """What stands among the indexed values of each resource of the class."""
        return FIELD, str(self.keep)


class Absent(StrEnum):
    """The value of a field that is not there."""

    ABSENT = "absent"

    def __repr__(self) -> str:
        return self.value


ABSENT: Final = Absent.ABSENT
"""The value of a field that is not there, which is not null."""


class FieldChange(NamedTuple):
    """How one field of a document changed.

    Attributes:
        path: Where it stands; numbers are places in lists.
        old: Its value before; ``ABSENT`` where it was not there, or where the entry holds no values.
        new: Its value after; ``ABSENT`` where it is not there any more, or where the entry holds no values.
    """

    path: tuple[str | int, ...]
    old: Any = ABSENT
    new: Any = ABSENT

    @property
    def place(self) -> str:
        """The path as text: ``spec.ports[0]``."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path).removeprefix(".")

    def __str__(self) -> str:
        return f"{self.place}: {self.old!r} -> {self.new!r}"


class Action(StrEnum):
    """What a write did to a resource."""

    CREATED = "created"
    CHANGED = "changed"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """One write of one resource.

    Attributes:
        key: The key of the resource.
        uid: The uid of the resource.
        version: The version that the write led to; for a delete, the number after the last version.
        action: Whether it was created, changed or deleted.
        changes: The fields that changed. A create names all fields with their new values, a delete with their last.
        is_shortened: Whether the values were left out, because they would have been larger than a document may be.
        actor: Who made the write; empty where nobody has said.
        reason: Why; empty where nobody has said.
        operation: The operation that it belongs to; empty where nobody has said.
        at: When, in UTC, by the clock of the client that wrote.
        txid: The name of the commit. Writes with the same one were one commit.
    """

    key: Key
    uid: str
    version: int
    action: Action
    changes: tuple[FieldChange, ...]
    is_shortened: bool
    actor: str
    reason: str
    operation: str
    at: datetime
    txid: str

    def __str__(self) -> str:
        who = f" by {self.actor}" if self.actor else ""
        why = f" ({self.reason})" if self.reason else ""
        lines = [f"{self.at:%Y-%m-%d %H:%M:%S} {self.key} {self.version} {self.action}{who}{why}"]
        return "\n  ".join([*lines, *map(str, self.changes)])


class Write(NamedTuple):
    """One write of one resource, as it is known when it is committed."""

    before: Record | None
    after: Record | None


def kept(record: Record) -> int:
    """Return how many versions the trail of a record goes back; 0 if it has none."""
    index = record.index
    if not index or index[-1][0] != FIELD:
        return 0
    text = index[-1][1]
    return min(int(text), MAX_KEEP) if text.isascii() and text.isdigit() else _KEEP


def entry_of(write: Write, *, txid: str, now_us: int, origin: Origin, max_bytes: int) -> Record:
    """Build the entry of a write.

    Rules: WHO-5.
    """
    before, after = write
    subject = cast("Record", after or before)
    action = Action.CREATED if before is None else Action.DELETED if after is None else Action.CHANGED
    changes = [*differences(_document(before), _document(after))]
    document = encode({"action": action.value, "changes": [_written(change) for change in changes]})
    if len(document) > max_bytes:
        paths = [{"path": [*change.path]} for change in changes]
        document = encode({"action": action.value, "changes": paths, "shortened": True})
    version = after.version if after is not None else subject.version + 1
    key = entry_key(subject, version)
    return signed_entry(Record(key, "", 1, document, (), (), (), 0, 0), txid, now_us, origin)


def signed_entry(entry: Record, txid: str, now_us: int, origin: Origin) -> Record:
    """Return an entry with the commit that writes it: its txid, time and origin."""
    index = ((entry.key.segments[0], time_text(now_us)),)
    return replace(entry, uid=txid, index=index, created_us=now_us, updated_us=now_us, origin=origin)


def expired(write: Write) -> Iterator[Key]:
    """Yield the keys of entries that go with a write, because the trail goes back less far than to them.

    Rules: WHO-8.
    """
    before, after = write
    if before is not None and after is not None:
        keep = kept(after)
        first = max(before.version - keep + 1, 1)
        yield from (entry_key(after, version) for version in range(first, after.version - keep + 1))


def entry_key(record: Record, version: int) -> Key:
    """Return the key of the entry for a version of a record."""
    return numbered(TRAIL, record.key, record.uid, version)


def time_text(now_us: int) -> str:
    """Write a time as it stands in the index of entries."""
    return index_text(moment(now_us))


def read_entry(record: Record) -> TrailEntry:
    """Read an entry.

    Raises:
        InvalidResource: It cannot be read.
    """
    try:
        document: Any = decode(record.document)
        changes = tuple([
            FieldChange(tuple(one["path"]), one.get("old", ABSENT), one.get("new", ABSENT))
            for one in document["changes"]
        ])  # fmt: skip
        return TrailEntry(
            *read_numbered(record.key), Action(document["action"]), changes,
            bool(document.get("shortened")), *record.origin, moment(record.created_us),
            record.uid,
        )  # fmt: skip
    except (ValueError, LookupError, TypeError, AttributeError) as problem:
        raise InvalidResource(
            f"Cannot read {record.key}: it is no entry of a trail.",
            why=[str(problem)],
            hint="see who else writes to this namespace.",
            key=record.key,
            problems=(str(problem),),
            stored=True,
        ) from problem


def differences(old: Any, new: Any, path: tuple[str | int, ...] = ()) -> Iterator[FieldChange]:
    """Yield the fields in which two JSON values differ; lists are compared place by place if they are of one length."""
    if _are(dict, old, new):
        for name in dict.fromkeys((*old, *new)):
            yield from differences(old.get(name, ABSENT), new.get(name, ABSENT), (*path, name))
    elif _are(list, old, new) and len(old) == len(new):
        for at, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, (*path, at))
    elif type(old) is not type(new) or old != new:
        yield FieldChange(path, old, new)


def _are(of: type, *values: Any) -> bool:
    return all(isinstance(one, of) for one in values)


def _document(record: Record | None) -> Any:
    """Return the document of a record; an empty one where there is none, or where it cannot be read."""
    try:
        return {} if record is None else decode(record.document)
    except ValueError:
        return {}


def _written(change: FieldChange) -> dict[str, Any]:
    values = (("old", change.old), ("new", change.new))
    return {"path": [*change.path], **{name: value for name, value in values if value is not ABSENT}}
