"""The rows of one namespace: what stands in the map under which key, and which rows lead to a record; pure.

The parts of a row's key are texts in UTF-8, whose bytes sort as code points do. Where a part is not the last one, NUL
ends it, and U+0001 escapes itself and NUL within it, so the order of rows is the order of their parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from emco_store.backends.keyvalue.ordered_map import Entry
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.errors import InvalidResource

Rows = dict[bytes, bytes]
"""Rows by their keys, with their values."""
PREFIX: Final = b"emco/"
"""How the keys of all rows of stores begin; the name of the namespace and a slash follow."""


def part(text: str) -> bytes:
    """Write a part of a key that others follow."""
    if "\0" in text or "\1" in text:
        text = text.replace("\1", "\1\2").replace("\0", "\1\1")
    return f"{text}\0".encode()


def read_part(written: bytes) -> str:
    """Read a part of a key, without the NUL that ends it."""
    return written.decode().replace("\1\1", "\0").replace("\1\2", "\1")


@dataclass(frozen=True)
class Names:
    """The keys of the rows of one namespace.

    Attributes:
        namespace: The namespace.
        prefix: How the key of each of its rows begins.
    """

    namespace: str

    @cached_property
    def prefix(self) -> bytes:
        """How the key of each row of the namespace begins."""
        return b"%b%b/" % (PREFIX, self.namespace.encode())

    def table(self, letter: str) -> bytes:
        """Return how the keys of the rows of one table begin."""
        return b"%b%b/" % (self.prefix, letter.encode())

    @cached_property
    def records(self) -> bytes:
        """How the key of each record's row begins; the text of its key follows."""
        return self.table("r")

    @cached_property
    def referrers(self) -> bytes:
        """The same of references: the target's key, then the referrer's."""
        return self.table("e")

    @cached_property
    def index(self) -> bytes:
        """The same of indexed values: kind, field, value, and the record's key."""
        return self.table("i")

    @cached_property
    def unique(self) -> bytes:
        """The same of unique values: kind, field and value; the row holds the owner's key."""
        return self.table("u")

    @cached_property
    def outcomes(self) -> bytes:
        """The same of the outcomes of commits: the txid."""
        return self.table("o")

    @cached_property
    def holds(self) -> bytes:
        """The same of holds: the record's key."""
        return self.table("h")

    @cached_property
    def pulses(self) -> bytes:
        """The same of pulses: the uid of the lease."""
        return self.table("p")

    @cached_property
    def feed(self) -> bytes:
        """The same of events: the txid."""
        return self.table("f")

    @cached_property
    def tip(self) -> bytes:
        """The key of the row that names the newest event; it is there from the beginning of the feed on."""
        return self.table("t")

    def record(self, text: str) -> bytes:
        """Return the key of a record's row."""
        return self.records + text.encode(errors="surrogateescape")

    def hold(self, text: str) -> bytes:
        """Return the key of the row that says who holds a record."""
        return self.holds + text.encode()

    def outcome(self, txid: str) -> bytes:
        """Return the key of the row that says how a commit ended."""
        return self.outcomes + txid.encode()

    def pulse(self, uid: str) -> bytes:
        """Return the key of the row of a pulse."""
        return self.pulses + uid.encode(errors="surrogateescape")

    def event(self, txid: str) -> bytes:
        """Return the key of the row of an event."""
        return self.feed + txid.encode()

    def claim(self, kind: str, field: str, text: str) -> bytes:
        """Return the key of the row of a unique value."""
        return b"%b%b%b%b" % (self.unique, part(kind), part(field), part(text))

    def indexed(self, kind: str, field: str) -> bytes:
        """Return how the keys of the rows of one index begin."""
        return b"%b%b%b" % (self.index, part(kind), part(field))

    def referring(self, target: str) -> bytes:
        """Return how the keys of the rows of all referrers of a record begin."""
        return self.referrers + part(target)

    def entries(self, record: Record) -> Rows:
        """Return the rows that lead to a record."""
        key, kind, own = record.key, record.key.kind, record.key.text.encode()
        rows = {self.referring(target.text) + own: b"" for target in record.targets}
        rows |= {self.indexed(kind, field) + part(text) + own: b"" for field, text in record.index}
        rows |= {self.claim(kind, field, text): key.text.encode() for field, text in record.unique}
        return rows

    def changes(self, old: Record | None, new: Record | None) -> tuple[Rows, set[bytes]]:
        """Return the rows to put and those to remove when a record is written over another one, or deleted."""
        if old and new and (old.edges, old.index, old.unique) == (new.edges, new.index, new.unique):
            return {}, set()
        before = self.entries(old) if old else {}
        after = self.entries(new) if new else {}
        return {row: held for row, held in after.items() if row not in before}, before.keys() - after.keys()

    def key_to(self, row: Entry) -> Key | None:
        """Return the key of the record that a row holds or leads to; None if it is the key of no record."""
        if row.key.startswith(self.unique):
            text = row.value
        elif row.key.startswith(self.records):
            text = row.key.removeprefix(self.records)
        else:
            text = row.key.rpartition(b"\0")[2]
        try:
            return Key.parse(text.decode())
        except (ValueError, InvalidResource):
            return None
