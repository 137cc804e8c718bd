"""Run every phase on every backend in turn, share the time among them, and keep the results of interrupted runs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import format_exc
from typing import Final

from proof.phase import Budget, Phase, PhaseResult
from proof.report import Report
from proof.rig import Rig

HISTORIES: Final = "histories"
"""The folder for histories that led to violations, beside the report."""


def prove(
    phases: Sequence[Phase],
    rigs: Sequence[Rig],
    report: Report,
    *,
    out: Path,
    show: Callable[[str], None],
    budget: Callable[[float], Budget] = Budget,
) -> None:
    """Run the phases, and write the report after each.

    Time that a phase does not use is given to those that follow. A phase that fails with an error is reported, and the
    others still run.

    Args:
        phases: The phases.
        rigs: The backends.
        report: The report to fill; has the ``minutes`` and the ``seed``.
        out: The folder of the report.
        show: Called with each line of progress.
        budget: Returns a budget of seconds.

    Raises:
        KeyboardInterrupt: The run was interrupted. The report has what ended before.
    """
    end_s = time.monotonic() + 60 * report.minutes
    todo = [(phase, rig) for phase in phases for rig in rigs if rig.name in phase.backends]
    report.describe(phases)
    for at, (phase, rig) in enumerate(todo):
        left_s = max(end_s - time.monotonic(), 0.0)
        ours_s = left_s * phase.share / sum(each.share for each, _ in todo[at:])
        title = f"[{at + 1:2}/{len(todo)}] {phase.name} on {rig.name}"
        show(f"{title}: {ours_s:.0f} s of {left_s / 60:.1f} min left")
        begun = time.monotonic()
        try:
            result = _run(phase, rig, budget(ours_s), seed=report.seed, out=out)
        except KeyboardInterrupt:
            report.missing += [f"{one.name} on {there.name}: cut short by hand" for one, there in todo[at:]]
            report.write(out)
            raise
        except Exception:  # noqa: BLE001 - one phase that breaks down must not take the others' results along
            report.missing.append(f"{phase.name} on {rig.name} broke down: {format_exc(limit=-3)}")
            show(f"{title}: BROKE DOWN\n{format_exc()}")
        else:
            result.seconds = time.monotonic() - begun
            report.results.append(result)
            show(f"{title}: {_summed(result)}")
        report.write(out)


def _run(phase: Phase, rig: Rig, budget: Budget, *, seed: int, out: Path) -> PhaseResult:
    """Run a phase in its own folder, which is kept if there are violations."""
    with TemporaryDirectory(prefix="emco-store-proof-", ignore_cleanup_errors=True) as folder:
        result = phase.run(rig, budget, seed=seed, out=Path(folder))
        if not result.holds:
            kept = out / HISTORIES / f"{phase.name}-{rig.name}".replace(" ", "-")
            shutil.copytree(folder, kept, dirs_exist_ok=True)
            result.notes.append(f"what was done is kept in {HISTORIES}/{kept.name}")
        return result


def _summed(result: PhaseResult) -> str:
    names = ("operations", "transactions", "judged", "schedules", "deletes", "caught", "crashes", "kills",
             "commits", "worst_delete_ms")  # fmt: skip
    told = ", ".join(
        f"{result.numbers[name]:,.0f} {name.replace('_', ' ')}" for name in names if name in result.numbers
    )
    faults = sum(result.faults.values())
    verdict = "nothing found" if result.holds else f"VIOLATIONS: {result.violations[0].splitlines()[0]}"
    return f"{told}{f', {faults:,} faults' if faults else ''} in {result.seconds:.0f} s: {verdict}"
