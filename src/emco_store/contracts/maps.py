"""``MapConformance``: what every ordered map does that a key-value backend stands on, whichever database is under it.

The suite of the store does not see all of it: whether a snapshot is of one moment, or a write is one step, shows only
where somebody comes in between, and the base of key-value backends leaves little time for that. ::

    # test_my_map.py
    import pytest
    from emco_store.contracts.maps import MapConformance
    from my_backend import MyMap

    class TestMyMap(MapConformance):
        @pytest.fixture
        def make_map(self, my_server):
            return lambda: MyMap(my_server.url)
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, Final

import pytest

from emco_store.backends.keyvalue.ordered_map import ABSENT, Entry, OrderedMap, Part, Snapshot, Span, Write
from emco_store.contracts.map_models import MapModel

Make = Callable[[], OrderedMap]
KEYS: Final = (b"a", b"a\0", b"a\0b", b"a\xff", b"b", b"b/\xc3\xbc", b"ba", b"c" * 900)
_EDGES: Final = (b"", *KEYS, b"\xff")
_MANY: Final = 2_500
"""More than one statement of a database takes."""
_GRACE_S: Final = 0.1
"""After this time a snapshot goes on: the write waits for its end."""
_BOUND_S: Final = 60.0
_SWITCH_S: Final = 1e-6
_SHARE: Final = 0.1
"""Of the calls of functions, how many end the turn of a thread."""


class MapConformance:
    """The tests of an ordered map. Subclass it as ``Test…``, and override the fixture ``make_map``.

    ``make_map`` returns what makes maps that are not open, over the same entries; there are none when a test begins.
    """

    @pytest.fixture
    def make_map(self) -> Make:
        """Return what makes maps over the same entries, as several processes would; there are none at first."""
        raise NotImplementedError("override the fixture make_map: it returns what makes a map")

    @pytest.fixture
    def opened(self, make_map: Make) -> Iterator[Make]:
        """Yield what makes maps and opens them; they are closed at the end."""
        with opening(make_map) as opened:
            yield opened

    def test_entries_come_back_byte_by_byte(self, opened: Make) -> None:
        """Keys and values hold any bytes, and an empty value is one."""
        one = opened()
        puts = {b"a\0b": b"\0\xff", b"a\xffb": b"", b"\x01": bytes(range(256)), b"a/\xc3\xa9": b"x" * 100_000}

        assert one.write(Write(puts=puts))

        with one.snapshot() as now:
            assert puts == {key: entry.value for key, entry in now.get([*puts, b"a"]).items()}

    def test_keys_are_in_the_order_of_their_bytes(self, opened: Make) -> None:
        """A span holds its first key and not its end, in both directions, and says whether it holds more."""
        one = opened()
        keys = [b"A", b"B", b"a", b"a\0", b"a/", b"a/b", b"a0", b"b", b"\xc3\xa9", b"\xff"]
        assert one.write(Write(puts=dict.fromkeys(reversed(keys), b"")))

        with one.snapshot() as now:
            first, last = _scanned(now, _whole(limit=3)), _scanned(now, _whole(limit=3, descending=True))
            middle = _scanned(now, _whole(b"a\0", b"a0", limit=3))
            counts = [now.count(_whole(limit=1)), now.count(_whole(b"a/", b"a0")), now.count(_whole(b"x", b"c"))]
            empty, every = now.scan(_whole(b"x", b"c")), _scanned(now, _whole())

        assert (keys[:3], True) == first
        assert (keys[:-4:-1], True) == last
        assert (keys[3:6], False) == middle
        assert [len(keys), 2, 0] == counts
        assert Part((), more=False) == empty
        assert (keys, False) == every

    def test_write_happens_only_if_every_entry_is_at_its_revision(self, opened: Make) -> None:
        """One comparison that fails leaves all as it was: an entry that is there, is gone, or is another by now."""
        one = opened()
        _put(one, a=b"1", b=b"1")
        old = _revision(one, b"a")
        _put(one, a=b"2")
        new, other = _revision(one, b"a"), _revision(one, b"b")

        for when in (
            {b"a": ABSENT}, {b"a": old}, {b"a": new, b"b": old + 1_000_000}, {b"c": new}, {b"b": other, b"a": 1},
        ):  # fmt: skip
            assert not one.write(Write(when=when, puts={b"a": b"3", b"d": b""}, deletes=frozenset({b"b"})))

        assert [b"a", b"b"] == _keys_of(one)
        puts = {b"a": b"3", b"d": b""}
        assert one.write(Write({b"a": new, b"b": other, b"c": ABSENT}, puts, frozenset({b"b", b"x"})))
        assert [b"a", b"d"] == _keys_of(one)

    def test_write_that_only_compares_knows_what_others_have_written(self, opened: Make) -> None:
        """A comparison is made with the newest entries, even if nothing is written."""
        one, two = opened(), opened()
        _put(one, a=b"1")
        seen = _revision(two, b"a")

        assert two.write(Write(when={b"a": seen}))
        _put(one, a=b"2")
        assert not two.write(Write(when={b"a": seen}))
        assert two.write(Write(when={b"a": _revision(one, b"a"), b"b": ABSENT}))

    def test_each_write_has_a_greater_revision(self, opened: Make) -> None:
        """An entry has another revision after each put, of an equal value too, and after a removal; a write has one."""
        one, two = opened(), opened()
        found = list[set[int]]()
        for each in (one, two, one):
            _put(each, a=b"same", b=b"same")
            with two.snapshot() as now:
                found.append({entry.revision for entry in now.get([b"a", b"b"]).values()})
                found[-1] |= {entry.revision for entry in _pages(now, _whole())}
        assert one.write(Write(deletes=frozenset({b"a"})))
        _put(two, a=b"same")
        found.append({_revision(one, b"a")})

        assert [1] * 4 == list(map(len, found))
        flat = [revision for (revision,) in found]
        assert flat == sorted(set(flat))
        assert min(flat) > ABSENT
        assert {_revision(one, b"b")} == found[2]

    def test_entry_that_was_put_again_is_another_one(self, opened: Make) -> None:
        """Not even when the newest entry is removed: who has seen it must not take another one for it."""
        one = opened()
        _put(one, a=b"1")
        first = _revision(one, b"a")
        assert one.write(Write(deletes=frozenset({b"a"})))
        _put(one, a=b"1")

        assert first < _revision(one, b"a")
        assert not one.write(Write({b"a": first}, {b"a": b"3"}))

    def test_many_keys_are_read_written_and_removed_at_once(self, opened: Make) -> None:
        """However many there are, all are read; as many as one write takes are compared and carried out in it."""
        one = opened()
        most = one.limits.write_entries
        size = _MANY if most is None else min(_MANY, most // 2)
        keys = [b"%06d" % number for number in range(_MANY)]
        parts = [keys[at : at + size] for at in range(0, _MANY, size)]
        for part in parts:
            assert one.write(Write(dict.fromkeys(part, ABSENT), dict.fromkeys(part, b"x")))
        with one.snapshot() as now:
            found = now.get(keys)
            assert (keys, _MANY) == ([entry.key for entry in _pages(now, _whole())], now.count(_whole()))
            assert set(keys[::2]) == now.get([*keys[::2], b"none"]).keys()
            assert not now.get([])
        assert [1] * len(parts) == [len({found[key].revision for key in part}) for part in parts]
        when = {key: found[key].revision for key in parts[0]}
        for stale in (parts[0][0], parts[0][size // 2], parts[0][-1]):
            assert not one.write(Write(when | {stale: ABSENT}, {b"stale": b""}))
        for part in parts:
            assert one.write(Write({key: found[key].revision for key in part}, deletes=frozenset(part)))
        with one.snapshot() as now:
            assert (Part((), more=False), 0) == (now.scan(_whole()), now.count(_whole()))

    def test_map_answers_as_a_dictionary_does(self, opened: Make) -> None:
        """Guarded writes, reads at one moment, and entries in the order of their writes, at random."""
        one, chance, model, revisions = opened(), random.Random(0), MapModel(), {ABSENT: 0}  # noqa: S311 - the same each time
        for _ in range(150):
            seen = {key: entry.revision for key, entry in _read(one, KEYS).items()}
            when = {key: seen.get(key, ABSENT) for key in chance.sample(KEYS, 2)}
            if chance.random() < 0.3:
                when[chance.choice(KEYS)] = chance.choice([ABSENT, *revisions])
            chosen = chance.sample(KEYS, 3)
            write = Write(when, {key: chance.randbytes(3) for key in chosen[:2]}, frozenset(chosen[2:]))
            assert model.write(write, revisions) == one.write(write)
            found = _read(one, KEYS)
            assert found.keys() == model.entries.keys()
            for key, entry in found.items():
                number = revisions.setdefault(entry.revision, model.writes)
                assert (key, *model.entries[key]) == (entry.key, entry.value, number)
            _compare(one, model, revisions, chance)

    def test_snapshot_is_of_one_moment(self, opened: Make) -> None:
        """All that is read through it fits together, whatever is put and deleted meanwhile."""
        one, two = opened(), opened()
        _put(one, a=b"old", b=b"old", c=b"old")
        write = threading.Thread(
            target=one.write, args=(Write(puts={b"b": b"new", b"d": b"new"}, deletes=frozenset({b"c"})),)
        )

        with two.snapshot() as then:
            assert b"old" == then.get([b"a"])[b"a"].value
            write.start()
            write.join(_GRACE_S)
            _is_old(then)
        write.join(_BOUND_S)

        assert [b"a", b"b", b"d"] == _keys_of(two)

    def test_snapshot_has_what_was_acknowledged_before(self, opened: Make) -> None:
        """Whoever has written may tell somebody else, who then finds it."""
        one, two = opened(), opened()
        for number in range(20):
            _put(one, a=b"%d" % number)
            with two.snapshot() as now:
                assert b"%d" % number == now.get([b"a"])[b"a"].value

    def test_later_entries_come_in_the_order_of_their_writes(self, opened: Make) -> None:
        """What was put after a revision comes, the oldest first; not what is gone or has another prefix."""
        one, two = opened(), opened()
        _put(one, **{"f/z": b"1"})
        begin = _revision(one, b"f/z")
        for key, each in zip(("f/c", "f/a", "f/d", "f0", "f/b", "e"), (one, two) * 3, strict=True):
            _put(each, **{key: key.encode()})
        assert one.write(Write(deletes=frozenset({b"f/d"})))

        found = two.later(b"f/", begin, 10)

        assert [b"f/c", b"f/a", b"f/b"] == [entry.key for entry in found]
        assert [b"f/c", b"f/a", b"f/b"] == [entry.value for entry in found]
        assert [b"f/a"] == [entry.key for entry in one.later(b"f/", found[0].revision, 1)]
        assert () == one.later(b"f/", found[-1].revision, 1)
        assert [b"f/z", b"f/c"] == [entry.key for entry in one.later(b"f/", 0, 2)]
        _put(one, **{"f/z": b"2"})
        assert [b"f/b", b"f/z"] == [entry.key for entry in one.later(b"f/", found[1].revision, 9)]

    def test_wait_ends_when_another_one_writes(self, opened: Make) -> None:
        """Whoever waits learns of the next put under its prefix, by whatever process, and of one made before."""
        one, two = opened(), opened()
        _put(one, **{"f/a": b""})
        seen = _revision(one, b"f/a")
        assert () == two.later(b"f/", seen, 1)
        waits = threading.Thread(target=two.wait, args=(b"f/", seen, _BOUND_S))
        waits.start()

        _put(one, **{"f/b": b""})
        waits.join(_BOUND_S)
        assert not waits.is_alive()

        two.wait(b"f/", seen, _BOUND_S)
        assert [b"f/b"] == [entry.key for entry in two.later(b"f/", seen, 9)]

    def test_wait_ends_after_its_time_and_hinders_nobody(self, opened: Make) -> None:
        """While one thread waits in vain, others read and write through the same map."""
        one = opened()
        _put(one, **{"f/a": b""})
        seen = _revision(one, b"f/a")
        waits = threading.Thread(target=one.wait, args=(b"f/", seen, 0.2))
        waits.start()

        _put(one, e=b"")
        assert () == one.later(b"f/", seen, 9)

        waits.join(_BOUND_S)
        assert not waits.is_alive()

    def test_of_writes_that_compare_the_same_entry_one_wins(self, opened: Make) -> None:
        """Threads of several maps that count together lose no step, for a write compares and puts in one step."""
        maps = [opened(), opened()]
        _put(maps[0], n=b"0")

        def count_up(each: OrderedMap) -> None:
            for _ in range(10):
                is_done = False
                while not is_done:
                    with each.snapshot() as now:
                        found = now.get([b"n"])[b"n"]
                    is_done = each.write(Write({b"n": found.revision}, {b"n": b"%d" % (int(found.value) + 1)}))

        _at_once([partial(count_up, each) for each in (*maps, *maps)])

        with maps[1].snapshot() as now:
            assert b"40" == now.get([b"n"])[b"n"].value

    def test_write_is_seen_as_a_whole_or_not_at_all(self, opened: Make) -> None:
        """Whoever reads while others write finds all of a write: what it puts, and what it removes."""
        one, two = opened(), opened()
        sets = [[b"%b%03d" % (name, number) for number in range(200)] for name in (b"x", b"y")]
        first = dict.fromkeys(sets[1], b"0")
        assert one.write(Write(puts=first))
        seen = list[tuple[int, int]]()

        def turn() -> None:
            for number in range(6):
                new, old = sets[number % 2], sets[1 - number % 2]
                assert one.write(Write(puts=dict.fromkeys(new, b"%d" % number), deletes=frozenset(old)))

        def read() -> None:
            for _ in range(12):
                with two.snapshot() as now:
                    found = list(now.get([key for keys in sets for key in keys]).values())
                seen.append((len(found), len({(entry.key[:1], entry.value, entry.revision) for entry in found})))

        _at_once([turn, read])

        assert {(200, 1)} == set(seen)

    def test_clock_is_one_for_all_and_goes_on(self, opened: Make) -> None:
        """Whoever asks after another one does not get an earlier time, but for the exactness of the clock."""
        one, two = opened(), opened()
        times = [each.now_us() for each in (one, two, one, two)]

        assert all(later + 100_000 > earlier for earlier, later in pairwise(times))
        assert times[0] > 1_700_000_000_000_000

    def test_map_that_several_have_opened_ends_with_the_last_of_them(self, opened: Make) -> None:
        """Each user opens and closes the map; the others go on."""
        one = opened()
        one.open()
        _put(one, a=b"")

        one.close()

        assert [b"a"] == _keys_of(one)
        assert one.durability.rank >= 0


@contextmanager
def opening(make_map: Make) -> Generator[Make]:
    """Give what makes maps and opens them; they are closed at the end of the block."""
    with ExitStack() as stack:

        def opened_map() -> OrderedMap:
            made = make_map()
            made.open()
            stack.callback(made.close)
            return made

        yield opened_map


def _compare(one: OrderedMap, model: MapModel, revisions: dict[int, int], chance: random.Random) -> None:
    low, below = sorted(chance.sample(_EDGES, 2))
    span = Span(low, below, chance.randint(1, 4), chance.random() < 0.5)
    keys = model.within(span)
    with one.snapshot() as now:
        part = now.scan(span)
        assert keys[: len(part.entries)] == [entry.key for entry in part.entries]
        assert (len(keys) > len(part.entries)) == part.more
        assert bool(keys) <= bool(part.entries)
        assert len(part.entries) <= span.limit
        assert len(keys) == now.count(span)
    prefix, after = chance.choice(KEYS[:5]), chance.choice([*revisions])
    expected = model.later(prefix, revisions[after])
    found = [(revisions[entry.revision], entry.key) for entry in one.later(prefix, after, 100)]
    assert (expected, [number for number, _ in found]) == (sorted(found), [number for number, _ in expected])
    assert tuple(one.later(prefix, after, 1)) == tuple(one.later(prefix, after, 100)[:1])


def _is_old(then: Snapshot) -> None:
    assert [b"a", b"b", b"c"] == [entry.key for entry in _pages(then, _whole())]
    assert {b"old"} == {entry.value for entry in _pages(then, _whole(descending=True))}
    assert {b"old"} == {entry.value for entry in then.get([b"b", b"c", b"d"]).values()}
    assert 3 == then.count(_whole())


def _at_once(calls: list[Callable[[], object]]) -> None:
    """Run calls in threads that often take turns: also where a function of Python calls another one."""
    problems = list[BaseException]()
    chance = random.Random(0)  # noqa: S311 - only when they take turns depends on it

    def turn(*_: object) -> None:
        if chance.random() < _SHARE:
            threading.Event().wait(_SWITCH_S)

    def run(call: Callable[[], object]) -> None:
        sys.setprofile(turn)
        try:
            call()
        except BaseException as problem:  # noqa: BLE001 - it is raised below
            problems.append(problem)

    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        threads = [threading.Thread(target=run, args=(call,), daemon=True) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(_BOUND_S)
    finally:
        sys.setswitchinterval(before)
    for problem in problems:
        raise problem


def _put(one: OrderedMap, **entries: bytes) -> None:
    """Write entries, whatever is there."""
    assert one.write(Write(puts={key.encode(): value for key, value in entries.items()}))


def _whole(low: bytes = b"\0", below: bytes = b"\xff" * 9, **more: Any) -> Span:
    """Return a span over all that the tests write."""
    return Span(low, below, **more)


def _read(one: OrderedMap, keys: list[bytes] | tuple[bytes, ...]) -> Mapping[bytes, Entry]:
    with one.snapshot() as now:
        return dict(now.get(keys))


def _keys_of(one: OrderedMap) -> list[bytes]:
    with one.snapshot() as now:
        return [entry.key for entry in _pages(now, _whole())]


def _scanned(now: Snapshot, span: Span) -> tuple[list[bytes], bool]:
    """Return the first keys of a span, as many as its limit, and whether it holds more."""
    keys = list[bytes]()
    more = True
    while more and len(keys) < span.limit:
        rest = replace(span, limit=span.limit - len(keys))
        part = now.scan(rest if not keys else _behind(rest, keys[-1]))
        assert len(part.entries) <= rest.limit
        assert part.entries or not part.more, "a part that is empty says that there is more"
        keys += [entry.key for entry in part.entries]
        more = part.more
    return keys, more


def _pages(now: Snapshot, span: Span) -> Iterator[Entry]:
    """Yield the entries of a span, part by part: a part may be shorter than its limit."""
    more = True
    while more:
        part = now.scan(span)
        yield from part.entries
        more = part.more
        if more:
            span = _behind(span, part.entries[-1].key)


def _behind(span: Span, key: bytes) -> Span:
    return replace(span, below=key) if span.descending else replace(span, low=key + b"\0")


def _revision(one: OrderedMap, key: bytes) -> int:
    """Return the revision of an entry, or ``ABSENT``."""
    found = _read(one, [key])
    return found[key].revision if key in found else ABSENT
