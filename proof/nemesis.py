"""Faults during a run: what goes wrong, when it starts and stops, and how often it strikes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Protocol

from emco_store.contracts.faults import Faults, FaultyBackend, Moment
from emco_store.ports import Backend, Commit, OutcomeLost, Request, Unreachable

COMMITS: Final[ContextVar[list[int] | None]] = ContextVar("emco_store_proof_commits", default=None)
"""While it is set, its one number counts the commits that a client sends."""


def seeded(*seed: object) -> Random:
    """Return random numbers that are the same for the same seed, in every process."""
    return Random("/".join(map(str, seed)))  # noqa: S311 - to be repeated, not to be secret


@dataclass(frozen=True, slots=True)
class ClientFaults:
    """Faults that each client meets on its own; they can be sent to another process.

    Attributes:
        lose_reply: The share of commits that happen and get no reply, 0 to 1.
        lose_request: The share of commits that do not happen and get no reply, 0 to 1.
        unreachable: The share of all requests that do not reach the backend, 0 to 1.
    """

    lose_reply: float = 0.0
    lose_request: float = 0.0
    unreachable: float = 0.0

    def around(self, backend: Backend, *seed: object) -> tuple[Backend, Counter[str]]:
        """Return a backend with these faults, and their counters."""
        faults = _RandomFaults(self, seeded("faults", *seed))
        return FaultyBackend(backend, faults), faults.struck


class _RandomFaults(Faults):
    """Strikes at random; unlike its base class, it does not keep the requests."""

    def __init__(self, shares: ClientFaults, random: Random) -> None:
        super().__init__()
        self.struck: Counter[str] = Counter()
        self._shares = shares
        self._random = random

    def strike(self, request: Request[Any], moment: Moment) -> Any:
        """Raise a fault at random."""
        commits = COMMITS.get()
        if commits is not None and (type(request), moment) == (Commit, "before"):
            commits[0] += 1
        if moment == "before" and self._random.random() < self._shares.unreachable:
            self.struck["unreachable"] += 1
            raise Unreachable("planned")
        share = self._shares.lose_request if moment == "before" else self._shares.lose_reply
        if isinstance(request, Commit) and self._random.random() < share:
            self.struck["lost requests" if moment == "before" else "lost replies"] += 1
            raise OutcomeLost("planned")


class Nemesis(Protocol):
    """What goes wrong in a run. A nemesis of servers strikes from ``start`` to ``stop``, in its own thread.

    Attributes:
        name: For the report.
        client_faults: What the clients meet; None for nothing.
        counters: How often each fault has struck servers. Clients count what they meet themselves.
    """

    name: str
    client_faults: ClientFaults | None
    counters: Counter[str]

    def start(self) -> None:
        """Start, before the clients do."""
        ...

    def stop(self) -> None:
        """Stop, and leave a server that answers: the clients have ended, and the final reads follow."""
        ...


class Calm:
    """Nothing goes wrong."""

    name = "none"
    client_faults: ClientFaults | None = None

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()

    def start(self) -> None:
        """Do nothing."""

    def stop(self) -> None:
        """Do nothing."""


class Lossy(Calm):
    """Requests and replies are lost, on any backend.

    Args:
        share: The share of the requests that meet each kind of fault, 0 to 1.
    """

    name = "lost requests and replies"

    def __init__(self, share: float = 0.03) -> None:
        super().__init__()
        self.client_faults = ClientFaults(share, share, share)


@contextmanager
def during(nemesis: Nemesis) -> Generator[None]:
    """Let it strike while the block runs."""
    nemesis.start()
    try:
        yield
    finally:
        nemesis.stop()
