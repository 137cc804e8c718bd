"""``emco-store namespaces`` on real servers: which there are, and what a drop takes and leaves."""

from __future__ import annotations

import io
import json
import sys

import pytest

from emco_store import FeedGap, Resource, connect
from emco_store.backends.redis.backend import RedisBackend
from emco_store.cli.exits import Exit
from emco_store.connect import drop_namespace, namespaces
from emco_store.errors import Unavailable

NAME, OTHER = "dropped-or-not", "dropped-or-not-2"


class Berth(Resource):
    """A kind with an index, a reference to nothing, and a history of versions."""


@pytest.fixture(params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("redis", "mongo")])
def url(request, servers):
    """A server with two namespaces, one of which has a name that begins with that of the other."""
    url = servers.get(request.param).url
    for namespace in (NAME, OTHER):
        with connect(url, namespace=namespace) as store:
            store.put(Berth(name="b"))
    yield url
    for namespace in (NAME, OTHER):
        drop_namespace(url, namespace)


def test_namespaces_that_hold_anything_are_named(run, url):
    """Both are there, in order."""
    ended = run("namespaces", url, "-o", "json")

    found = json.loads(ended.out)
    assert (Exit.OK, sorted(found)) == (ended.code, found)
    assert {NAME, OTHER} <= set(found)
    assert NAME in run("namespaces", "--store", url).out.splitlines()


def test_drop_takes_everything_and_leaves_the_others(run, url):
    """Records, indexes, outcomes and the feed are gone, in this namespace alone; a cursor of it is a gap."""
    with connect(url, namespace=NAME) as store:
        cursor = store.feed_cursor()
        store.put(Berth(name="c"))

    ended = run("namespaces", url, "--drop", NAME, "--confirm", NAME, "-o", "json")

    assert (Exit.OK, NAME) == (ended.code, json.loads(ended.out)["dropped"])
    assert 2 == json.loads(ended.out)["records"]["Berth"]
    assert NAME not in namespaces(url)
    with connect(url, namespace=NAME) as store, connect(url, namespace=OTHER) as other:
        assert ([], ["b"]) == ([*store.list(Berth)], [one.name for one in other.list(Berth)])
        with pytest.raises(FeedGap):  # MongoDB tells what came before the drop, and then the gap
            list(store.watch(after=cursor))
        store.create(Berth(name="b"))
        assert () == store.check().flaws


@pytest.mark.parametrize("answer", ["", "yes\n", f"{NAME}-3\n"])
def test_drop_that_is_not_confirmed_leaves_everything(run, url, monkeypatch, answer):
    """Only the name itself confirms a drop."""
    monkeypatch.setattr(sys, "stdin", _Terminal(answer))

    ended = run("namespaces", url, "--drop", NAME)

    assert Exit.REFUSED == ended.code
    assert NAME in namespaces(url)
    assert "holds 1 record." in ended.err


def test_name_on_the_terminal_confirms_a_drop(run, url, monkeypatch):
    """The question says what the namespace holds; the name answers it."""
    monkeypatch.setattr(sys, "stdin", _Terminal(f"{NAME}\n"))

    ended = run("namespaces", url, "--drop", NAME)

    assert Exit.OK == ended.code
    assert NAME not in namespaces(url)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--drop", NAME),  # nobody can be asked
        ("--drop", NAME, "--confirm", OTHER),
        ("--confirm", NAME),
        ("--drop", "never-used", "--confirm", "never-used"),
    ],
)
def test_drop_that_is_badly_called_changes_nothing(run, url, monkeypatch, arguments):
    """It ends with a message, and nothing is gone."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{NAME}\n"))

    ended = run("namespaces", url, *arguments)

    assert Exit.USAGE == ended.code, ended.err
    assert {NAME, OTHER} <= set(namespaces(url))


@pytest.mark.parametrize("url", ["memory://", "fakeredis://x"])
def test_store_in_memory_has_no_namespaces_to_show(run, url):
    """It says why, and what to give."""
    ended = run("namespaces", url)

    assert Exit.REFUSED == ended.code
    assert "--store" in ended.err


@pytest.mark.parametrize("target", ["redis://127.0.0.1:1", "mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=50"])
def test_server_that_is_not_there_is_said_to_be_so(target):
    """No error of a driver comes out; after a drop it is not known whether it happened."""
    with pytest.raises(Unavailable):
        namespaces(target)
    with pytest.raises(Unavailable, match=f"not known whether the namespace {NAME}"):
        drop_namespace(target, NAME)


@pytest.mark.redis
def test_outcomes_of_many_commits_go_too(redis_server):
    """More keys than one command names are taken away in several."""
    with connect(redis_server.url, namespace=NAME) as store:
        store.open()
    backend = RedisBackend(redis_server.url)
    with backend._at_once() as client:
        for number in range(2_500):
            client.set(f"{{emco:{NAME}}}:tx:{number}", b"")

    backend.drop(NAME)

    assert NAME not in backend.namespaces()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True
