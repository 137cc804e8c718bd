"""A bounded part of the suite on a replica set of three, where a commit waits for another member."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from emco_store.contracts.atomicity import AtomicityRules
from emco_store.contracts.commits import CommitRules
from emco_store.contracts.concurrency import ConcurrencyRules
from emco_store.contracts.deletes import DeleteRules
from emco_store.contracts.durability import DurabilityRules
from emco_store.contracts.harness import Harness
from emco_store.contracts.references import ReferenceRules
from emco_store.contracts.uniques import UniqueRules
from tests.backends.mongo.members import ReplicaSet
from tests.backends.shared import SharedClients, drop, empty
from tests.backends.test_mongo import bench

__all__ = ["bench"]


@pytest.fixture(scope="class")
def contract_backend(three: ReplicaSet) -> Iterator[SharedClients]:
    """The set of three, in the place of the harness's own."""
    backend = SharedClients(three.url)
    yield backend
    backend.client.close()


class TestThreeMembers(
    AtomicityRules, CommitRules, ConcurrencyRules, DeleteRules, DurabilityRules, ReferenceRules, UniqueRules
):
    """What can depend on who has a commit; the rest of the suite is run on one member."""

    harness = Harness("mongodb", lambda: SharedClients("mongodb://"), drop=drop, empty=empty)
