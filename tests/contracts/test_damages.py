# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""A backend that does not see or mend damage is caught where the suite can do some."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emco_store.backends.memory import MemoryPort
from emco_store.contracts.damaging import damage_memory
from emco_store.contracts.harness import Harness, Mode
from emco_store.core.keys import Key
from emco_store.ports import Audit, Audited, Mend
from tests.contracts.mutants import mutant
from tests.contracts.test_contracts_bite import first_failing_test


class MendsNothing(MemoryPort):
    """Leaves entries as they are."""

    def mend(self, mend: Mend) -> None:
        """Do nothing."""


class MendsTheFirst(MemoryPort):
    """Makes a lost entry anew, and leaves those that are too many."""

    def mend(self, mend: Mend) -> None:
        super().mend(Mend(tuple([flaw for flaw in mend.flaws if flaw.kind == "missing-entry"])))


class SeesNoReferrers(MemoryPort):
    """Does not look at one of its indexes."""

    index = "referrers"

    def audit(self, audit: Audit) -> Audited:
        page = super().audit(audit)
        return replace(page, flaws=tuple([flaw for flaw in page.flaws if flaw.entry[0] != self.index]))


class SeesNoIndex(SeesNoReferrers):
    """Does not look at indexed values."""

    index = "index"


class SeesNoUniques(SeesNoReferrers):
    """Does not look at unique values."""

    index = "unique"


class MendsByRemoving(MemoryPort):
    """Removes the record of an entry that it should mend."""

    def mend(self, mend: Mend) -> None:
        super().mend(mend)
        with self._backend.request(self._namespace, "mend", mend) as space:
            for flaw in mend.flaws:
                space.drop(Key.parse(flaw.key))


class SeesOneDirection(MemoryPort):
    """Looks whether each record has its entries, and not whether each entry has its record."""

    def audit(self, audit: Audit) -> Audited:
        page = super().audit(audit)
        return replace(page, flaws=tuple([flaw for flaw in page.flaws if flaw.kind != "stray-entry"]))


BROKEN = (MendsNothing, MendsTheFirst, SeesNoReferrers, SeesNoIndex, SeesNoUniques, MendsByRemoving, SeesOneDirection)


@pytest.mark.parametrize("port", BROKEN)
def test_backend_that_does_not_see_or_mend_damage_is_caught(port):
    """CHK-9: each index, in both directions."""
    assert (
        first_failing_test(Harness("damaged", mutant(port=port), damage=damage_memory), "CHK-9", Mode.BLOCKING)
        is not None
    )


def test_backend_that_sees_and_mends_damage_passes():
    """CHK-9: what catches the others lets the memory backend pass."""
    assert first_failing_test(Harness("memory", mutant(), damage=damage_memory), "CHK-9", Mode.BLOCKING) is None
