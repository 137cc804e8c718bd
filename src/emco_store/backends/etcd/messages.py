"""Requests to etcd and its answers, as its JSON gateway writes them; pure.

The gateway writes 64-bit integers as text, bytes in base64, and leaves out what is zero.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from emco_store.backends.keyvalue.ordered_map import Entry, Part, Span, Write, beyond

RANGE: Final = "/v3/kv/range"
TXN: Final = "/v3/kv/txn"
WATCH: Final = "/v3/watch"
AUTHENTICATE: Final = "/v3/auth/authenticate"
STATUS: Final = "/v3/maintenance/status"
ALARMS: Final = "/v3/maintenance/alarm"
MEMBERS: Final = "/v3/cluster/member/list"
Message = Mapping[str, Any]


def encoded(message: Message) -> bytes:
    """Return a message as it goes out."""
    return json.dumps(message, separators=(",", ":")).encode()


def text_of(blob: bytes) -> str:
    """Return bytes as a message holds them."""
    return b64encode(blob).decode("ascii")


class Keys:
    """Keys of the map, and keys of etcd: those begin with the prefix of the database.

    Args:
        prefix: The prefix.
    """

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix

    def key(self, key: bytes) -> str:
        """Return a key as a message holds it."""
        return text_of(self._prefix + key)

    def entry(self, found: Message) -> Entry:
        """Read an entry."""
        key, value = b64decode(found["key"]), b64decode(found.get("value", ""))
        return Entry(key[len(self._prefix) :], value, int(found["mod_revision"]))

    def entries(self, answer: Message) -> tuple[Entry, ...]:
        """Read the entries of the answer to a range."""
        return tuple(map(self.entry, answer.get("kvs", ())))

    def one(self, key: bytes, revision: int) -> Message:
        """Ask for one entry, as of a revision, or 0 for now."""
        return {"key": self.key(key), "revision": str(revision)}

    def many(self, keys: Iterable[bytes], revision: int) -> Message:
        """Ask for entries, all as of the same moment."""
        return {"success": [{"request_range": self.one(key, revision)} for key in keys]}

    def found(self, answer: Message) -> dict[bytes, Entry]:
        """Read the answer to :meth:`many`."""
        pages = [each["response_range"] for each in answer.get("responses", ())]
        return {entry.key: entry for page in pages for entry in self.entries(page)}

    def span(self, span: Span, revision: int) -> Message:
        """Ask for the entries of a span."""
        asked = {**self._range(span.low, span.below, revision), "limit": str(span.limit)}
        return {**asked, "sort_order": "DESCEND", "sort_target": "KEY"} if span.descending else asked

    def part(self, answer: Message) -> Part:
        """Read the answer to :meth:`span`."""
        return Part(self.entries(answer), bool(answer.get("more")))

    def number(self, span: Span, revision: int) -> Message:
        """Ask how many entries a span holds."""
        return {**self._range(span.low, span.below, revision), "count_only": True}

    def later(self, prefix: bytes, revision: int, limit: int) -> Message:
        """Ask for the entries under a prefix that were put later than a revision, the oldest first."""
        return {
            **self._range(prefix, None, 0),
            "min_mod_revision": str(revision + 1),
            "limit": str(limit),
            "sort_order": "ASCEND",
            "sort_target": "MOD",
        }

    def watch(self, prefix: bytes, revision: int) -> Message:
        """Ask to be told what is put under a prefix later than a revision."""
        asked = {"key": self.key(prefix), "range_end": self._end(prefix), "start_revision": str(revision + 1)}
        return {"create_request": {**asked, "filters": ["NODELETE"]}}

    def write(self, write: Write) -> Message:
        """Compare and write in one step.

        A transaction without operations would be answered by a member without asking the others, as of some moment in
        the past. So one that only compares reads something, too.
        """
        operations: list[Message] = [
            {"request_put": {"key": self.key(key), "value": text_of(value)}} for key, value in write.puts.items()
        ]
        operations += [{"request_delete_range": {"key": self.key(key)}} for key in sorted(write.deletes)]
        read: Message = {"request_range": {"key": self.key(b""), "count_only": True}}
        return {
            "compare": [
                {"key": self.key(key), "target": "MOD", "result": "EQUAL", "mod_revision": str(revision)}
                for key, revision in write.when.items()
            ],
            "success": operations or [read],
            "failure": [] if operations else [read],
        }

    def _range(self, low: bytes, below: bytes | None, revision: int) -> dict[str, Any]:
        end = self._end(low) if below is None else self.key(below)
        return {"key": self.key(low), "range_end": end, "revision": str(revision)}

    def _end(self, prefix: bytes) -> str:
        return text_of(beyond(self._prefix + prefix))


def revision_of(answer: Message) -> int:
    """Return the revision of the database as of which an answer holds."""
    return int(answer["header"]["revision"])


def is_done(answer: Message) -> bool:
    """Return whether the comparisons of a transaction held."""
    return bool(answer.get("succeeded"))


class Told(NamedTuple):
    """What a line of a watch says.

    Attributes:
        has_news: Whether it says more than that the watch has begun: an event, or that it has ended.
        is_compacted: Whether it has ended because etcd has removed the revisions from which it was to begin.
    """

    has_news: bool
    is_compacted: bool


def read_line(line: bytes) -> Told:
    """Read a line of a watch; an empty one is its end."""
    told: Message = json.loads(line).get("result", {}) if line else {}
    is_beginning = bool(told.get("created")) and not told.get("canceled") and "events" not in told
    return Told(not is_beginning, "compact_revision" in told)


def probe(operations: int) -> Message:
    """Ask etcd to compare in so many operations, which shows whether it allows them; it changes nothing."""
    key = text_of(b"\0")
    return {"compare": [{"key": key}] * operations, "success": [{"request_range": {"key": key, "count_only": True}}]}


def parts_of(keys: Sequence[bytes], most: int) -> Iterable[Sequence[bytes]]:
    """Divide keys into parts of at most so many."""
    return (keys[at : at + most] for at in range(0, len(keys), most))
