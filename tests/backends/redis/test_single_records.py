"""The short way of ``commit.lua`` for one record ends as the long one does: in the same reply and the same data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from emco_store.backends.redis.commands import SCRIPTS, SCRIPTS_7, Names, commit_call
from emco_store.core.keys import Key
from emco_store.core.messages import Message
from emco_store.core.origins import Origin
from emco_store.core.pulses import LEASE
from emco_store.core.records import Record, Seal, Stamp, known_edge
from emco_store.ports import Commit

pytestmark = pytest.mark.redis

NAMES = Names("single")
_PLACES = re.compile(r"f_\w+|script: \w+|:\d+[:.]")
"""Where in which script something went wrong."""
WAY = "if not count or"
END = "moved, 1000) end\nreturn {'committed'}"
KEY, PARENT, TARGET = Key("Child", "a", "c"), Key("Site", "a"), Key("Net", "n")


def record(key: Key = KEY, version: int = 1, targets: tuple[Key, ...] = (), **given: Any) -> Record:
    """Make a record."""
    edges = tuple(known_edge(target.text, (f"to{at}",), "RESTRICT", False, None) for at, target in enumerate(targets))  # noqa: FBT003 - as it is stored
    fields = {"unique": (), "index": (), "document": b'{"name":"c"}', "uid": "u", **given}
    return Record(key, version=version, edges=edges, created_us=1, updated_us=version, **fields)


def create(made: Record, **given: Any) -> Commit:
    """Create a record that requires its targets."""
    return Commit("new", **{"expect": {made.key: None}, "require": made.targets, "puts": (made,), **given})


def update(made: Record, **given: Any) -> Commit:
    """Put the next version of a record."""
    return Commit("next", **{"expect": {made.key: Stamp(made.uid, made.version - 1)}, "puts": (made,), **given})


def stored(*found: Record) -> tuple[Commit, ...]:
    """Put records, each for itself."""
    return tuple(Commit(f"first-{one.key.text}", puts=(one,)) for one in found)


@dataclass(frozen=True)
class Case:
    """A commit, what is there before it, and whether it may take the short way.

    Attributes:
        commit: The commit.
        before: Commits before it.
        given: Commands before it, each with the part that it is about first.
        is_short: Whether it takes the short way.
    """

    commit: Commit
    before: tuple[Commit, ...] = ()
    given: tuple[tuple[Any, ...], ...] = ()
    is_short: bool = False


TARGETS = stored(record(PARENT), record(TARGET))
CHILD = record(targets=(PARENT, TARGET))
INDEXED, UNIQUE = (("rank", "1"),), (("code", "x"),)
SAME = record(version=2, targets=(PARENT, TARGET), document=b'{"name":"c","text":"x"}')
MANY = tuple(Key("Net", f"n{number}") for number in range(4_500))
LEASED = Key(LEASE, "Site", "a")
FUTURE = "ffffffff-ffff-7fff-8fff-ffffffffffff"
BEGUN = ("feed", "XADD", "*", "t", "begun")
CASES = {
    "a root": Case(create(record(PARENT)), is_short=True),
    "with targets": Case(create(CHILD), TARGETS, is_short=True),
    "with a target that is referred to": Case(
        create(CHILD), (*TARGETS, Commit("guard", require=frozenset({PARENT}), puts=(record(TARGET),))), is_short=True
    ),
    "with an origin": Case(create(CHILD, origin=Origin("ada", "x")), TARGETS, is_short=True),
    "of the future": Case(Commit(FUTURE, {KEY: None}, CHILD.targets, puts=(CHILD,)), TARGETS, is_short=True),
    "an update": Case(update(SAME), (*TARGETS, create(CHILD)), is_short=True),
    "an update of indexed values": Case(
        update(record(version=2, index=INDEXED)), stored(record(index=INDEXED)), is_short=True
    ),
    "sent again": Case(create(CHILD), (*TARGETS, create(CHILD))),
    "fenced": Case(create(CHILD), TARGETS, (("tx:new", "SET", "aborted"),)),
    "exists": Case(create(CHILD), (*TARGETS, *stored(record(uid="v")))),
    "has gone": Case(update(SAME), TARGETS),
    "has gone without targets": Case(update(record(version=2))),
    "has moved": Case(update(SAME), (*TARGETS, *stored(record(version=7, targets=(PARENT, TARGET))))),
    "is another": Case(update(SAME), (*TARGETS, *stored(record(uid="v", targets=(PARENT, TARGET))))),
    "without its targets": Case(create(CHILD), stored(record(TARGET))),
    "spoiled": Case(update(SAME), (), (("records", "HSET", KEY.text, "foreign"),)),
    "spoiled and new": Case(create(record()), (), (("records", "HSET", KEY.text, "foreign"),)),
    "spoiled target": Case(create(CHILD), TARGETS, (("records", "HSET", PARENT.text, "foreign"),)),
    "spoiled guard": Case(create(CHILD), TARGETS, (("guards", "HSET", PARENT.text, "foreign"),)),
    "held by somebody": Case(create(CHILD), TARGETS, (("holds", "HSET", PARENT.text, "9999999999999 other"),)),
    "held itself": Case(update(SAME), (*TARGETS, create(CHILD)), (("holds", "HSET", KEY.text, "9999999999999 me"),)),
    "with a hold that has ended": Case(create(CHILD), TARGETS, (("holds", "HSET", PARENT.text, "1 other"),)),
    "new targets": Case(update(SAME, require=frozenset({TARGET})), (*TARGETS, create(record(targets=(PARENT,))))),
    "the same targets anew": Case(update(SAME, require=frozenset({TARGET})), (*TARGETS, create(CHILD)), is_short=True),
    "fewer targets": Case(update(record(version=2, targets=(TARGET,))), (*TARGETS, create(CHILD))),
    "targets of the same length": Case(
        update(record(version=2, targets=(Key("Net", "m"),))), (*TARGETS, create(record(targets=(TARGET,))))
    ),
    "indexed": Case(create(record(index=(*INDEXED, ("text", "x/y")))), is_short=True),
    "indexed with targets": Case(create(record(index=INDEXED, targets=(PARENT, TARGET))), TARGETS, is_short=True),
    "indexed anew": Case(update(record(version=2, index=(("rank", "2"),))), stored(record(index=INDEXED))),
    "with a unique value": Case(create(record(unique=UNIQUE))),
    "with the unique value of another": Case(
        create(record(unique=UNIQUE)), stored(record(Key("Child", "a", "d"), unique=UNIQUE))
    ),
    "with a unique value less": Case(update(record(version=2)), stored(record(unique=UNIQUE))),
    "told": Case(create(CHILD, origin=Origin("ada", "x")), TARGETS, (BEGUN,), is_short=True),
    "told as an update": Case(update(SAME), (*TARGETS, create(CHILD)), (BEGUN,), is_short=True),
    "told as another": Case(
        update(record(uid="v", version=2), expect={KEY: Stamp("u", 1)}), (create(record()),), (BEGUN,)
    ),
    "told to a stream that takes no more": Case(
        create(record()), (), (("feed", "XADD", "18446744073709551615-18446744073709551615", "t", "begun"),)
    ),
    "with a message": Case(create(CHILD, messages=(Message("topic", None, b"1"),)), TARGETS),
    "with a lease": Case(create(CHILD, fenced={PARENT: "u"}), TARGETS),
    "with a lease that has ended": Case(create(CHILD, fenced={PARENT: "v"}), TARGETS),
    "a lease": Case(create(record(LEASED)), TARGETS),
    "sealed": Case(create(CHILD, sealed={TARGET: Seal("u", 0)}), TARGETS),
    "two": Case(create(CHILD, puts=(CHILD, record(Key("Child", "a", "d")))), TARGETS),
    "in the place of another": Case(create(CHILD, deletes=(TARGET,), require=frozenset({PARENT})), TARGETS),
    "with thousands of references": Case(create(record(targets=MANY), require=frozenset())),
    "requiring less": Case(create(CHILD, require=frozenset({PARENT})), TARGETS),
    "expecting nothing": Case(create(CHILD, expect={}), TARGETS),
    "expecting another": Case(create(CHILD, expect={MANY[0]: None}), (*TARGETS, *stored(record(MANY[0])))),
    **{
        f"{part} of a wrong type": Case(create(record(PARENT)), (), ((part, "SET", "foreign"),))
        for part in ("records", "guards", "keys", "unique", "index", "referrers", "holds", "feed")
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def raw(node: Any) -> Iterator[redis.Redis]:
    """A client of the server."""
    with redis.Redis.from_url(node.url) as client:
        yield client


@pytest.fixture(scope="module")
def short(raw: redis.Redis) -> str:
    """The script as the server takes it."""
    is_modern = int(raw.info("server")["redis_version"].split(".")[0]) >= 7
    return (SCRIPTS_7 if is_modern else SCRIPTS).grow.text


def without_short_way(script: str) -> str:
    """Return the script in which every commit goes the long way."""
    return replaced(script, WAY, "if true or")


def replaced(script: str, old: str, new: str) -> str:
    """Replace what stands once in a script."""
    assert 1 == script.count(old)
    return script.replace(old, new)


def ended(raw: redis.Redis, script: str, plain: str, case: Case) -> Any:
    """Return how a commit ends: the reply, and what the server holds after it."""
    raw.flushall()

    def send(text: str, commit: Commit) -> Any:
        head, rest = commit_call(NAMES, commit)
        try:
            return raw.execute_command("EVAL", text, *head, *rest)
        except redis.ResponseError as problem:
            return _PLACES.sub("", str(problem))

    for commit in case.before:
        assert [b"committed"] == send(plain, commit)
    for part, command, *args in case.given:
        raw.delete(NAMES.key(part)) if command == "SET" else None
        raw.execute_command(command, NAMES.key(part), *args)
    return send(script, case.commit), held(raw)


def held(raw: redis.Redis) -> dict[bytes, Any]:
    """Return what the server holds, and whether it expires."""
    reads: dict[bytes, Callable[[Any], Any]] = {
        b"string": raw.get,
        b"hash": raw.hgetall,
        b"zset": lambda name: raw.zrange(name, 0, -1, withscores=True),
        b"stream": lambda name: [fields for _, fields in raw.xrange(name)],
    }
    names = sorted(raw.scan_iter())
    return {name: (reads[raw.type(name)](name), min(raw.ttl(name), 3601)) for name in names}


def near(one: Any) -> Any:
    """Leave out what the clock may have changed between two runs."""
    reply, data = one
    return reply, {name: (value, ttl if ttl < 0 else ttl > 3590, ttl > 3600) for name, (value, ttl) in data.items()}


@pytest.mark.parametrize("name", CASES)
def test_short_way_ends_as_the_long_one(raw, short, name):
    """ATM-1, ATM-3: the reply is the same, and so is all that the server holds."""
    long = without_short_way(short)

    assert near(ended(raw, long, long, CASES[name])) == near(ended(raw, short, long, CASES[name]))


def test_short_way_is_taken_by_what_is_plain(raw, short):
    """Creates and updates of one record take it, and nothing else."""
    telling = replaced(short, END, END.replace("'committed'", "is_judged and 'alone' or 'committed'"))

    found = {
        name for name, case in CASES.items() if [b"alone"] == ended(raw, telling, without_short_way(short), case)[0]
    }

    assert {name for name, case in CASES.items() if case.is_short} == found


CAUGHT_BY = {
    "held by somebody": ("call('HLEN', holds) > 0 or (", "("),
    "told": ("told = kind == 'stream' and (was", "told = false and (was"),
    "told as an update": ("(was and '=' or '+') .. new", "'+' .. new"),
    "told as another": ("\n      or match(stamp, '^%S+') ~= match(new, '^%S+')", ""),
    "feed of a wrong type": (" or (kind ~= 'none' and kind ~= 'stream')", ""),
    "a root": ("    new_names = {'0', key}\n", ""),
    "an update": ("= moving, {key, value}, referring", "= moving, nothing, referring"),
    "with targets": ("= moving, {key, value}, referring", "= moving, {key, value}, nothing"),
    "with a target that is referred to": ("= moving, {key, value}, referring", "= nothing, {key, value}, referring"),
    "has moved": ("stamp ~= ARGV[7] or ", ""),
    "has gone without targets": ("ARGV[7] ~= '' or sub(", "sub("),
    "indexed": ("    if i ~= '0' then\n      local before", "    if false then\n      local before"),
    "indexed with targets": ("start + f, start + f + i - 1), '[", "start, start + f + i - 1), '["),
    "without its targets": ("found[n] and match(found[n], HEAD)", "true"),
    "spoiled target": ("found[n] and match(found[n], HEAD)", "found[n]"),
    "spoiled guard": ("is_whole and number and", "is_whole and"),
    "fewer targets": ("f ~= old_f or ", ""),
    "indexed anew": ("\n      or sub(value, start, start + f + i - 1) ~= sub(was, begin, begin + f + i - 1)", ""),
    "with a unique value": ("ARGV[6] ~= key or u ~= '0' or ", "ARGV[6] ~= key or "),
    "with a unique value less": ("old_u ~= '0' or ", ""),
    "expecting another": ("ARGV[6] ~= key or ", ""),
    "requiring less": (" or sub(value, start, start + f - 1) ~= table.concat(ARGV, '\\0', 8, 7 + count)", ""),
    "unique of a wrong type": ("  call('HLEN', unique)\n  moved", "  moved"),
    "guards of a wrong type": ("    call('HLEN', guards)\n", ""),
    "with a message": ("ARGV[5] ~= '' or pulses", "pulses"),
    "with a lease that has ended": (" or #ARGV ~= 9 + count or", " or"),
}
"""For each case, a change to the short way after which it ends in something else."""


@pytest.mark.parametrize("name", CAUGHT_BY)
def test_short_way_that_forgets_something_is_told_from_the_long_one(raw, short, name):
    """Each condition and each write of the short way is there for one of the cases."""
    long, broken = without_short_way(short), replaced(short, *CAUGHT_BY[name])

    assert near(ended(raw, long, long, CASES[name])) != near(ended(raw, broken, long, CASES[name]))
