"""A cache while a request of its follower is on its way."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from emco_store import MemoryBackend, Resource, StaleCache, connect
from emco_store.core.following import Added, Resynced


class Site(Resource):
    """What is cached."""


PATIENCE = timedelta(seconds=20)


def test_wait_for_a_delete_outlasts_what_was_read_before_it():
    """A state that was read before the delete, and not applied yet, cannot come back after the wait (FEED-13)."""
    with connect(MemoryBackend(), namespace="caching") as store:
        site = store.create(Site(name="a"))
        cache = store.follow(Site).cache(stale_after=None)
        read, released = threading.Event(), threading.Event()
        answers = [([Resynced((), "c")], False), ([Added(site)], False)]

        def advance(wait):  # as if the site were created after the list, and deleted after it was read
            cache._follower.as_of_s = 0.0
            if len(answers) == 1:
                read.set()
                assert released.wait(PATIENCE.total_seconds())
            return answers.pop(0) if answers else ([], not threading.Event().wait(wait.total_seconds()))

        cache._follower.advance = advance
        with cache:
            assert read.wait(PATIENCE.total_seconds())
            store.delete(site)
            try:
                assert cache.find(site.key) is None
                with pytest.raises(StaleCache):
                    cache.wait(site.key, deadline=timedelta(0))
            finally:
                released.set()
