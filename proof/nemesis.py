"""Faults around a run: what goes wrong, when it begins and ends, and how often it struck."""

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
"""Counts in its one number the commits that a client sends, while it is set."""


def seeded(*seed: object) -> Random:
    """Give random numbers that are the same in every run with the same seed, in every process."""
    return Random("/".join(map(str, seed)))  # noqa: S311 - to be repeated, not to be secret


@dataclass(frozen=True, slots=True)
class ClientFaults:
    """Faults that each client meets by itself, and that can be handed to another process.

    Attributes:
        lose_reply: The share of commits that happen and are not answered, 0 to 1.
        lose_request: The share of commits that do not happen and are not answered.
        unreachable: The share of all requests that do not reach the backend.
    """

    lose_reply: float = 0.0
    lose_request: float = 0.0
    unreachable: float = 0.0

    def around(self, backend: Backend, *seed: object) -> tuple[Backend, Counter[str]]:
        """Put these faults around a backend; what they did is counted in the second value."""
        faults = _RandomFaults(self, seeded("faults", *seed))
        return FaultyBackend(backend, faults), faults.struck


class _RandomFaults(Faults):
    """Strikes by chance; unlike its base class, it does not keep what was asked."""

    def __init__(self, shares: ClientFaults, random: Random) -> None:
        super().__init__()
        self.struck: Counter[str] = Counter()
        self._shares = shares
        self._random = random

    def strike(self, request: Request[Any], moment: Moment) -> Any:
        """Raise what the chance decides."""
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
    """What goes wrong in a run. One that strikes at servers does so from ``start`` to ``stop``, in a thread of its own.

    Attributes:
        name: For the report.
        client_faults: What the clients meet; None for nothing.
        counters: How often each fault has struck, at servers; what clients meet is counted by themselves.
    """

    name: str
    client_faults: ClientFaults | None
    counters: Counter[str]

    def start(self) -> None:
        """Begin; the clients are about to."""
        ...

    def stop(self) -> None:
        """End, and leave a server that answers; the clients have ended, and the final reads follow."""
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
        share: Of each sort of fault, the share of the requests that meet it, 0 to 1.
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
