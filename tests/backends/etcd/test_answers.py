"""What etcd refuses, what becomes of answers that are lost, and of a server that dies."""

from __future__ import annotations

import threading

import pytest

from emco_store.backends.etcd.errors import UNKNOWN, Answer, Compacted, Full, meaning, meaning_in_write
from emco_store.backends.etcd.etcd_map import EtcdMap
from emco_store.backends.etcd.messages import Keys
from emco_store.backends.etcd.wire import Wire
from emco_store.backends.keyvalue.ordered_map import ABSENT, Span, Write
from emco_store.errors import Misconfigured, NotSupported
from emco_store.ports import OutcomeLost, Unreachable, deadline
from tests.servers.etcd import own_etcd
from tests.servers.process import HOST, free_port
from tests.servers.proxy import Fault, proxied

pytestmark = pytest.mark.etcd


@pytest.fixture
def soon():
    """A deadline of three seconds for whatever is asked."""
    from time import monotonic  # noqa: PLC0415

    token = deadline.begin(monotonic() + 3)
    yield
    deadline.end(token)


class Refused(Keys):
    """Keys of which etcd refuses each: they are empty."""

    def key(self, key: bytes) -> str:  # noqa: ARG002 - whichever it is
        """Return an empty one."""
        return ""


def fill(a_map) -> None:
    """Write entries of 20 kB, up to a hundred of them."""
    for number in range(100):
        assert a_map.write(Write({b"k%d" % number: ABSENT}, {b"k%d" % number: b"x" * 20_000}))


def revision(a_map, key: bytes) -> int:
    """Return the revision of an entry."""
    with a_map.snapshot() as now:
        return now.get([key])[key].revision


def value(a_map, key: bytes) -> bytes | None:
    """Return the value of an entry."""
    with a_map.snapshot() as now:
        found = now.get([key])
    return found[key].value if key in found else None


def test_write_of_more_operations_than_allowed_names_the_setting(node, open_map):
    """128 operations are written; one more is refused whole, and the setting is named."""
    one = open_map(node.url)
    assert one.write(Write(puts={b"m%d" % number: b"" for number in range(128)}))

    with pytest.raises(Misconfigured) as caught:
        one.write(Write(puts={b"n%d" % number: b"" for number in range(129)}))

    assert "max_txn_ops" == caught.value.setting
    with one.snapshot() as now:
        assert 0 == now.count(Span(b"n", b"o"))


def test_declared_bytes_are_written_and_more_names_the_setting(node, open_map):
    """A write as large as declared goes through, of one entry or of many; etcd's own limit is not far beyond."""
    one = open_map(node.url)
    most = one.limits.write_bytes or 0
    keys = [b"l%063d" % number for number in range(64)]
    size = (most - 2 * 64 * 64) // 64
    when = dict.fromkeys(keys, ABSENT)

    assert one.write(Write(when, dict.fromkeys(keys, b"x" * size)))
    assert one.write(Write(puts={b"one": b"x" * (most - 3)}))
    with pytest.raises(Misconfigured) as caught:
        one.write(Write(puts={b"large": b"x" * 1_572_864}))

    assert "max_request_bytes" == caught.value.setting
    assert value(one, b"large") is None


def test_write_whose_answer_is_lost_has_an_unknown_outcome(node, open_map):
    """It has happened once, and is not sent again."""
    with proxied(node.port) as proxy:
        one = open_map(f"etcd://{HOST}:{proxy.port}")
        proxy.plan(b"/v3/kv/txn", Fault.LOSE_REPLY)

        with pytest.raises(OutcomeLost):
            one.write(Write(when={b"lost": ABSENT}, puts={b"lost": b"1"}))

        assert b"1" == value(one, b"lost")


def test_write_that_is_lost_on_its_way_has_an_unknown_outcome(node, open_map):
    """It was sent, so nobody can tell; it did not happen, and nobody sent it again."""
    with proxied(node.port) as proxy:
        one = open_map(f"etcd://{HOST}:{proxy.port}")
        proxy.plan(b"/v3/kv/txn", Fault.LOSE_REQUEST)

        with pytest.raises(OutcomeLost):
            one.write(Write(puts={b"late": b"1"}))

        assert value(one, b"late") is None


def test_read_whose_answer_is_lost_is_asked_of_the_next_member(node, open_map):
    """A read changes nothing, so its caller learns nothing of a connection that broke; of one member it learns that."""
    with proxied(node.port) as proxy:
        one, lonely = (
            open_map(f"etcd://{HOST}:{proxy.port},{HOST}:{node.port}"),
            open_map(f"etcd://{HOST}:{proxy.port}"),
        )
        one.write(Write(puts={b"read": b"1"}))
        proxy.plan(b"/v3/kv/range", Fault.LOSE_REPLY, times=2)

        assert b"1" == value(one, b"read")
        with pytest.raises(Unreachable) as caught:
            value(lonely, b"read")
        assert 2 == proxy.seen
        assert f"{HOST}:{proxy.port}: it closed the connection" == caught.value.reasons[0]
        assert b"1" == value(lonely, b"read")


def test_server_that_is_not_there_leaves_a_write_unsent(soon):  # noqa: ARG001 - ends what is tried
    """Where nothing listens nothing was sent, and the error says where."""
    one = EtcdMap(f"etcd://{HOST}:{free_port()},{HOST}:{free_port()}")

    with pytest.raises(Unreachable) as caught:
        one.write(Write(puts={b"a": b""}))
    with pytest.raises(Unreachable):
        one.open()

    assert 2 == len(caught.value.reasons)
    assert "refuses connections" in caught.value.reasons[0]


def test_server_of_something_else_is_named():
    """A server that knows no API of version 3 is not an etcd that can be used."""
    assert isinstance(meaning(Answer(404, UNKNOWN, "")), NotSupported)
    assert isinstance(meaning_in_write(Answer(404, UNKNOWN, "")), NotSupported)


@pytest.mark.parametrize(
    ("status", "code", "text", "is_lost"),
    [
        (503, 14, "etcdserver: no leader", False),
        (503, 14, "etcdserver: rpc not supported for learner", False),
        (503, 14, "etcdserver: request timed out", True),
        (503, 14, "etcdserver: request timed out, possibly due to previous leader failure", True),
        (503, 14, "etcdserver: leader changed", True),
        (503, 14, "etcdserver: server stopped", True),
        (503, 14, "transport is closing", True),
        (504, 4, "context deadline exceeded", True),
        (500, 2, "raft: stopped", True),
        (502, UNKNOWN, "", True),
        (429, 8, "etcdserver: too many requests", False),
    ],
)
def test_refusal_of_a_write_is_lost_unless_it_is_certain(status, code, text, is_lost):
    """Only what a member says before it hands a request on is a refusal; whatever comes later may have happened."""
    answer = Answer(status, code, text)

    assert isinstance(meaning_in_write(answer), OutcomeLost if is_lost else Unreachable)
    assert type(meaning(answer)) is Unreachable


def test_killed_server_is_found_again_over_new_connections(node, open_map):
    """Idle connections that have ended are left; what was acknowledged is there, after a kill, too."""
    one = open_map(node.url)
    threads = [threading.Thread(target=value, args=(one, b"kept")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.write(Write(puts={b"kept": b"1"}))

    node.kill()
    node.start()

    assert one.write(Write(puts={b"more": b"1"}))
    assert b"1" == value(one, b"kept")


def test_snapshot_that_etcd_has_compacted_says_so(node, open_map):
    """Nothing is made up of two moments: the read fails, and a new snapshot works."""
    one = open_map(node.url)
    one.write(Write(puts={b"c1": b"old", b"c2": b"old"}))
    with one.snapshot() as then:
        revision = then.get([b"c1"])[b"c1"].revision
        one.write(Write(puts={b"c1": b"new", b"c2": b"new"}))
        node.ask("/v3/kv/compaction", {"revision": str(revision + 1)})

        with pytest.raises(Compacted):
            then.get([b"c2"])

    assert b"new" == value(one, b"c2")


def test_wait_whose_revision_etcd_compacts_goes_on(node, open_map, monkeypatch):
    """A compaction between the look and the watch ends no wait, and hides nothing: what is put later ends it."""
    one, two = open_map(node.url), open_map(node.url)
    one.write(Write(puts={b"w/1": b""}))
    seen = one.later(b"w/", 0, 9)[-1].revision
    watch, watches = Wire.watch, []
    is_waiting = threading.Event()

    def disturbed(wire, message, within_s):
        watches.append(message)
        if len(watches) == 1:
            for _ in range(3):
                one.write(Write(puts={b"x": b""}))
            node.ask("/v3/kv/compaction", {"revision": str(revision(one, b"x"))})
        else:
            is_waiting.set()
        return watch(wire, message, within_s)

    monkeypatch.setattr(Wire, "watch", disturbed)
    waits = threading.Thread(target=two.wait, args=(b"w/", seen, 60.0))
    waits.start()
    assert is_waiting.wait(60)
    one.write(Write(puts={b"w/2": b""}))
    waits.join(60)

    assert not waits.is_alive()
    assert 2 == len(watches)
    assert [b"w/2"] == [entry.key for entry in two.later(b"w/", seen, 9)]


def test_end_of_a_map_ends_its_waits(node, open_map):
    """Whoever waits is not left behind."""
    one = open_map(node.url)
    waits = threading.Thread(target=one.wait, args=(b"z/", 0, 60.0))
    waits.start()
    while not one.wire._waiting:
        one.later(b"y/", 0, 1)

    one.close()
    waits.join(60)

    assert not waits.is_alive()


def test_map_that_is_refused_at_its_opening_leaves_no_connection(node):
    """Whoever could not open a map has nothing to close, and may close it all the same."""
    one = EtcdMap(node.url)
    one.keys = Refused(b"")

    with pytest.raises(Misconfigured):
        one.open()
    assert not any(one.wire._idle.values())
    one.close()
    one.keys = Keys(b"emco_store/")
    one.open()
    assert any(one.wire._idle.values())
    one.close()
    assert not any(one.wire._idle.values())


def test_full_database_refuses_a_write_and_names_the_setting(open_map, etcd_server):  # noqa: ARG001 - it can run here
    """A write to a full database is refused as such; what fits before is there, and reads go on."""
    with own_etcd("--quota-backend-bytes", "200000") as small:
        one = open_map(small.url)
        with pytest.raises(Full) as caught:
            fill(one)
        with one.snapshot() as now:
            written = now.count(Span(b"k", b"l"))

        assert "quota-backend-bytes" == caught.value.setting
        assert 0 < written < 100
        assert value(one, b"k%d" % written) is None
        with one.snapshot() as now:
            assert 2 == len(now.get([b"k0", b"k1", b"none"]))


def test_write_that_has_happened_though_the_database_is_full_is_told(node, open_map, monkeypatch):
    """The server may say that it is full after it has written: then it is told that the write has happened."""
    one = open_map(node.url)
    real = Wire.write

    def full_after(wire, path, message):
        real(wire, path, message)
        raise meaning(Answer(429, 8, "etcdserver: mvcc: database space exceeded"))

    monkeypatch.setattr(Wire, "write", full_after)

    assert one.write(Write({b"full": ABSENT}, {b"full": b"1"}))
    with pytest.raises(Full):
        one.write(Write({b"full": ABSENT}, {b"full": b"2"}))
    with pytest.raises(OutcomeLost):
        one.write(Write(puts={b"full": b"3"}))
