# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Backends whose audits are broken on purpose; see :mod:`tests.contracts.mutants`."""

from __future__ import annotations

from dataclasses import replace

from emco_store.backends.memory import MemoryPort
from emco_store.core.flaws import stray_entry
from emco_store.errors import InvalidCall
from emco_store.ports import Audit, Audited


class AuditsTheFirstPageOnly(MemoryPort):
    """Says that the end is reached when there is more."""

    def audit(self, audit: Audit) -> Audited:
        return replace(super().audit(audit), next=None)


class LeavesOutRecords(MemoryPort):
    """Leaves out the first record of each page."""

    def audit(self, audit: Audit) -> Audited:
        found = super().audit(audit)
        return replace(found, records=found.records[1:])


class MissesNoTarget(MemoryPort):
    """Does not look whether targets are there."""

    def audit(self, audit: Audit) -> Audited:
        return replace(super().audit(audit), absent=frozenset())


class BeginsAnywhere(MemoryPort):
    """Takes what is no place for the beginning."""

    def audit(self, audit: Audit) -> Audited:
        try:
            return super().audit(audit)
        except InvalidCall:
            return super().audit(replace(audit, after=""))


class FindsWhatIsNotWrong(MemoryPort):
    """Takes every entry for a stray one."""

    def audit(self, audit: Audit) -> Audited:
        found = super().audit(audit)
        return replace(found, flaws=tuple(stray_entry(record.key.text, "keys", ()) for record in found.records))


class AuditsByDeleting(MemoryPort):
    """Takes away at once what refers to nothing."""

    def audit(self, audit: Audit) -> Audited:
        found = super().audit(audit)
        with self._backend.request(self._namespace, "audit", audit) as space:
            for record in found.records:
                if not record.targets.isdisjoint(found.absent):
                    space.drop(record.key)
        return found


BROKEN_AUDITS: tuple[tuple[type[MemoryPort], str], ...] = (
    (AuditsTheFirstPageOnly, "CHK-1"),
    (LeavesOutRecords, "CHK-1"),
    (FindsWhatIsNotWrong, "CHK-1"),
    (MissesNoTarget, "CHK-2"),
    (BeginsAnywhere, "CHK-5"),
    (AuditsByDeleting, "CHK-5"),
)
"""Each broken port, with the rule that must catch it."""
