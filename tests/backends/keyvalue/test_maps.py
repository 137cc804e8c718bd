"""What every ordered map does: random writes and reads on each, beside a dictionary that knows the answers."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from emco_store.backends.etcd.address import read_address
from emco_store.backends.etcd.etcd_map import EtcdMap
from emco_store.backends.keyvalue.ordered_map import ABSENT, Entry, OrderedMap, Part, Span, Write
from emco_store.backends.sqlite.rows import SqliteMap
from emco_store.backends.sqlite.target import Target
from tests.backends.keyvalue.maps import example

KEYS = [b"a", b"a\0", b"a\0b", b"a\xff", b"b", b"b/\xc3\xbc", b"ba", b"c" * 900]
EDGES = [b"", *KEYS, b"\xff"]


@dataclass
class Model:
    """The entries, and a number for each write in their order."""

    entries: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    writes: int = 0

    def write(self, write: Write, revisions: dict[int, int]) -> bool:
        """Write as a map should; ``revisions`` leads from the map's revisions to the own numbers."""
        for key, revision in write.when.items():
            number = self.entries[key][1] if key in self.entries else 0
            if revisions.get(revision, -1) != number:
                return False
        self.writes += 1
        for key in write.deletes:
            self.entries.pop(key, None)
        self.entries |= {key: (value, self.writes) for key, value in write.puts.items()}
        return True

    def within(self, span: Span) -> list[bytes]:
        """Return the keys of a span."""
        return sorted((key for key in self.entries if span.low <= key < span.below), reverse=span.descending)


@pytest.fixture(params=["dictionary", "file", "memory", pytest.param("etcd", marks=pytest.mark.etcd)])
def rows(request, tmp_path):
    """A map of each kind."""
    targets = {"file": Target(str(tmp_path / "store.db"), "off"), "memory": Target(":memory:")}
    if request.param == "etcd":
        address = read_address(request.getfixturevalue("etcd_server").url)
        found = EtcdMap(replace(address, folder=f"maps/{tmp_path}"))
    else:
        found = example.DictMap() if request.param == "dictionary" else SqliteMap(targets[request.param])
    found.open()
    yield found
    found.close()


@pytest.mark.parametrize("seed", range(3))
def test_map_answers_as_a_dictionary_does(rows: OrderedMap, seed):
    """Guarded writes, reads at one moment, and entries in the order of their writes."""
    chance, model, revisions = random.Random(seed), Model(), {ABSENT: 0}
    for _ in range(60):
        seen = {key: entry.revision for key, entry in _read(rows, KEYS).items()}
        when = {key: seen.get(key, ABSENT) for key in chance.sample(KEYS, 2)}
        if chance.random() < 0.3:
            when[chance.choice(KEYS)] = chance.choice([ABSENT, *revisions])
        chosen = chance.sample(KEYS, 3)
        write = Write(when, {key: chance.randbytes(3) for key in chosen[:2]}, frozenset(chosen[2:]))
        assert model.write(write, revisions) == rows.write(write)
        for entry in _read(rows, KEYS).values():
            assert model.entries[entry.key] == (entry.value, revisions.setdefault(entry.revision, model.writes))
        _compare(rows, model, revisions, chance)


def _compare(rows, model, revisions, chance):
    low, below = sorted(chance.sample(EDGES, 2))
    span = Span(low, below, chance.randint(1, 4), chance.random() < 0.5)
    keys = model.within(span)
    with rows.snapshot() as snapshot:
        part = snapshot.scan(span)
        assert (keys[: span.limit], len(keys) > span.limit) == ([entry.key for entry in part.entries], part.more)
        assert len(keys) == snapshot.count(span)
    prefix, after = chance.choice(KEYS[:5]), chance.choice([*revisions])
    written = sorted((number, key) for key, (_, number) in model.entries.items() if key.startswith(prefix))
    expected = [(number, key) for number, key in written if number > revisions[after]]
    found = [(revisions[entry.revision], entry.key) for entry in rows.later(prefix, after, 100)]
    assert (expected, [number for number, _ in found]) == (sorted(found), [number for number, _ in expected])
    assert tuple(rows.later(prefix, after, 1)) == tuple(rows.later(prefix, after, 100)[:1])


def _read(rows, keys) -> dict[bytes, Entry]:
    with rows.snapshot() as snapshot:
        return dict(snapshot.get(keys))


def test_revision_is_never_used_again(rows):
    """Not even when the newest entry is removed: who has seen it must not take another one for it."""
    rows.write(Write(puts={b"a": b"1"}))
    first = _read(rows, [b"a"])[b"a"].revision
    rows.write(Write(deletes=frozenset({b"a"})))
    rows.write(Write(puts={b"a": b"2"}))

    assert first < _read(rows, [b"a"])[b"a"].revision
    assert not rows.write(Write({b"a": first}, {b"a": b"3"}))


def test_many_keys_are_read_written_and_removed_at_once(rows):
    """More than one statement of a database takes."""
    keys = [b"%06d" % number for number in range(2_500)]
    assert rows.write(Write(dict.fromkeys(keys, ABSENT), dict.fromkeys(keys, b"x")))
    found = _read(rows, keys)
    assert (2_500, 1) == (len(found), len({entry.revision for entry in found.values()}))
    assert not rows.write(Write({**{key: found[key].revision for key in keys}, keys[-1]: ABSENT}))
    assert rows.write(Write({key: found[key].revision for key in keys}, deletes=frozenset(keys)))
    with rows.snapshot() as snapshot:
        assert (Part((), more=False), 0) == (snapshot.scan(Span(b"", b"\xff")), snapshot.count(Span(b"", b"\xff")))


def test_wait_ends_with_what_it_waits_for_or_with_its_time(rows):
    """Something under the prefix counts, and nothing else."""
    rows.write(Write(puts={b"a": b"1", b"b": b"1"}))
    revision = _read(rows, [b"a"])[b"a"].revision
    rows.wait(b"a", revision - 1, timedelta(seconds=30).total_seconds())
    rows.wait(b"a", revision, 0.02)
    rows.write(Write(puts={b"a": b"2"}))
    rows.wait(b"a", revision, timedelta(seconds=30).total_seconds())
