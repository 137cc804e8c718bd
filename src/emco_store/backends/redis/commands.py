"""What is sent to Redis for each request, and what its replies mean; pure, so it is tested without a server."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any

from hiredis import pack_command  # pyright: ignore[reportUnknownVariableType]  # its stub says: of one argument
from pydantic_core import from_json, to_json

from emco_store.backends.redis.ranges import escaped, position
from emco_store.core.keys import Key
from emco_store.core.messages import write_messages
from emco_store.core.origins import NOBODY, read_origin, write_origin
from emco_store.core.pulses import LEASE
from emco_store.core.records import Edge, Record, Stamp, read_edges, write_edges
from emco_store.core.txids import begun_ms
from emco_store.errors import Misconfigured, StoreError
from emco_store.ports import (
    Alive,
    Commit,
    Failure,
    Fenced,
    Held,
    Hold,
    Lapsed,
    Missing,
    Moved,
    Outcome,
    Receipt,
    RecordPage,
    ReferrerPage,
    ReferrerQuery,
    Refusal,
    Release,
    Scan,
    Stale,
    Taken,
)

OUTCOMES_KEPT = timedelta(hours=1)
"""For how long the outcome of a commit is remembered, at about 150 bytes each; ``commit.lua`` says so too."""
OUTCOME_TTL_S = int(OUTCOMES_KEPT.total_seconds())
FEED_KEPT = 100_000
"""How many of the newest commits the feed keeps at least; ``commit.lua`` says so too."""
COMMIT_PARTS = ("records", "guards", "keys", "unique", "index", "referrers", "holds", "feed")
PULSE_PARTS = ("pulses", "due", "beating")
_NUL = "\0"


@dataclass(frozen=True, slots=True)
class Script:
    """A script of this package, and the digest that Redis knows it by."""

    text: str
    sha: str

    @classmethod
    def named(cls, name: str, header: str = "") -> Script:
        """Read a script from the package, and put a header before it."""
        text = header + (files("emco_store.backends.redis") / "lua" / f"{name}.lua").read_text("utf-8")
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


@dataclass(frozen=True, slots=True)
class Scripts:
    """The scripts, as a server of some version takes them.

    Attributes:
        grow: A commit that may need memory.
        shrink: The same for one that puts nothing: it stays possible when the memory is full.
        get: A read by key.
        read: Any other read.
        settle: The end of a commit whose outcome is unknown.
        hold: The beginning and the end of a hold.
        beat: The beats of leases.
        pulses: A read of pulses.
        events: A read of the feed.
        audit: One step of a check.
        mend: The repair of entries.
    """

    grow: Script
    shrink: Script
    get: Script
    read: Script
    settle: Script
    hold: Script
    beat: Script
    pulses: Script
    events: Script
    audit: Script
    mend: Script

    @classmethod
    def with_headers(cls, plain: str, even_if_full: str) -> Scripts:
        """Make all of them."""
        return cls(
            grow=Script.named("commit", plain),
            shrink=Script.named("commit", even_if_full),
            get=Script.named("get", even_if_full),
            read=Script.named("read", even_if_full),
            settle=Script.named("settle", even_if_full),
            hold=Script.named("hold", even_if_full),
            beat=Script.named("beat", even_if_full),
            pulses=Script.named("pulses", even_if_full),
            events=Script.named("events", even_if_full),
            audit=Script.named("audit", even_if_full),
            mend=Script.named("mend", plain),
        )

    @property
    def all(self) -> tuple[Script, ...]:
        """Each of them once, but for those that are seldom used."""
        return tuple(dict.fromkeys((self.grow, self.shrink, self.get, self.read, self.settle, self.hold)))

    def commit(self, commit: Commit) -> Script:
        """Choose the script for a commit."""
        return self.grow if commit.puts or commit.messages else self.shrink


SCRIPTS = Scripts.with_headers("", "")
"""For Redis 6.2."""
SCRIPTS_7 = Scripts.with_headers("#!lua\n", "#!lua flags=allow-oom\n")
"""From Redis 7.0 on: a server that cannot write (memory, disk, replicas) refuses them as a whole before they begin.

``no-writes`` is not among the flags of the reads, so that a server that has become a replica refuses to be read from.
Source: redis.io, "Redis Lua API reference", script flags.
"""


_OF_A_STORE = re.compile(rb"\{emco:([A-Za-z0-9_-]+)\}:")


@dataclass(frozen=True)
class Names:
    """The keys of one namespace; the braces put all of them into one hash slot."""

    namespace: str

    def key(self, part: str) -> str:
        """Return the name of one of its parts, or of the outcome of a commit."""
        return f"{{emco:{self.namespace}}}:{part}"

    @staticmethod
    def namespace_of(name: bytes) -> str | None:
        """Return the namespace that a key belongs to; None if it is the key of no store."""
        found = _OF_A_STORE.match(name)
        return found and found[1].decode()

    def outcome(self, txid: str) -> str:
        """Return the key under which the outcome of a commit is kept."""
        return self._outcomes + txid

    @cached_property
    def _outcomes(self) -> str:
        return self.key("tx:")

    @cached_property
    def get(self) -> Head:
        """What ``get.lua`` declares."""
        return self.head("records", "guards", "nothing")

    @cached_property
    def read(self) -> Head:
        """What ``read.lua`` declares."""
        return self.head("records", "guards", "keys", "index", "referrers", "nothing")

    @cached_property
    def commit(self) -> Head:
        """What ``commit.lua`` declares; the key of the outcome comes after it."""
        return self.head(*COMMIT_PARTS, more=1)

    @cached_property
    def commit_of_leases(self) -> Head:
        """What ``commit.lua`` declares where it may end pulses; those stand after the key of the outcome."""
        return self.head(*COMMIT_PARTS, more=1 + len(PULSE_PARTS))

    @cached_property
    def pulse_keys(self) -> tuple[str, ...]:
        """The keys that hold pulses: their values, their uids by when they are due, and their uids in order."""
        return tuple(map(self.key, PULSE_PARTS))

    @cached_property
    def beat(self) -> Head:
        """What ``beat.lua`` declares."""
        return self.head(*PULSE_PARTS)

    @cached_property
    def pulses(self) -> Head:
        """What ``pulses.lua`` declares."""
        return self.head(*PULSE_PARTS, "nothing")

    @cached_property
    def events(self) -> Head:
        """What ``events.lua`` declares."""
        return self.head("feed")

    @cached_property
    def feed(self) -> str:
        """The key of the feed."""
        return self.key("feed")

    @cached_property
    def keys(self) -> str:
        """The key of the set that has the keys of all records."""
        return self.key("keys")

    @cached_property
    def hold(self) -> Head:
        """What ``hold.lua`` declares."""
        return self.head("holds", "records")

    def head(self, *parts: str, more: int = 0) -> Head:
        """Return what a script declares: these keys, and as many ``more`` that come first among its arguments."""
        return (len(parts) + more, *map(self.key, parts))


_FIELDS = 9
"""How many there are in the first line of a record's value; the size of its origin follows where it has one."""
Head = tuple[str | int, ...]
"""How many keys a script declares, and those that are always the same."""
Rest = Sequence[str | bytes | int]
"""Its other keys and its arguments."""
Request = tuple[str, str, Head, Rest]
"""The call of a script: ``EVALSHA`` or ``EVAL``, its digest or text, and what it is called with."""


def words(request: Request) -> Rest:
    """Write the call of a script as the arguments of a client."""
    verb, script, head, rest = request
    return (verb, script, *head, *rest)


def packed(request: Request) -> bytes:
    """Write the call of a script as it is sent to the server."""
    verb, script, head, rest = request
    count, first = _packed_head(verb, script, head)
    more = pack(rest)
    return b"".join((b"*%d\r\n" % (count + len(rest)), first, more[more.index(b"\n") + 1 :]))


@lru_cache(maxsize=10_000)
def _packed_head(verb: str, script: str, head: Head) -> tuple[int, bytes]:
    words = (verb, script, *head)
    line = pack(words)
    return len(words), line[line.index(b"\n") + 1 :]


def pack(command: Rest) -> bytes:
    """Write a command as it goes to the server."""
    args: tuple[Any, ...] = tuple(command)
    sent: bytes = pack_command(args)  # pyright: ignore[reportUnknownVariableType]  # see its import
    return sent  # pyright: ignore[reportUnknownVariableType]


def encode(record: Record) -> bytes:
    """Write a record as the one value that Redis keeps of it."""
    targets, edges = _references(record.edges)
    unique = _entries(record.unique) if record.unique else b""
    index = _entries(record.index) if record.index else b""
    pairs = to_json((record.unique, record.index)) if unique or index else b""
    origin = b"" if record.origin is NOBODY else write_origin(record.origin)
    return b"%b %d %d %d %d %d %d %d %d%b\n%b%b%b%b%b%b%b" % (
        record.uid.encode(), record.version, len(targets), len(unique), len(index), len(edges), len(pairs),
        record.created_us, record.updated_us, b" %d" % len(origin) if origin else b"",
        targets, unique, index, edges, pairs, origin, record.document,
    )  # fmt: skip


@lru_cache(maxsize=10_000)
def _references(edges: tuple[Edge, ...]) -> tuple[bytes, bytes]:
    """Write the keys that edges point to, each once, and the edges; the same few are written again and again."""
    return _NUL.join(sorted({edge.target.text for edge in edges})).encode(), write_edges(edges)


def _entries(pairs: Iterable[tuple[str, str]]) -> bytes:
    return _NUL.join([f"{name}={escaped(text)}" for name, text in pairs]).encode()


def decode(key: Key, value: bytes, guard: bytes | None) -> Record:
    """Read a record from its value.

    Raises:
        Misconfigured: It is no such value: another program has written it.
    """
    try:
        head, _, rest = value.partition(b"\n")
        fields = head.split(b" ")
        origin_size = int(fields.pop()) if len(fields) > _FIELDS else 0
        uid, version, f, u, i, e, p, created_us, updated_us = fields
        start = int(f) + int(u) + int(i)
        middle = start + int(e)
        stop = middle + int(p)
        unique: tuple[Any, ...] = ()
        index: tuple[Any, ...] = ()
        if stop > middle:
            pairs: Any = from_json(rest[middle:stop])
            unique, index = tuple(map(tuple, pairs[0])), tuple(map(tuple, pairs[1]))
        origin = NOBODY
        if origin_size:
            origin = read_origin(rest[stop : stop + origin_size])
        return Record(
            key,
            uid.decode(),
            int(version),
            rest[stop + origin_size :],
            read_edges(rest[start:middle]),
            unique,
            index,
            int(created_us),
            int(updated_us),
            int(guard) if guard else 0,
            origin,
        )
    except (ValueError, TypeError, StoreError) as problem:
        raise Misconfigured(
            f"Cannot read the record of {key}.",
            why=["its value is none that a store has written"],
            hint="see that nobody else writes to the keys of this namespace, and restore a backup.",
            setting="namespace",
        ) from problem


def begun_s(txid: str) -> int:
    """Return when a commit began by its client's clock, in seconds since 1970, rounded up; 0 if its id has no time."""
    begun = begun_ms(txid)
    return 0 if begun is None else -(-begun // 1000)


def commit_call(names: Names, commit: Commit) -> tuple[Head, Rest]:
    """Write a commit as what ``commit.lua`` declares, its last key and its arguments."""
    args = commit_args(names.outcome(commit.txid), commit)
    if commit.silent or _names_leases(commit):
        args[1:1] = names.pulse_keys
        return names.commit_of_leases, args
    return names.commit, args


def _names_leases(commit: Commit) -> bool:
    """Tell whether a commit writes or deletes leases."""
    for key in commit.deletes:
        if key.kind == LEASE:
            return True
    for record in commit.puts:  # noqa: SIM110 - a generator would take five times as long, for every commit
        if record.key.kind == LEASE:
            return True
    return False


def commit_args(outcome: str, commit: Commit) -> list[str | bytes | int]:
    """Write a commit as the key of its outcome and the arguments of ``commit.lua``."""
    expect, require, puts = commit.expect, commit.require, commit.puts
    counts = f"{len(expect)} {len(require)} {len(commit.sealed)} {len(commit.deletes)} {len(puts)}"
    begun = begun_s(commit.txid)
    kept = begun + OUTCOME_TTL_S if begun else 0
    messages = write_messages(commit.messages) if commit.messages else ""
    args: list[str | bytes | int] = [outcome, kept, commit.holder, counts, write_origin(commit.origin), messages]
    for key, stamp in expect.items():
        args += (key.text, "" if stamp is None else f"{stamp.uid} {stamp.version}")
    args += sorted([key.text for key in require])
    for key, seal in commit.sealed.items():
        args += (key.text, seal.uid, seal.guard)
    args += [key.text for key in commit.deletes]
    for record in puts:
        args += (record.key.text, encode(record))
    if commit.fenced or commit.silent:
        args.append(len(commit.fenced))
        for key, uid in commit.fenced.items():
            args += (key.text, uid)
        for key, seen in commit.silent.items():
            args += (key.text, seen.uid, seen.number)
    return args


def commit_reply(commit: Commit, reply: Sequence[bytes]) -> Receipt | Refusal:
    """Read the reply of ``commit.lua``."""
    if reply[0] == b"committed":
        return Receipt(commit.txid)
    rest = [part.decode() for part in reply[1:]]
    failures = [_failure(commit, *rest[at : at + 3]) for at in range(0, len(rest), 3)]
    return Refusal(tuple(failures))


def waited(replicas: int, within_ms: int) -> Rest:
    """Return the command that waits until that many replicas have what was written before it."""
    return ("WAIT", replicas, within_ms)


def replicated(replies: Sequence[Any], acknowledged: Any, replicas: int) -> Sequence[Any]:
    """Return the replies that hold once that many replicas have acknowledged: refusals always, others from enough."""
    if isinstance(acknowledged, int) and acknowledged >= replicas:
        return replies
    problem = acknowledged if isinstance(acknowledged, Exception) else TimeoutError("too few replicas have it yet")
    return [
        reply if isinstance(reply, Exception) or (isinstance(reply, list) and reply[0] == b"refused") else problem
        for reply in replies
    ]


_PLAIN: dict[str, type[Missing | Moved | Held | Lapsed | Alive]] = {
    "missing": Missing,
    "moved": Moved,
    "held": Held,
    "lapsed": Lapsed,
    "alive": Alive,
}
"""What names a record and nothing else."""


def _failure(commit: Commit, kind: str, text: str, detail: str) -> Failure:
    if kind == "fenced":
        return Fenced(commit.txid)
    key = Key.parse(text)
    if kind == "stale":
        uid, _, version = detail.partition(" ")
        return Stale(key, commit.expect[key], Stamp(uid, int(version)) if detail else None)
    if kind in _PLAIN:
        return _PLAIN[kind](key)
    entry, _, owner = detail.partition(_NUL)
    return Taken(key, entry.partition("=")[0], Key.parse(owner))


def hold_args(hold: Hold) -> list[str | int]:
    """Write the beginning of a hold as the arguments of ``hold.lua``."""
    return [hold.holder, hold.lasts // timedelta(milliseconds=1), *(key.text for key in hold.keys)]


def release_args(release: Release) -> list[str | int]:
    """Write the end of a hold as the arguments of ``hold.lua``."""
    return [release.holder, 0, *(key.text for key in release.keys)]


def get_args(keys: Iterable[Key]) -> list[str]:
    """Write a read by key as the arguments of ``get.lua``."""
    return [key.text for key in keys]


def referrers_args(query: ReferrerQuery) -> list[str | int]:
    """Write a referrer query as the arguments of ``read.lua``."""
    load = [key.text for key in query.load]
    targets = [key.text for key in query.targets]
    return [len(load), *load, "referrers", query.limit, query.after, *targets]


def get_reply(keys: Sequence[Key], reply: Sequence[Any]) -> Mapping[Key, Record]:
    """Read the records that were loaded by key."""
    found = zip(keys, *reply, strict=True)
    return {key: decode(key, value, guard) for key, value, guard in found if value is not None}


def found_reply(reply: Sequence[Any]) -> tuple[Record, ...]:
    """Read the records that were found."""
    found = zip(*reply[2:], strict=True)
    return tuple([decode(Key.parse(text.decode()), value, guard) for text, value, guard in found if value is not None])


def scan_reply(scan: Scan, reply: Sequence[Any]) -> RecordPage:
    """Read the reply to a scan."""
    *found, last = reply
    return RecordPage(found_reply(found), position(scan, last))


def referrers_reply(query: ReferrerQuery, reply: Sequence[Any]) -> ReferrerPage:
    """Read the reply to a referrer query."""
    *found, last = reply
    return ReferrerPage(get_reply(query.load, found[:2]), found_reply(found), last.decode() if last else None)


def settle_reply(reply: bytes) -> Outcome | None:
    """Read the reply of ``settle.lua``."""
    return None if reply == b"forgotten" else Outcome(reply.decode())
