"""Followers and caches beside racing writers on each backend: what they are told in order is what is stored."""

from __future__ import annotations

import random
import secrets
import threading
from datetime import timedelta

import pytest

from emco_store import Added, MemoryBackend, Removed, Resource, StoreError, Updated, connect
from emco_store.backends.mongo.backend import DATABASE
from tests.backends.shared import ON_EACH, url_of

WRITERS, COMMITS, RESOURCES = 4, 20, 6
PATIENCE = timedelta(seconds=20)


class Site(Resource):
    """What the writers race for."""

    count: int = 0


@pytest.fixture
def place(request):
    """A backend, and a namespace of the test's own on it."""
    name = request.param
    namespace = f"follow{secrets.token_hex(6)}"
    if name == "memory":
        yield MemoryBackend(), namespace
        return
    url = url_of(request)("mongo" if name == "mongodb" else name)
    yield url, namespace
    if name == "mongodb":
        from pymongo import MongoClient  # noqa: PLC0415

        with MongoClient(url) as client:
            client[DATABASE].drop_collection(f"emco.{namespace}")


def write(place, seed):
    """Put and delete at random, several resources in one commit; read one's own writes in a cache now and then."""
    chosen = random.Random(seed)
    wrong = []
    with connect(place[0], namespace=place[1]) as store, store.follow(Site).cache() as cache:
        for number in range(COMMITS):
            names = chosen.sample(range(RESOURCES), chosen.choice([1, 1, 2]))
            try:
                with store.transaction() as tx:
                    written = [tx.put(Site(name=f"s{name}", count=number)) for name in names]
                if chosen.random() < 0.3:
                    store.delete(written[0].key, missing_ok=True)
            except StoreError:
                continue
            if chosen.random() < 0.3:
                cache.wait(*[one.key for one in written], deadline=PATIENCE)
        last = store.put(Site(name=f"own{seed}"))
        cache.wait(last, deadline=PATIENCE)
        wrong += [last.key] * (cache.get(last.key) != last)
    return wrong


def follow(place, wrong, kept):
    """Apply what a follower is told until all writers have ended, and note what does not follow."""
    with connect(place[0], namespace=place[1]) as store:
        for one in store.follow(Site, idle=PATIENCE):
            match one:
                case Added(resource):
                    wrong.extend([one] * (resource.key in kept))
                    kept[resource.key] = resource
                case Updated(resource, old):
                    is_next = kept.get(resource.key) == old and old.meta.version < resource.meta.version
                    wrong.extend([one] * (not is_next or old.meta.uid != resource.meta.uid))
                    kept[resource.key] = resource
                case Removed(old):
                    wrong.extend([one] * (kept.pop(old.key, None) != old))
                case _:
                    pass
            if any(key.name == "zz" for key in kept):
                return
        wrong.append("the follower has stopped")


@pytest.mark.parametrize("place", ON_EACH, indirect=True)
def test_followers_have_what_is_stored(place):
    """Begun at any moment, whatever writers do, a follower ends with what is stored; versions ascend (FEED-12, 13)."""
    wrong, copies, late = [], [{}, {}], {}
    with connect(place[0], namespace=place[1]) as store:
        followers = [threading.Thread(target=follow, args=(place, wrong, kept)) for kept in copies]
        writers = [
            threading.Thread(target=lambda seed=seed: wrong.extend(write(place, seed))) for seed in range(WRITERS)
        ]
        for thread in (*followers, *writers):
            thread.start()
        last = threading.Thread(target=follow, args=(place, wrong, late))
        last.start()
        for thread in writers:
            thread.join()
        store.create(Site(name="zz"))
        for thread in (*followers, last):
            thread.join()
        stored = {site.key: site for site in store.list(Site, limit=1000)}

    assert [] == wrong
    assert [stored] * 3 == [*copies, late]
