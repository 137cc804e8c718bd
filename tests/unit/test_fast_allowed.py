"""Which drivers, clients and options the fast transports are used with, and why not with others."""

from __future__ import annotations

import functools
from typing import Any

import pymongo
import pytest
import redis
import redis.asyncio
from pymongo import AsyncMongoClient, MongoClient, monitoring
from pymongo.server_api import ServerApi
from redis.credentials import UsernamePasswordCredentialProvider
from redis.observability import OTelConfig, get_observability_instance, reset_observability_instance

from emco_store import InvalidCall, connect, connect_async
from emco_store.backends.mongo.fast import allowed as mongo
from emco_store.backends.redis.fast import allowed as on_redis

CLIENTS = pytest.mark.parametrize("kind", [MongoClient, AsyncMongoClient])
REDIS_CLIENTS = pytest.mark.parametrize("kind", [redis.Redis, redis.asyncio.Redis])


class Listener(monitoring.CommandListener):
    """Hears every command."""

    def started(self, event: Any) -> None:
        """See PyMongo."""

    succeeded = failed = started


class SwitchedOn:
    """What redis-py's module gives while its metrics are on."""

    def get_provider_manager(self) -> object:
        """See redis-py."""
        return self


def client_of(kind: Any, query: str = "", **options: Any) -> Any:
    """Make a client of PyMongo that connects to nothing."""
    return kind(f"mongodb://localhost/?{query}", connect=False, **options)


@CLIENTS
@pytest.mark.parametrize(
    "query",
    [
        "",
        "maxPoolSize=1&maxIdleTimeMS=5&socketTimeoutMS=5&timeoutMS=5&waitQueueTimeoutMS=5",
        "tls=true&retryWrites=false",
    ],
)
def test_tested_clients_of_pymongo_are_allowed(kind, query):
    """This release, and options that mean nothing here or are honoured."""
    assert "" == mongo.objection(client_of(kind, query))
    assert "" == mongo.objection(kind("mongodb://u:p@localhost/?authMechanism=SCRAM-SHA-256", connect=False))


@CLIENTS
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"event_listeners": [Listener()]}, "listeners"),
        ({"compressors": "zlib"}, "compressors"),
        ({"server_api": ServerApi("1")}, "server_api"),
        ({"server_selector": lambda servers: servers}, "server_selector"),
        ({"tlsCertificateKeyFile": None, "authMechanism": "MONGODB-X509", "tls": True}, "MONGODB-X509"),
        ({"authMechanism": "PLAIN", "username": "u", "password": "p"}, "PLAIN"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_clients_with_more_to_do_are_left_to_pymongo(kind, options, reason):
    """What is not on the list goes by public calls, and the reason names it."""
    options = {name: value for name, value in options.items() if value is not None}

    assert reason in mongo.objection(client_of(kind, **options))


def test_subclass_of_a_client_is_left_to_pymongo():
    """Somebody has changed what a client does."""

    class Own(MongoClient[Any]):
        """A client with habits of its own."""

    assert "Own" in mongo.objection(client_of(Own))


@pytest.mark.parametrize(
    ("version", "is_allowed"),
    [
        ((4, 12, 9), False), ((4, 13, 1), False), ((4, 13, 2), True), ((4, 17, 0), True), ((4, 20, 99), True),
        ((4, 21, 0), False), ((5, 0, 0), False), ((4, 21, 0, ".dev0"), False),
    ],
)  # fmt: skip
def test_releases_of_pymongo_are_allowed_from_the_oldest_to_the_newest_tested(monkeypatch, version, is_allowed):
    """A release that nobody has run the suite with goes by public calls."""
    monkeypatch.setattr(pymongo, "version_tuple", version)

    assert is_allowed == (mongo.objection(client_of(MongoClient)) == "")


@pytest.mark.parametrize(
    ("version", "is_allowed"),
    [
        ("5.3.0", False),
        ("6.0.0", True),
        ("7.4.1", True),
        ("8.0.0", False),
        ("8.1.7", True),
        ("8.2.0", False),
        ("9.0.0", False),
    ],
)
def test_releases_of_redis_py_are_allowed_from_the_oldest_to_the_newest_tested(monkeypatch, version, is_allowed):
    """The same for redis-py."""
    monkeypatch.setattr(redis, "__version__", version)

    assert is_allowed == (on_redis.objection(redis.Redis.from_url("redis://localhost")) == "")


@CLIENTS
@pytest.mark.parametrize("name", ["_select_server", "_checkout"])
def test_private_method_with_other_parameters_is_not_used(monkeypatch, kind, name):
    """A name that is there and means something else is found before it is called."""
    monkeypatch.setattr(kind, name, lambda _, selector: selector)

    assert name in mongo.objection(client_of(kind))
    monkeypatch.delattr(kind, name)
    assert name in mongo.objection(client_of(kind))


@CLIENTS
def test_public_method_that_was_replaced_is_used(monkeypatch, kind):
    """Instrumentation that wraps methods sees every call."""
    owner = type(client_of(kind).db)
    original = owner.command

    @functools.wraps(original)
    def traced(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, "command", traced)

    assert "database.command" in mongo.objection(client_of(kind))


@REDIS_CLIENTS
@pytest.mark.parametrize(
    "url",
    [
        "redis://u:p@localhost:1/2?protocol=2&health_check_interval=3&socket_timeout=1",
        "rediss://localhost",
        "unix:///s?db=1",
    ],
)
def test_tested_clients_of_redis_py_are_allowed(kind, url):
    """This release, and options that mean nothing here or are honoured."""
    assert "" == on_redis.objection(kind.from_url(url, socket_timeout=5))


@REDIS_CLIENTS
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"credential_provider": UsernamePasswordCredentialProvider("u", "p")}, "credential_provider"),
        ({"redis_connect_func": print}, "redis_connect_func"),
        ({"retry_on_error": [OSError]}, "retry_on_error"),
        ({"socket_read_size": 1}, "socket_read_size"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_clients_with_more_to_do_are_left_to_redis_py(kind, options, reason):
    """What is not on the list goes by public calls, and the reason names it."""
    assert reason in on_redis.objection(kind.from_url("redis://localhost", **options))


@REDIS_CLIENTS
@pytest.mark.parametrize("of", ["class", "client"])
def test_execute_command_that_was_replaced_is_used(monkeypatch, kind, of):
    """Instrumentation wraps it for all clients, or for one."""
    client = kind.from_url("redis://localhost")
    monkeypatch.setattr(kind if of == "class" else client, "execute_command", lambda *_: None)

    assert "execute_command" in on_redis.objection(client)


@pytest.mark.parametrize("name", ["send_command", "send_packed_command", "read_response"])
def test_method_of_a_connection_that_was_replaced_is_used(monkeypatch, name):
    """So is what wraps the connection."""
    monkeypatch.setattr(redis.Connection, name, lambda *_: None)

    assert name in on_redis.objection(redis.Redis.from_url("redis://localhost"))


def test_metrics_of_redis_py_see_every_request(monkeypatch):
    """Whoever switches them on, before or after, gets figures."""
    client = redis.Redis.from_url("redis://localhost")
    assert "" == on_redis.is_watched(client)

    monkeypatch.setattr(on_redis, "_PROVIDER", SwitchedOn)

    assert "metrics" in on_redis.is_watched(client) == on_redis.objection(client)


def test_metrics_are_found_where_redis_py_has_them():
    """The names that are asked for are those of this release."""
    client = redis.Redis.from_url("redis://localhost")
    assert "" == on_redis.is_watched(client)
    try:
        get_observability_instance().init(OTelConfig())
    except ImportError:
        pytest.skip("OpenTelemetry is not installed")
    try:
        assert "metrics" in on_redis.is_watched(client)
    finally:
        reset_observability_instance()


@pytest.mark.parametrize("transport", ["fast", "", None, "PLAIN", 1, ["plain"]])
def test_transport_that_there_is_not_is_refused(transport):
    """BAD-1: one clear error, before anything is opened."""
    for open_ in (connect, connect_async):
        with pytest.raises(InvalidCall):
            open_("memory://", namespace="n", transport=transport)


def test_memory_has_no_transport():
    """Where there is no server, either wish is fine."""
    for transport in ("auto", "plain"):
        with connect("memory://", namespace="n", transport=transport) as store:
            assert "" == store.guarantees.transport
