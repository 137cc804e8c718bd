"""``fakeredis://``: the port to Redis on a stand-in inside the process, for unit tests; never a proof."""

from __future__ import annotations

from collections import Counter
from importlib import import_module

from fakeredis import FakeAsyncRedis, FakeRedis, FakeServer

from emco_store.backends.health import PROBE, Finding, Report, durability_finding, latency
from emco_store.backends.redis.commands import FEED_KEPT, OUTCOMES_KEPT, Scripts
from emco_store.backends.redis.sync import RedisPort
from emco_store.backends.redis.task import TaskRedisPort
from emco_store.backends.schemes import OpenOptions, stand_in
from emco_store.ports import Durability, Get, Guarantees, Scan

import_module("lupa")  # fakeredis runs scripts with it; without it the first one would be an unknown command

VERSION = (7,)
_MOST = 1_000_000
GUARANTEES = Guarantees(
    "fakeredis",
    "strict serializable",
    Durability.VOLATILE,
    OUTCOMES_KEPT,
    leases=True,
    feed=True,
    feed_retention=FEED_KEPT,
)
"""fakeredis runs one command at a time, for all threads of the process; nothing survives it."""
_HEADER = """\
local real = redis
local redis = setmetatable({
  acl_check_cmd = function() return true end,
  call = function(name, ...) return name == 'INFO' and '' or real.call(name, ...) end,
}, {__index = redis})
"""
"""There are no users whose rights a script could ask for; the other way to ask, pcall, gives what Lua cannot read.

There is no INFO either, and no other server that could follow this one.
"""
SCRIPTS = Scripts.with_headers(_HEADER, _HEADER)
_NAMED: dict[str, FakeServer] = {}


def open_target(target: object, _options: OpenOptions) -> FakeRedisBackend:
    """Return the stand-in that a URL names; see :data:`emco_store.backends.schemes.Opener`."""
    return FakeRedisBackend(stand_in(target))


class FakeRedisBackend:
    """A Redis server inside this process, for any number of namespaces.

    Args:
        name: Backends of one name in one process are the same server, until the process ends; without a name, it is
            a server of its own.
    """

    def __init__(self, name: str = "") -> None:
        # The one state of the module: what a URL names must be found by its name. One step, so safe among threads.
        self._server = _NAMED.setdefault(name, FakeServer(VERSION)) if name else FakeServer(VERSION)

    def port(self, namespace: str) -> RedisPort:
        """Open one namespace for blocking use."""
        return FakeRedisPort(FakeRedis(server=self._server), namespace, owned=True)

    def async_port(self, namespace: str) -> TaskRedisPort:
        """Open one namespace for asyncio."""
        return AsyncFakeRedisPort(FakeAsyncRedis(server=self._server), namespace, owned=True)

    def report(self, namespace: str) -> Report:
        """Look at a namespace."""
        port = self.port(namespace)
        port.open()
        findings = (
            Finding("server", "fakeredis, which stands in for Redis in the memory of this process"),
            durability_finding(GUARANTEES.durability),
            latency("read", lambda: port.ask(Get((PROBE,)))),
        )
        records = Counter(record.key.kind for record in port.ask(Scan(kind=None, limit=_MOST)).records)
        port.close()
        return Report("fakeredis", findings, records, durability=GUARANTEES.durability)


class FakeRedisPort(RedisPort):
    """The blocking port; the stand-in has no INFO and no scripts with headers, so there is nothing to look at."""

    def open(self) -> None:
        """Trust the stand-in."""
        self._scripts = SCRIPTS
        self._guarantees = GUARANTEES


class AsyncFakeRedisPort(TaskRedisPort):
    """The asyncio port; see :class:`FakeRedisPort`."""

    async def open(self) -> None:
        """Trust the stand-in."""
        self._scripts = SCRIPTS
        self._guarantees = GUARANTEES
