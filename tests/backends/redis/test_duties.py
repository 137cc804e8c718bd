"""What redis-py does around a command, on both transports: every call ends, and instrumentation sees it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from emco_store import InvalidCall, StoreError, Unavailable, connect
from emco_store.backends.redis.commands import pack
from emco_store.backends.redis.fast import allowed
from emco_store.contracts.harness import Mode
from emco_store.ports import Unreachable
from tests.backends.redis.conftest import NAMESPACE, SOON, Site, once, works
from tests.servers.process import HOST, free_port

pytestmark = pytest.mark.redis

TRANSPORTS = ("auto", "plain")
SECRET = "hunter2"  # noqa: S105 - the one that must not be shown
ONCE = Retry(NoBackoff(), 0)
IN_TIME = timedelta(seconds=5)


@pytest.fixture(params=TRANSPORTS)
def transport(request) -> str:
    """Which transport is asked for."""
    return str(request.param)


@pytest.fixture
def empty(newest):
    """The server, empty."""
    newest.ask("FLUSHALL")
    return newest


@pytest.fixture
def mute() -> Iterator[str]:
    """An address at which somebody listens and never answers."""
    with socket.create_server((HOST, 0)) as listener:
        yield f"{HOST}:{listener.getsockname()[1]}"


def test_connections_that_fell_silent_are_given_up(open_store, newest_proxy, transport):
    """What waits for a dead connection is asked again over another one, before its deadline."""
    url = f"{newest_proxy.url}?socket_timeout=0.4"
    store = open_store(url, transport=transport, deadline=IN_TIME)
    store.create(Site(name="a"))
    newest_proxy.fall_silent()

    assert "a" == store.get(Site, "a").name
    assert "b" == store.create(Site(name="b")).name


@pytest.mark.parametrize("most", [1, 2])
def test_threads_that_outnumber_the_pool_wait(empty, transport, most):
    """Nobody is refused for want of a connection, of the store's own client or of one that was given."""
    own = f"{empty.url}?max_connections={most}"
    with redis.Redis.from_url(own, retry=ONCE) as given:
        for target in (own, given):
            with connect(target, namespace=NAMESPACE, transport=transport) as store:
                store.put(Site(name="a"))
                begin = threading.Barrier(8)

                def work(store: Any = store, begin: threading.Barrier = begin) -> list[str]:
                    begin.wait()
                    return [store.get(Site, "a").name for _ in range(30)]

                with ThreadPoolExecutor(8) as threads:
                    assert [["a"] * 30] * 8 == [each.result() for each in [threads.submit(work) for _ in range(8)]]


def test_pool_that_others_have_taken_is_waited_for_until_the_deadline(empty):
    """A client that was given may be busy with something else; then the reason is named."""
    with (
        redis.Redis.from_url(
            f"{empty.url}?max_connections=1", retry=redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        ) as given,
        connect(given, namespace=NAMESPACE) as store,
    ):
        connection = given.connection_pool.get_connection()
        with pytest.raises(Unavailable, match="in use"):
            store.get(Site, "a", deadline=SOON)
        given.connection_pool.release(connection)
        works(store)


def test_deadline_ends_a_call_over_a_client_that_waits_for_ever(open_store, classes, client, newest_proxy):
    """The time-outs of a client that was given do not count where they are longer, or where there are none."""
    options = {"retry": once(classes), "socket_timeout": None}
    store = open_store(client(classes[0].from_url(newest_proxy.url, **options)))
    store.create(Site(name="a"))
    newest_proxy.fall_silent()

    with pytest.raises(Unavailable, match="in time"):
        store.get(Site, "a", deadline=SOON)
    assert "a" == store.get(Site, "a", deadline=IN_TIME).name


@pytest.mark.parametrize("of", ["class", "client"])
def test_instrumentation_sees_every_command_from_the_moment_it_begins(open_store, classes, empty, monkeypatch, of):
    """OpenTelemetry wraps ``execute_command``, of all clients or of one, before or after a store was opened."""
    store = open_store(empty.url)
    store.create(Site(name="a"))
    assert "fast" == store.guarantees.transport
    seen: list[str] = []
    holder: Any = classes[0] if of == "class" else store._port._client
    original = holder.execute_command

    def traced(*args: Any, **options: Any) -> Any:
        seen.append(str(args[1] if of == "class" else args[0]))
        return original(*args, **options)

    monkeypatch.setattr(holder, "execute_command", traced)

    assert "a" == store.get(Site, "a").name
    assert seen
    assert "plain" == store.guarantees.transport
    assert "execute_command" in store.guarantees.transport_reason


def test_metrics_of_redis_py_switch_the_fast_transport_off(open_store, empty, monkeypatch):
    """They see every request from then on."""
    store = open_store(empty.url)
    monkeypatch.setattr(allowed, "_PROVIDER", lambda: SimpleNamespace(get_provider_manager=object))

    works(store)

    assert "plain" == store.guarantees.transport
    assert "metrics" in store.guarantees.transport_reason


def test_what_a_server_says_unasked_is_left_to_redis_py(open_store, mode, loop, empty):
    """A push may announce a maintenance, which redis-py handles; from then on, requests go by its calls."""
    store = open_store(f"{empty.url}?protocol=3")
    store.create(Site(name="a"))
    transport: Any = store._port._transport
    tracking = pack(("CLIENT", "TRACKING", "ON", "BCAST"))
    if mode is Mode.BLOCKING:
        assert b"OK" == transport._idle[0].ask(tracking, None)
    else:

        async def track() -> None:
            assert b"OK" == await transport._shared.send(tracking)

        loop.call(track())

    for text in ("x", "y", "z"):
        assert text == store.put(Site(name="a", text=text)).text
        assert text == store.get(Site, "a").text

    assert "plain" == store.guarantees.transport
    assert "announces" in store.guarantees.transport_reason


def test_server_that_cannot_be_reached_is_named_with_the_cause(open_store, mute, transport):
    """Refused, unknown, silent: each is told apart, and none shows a secret."""
    at = f"{HOST}:{free_port()}"
    for target, reason in (
        (f"redis://u:{SECRET}@{at}/0", f"{at}: it refuses connections"),
        (f"redis://u:{SECRET}@no-such-host.invalid/0", "no-such-host.invalid:6379: "),
        (f"redis://u:{SECRET}@{mute}/0?socket_timeout=0.2", f"{mute}: it did not answer in time"),
        ("unix:///no/such/socket", "/no/such/socket: it refuses connections"),
    ):
        with pytest.raises(Unavailable) as caught:
            open_store(target, transport=transport, deadline=SOON)
        assert reason in str(caught.value)
        assert SECRET not in str(caught.value)


def test_every_call_gives_up_alike_when_the_server_is_gone(open_store, fresh, transport):
    """None fails at once and none hangs: a server that refuses is tried for two seconds, or until the deadline."""
    store = open_store(fresh.url, transport=transport, deadline=SOON)
    site = store.create(Site(name="a"))
    fresh.kill()
    calls: dict[str, Callable[[], object]] = {
        "get": lambda: store.get(site),
        "list": lambda: store.list(Site),
        "create": lambda: store.create(Site(name="b")),
        "update": lambda: store.update(site.model_copy(update={"text": "x"})),
        "put": lambda: store.put(Site(name="a", text="x")),
        "delete": lambda: store.delete(site),
        "run": lambda: store.run(lambda tx: tx.delete(site)),
        "resolve": lambda: store.resolve("x"),
        "check": store.check,
    }
    problems = {}
    for name, call in calls.items():
        with pytest.raises(StoreError) as caught:
            call()
        problems[name] = type(caught.value)
    fresh.start()

    assert dict.fromkeys(calls, Unavailable) == problems
    works(open_store(fresh.url, transport=transport))


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1/0?nope=1", "redis://127.0.0.1/0?ssl_cert_reqs=none", "redis://127.0.0.1/0?protocol=9",
        "redis://127.0.0.1/0?retry=3", "redis://127.0.0.1/0?connection_class=x", "redis://127.0.0.1/0?socket_timeout=-1",
        "redis://127.0.0.1/0?socket_timeout=0", "redis://127.0.0.1/0?socket_connect_timeout=-1",
        "rediss://127.0.0.1/0?ssl_cert_reqs=foo", "redis://127.0.0.1/0?credential_provider=x",
    ],
)  # fmt: skip
def test_option_that_the_driver_does_not_take_is_an_invalid_call(open_store, url):
    """BAD-1: no error of the driver comes out, and none of a server that nobody has asked."""
    with pytest.raises(InvalidCall):
        open_store(url)


def test_port_of_a_late_call_asks_nothing(open_store, empty):
    """What reaches a port after its deadline ends there."""
    store = open_store(empty.url)

    with pytest.raises((Unavailable, Unreachable)):
        store.get(Site, "a", deadline=timedelta(0))
