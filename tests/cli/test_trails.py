"""The verb ``trail``, and what ``lifecycle`` says about what is written, approved, carried out and observed."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace

import pytest
from redis import Redis

from emco_store import connect, yes
from emco_store.backends.redis.commands import Names, decode, encode
from emco_store.cli.exits import Exit
from emco_store.core.keys import Key
from emco_store.core.lifecycle_records import standing_key
from emco_store.core.revisions import revision_key
from tests.cli.stateful import Page, Release, ReleaseLifecycle, ReleaseStatus, Server

pytestmark = pytest.mark.redis
RELEASE = Key("Release", "r")


@pytest.fixture
def namespace():
    """A namespace of its own."""
    return f"k{secrets.token_hex(8)}"


@pytest.fixture
def place(redis_server, namespace):
    """The options of a command for it."""
    return ("--store", redis_server.url, "--namespace", namespace, "--models", "tests.cli.stateful")


@pytest.fixture
def store(redis_server, namespace):
    """A store in it that acts as alice."""
    with connect(redis_server.url, namespace=namespace, actor="alice") as opened:
        yield opened


@pytest.fixture
def server(store):
    """A server that was created, changed by bob for a reason, and deleted."""
    made = store.create(Server(name="s", region="eu"))
    with store.acting(actor="bob", reason="CHG-7: closer", operation="req-1"):
        made = store.update(made.model_copy(update={"region": "us"}))
    store.delete(made)
    store.create(Server(name="other", region="\x1b[31mred"))


@pytest.mark.usefixtures("server")
def test_trail_of_a_resource_says_who_when_why_and_what(run, place):
    """The newest entry comes first, and the trail outlives its resource."""
    lines = run("trail", "Server/s", *place).out.splitlines()

    assert ["deleted  by alice", "changed  by bob", "created  by alice"] == [
        line.split("  ", 3)[3].split("  CHG")[0] for line in lines if "Server/s" in line
    ]
    assert ['    - region: "eu"', '    + region: "us"'] == [line for line in lines if "region" in line][1:3]
    assert any("CHG-7: closer  [req-1]" in line for line in lines)


@pytest.mark.usefixtures("server")
def test_trail_of_a_kind_is_read_page_by_page(run, place):
    """A kind shows all its resources by time, a page at a time, and never a control character."""
    first = run("trail", "Server", "--limit", "1", "-o", "json", *place)
    page = json.loads(first.out)
    rest = json.loads(run("trail", "Server", "--after", page["next"], "-o", "json", *place).out)
    shown = run("trail", "Server", *place)

    assert ["Server/other", "Server/s", "Server/s", "Server/s"] == [
        one["key"] for one in (*page["items"], *rest["items"])
    ]
    changed = rest["items"][1]
    assert ("changed", 2, "bob", "CHG-7: closer", "req-1", False) == tuple(
        changed[name] for name in ("action", "version", "actor", "reason", "operation", "shortened")
    )
    assert [{"path": "region", "before": "eu", "after": "us"}] == changed["changes"]
    assert (Exit.OK, False) == (shown.code, "\x1b[31m" in shown.out)
    assert "4 entries shown" in shown.err


def test_kind_without_a_trail_says_so(run, place, store):
    """An empty trail of a class without ``trail=`` is no sign that nothing happened."""
    store.create(Release(name="r"))

    for target in ("Release", "Release/r"):
        ended = run("trail", target, *place)
        assert (Exit.OK, True) == (ended.code, "Release keeps no trail" in ended.err)
    assert "keeps no trail" not in run("trail", "Server", *place).err


@pytest.mark.parametrize(
    ("target", "code"),
    [("Nope", Exit.USAGE), ("emco__Trail", Exit.USAGE), ("Server/", Exit.USAGE)],
)
def test_trail_of_what_cannot_be_named_is_refused(run, place, target, code):
    """A kind without a model, a reserved kind and half a key are wrong commands."""
    assert code == run("trail", target, *place).code


def test_lifecycle_says_what_differs(run, place, store):
    """*modified*, *out of sync* and *unobserved* stand on the card and in the JSON."""
    release = store.create(Release(name="r"))
    page = store.create(Page(parent=release, name="p"))
    store.apply(store.plan_transition(release, ReleaseLifecycle.approve))
    with store.acting(actor="worker"):
        store.set_status(ReleaseStatus(parent=release, conditions={"Ready": yes()}), observed=release)
    in_sync = json.loads(run("lifecycle", "Release/r", "-o", "json", *place).out)["sync"]

    store.update(page.model_copy(update={"text": "new"}))
    store.update(release.model_copy(update={"title": "two"}))
    changed = json.loads(run("lifecycle", "Release/r", "-o", "json", *place).out)["sync"]
    shown = run("lifecycle", "Release/r", *place)

    assert ([], {"worker": 1}) == (in_sync["words"], in_sync["observed"])
    assert in_sync["digest"] == in_sync["approved"]
    assert (["modified", "unobserved"], 2) == (changed["words"], changed["version"])
    assert "modified, unobserved" in shown.out
    assert "version 1 of 2 by worker" in shown.out


def test_revision_that_cannot_be_read_hides_no_state(run, place, namespace, redis_server, store):
    """The card shows the state, and the error says why it cannot be compared."""
    release = store.create(Release(name="r"))
    store.apply(store.plan_transition(release, ReleaseLifecycle.approve))
    standing, number = standing_key(RELEASE), revision_key(RELEASE, release.meta.uid, 1)
    with Redis.from_url(redis_server.url) as client:
        where = Names(namespace).key("records")
        for key, change in ((standing, {"applied": 1, "revisions": 2}), (number, {"at_us": "x"})):
            record = decode(key, client.hget(where, key.text), None)
            document = json.dumps(json.loads(record.document) | change).encode()
            client.hset(where, key.text, encode(replace(record, document=document)))

    ended = run("lifecycle", "Release/r", *place)

    assert (Exit.REFUSED, True) == (ended.code, "Approved" in ended.out)
    assert "INVALID-RESOURCE" in ended.err
