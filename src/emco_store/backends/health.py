"""Reports on the health of a server, made by its backend for ``emco-store doctor``: findings, verdicts and hints.

Making a report writes nothing, and raises no errors for what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from statistics import median
from time import perf_counter, time_ns
from typing import Protocol, runtime_checkable

from emco_store.core.keys import Key
from emco_store.errors import StoreError
from emco_store.ports import Durability

LOOKS = 20
"""How often each latency is measured; the median is reported."""
CLOCKS_DIFFER_US = 1_000_000
"""How far the clock of a server and that of this machine may be apart before there is something to say about it."""
PROBE = Key("Probe", "of-the-doctor")
"""The key that is read to measure a read; it need not exist."""


class Verdict(StrEnum):
    """The verdict on a finding."""

    FINE = "fine"
    ADVICE = "advice"
    """It works, but could be better, or there is something to know."""
    WRONG = "wrong"
    """A store would not open, or would break a promise."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about a server or a namespace.

    Attributes:
        name: What was examined.
        value: What was found.
        verdict: The verdict.
        hint: What to do; empty for nothing.
    """

    name: str
    value: str
    verdict: Verdict = Verdict.FINE
    hint: str = ""

    @classmethod
    def judged(cls, name: str, value: str, *, bad: bool, hint: str, verdict: Verdict = Verdict.WRONG) -> Finding:
        """Build a finding, with the verdict and the hint only if it is bad."""
        return cls(name, value, verdict, hint) if bad else cls(name, value)


@dataclass(frozen=True, slots=True)
class Report:
    """All findings about a server and a namespace.

    Attributes:
        backend: The name of the backend.
        findings: The facts, in the order to show them.
        records: Number of records of each kind in the namespace; None if they could not be counted.
        is_reachable: Whether the server answered.
        durability: What a commit survives; None if no store would open.
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
        """Return the report, with one more finding if the caller requires a durability class."""
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
    """Build the finding about a durability class."""
    return Finding.judged(
        "durability", f"{found}: {MEANINGS[found]}", bad=bool(hint), hint=hint, verdict=Verdict.ADVICE
    )  # fmt: skip


def transport_finding(name: str, reason: str) -> Finding:
    """Build the finding about the transport of a store and the reason for it."""
    return Finding("transport", f"{name}: {reason}")


@runtime_checkable
class Inspectable(Protocol):
    """A backend that can examine its server."""

    def report(self, namespace: str) -> Report:
        """Examine the server and a namespace; write nothing."""
        ...


def refusal(name: str, problem: StoreError) -> Finding:
    """Build a finding of an error."""
    return Finding(name, problem.line, Verdict.WRONG, problem.hint)


def unreachable(backend: str, reason: str) -> Report:
    """Build the report for a server that does not answer."""
    hint = "see that the server runs, that the host and the port are right, and that the network lets you through."
    return Report(backend, (Finding("server", reason, Verdict.WRONG, hint),), records=None, is_reachable=False)


def latency(name: str, ask: Callable[[], object]) -> Finding:
    """Measure the time of a request, as a median in milliseconds; if it is refused, return the reason."""
    times_s: list[float] = []
    for _ in range(LOOKS):
        begin_s = perf_counter()
        try:
            ask()
        except StoreError as problem:
            return refusal(name, problem)
        times_s.append(perf_counter() - begin_s)
    return Finding(name, f"{median(times_s) * 1000:.3f} ms, the median of {LOOKS}")


def _own_us() -> int:
    return time_ns() // 1000


def clock(ask: Callable[[], int], *, resolution_us: int = 1, own_us: Callable[[], int] = _own_us) -> Finding:
    """Compare the clock of a server with that of this machine, by the request that took the least time.

    Args:
        ask: Asks for the server's time, in microseconds since 1970.
        resolution_us: The steps in which the server tells its time, in microseconds.
        own_us: The clock of this machine, in microseconds since 1970.
    """
    looks: list[tuple[int, int]] = []
    for _ in range(LOOKS):
        sent_us = own_us()
        try:
            server_us = ask()
        except StoreError as problem:
            return refusal("clock", problem)
        received_us = own_us()
        looks.append((abs(received_us - sent_us), server_us - (sent_us + received_us) // 2))
    took_us, ahead_us = min(looks)
    return clock_finding(ahead_us, took_us // 2 + resolution_us)


def clock_finding(ahead_us: int, error_us: int) -> Finding:
    """Build the finding about the clock of a server that is ahead of this machine's, give or take the error."""
    if abs(ahead_us) <= error_us:
        return Finding("clock", f"that of this machine, to {error_us / 1000:.1f} ms")
    return Finding.judged(
        "clock",
        f"{abs(ahead_us) / 1000:,.1f} ms {'ahead of' if ahead_us > 0 else 'behind'} this machine's, to "
        f"{error_us / 1000:.1f} ms",
        bad=abs(ahead_us) - error_us > CLOCKS_DIFFER_US,
        hint="let both follow one source of time, with NTP: resources carry the times of the machines that wrote them. "
        "Leases do not depend on it.",
        verdict=Verdict.ADVICE,
    )
