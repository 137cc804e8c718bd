"""The stand-in for MongoDB, in both modes, in the memory of this process."""

from __future__ import annotations

from emco_store.backends.mongo.fake import MongomockBackend
from emco_store.contracts.suite import Conformance, Harness


class TestMongomock(Conformance):
    """Every rule of the contract, without a gap; what the stand-in cannot do lies outside of the rules."""

    harness = Harness("mongomock", MongomockBackend, examples=3, stride=40)
