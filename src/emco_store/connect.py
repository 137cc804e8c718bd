"""Open a store: choose the backend, check what is asked of it, and hand it to the blocking or the asyncio shell."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from emco_store._aio.store import AsyncStore
from emco_store._sync.store import Store
from emco_store.backends.health import Inspectable, Report
from emco_store.backends.namespaces import Divided
from emco_store.backends.schemes import IN_PROCESS, OpenOptions, find_backend, is_backend
from emco_store.beating import FindLaunch, no_process_from
from emco_store.beating.process import launcher
from emco_store.core.documents import LARGEST_MAX_BYTES, MAX_BYTES
from emco_store.core.origins import NOBODY, origin_of
from emco_store.core.resource import Resource
from emco_store.core.schema import Schema
from emco_store.errors import InvalidCall, NotSupported, Unavailable
from emco_store.flows.context import MAX_RECORDS, Limits, RetryPolicy, checked_deadline
from emco_store.flows.refusals import unavailable
from emco_store.ports import Backend, Clock, Durability, IdSource, Port, Unreachable
from emco_store.ports.guarantees import checked_transport

_NAMESPACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_VARIANT = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
_LONGEST_END = timedelta(seconds=5)
"""How long a process that beats may take to end a lease."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that reads the clock


class TimeOrderedIds:
    """Identifiers of UUID version 7, which begin with the time in milliseconds (RFC 9562, section 5.7)."""

    def new(self) -> str:
        """Return a new identifier."""
        moment_ms = time.time_ns() // 1_000_000
        text = (moment_ms.to_bytes(6, "big") + os.urandom(10)).hex()
        variant = _VARIANT[text[16]]  # two bits are given, two are left to chance
        return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


def connect(
    target: Any,
    *,
    namespace: str,
    models: Iterable[type[Resource]] = (),
    require: Durability | str | None = None,
    transport: str = "auto",
    max_bytes: int = MAX_BYTES,
    max_records: int = MAX_RECORDS,
    keep_decoded: int = 0,
    deadline: timedelta | None = None,
    actor: str | None = None,
    retry: RetryPolicy | None = None,
    clock: Clock | None = None,
    ids: IdSource | None = None,
    heartbeat_url: str | None = None,
) -> Store:
    """Open a store for blocking use.

    Args:
        target: ``"memory://"`` for data in memory that no other store shares; ``"sqlite:///FILE"`` for a file, which
            the processes of one machine share; ``"etcd://HOST:PORT"``; ``"redis://…"`` or ``"mongodb://…"``,
            which is passed to the driver unchanged; a client of redis-py or PyMongo, which stays open when the store is
            closed; or a backend, such as a ``MemoryBackend``, whose data several stores share. For unit tests also
            ``"fakeredis://"`` or ``"mongomock://"``, a stand-in for a server in memory; all stores of the process with
            the same name, as in ``"fakeredis://NAME"``, share its data until the process ends.
        namespace: 1 to 63 letters, digits, ``_`` and ``-``; stores with the same namespace share their resources.
        models: Models to know from the start; the store learns others when they are first used.
        require: The lowest durability class to accept: ``volatile``, ``local-1s``, ``local-sync``, ``replicated`` or
            ``majority``. With ``replicated`` on Redis, each commit waits until a replica has it.
        transport: How requests reach a server. With ``"auto"`` the store writes on the driver's connections itself, if
            the driver's version, options and authentication were tested and nothing observes the driver; this takes a
            fraction of the time. ``"plain"`` demands public calls of the driver. See ``store.guarantees.transport`` and
            ``transport_reason``.
        max_bytes: Maximum size of a document in bytes, 1 to 8 MiB.
        max_records: Maximum number of records that one commit writes (>= 1).
        keep_decoded: Maximum number of resources that the store keeps in memory (>= 0, by default none). A read asks
            the backend as ever; if the record is the same as before, the caller gets the same object as before. This
            holds for models that are immutable throughout; see "Kept values" in the reference of the store.
        deadline: How long a call may take, including opening the store, unless the call has its own ``deadline``. By
            default a call that loses races is repeated for 30 s, and each of its requests has 10 s. If a server
            refuses connections, the store gives up after 2 s in any case.
        actor: Who acts through this store, 1 to 253 printable characters; stored with each resource that it writes. See
            ``store.acting``.
        retry: How calls that lose races are repeated.
        clock: The source of the time.
        ids: The source of identifiers.
        heartbeat_url: The URL of the same server, over which the beats of leases go; needed only for leases with
            ``heartbeat="process"`` of a store that is made from a client.

    Raises:
        InvalidCall: An argument cannot be right.
        Misconfigured: The server promises less than ``require``, or a setting of it would break a promise.
        NotSupported: There is no such backend, its driver is not installed, or the server is too old.

    Rules: DUR-1, DUR-2.
    """
    options = _options(
        namespace,
        models=models,
        max_bytes=max_bytes,
        max_records=max_records,
        keep_decoded=keep_decoded,
        deadline=deadline,
        actor=actor,
        retry=retry,
        clock=clock,
        ids=ids,
        require=require,
    )
    backend = _backend(target, options["require"], transport)
    beating = backend if heartbeat_url is None else _backend(heartbeat_url, options["require"], transport)
    url = _url_for_processes(target if heartbeat_url is None else heartbeat_url)
    find_launch = _launcher(url, options, transport, actor)
    port = backend.port(namespace)
    store = Store(port, beats=lambda: beating.port(namespace), find_launch=find_launch, **options)
    store.open()
    return store


def connect_async(
    target: Any,
    *,
    namespace: str,
    models: Iterable[type[Resource]] = (),
    require: Durability | str | None = None,
    transport: str = "auto",
    max_bytes: int = MAX_BYTES,
    max_records: int = MAX_RECORDS,
    keep_decoded: int = 0,
    deadline: timedelta | None = None,
    actor: str | None = None,
    retry: RetryPolicy | None = None,
    clock: Clock | None = None,
    ids: IdSource | None = None,
    heartbeat_url: str | None = None,
) -> AsyncStore:
    """Open a store for asyncio, to be used as ``async with``; see :func:`connect`.

    Args:
        target: As for :func:`connect`, with a client for asyncio.
        namespace: As for :func:`connect`.
        models: As for :func:`connect`.
        require: As for :func:`connect`.
        transport: As for :func:`connect`.
        max_bytes: As for :func:`connect`.
        max_records: As for :func:`connect`.
        keep_decoded: As for :func:`connect`.
        deadline: As for :func:`connect`.
        actor: As for :func:`connect`.
        retry: As for :func:`connect`.
        clock: As for :func:`connect`.
        ids: As for :func:`connect`.
        heartbeat_url: The URL of the same server, over which the beats of leases go; needed only for leases of a store
            that is made from a client, because a thread or a process of its own sends them.
    """
    options = _options(
        namespace,
        models=models,
        max_bytes=max_bytes,
        max_records=max_records,
        keep_decoded=keep_decoded,
        deadline=deadline,
        actor=actor,
        retry=retry,
        clock=clock,
        ids=ids,
        require=require,
    )
    backend = _backend(target, options["require"], transport)
    beating = backend if heartbeat_url is None else _backend(heartbeat_url, options["require"], transport)

    def beats() -> Port:
        try:
            return beating.port(namespace)
        except InvalidCall as problem:
            raise NotSupported(
                "This store cannot take leases.",
                why=["heartbeats go from a thread of their own, which cannot use a client for asyncio"],
                hint="give connect_async() heartbeat_url=, the URL of the same server; or make the store from a URL.",
            ) from problem

    find_launch = _launcher(
        _url_for_processes(target if heartbeat_url is None else heartbeat_url), options, transport, actor
    )
    return AsyncStore(backend.async_port(namespace), beats=beats, find_launch=find_launch, **options)


def open_to_beat(options: Mapping[str, Any]) -> tuple[Store, Port]:
    """Open a store without models, for a process that beats for another one, and the port over which it beats.

    Args:
        options: The arguments of :func:`connect`.

    Raises:
        StoreError: See :func:`connect`.

    Rules: HB-7.
    """
    given = dict(options)
    backend = _backend(given.pop("target"), _durability(given["require"]), given.pop("transport"))
    defaults = {"models": (), "max_bytes": MAX_BYTES, "keep_decoded": 0, "retry": None, "clock": None, "ids": None}
    settings: dict[str, Any] = {**defaults, **given, "deadline": _LONGEST_END}
    port = backend.port(settings["namespace"])
    store = Store(port, **_options(settings.pop("namespace"), **settings))
    store.open()
    return store, port


def _url_for_processes(target: object) -> str | None:
    """Return the URL of a server; None for what only this process can use."""
    return target if isinstance(target, str) and not target.startswith(IN_PROCESS) else None


def _launcher(url: str | None, options: Mapping[str, Any], transport: str, actor: str | None) -> FindLaunch:
    """Return what finds out how to start a process that beats for a store."""
    if url is None:
        return no_process_from
    given = {
        "target": url,
        "namespace": options["namespace"],
        "require": options["require"],
        "transport": transport,
        "max_records": options["limits"].max_records,
        "actor": actor,
    }
    return lambda: launcher(given)


def inspect(target: Any, *, namespace: str, require: Durability | str | None = None, transport: str = "auto") -> Report:
    """Examine a server and a namespace on it without writing; ``emco-store doctor`` shows the result.

    Args:
        target: As for :func:`connect`.
        namespace: As for :func:`connect`.
        require: The least durability class that is fine.
        transport: As for :func:`connect`.

    Raises:
        InvalidCall: An argument cannot be right.
        Misconfigured: A setting of the client would break a promise.
        NotSupported: There is no such backend, its driver is not installed, or it cannot look.
    """
    _check_namespace(namespace)
    wanted = _durability(require)
    backend = _backend(target, wanted, transport)
    if not isinstance(backend, Inspectable):
        raise NotSupported("This backend cannot look at its server.", hint="give it a method report(namespace).")
    return backend.report(namespace).requiring(wanted)


def namespaces(target: Any) -> Sequence[str]:
    """Return the names of the namespaces on a server, in order; ``emco-store namespaces`` shows them.

    Redis is asked for the names of all its keys, which takes it about a second for each million.

    Args:
        target: As for :func:`connect`.

    Raises:
        NotSupported: The backend cannot tell.
        Unavailable: The server does not answer.
    """
    try:
        return _divided(target).namespaces()
    except Unreachable as problem:
        raise unavailable(problem) from problem


def drop_namespace(target: Any, namespace: str) -> None:
    """Take a namespace away, with everything in it, for good; dropping one that is not there changes nothing.

    Its records go in one step. Stop the programs that use it first: what they write later begins a new namespace, and
    they do not learn that the old one is gone.

    Args:
        target: As for :func:`connect`.
        namespace: As for :func:`connect`.

    Raises:
        InvalidCall: It is no name of a namespace.
        NotSupported: The backend cannot do it.
        Unavailable: The server does not answer, or its answer was lost.
    """
    _check_namespace(namespace)
    try:
        _divided(target).drop(namespace)
    except Unreachable as problem:
        raise Unavailable(
            f"It is not known whether the namespace {namespace} was dropped.",
            why=problem.reasons or ["the server does not answer"],
            hint="drop it again; that does no harm.",
        ) from problem


def _divided(target: Any) -> Divided:
    backend = _backend(target, None, "auto")
    if not isinstance(backend, Divided):
        raise NotSupported(
            "This backend cannot name its namespaces.",
            why=["only servers keep data after a program has ended"],
            hint="give the URL of a server with --store.",
        )
    return backend


def _options(
    namespace: Any,
    *,
    models: Iterable[type[Resource]],
    max_bytes: int,
    max_records: int,
    keep_decoded: int,
    deadline: timedelta | None,
    actor: object,
    retry: RetryPolicy | None,
    clock: Clock | None,
    ids: IdSource | None,
    require: object,
) -> dict[str, Any]:
    _check_namespace(namespace)
    _check_limit("max_bytes", max_bytes, LARGEST_MAX_BYTES)
    _check_limit("max_records", max_records, None)
    _check_limit("keep_decoded", keep_decoded, None, least=0)
    return {
        "namespace": namespace,
        "schema": Schema(models),
        "limits": Limits(max_bytes, max_records, keep_decoded),
        "deadline": checked_deadline(deadline),
        "origin": NOBODY if actor is None else origin_of(actor, None, None),
        "retry": retry or RetryPolicy(),
        "clock": clock or SystemClock(),
        "ids": ids or TimeOrderedIds(),
        "require": _durability(require),
    }


def _check_namespace(namespace: Any) -> None:
    if not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace):
        raise InvalidCall(
            f"{namespace!r:.80} cannot name a namespace.",
            why=["the name becomes part of the names on every server"],
            hint="use 1 to 63 ASCII letters, digits, '_' and '-', with a letter or digit first.",
        )


def _check_limit(name: str, value: Any, most: int | None, *, least: int = 1) -> None:
    if type(value) is not int or value < least or (most is not None and value > most):
        allowed = f"{least} or more" if most is None else f"{least} to {most}"
        raise InvalidCall(
            f"Cannot open a store with {name}={value!r:.40}.",
            why=[f"it is no number of {allowed}"],
            hint=f"use {allowed}.",
        )


def _backend(target: object, require: Durability | None, transport: object) -> Backend:
    wish = checked_transport(transport)
    if is_backend(target):
        if wish != "auto":
            raise InvalidCall(
                f"Cannot open this {type(target).__name__} with transport={wish!r}.",
                why=["a backend object has its transport already"],
                hint="give connect() a URL or a client, or the backend its own transport=.",
            )
        return target
    return find_backend(target, OpenOptions(require, wish))


def _durability(require: object) -> Durability | None:
    if require is None:
        return None
    try:
        return Durability(str(require))
    except ValueError:
        raise InvalidCall(
            f"Cannot require the durability {require!r:.40}.",
            why=["there is no such class"],
            hint=f"use one of {', '.join(Durability)}.",
        ) from None
