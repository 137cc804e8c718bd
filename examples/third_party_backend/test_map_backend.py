"""The whole proof of the backend next door."""

from __future__ import annotations

from map_backend import DictBackend

from emco_store.contracts.paused_map import damage_map, inside_map
from emco_store.contracts.suite import Conformance, Harness


class TestDictionary(Conformance):
    """Every rule of the contract, blocking and with asyncio."""

    harness = Harness("dictionary", DictBackend, examples=20, stride=20, inside=inside_map, damage=damage_map)
