"""The stand-in for Redis, in the memory of this process."""

from __future__ import annotations

from emco_store.backends.redis.fake import FakeRedisBackend
from emco_store.contracts.suite import ONE_STEP, UNDAMAGED, Conformance, Harness, Mode
from tests.backends.shared import only

contract_mode = only(Mode.ASYNCIO)
"""One mode: the ports are those of the real Redis, which passes in both, and only the client behind them differs."""


class TestFakeRedis(Conformance):
    """Every rule of the contract but `OCC-17`; what the stand-in cannot do lies outside of the rules."""

    harness = Harness("fakeredis", FakeRedisBackend, examples=3, stride=200, gaps=(ONE_STEP, UNDAMAGED))
