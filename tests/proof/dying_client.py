"""A client that is killed at one command on the wire, or at a moment drawn within it; run as a process of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import redis
from pymongo import MongoClient
from pymongo.monitoring import CommandListener
from redis.backoff import NoBackoff
from redis.retry import Retry

from emco_store import connect
from emco_store.backends.mongo.backend import MongoBackend
from emco_store.backends.redis.backend import RedisBackend
from emco_store.contracts.faults import Faults, FaultyBackend
from emco_store.contracts.harness import CountedIds
from emco_store.ports import Backend, Commit
from proof.operations import MODELS, OPERATIONS
from proof.rig import at_url

Moment = Literal["before", "during", "after"]
MOMENTS: tuple[Moment, ...] = ("before", "during", "after")


@dataclass
class Death:
    """Counts the commands of a client, and kills its process at one of them.

    Attributes:
        at: The number of the command, from 0; None for never.
        moment: Before it is sent, within ``delay_s`` from then on, or after its reply has come.
        delay_s: For ``during``.
        commands: The names of the commands since the client was armed.
    """

    at: int | None
    moment: Moment
    delay_s: float
    commands: list[str] = field(default_factory=list)
    is_armed: bool = False

    def before(self, command: str) -> None:
        """Take note of a command that is about to be sent."""
        if not self.is_armed:
            return
        self.commands.append(command)
        if len(self.commands) - 1 != self.at:
            return
        if self.moment == "before":
            kill()
        if self.moment == "during":
            # The signal ends the process wherever it is by then: nobody handles it.
            signal.setitimer(signal.ITIMER_REAL, self.delay_s)

    def after(self) -> None:
        """Take note of a reply."""
        if self.is_armed and len(self.commands) - 1 == self.at and self.moment == "after":
            kill()


def kill() -> None:
    """End this process as ``kill -9`` does."""
    os.kill(os.getpid(), signal.SIGKILL)


class Listener(CommandListener):
    """Tells a death of the commands of PyMongo."""

    def __init__(self, death: Death) -> None:
        self._death = death

    def started(self, event: Any) -> None:
        """See the base class."""
        self._death.before(event.command_name)

    def succeeded(self, event: Any) -> None:  # noqa: ARG002 - the base class's
        """See the base class."""
        self._death.after()

    failed = succeeded


def _connection(death: Death) -> type[redis.Connection]:
    """Return connections that tell a death of what they send, a whole pipeline as one."""

    class Told(redis.Connection):
        def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - redis-py's
            sent = command if isinstance(command, bytes) else b"".join(command)
            death.before(sent.split(b"\r\n", 3)[2].decode(errors="replace"))
            super().send_packed_command(command, check_health)

        def read_response(self, *args: Any, **options: Any) -> Any:
            reply = super().read_response(*args, **options)
            death.after()
            return reply

    return Told


def backend_of(url: str, death: Death) -> Backend:
    """Open the backend of a URL through a client that may die."""
    if url.startswith("mongodb"):
        return MongoBackend(MongoClient(url, event_listeners=[Listener(death)]))
    retry = Retry(NoBackoff(), 0)
    pool = redis.ConnectionPool.from_url(url, connection_class=_connection(death), retry=retry, socket_timeout=30)
    return RedisBackend(redis.Redis(connection_pool=pool))


def work(
    url: str, namespace: str, *, ids: str, operation: str, death: Death, report: Callable[[list[str]], None]
) -> None:
    """Do an operation and tell what was sent, or die on the way; the main function of a process."""
    doing = next(one for one in OPERATIONS if one.name == operation)
    faults = Faults()
    options: dict[str, Any] = {"namespace": namespace, "models": MODELS}
    with (
        connect(at_url(url), ids=CountedIds(f"{ids}-other"), **options) as other,
        connect(FaultyBackend(backend_of(url, death), faults), ids=CountedIds(ids), **options) as store,
    ):
        if doing.compete is not None:
            faults.do(Commit, lambda: doing.compete and doing.compete(other) and None)
        death.is_armed = True
        doing.call(store)
        death.is_armed = False
        report(death.commands)
