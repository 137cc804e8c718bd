"""The stand-in for MongoDB, in the memory of this process."""

from __future__ import annotations

from emco_store.backends.mongo.fake import MongomockBackend
from emco_store.contracts.suite import ONE_STEP, UNDAMAGED, Conformance, Harness, Mode
from tests.backends.shared import only

contract_mode = only(Mode.BLOCKING)
"""One mode: the port for asyncio is the blocking one, called at once."""


class TestMongomock(Conformance):
    """Every rule of the contract but `OCC-17`; what the stand-in cannot do lies outside of the rules."""

    harness = Harness("mongomock", MongomockBackend, examples=3, stride=200, gaps=(ONE_STEP, UNDAMAGED))
