"""DUR: what an acknowledged commit survives, as the store declares it."""

from __future__ import annotations

import pytest

from emco_store.contracts.harness import Lab
from emco_store.contracts.models import Site
from emco_store.contracts.rules import rule
from emco_store.errors import InvalidCall, Misconfigured
from emco_store.ports import Durability


class DurabilityRules:
    """What is promised and what is refused. Only a crash of the server shows that a promise is kept."""

    @rule("DUR-1")
    def test_store_names_what_it_promises(self, lab: Lab) -> None:
        """A store names its backend, its isolation and its durability class (DUR-1)."""
        found = lab.store.guarantees

        assert isinstance(found.durability, Durability)
        assert "" not in {found.backend, found.isolation}
        assert found == lab.open().guarantees

    @rule("DUR-2")
    def test_store_is_not_opened_below_the_demand(self, lab: Lab) -> None:
        """Every class up to the promised one is accepted, every higher one is refused (DUR-2)."""
        promised = lab.store.guarantees.durability

        for wanted in Durability:
            for demand in (wanted, wanted.value):
                if wanted.rank <= promised.rank:
                    assert promised == lab.open(require=demand).guarantees.durability
                else:
                    with pytest.raises(Misconfigured) as caught:
                        lab.open(require=demand)
                    assert "require" == caught.value.setting
        with pytest.raises(InvalidCall):
            lab.open(require="forever")

    @rule("DUR-1")
    def test_acknowledged_commit_outlives_its_store(self, lab: Lab) -> None:
        """Stores that are opened later see what was acknowledged (DUR-1)."""
        with lab.open() as first:
            made = first.create(Site(name="a"))
        with pytest.raises(InvalidCall):
            first.get(made)

        assert made == lab.open().get(Site, "a")
