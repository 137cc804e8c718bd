"""Open Redis: make or accept a client, look at the server, and refuse what would break a promise."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from emco_store.backends.health import PROBE, Report, transport_finding
from emco_store.backends.redis.commands import Names
from emco_store.backends.redis.errors import DRIVER_ERRORS, meaning
from emco_store.backends.redis.fast.multiplexed import transport_to as async_transport_to
from emco_store.backends.redis.fast.pinned import transport_to
from emco_store.backends.redis.report import look
from emco_store.backends.redis.sync import RedisPort
from emco_store.backends.redis.task import TaskRedisPort
from emco_store.backends.schemes import OpenOptions
from emco_store.errors import InvalidCall, Misconfigured
from emco_store.ports import Durability, Get
from emco_store.ports.guarantees import checked_transport

SOCKET_TIMEOUT_S = 5.0
"""Seconds to wait for a connection or a reply, unless the URL or the client says otherwise."""
_SCANNED = 1000
"""Keys that one step of a scan over all keys looks at, and names in one command."""


_OBJECTS = ("credential_provider", "redis_connect_func", "command_packer", "event_dispatcher", "parser_class")
_BLOCKING: tuple[type, ...] = (redis.Redis, redis.RedisCluster)
_ASYNCIO: tuple[type, ...] = (redis.asyncio.Redis, redis.asyncio.RedisCluster)
_DRIVER_INFO: Any = getattr(redis, "DriverInfo", None)
"""How redis-py says what it is; older ones have no class for it."""


def open_target(target: Any, options: OpenOptions) -> RedisBackend:
    """Return the backend of a URL or a client of redis-py; see :data:`emco_store.backends.schemes.Opener`."""
    replicas = 1 if options.require is Durability.REPLICATED else 0
    return RedisBackend(target, replicas=replicas, transport=options.transport)


class RedisBackend:
    """One Redis server, for any number of namespaces.

    Args:
        target: A URL for redis-py, handed over untouched; or a client: ``redis.Redis`` (of ``Sentinel.master_for`` too)
            or ``redis.RedisCluster`` for blocking stores, the same of ``redis.asyncio`` for asyncio. A client stays
            open when the store is closed.
        replicas: How many replicas must have a commit before it is acknowledged; from 1 on, the durability class is
            ``replicated``. Each commit then waits for them, up to 2 seconds, and ends in ``UnknownOutcome`` where too
            few answer. Not for clusters.
        transport: ``auto`` to write on the connections of the store's own client where that is allowed; ``plain`` for
            public calls of redis-py only.

    Raises:
        InvalidCall: ``replicas`` is no number of 0 or more, or ``transport`` is neither.
    """

    def __init__(self, target: Any, *, replicas: int = 0, transport: str = "auto") -> None:
        if type(replicas) is not int or replicas < 0:
            raise InvalidCall(
                f"Cannot wait for replicas={replicas!r:.40}.",
                why=["it is not a number of replicas"],
                hint="give 0 or more.",
            )
        self._target = target
        self._replicas = replicas
        self._transport = checked_transport(transport)

    def port(self, namespace: str) -> RedisPort:
        """Make the port of one namespace for blocking use."""
        return self._port(self._client(_BLOCKING, Retry(NoBackoff(), 0)), namespace)

    def async_port(self, namespace: str) -> TaskRedisPort:
        """Make the port of one namespace for asyncio."""
        retry = AsyncRetry(NoBackoff(), 0)
        client = self._client(_ASYNCIO, retry)
        transport = async_transport_to(client, owned=self._owned, wish=self._transport)
        return TaskRedisPort(client, namespace, owned=self._owned, replicas=self._replicas, transport=transport)

    def report(self, namespace: str) -> Report:
        """Look at the server and at a namespace; writes nothing."""
        client = self._client(_BLOCKING, Retry(NoBackoff(), 0))
        try:
            transport = transport_to(client, owned=self._owned, wish=self._transport)
            port = RedisPort(client, namespace, owned=False, transport=transport)
            found = transport_finding(transport.name, transport.reason)
            try:
                return look(
                    client, namespace, lambda: port.ask(Get((PROBE,))), transport=found, replicas=self._replicas
                )
            finally:
                port.close()
        finally:
            if self._owned:
                client.close()

    def namespaces(self) -> list[str]:
        """See :meth:`emco_store.backends.namespaces.Divided.namespaces`; reads the names of all keys of the server."""
        with self._at_once() as client:
            found = {Names.namespace_of(name) for name in client.scan_iter(Names("*").key("*"), count=_SCANNED)}
        return sorted(name for name in found if name is not None)

    def drop(self, namespace: str) -> None:
        """See :meth:`emco_store.backends.namespaces.Divided.drop`; reads the names of all keys of the server."""
        names = Names(namespace)
        outcomes = names.outcome("").encode()
        with self._at_once() as client:
            while found := list(client.scan_iter(names.key("*"), count=_SCANNED)):
                lasting = [name for name in found if not name.startswith(outcomes)]
                past = [name for name in found if name.startswith(outcomes)]
                if lasting:
                    client.unlink(*lasting)
                for at in range(0, len(past), _SCANNED):
                    client.unlink(*past[at : at + _SCANNED])

    @contextmanager
    def _at_once(self) -> Generator[Any]:
        """Lend a client for commands outside a port, which are not repeated."""
        client = self._client(_BLOCKING, Retry(NoBackoff(), 0))
        try:
            yield client
        except DRIVER_ERRORS as problem:
            raise meaning(problem) from problem
        finally:
            if self._owned:
                client.close()

    @property
    def _owned(self) -> bool:
        return isinstance(self._target, str)

    def _port(self, client: Any, namespace: str) -> RedisPort:
        transport = transport_to(client, owned=self._owned, wish=self._transport)
        return RedisPort(client, namespace, owned=self._owned, replicas=self._replicas, transport=transport)

    def _client(self, kinds: tuple[type, ...], retry: Any) -> Any:
        client = self._target
        if self._owned:
            kind: Any = kinds[0]
            try:
                client = kind.from_url(self._target, retry=retry, socket_timeout=SOCKET_TIMEOUT_S)
            except (ValueError, TypeError):
                raise InvalidCall(
                    "Cannot read this URL of a Redis server.",
                    why=["redis-py cannot make a client of it"],
                    hint="write redis://HOST:PORT/DATABASE, with %XX for what is special in a password.",
                ) from None  # the driver's text may hold a part of the password
            _check_files(client.connection_pool.connection_kwargs)
            _check_options(client.connection_pool.connection_kwargs)
            _name_driver(client.connection_pool.connection_kwargs)
        _check_client(client, kinds)
        return client


def _check_client(client: Any, kinds: tuple[type, ...]) -> None:
    """Refuse a client of the wrong kind, and one that would hide that the reply to a commit was lost."""
    kind = cast("type[object]", type(client))
    if not issubclass(kind, kinds):
        raise InvalidCall(
            f"Cannot use a client of the class {kind.__module__}.{kind.__qualname__} here.",
            why=["connect() needs a blocking client, connect_async() one for asyncio"],
            hint=f"give one of {', '.join(f'{each.__module__}.{each.__qualname__}' for each in kinds)}, or a URL.",
        )
    try:
        repeats = _repeats(client)
    except Exception as problem:  # noqa: BLE001 - it depends on the option, and its text may hold a password
        unknown = re.search(r"unexpected keyword argument '(\w+)'", str(problem))
        raise InvalidCall(
            "Cannot make a connection of this client or URL of Redis.",
            why=[f"redis-py knows no option {unknown[1]}" if unknown else "redis-py refuses one of its options"],
            hint="check the names and the values of its options.",
        ) from None
    if repeats != 0:
        raise Misconfigured(
            "The Redis client repeats commands by itself.",
            why=[f"its retry allows {repeats} repeats" if repeats > 0 else "its retry repeats without end"],
            hint="make it with retry=Retry(NoBackoff(), 0), or give connect() a URL.",
            setting="retry",
        )
    if client.get_encoder().decode_responses:
        raise Misconfigured(
            "The Redis client decodes replies.",
            why=["documents are bytes"],
            hint="make it without decode_responses=True.",
            setting="decode_responses",
        )


def _check_options(options: Mapping[str, Any]) -> None:
    """Refuse a URL whose time-outs have passed before anything is sent, or that gives text in place of an object."""
    times = ("socket_timeout", "socket_connect_timeout")
    wrong = [
        f"{name}={options[name]} is no time" for name in times if options.get(name) is not None and options[name] <= 0
    ]
    wrong += [
        f"{name} takes an object, which a URL cannot give" for name in _OBJECTS if isinstance(options.get(name), str)
    ]
    if wrong:
        raise InvalidCall(
            "Cannot use this URL of a Redis server.", why=wrong, hint="correct these options, or give a client."
        )


def _check_files(options: Mapping[str, Any]) -> None:
    """Refuse a URL that names files that are not there, which would look like a server that is not there."""
    files = {name: str(options[name]) for name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile") if options.get(name)}
    missing = [f"{name}={path}" for name, path in files.items() if not Path(path).is_file()]
    if missing:
        raise InvalidCall(
            "Cannot use this URL of a Redis server: it names files that are not there.",
            why=missing,
            hint="write their whole paths, and see that this process may read them.",
        )


def _name_driver(options: dict[str, Any]) -> None:
    """Say once which driver this is: redis-py would read the metadata of its package anew for each connection."""
    if _DRIVER_INFO is not None and not options.keys() & {"driver_info", "lib_name", "lib_version"}:
        options["driver_info"] = _DRIVER_INFO(lib_version=redis.__version__)


def _repeats(client: Any) -> int:
    """Return the number of repeats that a client makes by itself; below 0 for no end."""
    pool = getattr(client, "connection_pool", None)
    if pool is None:  # a client of a cluster switches the retries of its connections off
        return int(client.retry.get_retries())
    # The pool's options alone do not say it: what they leave out, the class of the connections decides.
    return int(pool.connection_class(**pool.connection_kwargs).retry.get_retries())
