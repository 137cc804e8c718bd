"""MongoDB servers to strike at: a set of one member, and one of three."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from random import Random
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from emco_store.backends.mongo.backend import MongoBackend
from emco_store.backends.mongo.sync import MongoPort
from emco_store.ports import Durability
from proof.rig import Rig
from tests.backends.mongo.members import ReplicaSet, until
from tests.proof.faults.grounds import Fault, Ground, pause
from tests.proof.faults.striking import Strike, Watch
from tests.proof.faults.wire import dropping, swallowing, wired
from tests.servers.mongo import MongoProcess, replica_set
from tests.servers.process import HOST

_TRANSIENT = {"errorLabels": ["TransientTransactionError"]}
_EVERYTHING = ["update", "find", "commitTransaction", "findAndModify"]
_SWEEPS: Mapping[str, dict[str, Any]] = {
    "WriteConflict": {"failCommands": ["update"], "errorCode": 112, **_TRANSIENT},
    "closeConnection": {"failCommands": _EVERYTHING, "closeConnection": True},
    "NotWritablePrimary": {"failCommands": _EVERYTHING, "errorCode": 10107},
    "write concern error": {
        "failCommands": ["commitTransaction", "findAndModify"],
        "writeConcernError": {"code": 91, "errmsg": "planned"},
    },
}
_HEARTBEAT = "heartbeatFrequencyMS=500"
_HASTY_S = 1.5
_SHARE = 0.1
_DURING = 20


@contextmanager
def alone() -> Iterator[Ground]:
    """A set of one member."""
    with replica_set(1) as (url, (member,)), wired(member.port) as wire:
        direct = _rig(f"{url}&{_HEARTBEAT}")
        through = _rig(f"mongodb://{HOST}:{wire.port}/?directConnection=true&{_HEARTBEAT}")

        def kill(random: Random, _: Watch) -> None:
            member.kill()
            pause(random, 0.3)
            member.restart()
            until(lambda: _is_primary(member))

        faults = {f"failCommand: {name}": Fault(_sweep(member, name), direct) for name in _SWEEPS} | {
            "kill -9 and restart": Fault(kill, direct),
            "lost requests and replies": Fault(dropping(wire, b"commitTransaction"), through),
            "black hole": Fault(swallowing(wire), through, partial(_Hasty, through.url)),
        }
        yield Ground(Durability.MAJORITY, faults)


@contextmanager
def three() -> Iterator[Ground]:
    """A set of three members."""
    with replica_set(3) as (url, members):
        known = ReplicaSet(url, members)
        with closing(known.client):
            known.settle()
            rig = _rig(f"{url}&{_HEARTBEAT}")
            faults = {
                "kill -9 of the primary": _kill_primary,
                "kill -9 of a secondary": _kill_secondary,
                "SIGSTOP of the primary": _freeze_primary,
                "step-down": _step_down,
            }
            hasty = partial(_Hasty, rig.url)
            found = {name: Fault(_on(known, does), rig, hasty) for name, does in faults.items()}
            yield Ground(Durability.MAJORITY, found)


def _on(known: ReplicaSet, does: Callable[[ReplicaSet, Random], None]) -> Strike:
    def strike(random: Random, _: Watch) -> None:
        does(known, random)
        known.settle()

    return strike


def _kill_primary(known: ReplicaSet, _: Random) -> None:
    primary = known.primary
    primary.kill()
    known.wait_for_another(primary)
    primary.restart()


def _kill_secondary(known: ReplicaSet, random: Random) -> None:
    member = random.choice([one for one in known.members if one is not known.primary])
    member.kill()
    pause(random, 1.0)
    member.restart()


def _freeze_primary(known: ReplicaSet, _: Random) -> None:
    primary = known.primary
    primary.pause()
    try:
        known.wait_for_another(primary)
    finally:
        primary.resume()


def _step_down(known: ReplicaSet, _: Random) -> None:
    known.step_down()


class _Hasty(MongoBackend):
    """Its blocking ports give up soon, in the midst of a fault: so there are outcomes that nobody knows."""

    def port(self, namespace: str) -> MongoPort:
        """Open one namespace for blocking use."""
        port = super().port(namespace)
        try:
            port.open()
        except BaseException:
            port.close()
            raise
        port._deadline_s = _HASTY_S
        return port


def _rig(url: str) -> Rig:
    return Rig("mongo", MongoBackend(url), url)


def _sweep(member: MongoProcess, name: str) -> Strike:
    """Let a share of the commands fail, for so many operations."""

    def strike(_: Random, watch: Watch) -> None:
        point = {"configureFailPoint": "failCommand"}
        with MongoClient[Any](HOST, member.port, directConnection=True) as client:
            client.admin.command(point | {"mode": {"activationProbability": _SHARE}, "data": _SWEEPS[name]})
            try:
                watch.until_more(_DURING, "ok", "unknown", "failed")
            finally:
                client.admin.command(point | {"mode": "off"})

    return strike


def _is_primary(member: MongoProcess) -> bool:
    try:
        with MongoClient[Any](HOST, member.port, directConnection=True, serverSelectionTimeoutMS=2000) as client:
            return bool(client.admin.command("hello")["isWritablePrimary"])
    except PyMongoError:
        return False


GROUNDS = (alone, three)
