"""Replies and requests that get lost: each commit happens once or not at all, and the caller learns which."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis

from emco_store.backends.redis.commands import OUTCOMES_KEPT
from emco_store.contracts.atomicity import TimedIds
from emco_store.errors import Unavailable, UnknownOutcome
from emco_store.flows.outcomes import SENDS
from emco_store.ports import Outcome
from tests.backends.redis.conftest import SOON, Site
from tests.servers.proxy import Fault

pytestmark = pytest.mark.redis


COMMIT = b"tx:"
"""In the bytes of each commit, and of settle: the key under which its outcome is kept."""


@pytest.fixture
def warm(open_store, fresh):
    """A store with one resource, which talks to the server itself."""
    store = open_store(fresh.url)
    store.create(Site(name="warm"))
    return store


@pytest.mark.parametrize("fault", [Fault.LOSE_REPLY, Fault.LOSE_REQUEST])
@pytest.mark.parametrize("times", range(1, SENDS))
def test_commit_that_is_lost_less_often_than_it_is_sent_happens_once(warm, open_store, proxy, fault, times):
    """ATM-2: a commit or its reply that is lost is sent again, and has its effect once."""
    store = open_store(proxy.url)
    proxy.plan(COMMIT, fault, times=times)

    made = store.create(Site(name="a", text="x"))

    assert made == warm.get(Site, "a")
    assert (1, times) == (made.meta.version, proxy.seen)


@pytest.mark.parametrize(
    ("fault", "outcome"), [(Fault.LOSE_REPLY, Outcome.COMMITTED), (Fault.LOSE_REQUEST, Outcome.ABORTED)]
)
def test_commit_that_is_lost_every_time_is_unknown_until_it_is_settled(warm, open_store, proxy, fault, outcome):
    """ATM-4, ATM-5: no guess is made, and the settled outcome is what the server holds."""
    store = open_store(proxy.url)
    proxy.plan(COMMIT, fault, times=SENDS)

    with pytest.raises(UnknownOutcome) as caught:
        store.create(Site(name="a"))

    assert outcome == store.resolve(caught.value.txid)
    assert (outcome is Outcome.COMMITTED) == ("a" in [site.name for site in warm.list(Site)])


def test_server_that_is_gone_is_unavailable_and_not_unknown(open_store, fresh):
    """A commit that found nobody to connect to has certainly not happened."""
    store = open_store(fresh.url)
    fresh.kill()

    for call in (lambda: store.get(Site, "a", deadline=SOON), lambda: store.create(Site(name="a"), deadline=SOON)):
        with pytest.raises(Unavailable):
            call()
    fresh.start()

    assert [] == list(store.list(Site))


def test_server_that_was_killed_and_restarted_keeps_what_it_acknowledged(open_store, fresh):
    """DUR-1: at local-sync a commit outlives kill -9, and the store goes on with the restarted server."""
    store = open_store(fresh.url, require="local-sync")
    made = store.create(Site(name="a"))

    fresh.kill()
    fresh.start()

    assert made == store.get(Site, "a")
    assert 2 == store.update(made.model_copy(update={"text": "y"})).meta.version


def test_lost_commit_that_meets_a_refusal_when_sent_again_is_unknown(warm, open_store, proxy, fresh):
    """ATM-4: that a repeated commit was refused says nothing about the first one, whose reply was lost."""
    store = open_store(proxy.url)
    with fresh.admin() as admin:
        admin.ping()  # from here on it is known to the server, which will ask newcomers for a password
        proxy.plan(COMMIT, Fault.LOSE_REPLY, then=lambda: admin.config_set("requirepass", "hunter2"))

        with pytest.raises(UnknownOutcome) as caught:
            store.create(Site(name="a"))
        admin.config_set("requirepass", "")

    assert Outcome.COMMITTED == store.resolve(caught.value.txid)
    assert "a" == warm.get(Site, "a").name


def test_scripts_that_the_server_forgot_are_sent_along(open_store, fresh):
    """NOSCRIPT means not executed: the next call carries the script's text."""
    store = open_store(fresh.url)
    names = ["a", "b", "c"]

    for name in names:
        fresh.ask("SCRIPT FLUSH")
        store.create(Site(name=name))
    fresh.ask("SCRIPT FLUSH")

    assert names == [site.name for site in store.list(Site)]


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(minutes=90), -timedelta(minutes=90)])
def test_outcome_of_a_client_whose_clock_is_ahead_is_remembered_for_longer(open_store, fresh, ahead):
    """ATM-5: the age of a commit is judged by its txid, so it must be remembered from that time on."""
    ids = TimedIds(ahead)
    store = open_store(fresh.url, ids=ids)
    store.create(Site(name="a"))
    assert Outcome.ABORTED == store.resolve(TimedIds(max(ahead, timedelta(0))).new())

    with redis.Redis.from_url(fresh.url) as client:
        times = [client.ttl(name) for name in client.scan_iter("*tx:*")]

    longest_s = (OUTCOMES_KEPT + max(ahead, timedelta(0))).total_seconds()
    assert len(times) == 2
    assert all(longest_s - 60 < each_s <= longest_s + 1 for each_s in times)
