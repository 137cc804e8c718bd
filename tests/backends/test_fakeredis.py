"""The stand-in for Redis, in both modes, in the memory of this process."""

from __future__ import annotations

from emco_store.backends.redis.fake import FakeRedisBackend
from emco_store.contracts.suite import Conformance, Harness


class TestFakeRedis(Conformance):
    """Every rule of the contract, without a gap; what the stand-in cannot do lies outside of the rules."""

    harness = Harness("fakeredis", FakeRedisBackend, examples=3, stride=40)
