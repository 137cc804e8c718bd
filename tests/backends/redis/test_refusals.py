"""What a server refuses, and what ends a script: nothing is written, and the error says why."""

from __future__ import annotations

import logging
import pickle
import threading
import traceback
from typing import Annotated

import pytest
from redis import Redis

from emco_store import REMOVE, SET_NULL, Ref, Resource, on_delete
from emco_store.backends.redis.server import acl_line
from emco_store.errors import Misconfigured, StoreError, Unavailable
from emco_store.ports import Outcome
from tests.backends.redis.conftest import NAMESPACE, SOON, Child, Site, dump
from tests.servers.proxy import Fault

pytestmark = pytest.mark.redis

SECRET, CONTENT = "hunter2", "what only the document holds"
PARTS = ("records", "guards", "keys", "unique", "index", "referrers", "feed")


class Visit(Resource):
    """A kind that changes when what it refers to is deleted."""

    site: Annotated[Ref[Site] | None, on_delete(SET_NULL)] = None
    sites: Annotated[list[Ref[Site]], on_delete(REMOVE)] = []


def key(part: str) -> str:
    """Return one of the keys of the namespace."""
    return f"{{emco:{NAMESPACE}}}:{part}"


def fill(node) -> None:
    """Leave no memory to write with."""
    node.ask("CONFIG", "SET", "maxmemory", 1)


def allow(node, *rules: str) -> str:
    """Set what the user of a store may do, and give the URL of that user."""
    node.ask("ACL", "SETUSER", "app", "reset", "on", f">{SECRET}", *acl_line(NAMESPACE).split(), *rules)
    return node.url.replace("://", f"://app:{SECRET}@")


@pytest.mark.parametrize("part", PARTS)
def test_commit_on_a_key_of_a_wrong_type_writes_nothing(open_store, fresh, part):
    """ATM-3: the types of all keys are checked before the first write."""
    store = open_store(fresh.url)
    fresh.ask("SET", key(part), "foreign")
    before = dump(fresh)

    with pytest.raises(Misconfigured) as caught:
        store.create(Site(name="a"))

    assert "namespace" == caught.value.setting
    assert before == dump(fresh)


@pytest.mark.parametrize("part", ["records", "guards"])
def test_record_that_no_store_has_written_is_a_typed_error_and_stays(open_store, fresh, part):
    """ATM-3: what is to be replaced, or counted on, is read before the first write."""
    store = open_store(fresh.url)
    site = store.create(Site(name="a"))
    child = Child(parent=site, name="c")
    fresh.ask("HSET", key(part), "Site/a", "foreign")
    before = dump(fresh)

    with pytest.raises(Misconfigured) as caught:
        store.create(child)
    with pytest.raises(Misconfigured):
        store.get(site)

    assert "namespace" == caught.value.setting
    assert before == dump(fresh)


@pytest.mark.parametrize("denied", ["set", "hset", "hdel", "zadd", "zrem", "hmget", "hlen", "evalsha"])
def test_user_who_may_not_do_one_thing_writes_nothing(open_store, fresh, denied):
    """ATM-3: a script asks for each of its rights before its first write, even when they change after the opening."""
    store = open_store(allow(fresh))
    store.create(Site(name="a"))
    before = dump(fresh)
    allow(fresh, f"-{denied}")

    with pytest.raises(Misconfigured) as caught:
        store.put(Site(name="a", text="x"))
    allow(fresh)

    assert "acl" == caught.value.setting
    assert before == dump(fresh)
    assert 2 == store.put(Site(name="a", text="x")).meta.version


def test_full_memory_refuses_what_grows_and_lets_deletes_through(open_store, fresh):
    """ATM-3: a commit that puts is refused whole and not unknown; one that only deletes makes room."""
    store = open_store(fresh.url)
    site = store.create(Site(name="a"))
    child = store.create(Child(parent=site, name="c"))
    before = dump(fresh)
    fill(fresh)

    with pytest.raises(Misconfigured) as caught:
        store.create(Site(name="b"))
    after = dump(fresh)
    read = store.get(site)
    store.delete(child)
    store.delete(site)

    assert "maxmemory" == caught.value.setting
    assert before == after
    assert site == read
    assert [] == list(store.list(Site))


def test_full_memory_refuses_a_delete_that_changes_referrers(open_store, fresh):
    """ATM-3: nothing of it happens; with the referrers it goes through, as it does when there is memory."""
    store = open_store(fresh.url)
    sites = [store.create(Site(name=name)) for name in ("a", "b")]
    visits = [store.create(Visit(name=site.name, site=site, sites=[site])) for site in sites]
    before = dump(fresh)
    fill(fresh)

    with pytest.raises(Misconfigured) as caught:
        store.delete(sites[0])
    after = dump(fresh)
    store.delete(sites[0], visits[0])
    fresh.ask("CONFIG", "SET", "maxmemory", 0)
    store.delete(sites[1])

    assert "maxmemory" == caught.value.setting
    assert before == after
    assert [] == list(store.list(Site))
    assert [("b", None, [])] == [(visit.name, visit.site, visit.sites) for visit in store.list(Visit)]


def test_full_memory_does_not_keep_an_outcome_from_being_settled(open_store, fresh):
    """ATM-5: resolve writes its fence even then."""
    store = open_store(fresh.url)
    fill(fresh)

    assert Outcome.ABORTED == store.resolve("never-sent")
    assert b"aborted" == Redis.from_url(fresh.url).get(key("tx:never-sent"))


def test_replica_is_neither_written_to_nor_read_from(open_store, fresh):
    """OCC-1: a primary that has become a replica gives no stale answer."""
    store = open_store(fresh.url)
    store.create(Site(name="a"))
    fresh.ask("REPLICAOF", "127.0.0.1", "1")

    for call in (lambda: store.get(Site, "a", deadline=SOON), lambda: store.create(Site(name="b"), deadline=SOON)):
        with pytest.raises(Unavailable):
            call()


def test_server_busy_with_a_script_is_unavailable(open_store, fresh):
    """A server that a script keeps busy has not executed the commit."""
    store = open_store(fresh.url)
    with fresh.admin() as admin:
        slow = "busy-reply-threshold" if admin.config_get("busy-reply-threshold") else "lua-time-limit"
        admin.config_set(slow, 1)
        looping = threading.Thread(target=_loop_until_killed, args=(fresh,))
        looping.start()
        while not _is_busy(admin):
            pass

        with pytest.raises(Unavailable):
            store.create(Site(name="a"), deadline=SOON)
        admin.execute_command("SCRIPT KILL")
        looping.join()
        admin.config_set(slow, 5000)

    assert [] == list(store.list(Site))


def _loop_until_killed(node) -> None:
    with node.admin() as client, pytest.raises(Exception, match="killed"):
        client.eval("while true do end", 0)


def _is_busy(admin) -> bool:
    try:
        return not admin.ping()
    except Exception as problem:  # noqa: BLE001 - the one that tells
        return "BUSY" in str(problem)


@pytest.mark.parametrize("wrong", [f"app:not-{SECRET}", f"nobody:{SECRET}"])
def test_wrong_password_is_misconfigured_and_not_shown(open_store, fresh, wrong):
    """Who is not let in learns that, and what stands in the URL is in no text."""
    allow(fresh)

    with pytest.raises(Misconfigured) as caught:
        open_store(fresh.url.replace("://", f"://{wrong}@"))

    assert "password" == caught.value.setting
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("fault", [Fault.LOSE_REPLY, Fault.LOSE_REQUEST])
def test_no_error_and_no_log_holds_a_password_or_a_document(open_store, fresh, proxy, caplog, fault):
    """Whatever fails, texts, chains, reprs and records at DEBUG name neither."""
    caplog.set_level(logging.DEBUG)
    url = allow(fresh).replace(str(fresh.port), str(proxy.port))
    store = open_store(url)
    told: list[StoreError] = []

    def fails(call) -> None:
        with pytest.raises(StoreError) as caught:
            call()
        told.append(caught.value)

    proxy.plan(b"tx:", fault, times=3)
    fails(lambda: store.create(Site(name="a", text=CONTENT)))
    for rule in ("-hset", "-evalsha"):
        allow(fresh, rule)
        fails(lambda: store.put(Site(name="c", text=CONTENT)))
    allow(fresh)
    fill(fresh)
    fails(lambda: store.create(Site(name="d", text=CONTENT)))
    fresh.ask("CONFIG", "SET", "maxmemory", 0)
    fresh.ask("SET", key("guards"), "foreign")
    fails(lambda: store.create(Site(name="b", text=CONTENT)))

    texts = ["".join(traceback.format_exception(problem)) + repr(problem) for problem in told]
    texts += [repr(store), repr(store.guarantees), caplog.text]
    texts += [str(pickle.dumps(problem)) for problem in told]
    assert [] == [text for text in texts if SECRET in text or CONTENT in text]
