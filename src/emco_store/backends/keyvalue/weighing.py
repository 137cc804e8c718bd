"""Whether a commit fits into one write of a map; pure, and asked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from emco_store.backends.codec import write_record
from emco_store.backends.keyvalue.ordered_map import Limits, Write
from emco_store.backends.keyvalue.rows import Names, Rows
from emco_store.core.messages import write_messages
from emco_store.errors import InvalidCall
from emco_store.ports import Commit


def refuse_beyond(limits: Limits, names: Names, commit: Commit) -> None:
    """Refuse a commit that cannot fit, whatever the map holds.

    Raises:
        InvalidCall: It does not fit.
    """
    if limits != Limits():
        puts: Rows = {names.outcome(commit.txid): write_messages(commit.messages)}
        for record in commit.puts:
            puts[names.record(record.key.text)] = write_record(record)
            puts |= names.entries(record)
        when = dict.fromkeys([names.record(key.text) for key in commit.keys.union(commit.fenced)], 0)
        refuse_write_beyond(limits, Write(when, puts))


def refuse_write_beyond(limits: Limits, write: Write) -> None:
    """Refuse a write that does not fit.

    Raises:
        InvalidCall: It does not fit; all limits that it exceeds are named.
    """
    if limits == Limits():
        return
    problems = list(_problems(limits, write))
    if problems:
        raise InvalidCall(
            "The commit would be too large for this server.",
            why=problems,
            hint="divide it into several transactions, put less into one resource, or use a backend that takes more: "
            "store.guarantees.limits says what fits into one write.",
        )


def _problems(limits: Limits, write: Write) -> Iterator[str]:
    keys = {*write.when, *write.puts, *write.deletes}
    size = sum(map(len, keys)) + sum(map(len, write.puts.values()))
    entries = len(write.when) + len(write.puts) + len(write.deletes)
    for what, found, most in (
        ("a key has {:,} bytes, and {:,} are the most", _longest(keys), limits.key_bytes),
        (
            "a record has {:,} bytes as it is stored, and {:,} are the most",
            _longest(write.puts.values()),
            limits.value_bytes,
        ),
        ("it writes {:,} bytes, and {:,} are the most", size, limits.write_bytes),
        ("it compares and writes {:,} entries, and {:,} are the most", entries, limits.write_entries),
    ):
        if most is not None and found > most:
            yield what.format(found, most)


def _longest(parts: Iterable[bytes]) -> int:
    return max(map(len, parts), default=0)
