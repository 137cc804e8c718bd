"""A cache while a request of its follower is on its way."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from emco_store import MemoryBackend, Resource, StaleCache, connect
from emco_store.core.following import Added, Resynced
from emco_store.ports import Commit, Get


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


def test_wait_for_the_delete_of_what_cannot_be_read_outlasts_its_error():
    """What cannot be read is none of the resources; it is shown as gone only without its error (FEED-13)."""
    backend = MemoryBackend()
    with connect(backend, namespace="caching") as store:
        key = store.create(Site(name="a")).key
        port = backend.port("caching")
        record = port.ask(Get((key,)))[key]
        port.ask(Commit("tamper", puts=(replace(record, version=2, document=b"[]"),)))
        cache = store.follow(Site).cache(stale_after=None)
        behind, noticed, released = threading.Event(), threading.Event(), threading.Event()
        advance = cache._follower.advance

        def late(_):  # as if the feed told nothing for a while
            if behind.is_set() and not released.is_set():
                noticed.set()
                return [], not released.wait(0.01)
            return advance(timedelta(0))

        cache._follower.advance = late
        with cache:
            cache.wait(key, deadline=PATIENCE)
            assert [key] == list(cache.unreadable)
            behind.set()
            assert noticed.wait(PATIENCE.total_seconds())
            store.delete(key)
            try:
                with pytest.raises(StaleCache):
                    cache.wait(key, deadline=timedelta(milliseconds=300))
            finally:
                released.set()
            cache.wait(key, deadline=PATIENCE)
            assert {} == cache.unreadable
