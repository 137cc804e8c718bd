"""Consumers, followers and watches across a failover of Redis that forgets what was acknowledged."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest

from emco_store import FeedGap, Unavailable, connect
from emco_store.contracts.models import Site
from tests.beating.rig import until
from tests.consuming.readers import Readers
from tests.proof.faults.redis_grounds import promote
from tests.proof.faults.wire import wired
from tests.servers.redis_nodes import own_redis, replica_of

PATIENCE = timedelta(seconds=20)


@contextmanager
def on_redis():
    """A store on a primary without a file, for which commits do not wait; a function that forgets the newest ones."""
    with own_redis() as first, replica_of(first) as second, wired(first.port) as wire:

        def part():
            with first.admin() as admin:
                admin.set("replicate", "")  # WAIT is about what its own connection has written
                assert 1 == admin.wait(1, 10_000)
            second.ask("REPLICAOF", "NO", "ONE")

        def fail_over():
            first.kill()
            promote(second, wire)

        with connect(wire.url, namespace="forgetful") as store:
            yield store, part, fail_over


@pytest.mark.usefixtures("redis_server")
@pytest.mark.parametrize("resets", [False, True])
def test_redis_failover_that_forgets_is_a_gap_and_leaves_readers_with_what_is_stored(resets):
    """FEED-3, FEED-4, FEED-11, FEED-12: effects and copies are those of the history that is left.

    The saved cursor of the consumer is there, so for it this is no gap, and nothing is built anew.
    """
    with on_redis() as (store, part, fail_over):
        begun = []
        readers = Readers(store, **({"reset": begun.append} if resets else {}))
        watch = store.watch(after=readers.begin, kinds=[Site], idle=PATIENCE)
        with store.lease(readers.consumer.seat) as lease:
            readers.write("s0", "s1", "s2")
            readers.consume(lease, ["s0", "s1", "s2"])
            part()
            readers.write("s3", "s4")
            readers.consume(lease, ["s0", "s1", "s2", "s3", "s4"])
            readers.catch_up(["s0", "s1", "s2", "s3", "s4"])
            assert ["s0", "s1", "s2", "s3", "s4"] == [next(watch).changes[0].key.name for _ in range(5)]
            fail_over()

            readers.write("s5", "s6")
            with pytest.raises(FeedGap):
                until(lambda: is_told(watch), "the watch is told of the gap")
            readers.consume(lease, ["s0", "s1", "s2", "s5", "s6"])
        lists = readers.lists
        readers.catch_up(["s0", "s1", "s2", "s5", "s6"])
        assert readers.lists > lists
        assert int(resets) == len(begun), "at the first start only"


def is_told(watch):
    """Return whether a watch tells something; a server that cannot be reached is waited for."""
    with suppress(Unavailable):
        return next(watch, None) is not None
    return False
