"""A server that does not answer: no call waits for ever, and none says more than it knows."""

from __future__ import annotations

import pytest

from emco_store.errors import StoreError, Unavailable, UnknownOutcome
from emco_store.flows.outcomes import SENDS
from emco_store.ports import Outcome
from tests.backends.redis.conftest import SOON, Site, impatient
from tests.servers.proxy import Fault

pytestmark = pytest.mark.redis

COMMIT = b"tx:"
"""In the bytes of each commit, and of settle: the key under which its outcome is kept."""


def test_commit_that_arrives_after_it_was_settled_has_no_effect(open_store, newest, newest_proxy):
    """ATM-5: a request that was held on its way meets the fence that resolve has left."""
    direct, store = open_store(newest.url), open_store(impatient(newest_proxy.url))
    newest_proxy.plan(COMMIT, Fault.HOLD, times=SENDS)
    with pytest.raises(UnknownOutcome) as caught:
        store.create(Site(name="late"))

    settled = direct.resolve(caught.value.txid)
    newest_proxy.release()
    newest_proxy.close()

    assert Outcome.ABORTED == settled
    assert [] == [site.name for site in direct.list(Site)]


def test_connection_that_died_in_the_pool_is_replaced(open_store, newest_proxy):
    """A connection that was closed while nobody used it costs the caller nothing."""
    store = open_store(impatient(newest_proxy.url))
    store.create(Site(name="a"))

    newest_proxy.cut()

    assert 2 == store.update(store.get(Site, "a").model_copy(update={"text": "y"})).meta.version


def test_silent_server_ends_every_call_in_a_typed_error(open_store, newest_proxy):
    """No call outlives its deadline, whatever the client's time-outs; a commit says that its outcome is unknown."""
    store = open_store(impatient(newest_proxy.url))
    site = store.create(Site(name="a"))
    newest_proxy.plan(b"EVAL", Fault.HOLD, times=100)

    for call in (
        lambda: store.get(site, deadline=SOON),
        lambda: store.list(Site, deadline=SOON),
        lambda: store.delete(site, deadline=SOON),
        lambda: store.resolve("x", deadline=SOON),
    ):
        with pytest.raises(Unavailable):
            call()
    with pytest.raises(UnknownOutcome):
        store.create(Site(name="b"), deadline=SOON)


def test_nothing_listens_where_a_store_is_opened(open_store):
    """A store that cannot reach its server says so when it is opened."""
    with pytest.raises(StoreError) as caught:
        open_store("redis://127.0.0.1:1", deadline=SOON)

    assert "UNAVAILABLE" == caught.value.code
