"""Readers of the feed beside a workload: each fault in small, and what readers find in feeds that are broken."""

from __future__ import annotations

import pytest

from proof.feeds import Audience
from proof.nemesis import Calm, Lossy
from proof.replays import Sent
from proof.rig import Rig
from proof.running import Load, run
from tests.contracts.mutants import MUTANTS
from tests.proof.faults import feed_faults
from tests.proof.faults.feed_faults import feed_round
from tests.proof.faults.server_faults import Size
from tests.proof.faults.striking import Series
from tests.proof.test_server_faults import ground_of

SEED = 1
memory = ground_of(feed_faults.memory)
redis = ground_of(feed_faults.redis)
mongo = ground_of(feed_faults.mongo)


def holds(ground, name, out, readers=2):
    """Strike once, and see that nobody was told anything wrong; return how many gaps there were."""
    told = feed_round(ground, name, series=Series(1), seed=SEED, out=out, size=Size(2, 2, readers))

    assert [] == told.violations
    assert told.events > 0
    assert readers == told.readers
    return told.gaps


def test_feed_that_is_short_is_a_gap_for_slow_readers(memory, tmp_path):
    """FEED-6: whoever is further behind than the feed is long learns it."""
    assert holds(memory, "short feed", tmp_path, readers=16) > 0


@pytest.mark.usefixtures("redis_server")
@pytest.mark.parametrize("name", ["failover that forgets", "restart without data", "trimmed feed"])
def test_redis_that_has_forgotten_events_is_a_gap(redis, tmp_path, name):
    """FEED-3, FEED-4: whoever was told what is forgotten, or is not told what is trimmed, learns it."""
    assert holds(redis, name, tmp_path) > 0


@pytest.mark.usefixtures("redis_server")
def test_sixteen_readers_whose_connections_end_miss_nothing(redis, tmp_path):
    """FEED-3: without a word of a gap, since nothing was forgotten."""
    assert 0 == holds(redis, "connections that are ended", tmp_path, readers=16)


@pytest.mark.usefixtures("mongo_server")
@pytest.mark.parametrize("name", ["dropped collection", "oplog that is rolled over"])
def test_history_that_mongodb_has_lost_is_a_gap(mongo, tmp_path, name):
    """FEED-3, FEED-6: whoever has not read it learns that the oplog does not hold it any more (error 286)."""
    assert holds(mongo, name, tmp_path) > 0


@pytest.mark.parametrize(
    ("name", "workload", "nemesis"),
    [
        ("TellsAfterTheCommit", "races", Calm),
        ("TellsRecordsApart", "races", Calm),
        ("ForgetsDeletes", "races", Calm),
        ("TakesUpdatesForNew", "races", Calm),
        ("TellsTheNewestOnly", "races", Calm),
        ("TellsTheCursorAgain", "races", Calm),
        ("TellsRepeats", "races", Lossy),
        ("TellsBeforeTheChecks", "races", Calm),
        ("TellsChecks", "lists", Calm),
        ("OrdersByTxid", "races", Calm),
    ],
)
def test_readers_find_a_feed_that_is_broken(tmp_path, name, workload, nemesis):
    """The negative controls: what readers are told of such a feed is not what was committed."""
    rig, sent = Rig("memory", MUTANTS[name][0]()), Sent()
    noted = Rig("memory", sent.around(rig.backend))
    audience = Audience(rig.fresh, "broken", 2, seed=SEED, sent=sent)
    audience.patience_s = 0.5
    with audience:
        run(noted, Load(workload, threads=4, operations=25), nemesis(), seed=SEED, out=tmp_path, namespace="broken")

    assert audience.told().violations
