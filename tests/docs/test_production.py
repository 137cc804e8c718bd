"""The commands on the page about production are the ones that hold: each runs on a real server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import trustme
from pymongo import MongoClient
from redis import Redis

from emco_store import Misconfigured, Resource, StoreError, connect
from emco_store.backends.mongo import server as mongo
from emco_store.backends.redis import server as redis
from tests.servers.process import HOST, ServerMissing
from tests.servers.redis import ServerTooOld
from tests.servers.redis_nodes import own_redis
from tests.servers.redis_tls import redis_with_tls

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "production.md").read_text("utf-8")
REDIS_COMMANDS = re.findall(r"^(?:CONFIG|ACL) .+$", PAGE, re.MULTILINE)
MONGO_COMMANDS = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
TLS_SETTINGS = dict(line.split(" ", 1) for line in re.findall(r"^(?:tls-\S+|port) \S+$", PAGE, re.MULTILINE))
TLS_URL = next(re.finditer(r"^rediss://.+$", PAGE, re.MULTILINE))[0]
ACL = next(command for command in REDIS_COMMANDS if command.startswith("ACL"))


class Item(Resource):
    """Something to store."""


class Part(Resource, parent=Item):
    """Something that refers to it."""


@pytest.fixture
def redis_url(redis_server):  # noqa: ARG001 - it skips or fails where there is no Redis
    """A Redis server whose settings and users may be changed."""
    try:
        with own_redis() as node:
            yield node.url
    except ServerMissing as problem:
        pytest.skip(str(problem))


@pytest.fixture(scope="module")
def mongo_server(servers):
    """A replica set whose limits and users may be changed: no other worker uses it."""
    return servers.own("mongo")


@pytest.fixture
def mongo_admin(mongo_server):
    """A client of the replica set, in which the page's user and role are not there, and the limit stays as it was."""
    limit = "transactionLifetimeLimitSeconds"
    with MongoClient(mongo_server.url) as client:
        before = client.admin.command("getParameter", 1, **{limit: 1})[limit]
        _forget(client)
        yield client
        _forget(client)
        client.admin.command("setParameter", 1, **{limit: before})


def _forget(client):
    client["emco"].command("dropAllUsersFromDatabase")
    client["emco"].command("dropAllRolesFromDatabase")


def test_redis_commands_of_the_page_give_the_class_that_it_names(redis_url):
    """After the commands that the page gives, a store that demands ``local-sync`` opens."""
    with Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        with pytest.raises(Misconfigured):
            connect(redis_url, namespace="shop")
        replies = [client.execute_command(*command.split()) for command in REDIS_COMMANDS]

    with connect(redis_url, namespace="shop", require="local-sync") as store:
        assert "local-sync" == store.guarantees.durability
    assert len(replies) == replies.count(True) + replies.count(b"OK")


def test_redis_user_of_the_page_is_the_one_of_the_backend():
    """The line on the page is the line that the backend knows to be enough."""
    assert f"ACL SETUSER shop on >change-me {redis.acl_line('shop')}" == ACL


def test_redis_user_of_the_page_can_use_its_namespace_and_no_other(redis_url):
    """The user creates, reads, lists, refers and deletes in ``shop``, and is refused elsewhere."""
    with Redis.from_url(redis_url) as client:
        client.execute_command(*ACL.split())
    url = redis_url.replace("redis://", "redis://shop:change-me@")

    with connect(url, namespace="shop", models=[Item, Part]) as store:
        item = store.create(Item(name="i1"))
        store.delete(store.create(Part(parent=item, name="p1")))
        names = [found.name for found in store.list(Item)]
    with pytest.raises(StoreError), connect(url, namespace="till") as other:
        other.create(Item(name="i1"))

    assert ["i1"] == names


def test_redis_settings_and_url_of_the_page_are_enough_for_tls(redis_server, tmp_path):  # noqa: ARG001 - as above
    """A server that is set as the page says, with the page's user, serves the page's URL and nobody without TLS."""
    authority = trustme.CA()
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    try:
        with redis_with_tls(authority, TLS_SETTINGS) as port:
            with Redis(host=HOST, port=port, ssl=True, ssl_ca_certs=str(file)) as client:
                client.execute_command(*ACL.split())
            url = TLS_URL.replace("PASSWORD@redis.internal:6379", f"change-me@{HOST}:{port}")
            url = url.replace("/etc/ssl/redis-ca.pem", str(file))
            with connect(url, namespace="shop") as store:
                store.create(Item(name="i1"))
                names = [found.name for found in store.list(Item)]
            with pytest.raises(StoreError):
                connect(f"redis://{HOST}:{port}/0", namespace="shop")
    except ServerTooOld as problem:
        pytest.skip(str(problem))

    assert ["i1"] == names


def test_mongo_role_of_the_page_is_the_one_of_the_backend():
    """The role on the page is the role that the backend knows to be enough."""
    assert mongo.role("emco", "shop") in MONGO_COMMANDS


def test_mongo_commands_of_the_page_are_accepted(mongo_admin):
    """A server takes each of them, and knows the limit, the role and the user afterwards."""
    for command in MONGO_COMMANDS:
        database = mongo_admin["admin" if "setParameter" in command else "emco"]
        database.command(command)

    user = mongo_admin["emco"].command("usersInfo", "shop")["users"][0]
    assert ["emco-store-shop"] == [role["role"] for role in user["roles"]]
    limit = "transactionLifetimeLimitSeconds"
    assert 5 == mongo_admin.admin.command("getParameter", 1, **{limit: 1})[limit]
