"""How a server is, said by its backend: what was found, how good that is, and what to do about it.

``emco-store doctor`` shows it. A look writes nothing, and never raises because of what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from statistics import median
from time import perf_counter
from typing import Protocol, runtime_checkable

from emco_store.core.keys import Key
from emco_store.errors import StoreError
from emco_store.ports import Durability

LOOKS = 20
"""How often each latency is measured; the median is told."""
PROBE = Key("Probe", "of-the-doctor")
"""What is read to measure a read; it need not be there."""


class Verdict(StrEnum):
    """How good a finding is."""

    FINE = "fine"
    ADVICE = "advice"
    """It works; there is something better, or something to know."""
    WRONG = "wrong"
    """A store does not open, or would break a promise."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about a server or a namespace.

    Attributes:
        name: What was looked at.
        value: What was found.
        verdict: How good that is.
        hint: What to do, where something is to be done.
    """

    name: str
    value: str
    verdict: Verdict = Verdict.FINE
    hint: str = ""

    @classmethod
    def judged(cls, name: str, value: str, *, bad: bool, hint: str, verdict: Verdict = Verdict.WRONG) -> Finding:
        """Make a finding that has a verdict and a remedy only where it is bad."""
        return cls(name, value, verdict, hint) if bad else cls(name, value)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found.

    Attributes:
        backend: The name of the backend.
        findings: The facts, in the order to show them.
        records: How many records of each kind the namespace holds; None where that could not be found out.
        is_reachable: Whether the server answered.
        durability: What a commit survives; None where no store would open.
    """

    backend: str
    findings: tuple[Finding, ...]
    records: Mapping[str, int] | None = field(default_factory=dict[str, int])
    is_reachable: bool = True
    durability: Durability | None = None

    @property
    def is_well(self) -> bool:
        """Whether nothing must be changed."""
        return self.is_reachable and all(finding.verdict is not Verdict.WRONG for finding in self.findings)

    def requiring(self, wanted: Durability | None) -> Report:
        """Give the same report with one more finding, where a caller demands a durability class."""
        if wanted is None or self.durability is None:
            return self
        value = f"{wanted} is required, {self.durability} is given"
        hint = "set the server up for it, or ask for less."
        finding = Finding.judged("required", value, bad=self.durability.rank < wanted.rank, hint=hint)
        return replace(self, findings=(*self.findings, finding))


MEANINGS: Mapping[Durability, str] = {
    Durability.VOLATILE: "nothing survives the end of the process that holds it",
    Durability.LOCAL_1S: "a killed server or a power failure may take the last two seconds",
    Durability.LOCAL_SYNC: "commits survive a power failure of the one server",
    Durability.REPLICATED: "commits survive the loss of the server at a planned failover",
    Durability.MAJORITY: "commits survive the loss of a minority of the servers",
}
"""What an acknowledged commit survives in each class, for people."""


def durability_finding(found: Durability, *, hint: str = "") -> Finding:
    """Say what a durability class means."""
    return Finding.judged(
        "durability", f"{found}: {MEANINGS[found]}", bad=bool(hint), hint=hint, verdict=Verdict.ADVICE
    )  # fmt: skip


def transport_finding(name: str, reason: str) -> Finding:
    """Report how requests of a store reach the server, and why so."""
    return Finding("transport", f"{name}: {reason}")


@runtime_checkable
class Inspectable(Protocol):
    """A backend that can look at its server."""

    def report(self, namespace: str) -> Report:
        """Look at the server and at a namespace; write nothing."""
        ...


def refusal(name: str, problem: StoreError) -> Finding:
    """Tell an error as a finding."""
    return Finding(name, problem.line, Verdict.WRONG, problem.hint)


def unreachable(backend: str, reason: str) -> Report:
    """Report a server that does not answer."""
    hint = "see that the server runs, that the host and the port are right, and that the network lets you through."
    return Report(backend, (Finding("server", reason, Verdict.WRONG, hint),), records=None, is_reachable=False)


def latency(name: str, ask: Callable[[], object]) -> Finding:
    """Measure how long a request takes, in milliseconds: the median of some; or say why it is refused."""
    times_s: list[float] = []
    for _ in range(LOOKS):
        begin_s = perf_counter()
        try:
            ask()
        except StoreError as problem:
            return refusal(name, problem)
        times_s.append(perf_counter() - begin_s)
    return Finding(name, f"{median(times_s) * 1000:.3f} ms, the median of {LOOKS}")
