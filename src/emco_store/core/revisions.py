"""Revisions: the content of a resource as it was at one moment, kept in records that refer to nothing.

A revision is one record with what people ask for in a list, and its content beside it, packed, in as many parts as it
needs: a page of history stays light. Both are of reserved kinds and have no edges, so they outlive the resource.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from emco_store.core.digests import Content, digest_of, fingerprint
from emco_store.core.documents import encode
from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import Approval, reasons_of
from emco_store.core.naming import REVISION, REVISION_PART
from emco_store.core.origins import Origin
from emco_store.core.records import Edge, Record, read_edges, write_edges
from emco_store.core.reserved import digits, numbered, read_numbered
from emco_store.core.times import moment
from emco_store.errors import InvalidResource

PART_BYTES: Final = 512 * 1024
"""Bytes of packed content in one part."""
_TAGS = "tags"


class RevisionDocument(BaseModel, frozen=True, extra="allow"):
    """The document of a revision, without its content. Unknown fields are kept: a newer program may have written it.

    Attributes:
        state: The state of the resource.
        transition: The name of the transition that recorded it; empty for a rollback.
        actor: Who made it.
        note: What the actor said about it.
        at_us: When, in microseconds since 1970, UTC.
        approval: What was approved with it; None where nothing was.
        restores: The number of the revision that it brings back; None where it brings back none.
        kinds: The kinds of the targets that belong to the content.
        digest: The digest of the content.
        members: How many resources the content has, targets included.
        parts: How many parts hold the packed content.
        checksum: The SHA-256 of the packed content.
    """

    state: str
    transition: str = ""
    actor: str = ""
    note: str = ""
    at_us: int = 0
    approval: Approval | None = None
    restores: int | None = None
    kinds: tuple[str, ...] = ()
    digest: str = ""
    members: int = 0
    parts: int = 0
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class Revision:
    """One entry of the history of a resource.

    Attributes:
        key: The key of the resource.
        uid: The uid of the resource: one that was created again has another.
        number: 1 for the first revision of a uid, and one more for each that follows.
        digest: The digest of the content.
        state: The state of the resource.
        transition: The name of the transition that recorded it; empty for a rollback.
        actor: Who made it.
        note: What the actor said about it.
        at: When, in UTC, by the clock of the client that made it.
        approval: Its approval; None where it was not approved.
        restores: The number of the revision that it brought back; None where it brought back none.
        tags: Its names, in order.
        members: How many resources the content has, targets included.
    """

    key: Key
    uid: str
    number: int
    digest: str
    state: str
    transition: str
    actor: str
    note: str
    at: datetime
    approval: Approval | None
    restores: int | None
    tags: tuple[str, ...]
    members: int

    def __str__(self) -> str:
        marks = [f"[{', '.join(self.tags)}]"] if self.tags else []
        marks += [f"restores {self.restores}"] if self.restores is not None else []
        if self.approval is not None:
            via = "" if self.approval.via is None else f" via revision {self.approval.via}"
            marks.append(f"approved{f' by {self.approval.actor}' if self.approval.actor else ''}{via}")
        said = [
            part for part in (self.transition, self.actor and f"by {self.actor}", self.note and repr(self.note)) if part
        ]
        return "  ".join([f"{self.number:>4}  {self.at:%Y-%m-%d %H:%M:%S}  {self.state}", *said, *marks])


@dataclass(frozen=True, slots=True)
class Row:
    """One resource in the content of a revision: all of its record but uid, version and times."""

    key: Key
    document: bytes
    edges: tuple[Edge, ...]
    unique: tuple[tuple[str, str], ...]
    index: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, record: Record) -> Row:
        """Return the row of a record."""
        return cls(record.key, record.document, record.edges, record.unique, record.index)


@dataclass(frozen=True, slots=True)
class Rows:
    """The content of a revision.

    Attributes:
        members: The subtree, by key, the resource itself included.
        targets: The targets outside it, by key.
    """

    members: tuple[Row, ...]
    targets: tuple[Row, ...]

    @property
    def prints(self) -> dict[str, str]:
        """The fingerprint of each document by the text of its key."""
        return {row.key.text: fingerprint(row.document) for row in (*self.members, *self.targets)}


# keys


def revision_key(resource: Key, uid: str, number: int) -> Key:
    """Return the key of a revision."""
    return numbered(REVISION, resource, uid, number)


def part_keys(revision: Key, parts: int) -> list[Key]:
    """Return the keys of the parts of a revision."""
    return [Key.trusted(REVISION_PART, (*revision.segments, digits(part))) for part in range(parts)]


# writing


def records_of(content: Content, number: int, about: RevisionDocument, uid: str) -> tuple[Record, ...]:
    """Build the records of a new revision: the revision, then its parts.

    Args:
        content: The content.
        number: The number of the revision.
        about: What is said of it; what follows from the content is filled in.
        uid: The uid of the new records.

    Rules: HIS-1 to HIS-4.
    """
    packed = pack(Rows(tuple(map(Row.of, content.members)), tuple(map(Row.of, content.targets))))
    pieces = [packed[at : at + PART_BYTES] for at in range(0, len(packed), PART_BYTES)]
    key = revision_key(content.root.key, content.root.uid, number)
    whole = about.model_copy(
        update={
            "digest": content.digest,
            "members": len(content.prints),
            "parts": len(pieces),
            "checksum": _checksum(packed),
        }
    )
    documents = [
        whole.model_dump_json(exclude_defaults=True).encode(),
        *(encode({"packed": piece}) for piece in pieces),
    ]
    keys = [key, *part_keys(key, len(pieces))]
    return tuple(
        Record(one, uid, 1, document, (), (), (), about.at_us, about.at_us)
        for one, document in zip(keys, documents, strict=True)
    )


def signed_revision(record: Record, now_us: int, origin: Origin) -> Record:
    """Return a new revision with the actor and the time of the commit that writes it."""
    document = read_document(record).model_copy(update={"actor": origin.actor, "at_us": now_us})
    text = document.model_dump_json(exclude_defaults=True).encode()
    return replace(record, document=text, created_us=now_us, updated_us=now_us, origin=origin)


def tagged(record: Record, tags: Iterable[str], now_us: int) -> Record:
    """Return the record of a revision with other tags; its document stays as it is."""
    text = " ".join(sorted(set(tags)))
    return Record(
        record.key, record.uid, record.version + 1, record.document, (), (), ((_TAGS, text),) if text else (),
        record.created_us, now_us,
    )  # fmt: skip


def tags_of(record: Record) -> tuple[str, ...]:
    """Return the tags of a revision."""
    return tuple(dict(record.index).get(_TAGS, "").split())


# reading


def read_document(record: Record) -> RevisionDocument:
    """Read the document of a revision.

    Raises:
        InvalidResource: It cannot be read.
    """
    try:
        return RevisionDocument.model_validate_json(record.document)
    except ValidationError as problem:
        raise _unreadable(record.key, reasons_of(problem)) from problem


def read_revision(record: Record) -> Revision:
    """Read an entry of a history.

    Raises:
        InvalidResource: It cannot be read.
    """
    document = read_document(record)
    return Revision(
        *read_numbered(record.key), document.digest, document.state,
        document.transition, document.actor, document.note, moment(document.at_us),
        document.approval, document.restores, tags_of(record), document.members,
    )  # fmt: skip


def content_of(record: Record, parts: Mapping[Key, Record]) -> Rows:
    """Read the content of a revision.

    Args:
        record: The record of the revision.
        parts: The records of its parts that were found.

    Raises:
        InvalidResource: The content is not complete, or not the one whose digest the revision has.

    Rules: HIS-12.
    """
    document = read_document(record)
    wanted = part_keys(record.key, document.parts)
    absent = [key.segments[-1] for key in wanted if key not in parts]
    if absent:
        raise _unreadable(record.key, [f"part {int(number)} of its content is missing" for number in absent])
    try:
        packed = "".join([from_json(parts[key].document)["packed"] for key in wanted])
        rows = unpack(packed)
    except (ValueError, TypeError, LookupError, zlib.error, InvalidResource) as problem:
        raise _unreadable(record.key, [f"its content cannot be unpacked: {problem}"]) from problem
    if _checksum(packed) != document.checksum or digest_of(rows.prints) != document.digest:
        raise _unreadable(record.key, ["its content is not the one of its digest"])
    return rows


def pack(rows: Rows) -> str:
    """Write rows as one compressed text.

    Documents are JSON text in UTF-8 as a rule. Bytes that are not are kept as well, as surrogates, which JSON escapes.
    """
    text = json.dumps([list(map(_plain, rows.members)), list(map(_plain, rows.targets))], separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode())).decode()


def unpack(packed: str) -> Rows:
    """Read what :func:`pack` wrote.

    Raises:
        ValueError: It is something else.
        TypeError: It is something else.
        zlib.error: It is not compressed.
        InvalidResource: A key in it is none.
    """
    members, targets = json.loads(zlib.decompress(base64.b64decode(packed, validate=True)))
    return Rows(tuple(map(_row, members)), tuple(map(_row, targets)))


def _plain(row: Row) -> list[Any]:
    return [
        row.key.text, row.document.decode("utf-8", "surrogateescape"), write_edges(row.edges).decode(), row.unique,
        row.index,
    ]  # fmt: skip


def _row(plain: Sequence[Any]) -> Row:
    key, document, edges, unique, index = plain
    return Row(
        Key.parse(key), document.encode("utf-8", "surrogateescape"), read_edges(edges.encode()), _pairs(unique),
        _pairs(index),
    )  # fmt: skip


def _pairs(plain: Iterable[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple([(name, text) for name, text in plain])


def _checksum(packed: str) -> str:
    return sha256(packed.encode()).hexdigest()


def _unreadable(key: Key, reasons: Sequence[str]) -> InvalidResource:
    return InvalidResource(
        f"Cannot read the revision {key}.",
        why=reasons,
        hint="go back to another revision; check() names such revisions.",
        key=key,
        problems=tuple(reasons),
        stored=True,
    )
