"""What holds for every ordered map that a key-value backend stands on, whichever database is under it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count, pairwise
from os import getpid
from typing import Any

import pytest

from emco_store.backends.etcd.etcd_map import EtcdMap
from emco_store.backends.keyvalue.ordered_map import ABSENT, OrderedMap, Span, Write

Make = Callable[[], OrderedMap]
_numbers = count()


def _etcd(request: pytest.FixtureRequest) -> Make:
    address = request.getfixturevalue("etcd_server").url
    place, _, options = address.partition("?")
    folder = f"maps-{getpid()}-{next(_numbers)}"
    return lambda: EtcdMap(f"{place}/{folder}?{options}")


MAKERS: dict[str, Callable[[pytest.FixtureRequest], Make]] = {"etcd": _etcd}


@pytest.fixture(params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in MAKERS])
def opened(request: pytest.FixtureRequest) -> Iterator[Make]:
    """What opens maps over the same entries, as several processes would; there are none of them at first."""
    make = MAKERS[request.param](request)
    with ExitStack() as stack:

        def opened_map() -> OrderedMap:
            made = make()
            made.open()
            stack.callback(made.close)
            return made

        yield opened_map


@pytest.fixture
def a_map(opened: Make) -> OrderedMap:
    """One map without entries."""
    return opened()


def put(a_map: OrderedMap, **entries: bytes) -> None:
    """Write entries, whatever is there."""
    assert a_map.write(Write(puts={key.encode(): value for key, value in entries.items()}))


def whole(low: bytes = b"\0", below: bytes = b"\xff" * 9, **more: Any) -> Span:
    """Return a span over all that the tests write."""
    return Span(low, below, **more)


def keys_of(a_map: OrderedMap, span: Span) -> list[bytes]:
    """Return the keys of a span."""
    with a_map.snapshot() as now:
        return [entry.key for entry in now.scan(span).entries]


def revision(a_map: OrderedMap, key: bytes) -> int:
    """Return the revision of an entry, or ``ABSENT``."""
    with a_map.snapshot() as now:
        found = now.get([key])
    return found[key].revision if key in found else ABSENT


def test_entries_come_back_byte_by_byte(a_map):
    """Keys and values hold any bytes, and an empty value is one."""
    puts = {b"a\0b": b"\0\xff", b"a\xffb": b"", b"\x01": bytes(range(256)), b"a/\xc3\xa9": b"x" * 100_000}

    assert a_map.write(Write(puts=puts))

    with a_map.snapshot() as now:
        assert puts == {key: entry.value for key, entry in now.get([*puts, b"a"]).items()}


def test_keys_are_in_the_order_of_their_bytes(a_map):
    """A span holds its first key and not its end, in both directions, and says whether it holds more."""
    keys = [b"a", b"a\0", b"a/", b"a/b", b"a0", b"b", b"\xc3\xa9", b"\xff"]
    assert a_map.write(Write(puts=dict.fromkeys(reversed(keys), b"")))

    with a_map.snapshot() as now:
        first, last = now.scan(whole(limit=3)), now.scan(whole(limit=3, descending=True))
        middle = now.scan(whole(b"a\0", b"a0", limit=3))
        total, part, none = now.count(whole(limit=1)), now.count(whole(b"a/", b"a0")), now.count(whole(b"x", b"c"))
        empty = now.scan(whole(b"x", b"c"))

    assert (keys[:3], True) == ([entry.key for entry in first.entries], first.more)
    assert (keys[:-4:-1], True) == ([entry.key for entry in last.entries], last.more)
    assert (keys[1:4], False) == ([entry.key for entry in middle.entries], middle.more)
    assert (len(keys), 2, 0) == (total, part, none)
    assert ((), False) == (empty.entries, empty.more)


def test_write_happens_only_if_every_entry_is_at_its_revision(a_map):
    """One comparison that fails leaves everything as it was: an entry that is there, is gone, or is another by now."""
    put(a_map, a=b"1", b=b"1")
    old = revision(a_map, b"a")
    put(a_map, a=b"2")
    new, other = revision(a_map, b"a"), revision(a_map, b"b")

    for when in ({b"a": ABSENT}, {b"a": old}, {b"a": new, b"b": old + 1_000_000}, {b"c": new}, {b"b": other, b"a": 1}):
        assert not a_map.write(Write(when=when, puts={b"a": b"3", b"d": b""}, deletes=frozenset({b"b"})))

    assert [b"a", b"b"] == keys_of(a_map, whole())
    assert a_map.write(Write({b"a": new, b"b": other, b"c": ABSENT}, {b"a": b"3", b"d": b""}, frozenset({b"b", b"x"})))
    assert [b"a", b"d"] == keys_of(a_map, whole())


def test_write_that_only_compares_knows_what_others_have_written(opened):
    """A comparison is made with the newest entries, even if nothing is written."""
    one, two = opened(), opened()
    put(one, a=b"1")
    seen = revision(two, b"a")

    assert two.write(Write(when={b"a": seen}))
    put(one, a=b"2")
    assert not two.write(Write(when={b"a": seen}))
    assert two.write(Write(when={b"a": revision(one, b"a"), b"b": ABSENT}))


def test_each_write_has_a_greater_revision(opened):
    """An entry has another revision after each put, of an equal value too, and after it was deleted and put again."""
    one, two = opened(), opened()
    found = []
    for each in (one, two, one):
        put(each, a=b"same", b=b"same")
        with two.snapshot() as now:
            found.append({entry.revision for entry in now.get([b"a", b"b"]).values()})
    assert one.write(Write(deletes=frozenset({b"a"})))
    put(two, a=b"same")
    found.append({revision(one, b"a")})

    flat = [min(revisions) for revisions in found]
    assert flat == sorted(set(flat))
    assert min(flat) > ABSENT
    assert revision(one, b"b") == max(found[2])


def test_snapshot_is_of_one_moment(opened):
    """All that is read through it fits together, whatever is put and deleted meanwhile."""
    one, two = opened(), opened()
    put(one, a=b"old", b=b"old", c=b"old")

    with two.snapshot() as then:
        assert b"old" == then.get([b"a"])[b"a"].value
        assert one.write(Write(puts={b"b": b"new", b"d": b"new"}, deletes=frozenset({b"c"})))

        assert [b"a", b"b", b"c"] == [entry.key for entry in then.scan(whole()).entries]
        assert {b"old"} == {entry.value for entry in then.scan(whole(descending=True)).entries}
        assert {b"old"} == {entry.value for entry in then.get([b"b", b"c", b"d"]).values()}
        assert 3 == then.count(whole())

    assert [b"a", b"b", b"d"] == keys_of(two, whole())


def test_snapshot_has_what_was_acknowledged_before(opened):
    """Whoever has written may tell somebody else, who then finds it."""
    one, two = opened(), opened()
    for number in range(20):
        put(one, a=b"%d" % number)
        with two.snapshot() as now:
            assert b"%d" % number == now.get([b"a"])[b"a"].value


def test_get_of_many_keys_is_of_one_moment(opened):
    """However many keys are asked for, all that is there comes."""
    one = opened()
    keys = [b"k%04d" % number for number in range(1_000)]
    for begin in range(0, 1_000, 100):
        assert one.write(Write(puts=dict.fromkeys(keys[begin : begin + 100], b"v")))

    with one.snapshot() as now:
        assert {} == now.get([])
        assert set(keys[::2]) == now.get([*keys[::2], b"none"]).keys()
        assert 1_000 == len(now.get(keys))


def test_later_entries_come_in_the_order_of_their_writes(opened):
    """What was put after a revision comes, the oldest first; not what is gone or has another prefix."""
    one, two = opened(), opened()
    put(one, **{"f/z": b"1"})
    begin = revision(one, b"f/z")
    for key, each in zip(("f/c", "f/a", "f/d", "f0", "f/b", "e"), (one, two) * 3, strict=True):
        put(each, **{key: key.encode()})
    assert one.write(Write(deletes=frozenset({b"f/d"})))

    found = two.later(b"f/", begin, 10)

    assert [b"f/c", b"f/a", b"f/b"] == [entry.key for entry in found]
    assert [b"f/c", b"f/a", b"f/b"] == [entry.value for entry in found]
    assert [b"f/a"] == [entry.key for entry in one.later(b"f/", found[0].revision, 1)]
    assert () == one.later(b"f/", found[-1].revision, 1)
    assert [b"f/z", b"f/c"] == [entry.key for entry in one.later(b"f/", 0, 2)]


def test_wait_ends_when_another_one_writes(opened):
    """Whoever waits learns of the next put under its prefix, by whatever process, and of one that was made before."""
    one, two = opened(), opened()
    put(one, **{"f/a": b""})
    seen = revision(one, b"f/a")
    assert () == two.later(b"f/", seen, 1)
    waits = threading.Thread(target=two.wait, args=(b"f/", seen, 60.0))
    waits.start()

    put(one, **{"f/b": b""})
    waits.join(timeout=60)
    assert not waits.is_alive()

    two.wait(b"f/", seen, 60.0)
    assert [b"f/b"] == [entry.key for entry in two.later(b"f/", seen, 9)]


def test_wait_ends_after_its_time_and_hinders_nobody(opened):
    """While one thread waits in vain, others read and write through the same map."""
    one = opened()
    put(one, **{"f/a": b""})
    seen = revision(one, b"f/a")
    waits = threading.Thread(target=one.wait, args=(b"f/", seen, 0.2))
    waits.start()

    put(one, e=b"")
    assert () == one.later(b"f/", seen, 9)

    waits.join(timeout=60)
    assert not waits.is_alive()


def test_of_writes_that_compare_the_same_entry_one_wins(opened):
    """Threads of several maps that count together lose no step."""
    maps = [opened(), opened()]
    put(maps[0], n=b"0")

    def count_up(each: OrderedMap) -> None:
        for _ in range(10):
            is_done = False
            while not is_done:
                with each.snapshot() as now:
                    found = now.get([b"n"])[b"n"]
                is_done = each.write(Write({b"n": found.revision}, {b"n": b"%d" % (int(found.value) + 1)}))

    threads = [threading.Thread(target=count_up, args=(each,)) for each in (*maps, *maps)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    with maps[1].snapshot() as now:
        assert b"40" == now.get([b"n"])[b"n"].value


def test_clock_is_one_for_all_and_goes_on(opened):
    """Whoever asks after another one does not get an earlier time, but for the exactness of the clock."""
    one, two = opened(), opened()
    times = [each.now_us() for each in (one, two, one, two)]

    assert all(later + 100_000 > earlier for earlier, later in pairwise(times))
    assert times[0] > 1_700_000_000_000_000


def test_map_that_several_have_opened_ends_with_the_last_of_them(opened):
    """Each user opens and closes the map; the others go on."""
    one = opened()
    one.open()
    put(one, a=b"")

    one.close()

    assert [b"a"] == keys_of(one, whole())
    assert one.durability.rank >= 0
