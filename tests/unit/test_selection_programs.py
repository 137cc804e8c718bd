"""Random programs around selections: what is refused is what a model of a few lines refuses, and all matches match."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from emco_store import Key, Store, StoreError, connect
from emco_store.contracts.models import Beacon, Lamp, Pilot, Site
from emco_store.core.keys import Key as AnyKey

SITES, NAMES, PILOTS = "abc", "xyz", "pqrs"
State = dict[str, dict[str, Any]]
"""What is stored, by the text of its key."""
Op = tuple[str, str, dict[str, Any]]
"""A verb, the text of a key, and the fields of a pilot."""


def some_op(chance: random.Random) -> Op:
    """Make up one step."""
    if chance.random() < 0.45:
        chosen = {
            "one": chance.choice([None, *NAMES]),
            "light": chance.choice([None, None, *NAMES]),
            "listed": chance.choices(NAMES, k=chance.choice([0, 0, 1, 2])),
        }
        return chance.choice(["put", "put", "create", "delete"]), f"Pilot/{chance.choice(PILOTS)}", chosen
    kind = chance.choice(["Beacon", "Beacon", "Lamp"])
    if chance.random() < 0.1:
        return chance.choice(["put", "put", "delete"]), f"Site/{chance.choice(SITES)}", {}
    return (
        chance.choice(["put", "put", "create", "delete", "delete"]),
        f"{kind}/{chance.choice(SITES)}/{chance.choice(NAMES)}",
        {},
    )


def expected(state: State, ops: list[Op]) -> State | None:
    """Return the state after a transaction, None where it must be refused."""
    after = dict(state)
    for verb, key, fields in ops:
        kind, site, *_ = key.split("/")
        if verb == "create" and key in after:
            return None
        if verb == "delete":
            if key not in after:
                return None
            del after[key]
            if kind == "Site":  # beacons and lamps go with their site
                after = {
                    other: value
                    for other, value in after.items()
                    if other.split("/")[1:2] != [site] or "Pilot" in other
                }
        else:
            after[key] = fields
    parents = {f"Site/{key.split('/')[1]}" for key in after if key.startswith(("Beacon/", "Lamp/"))}
    beacons = {key.split("/")[2] for key in after if key.startswith("Beacon/")}
    lights = beacons | {key.split("/")[2] for key in after if key.startswith("Lamp/")}
    for key, fields in after.items():
        if key.startswith("Pilot/"):
            wanted = {*fields["listed"], *([fields["one"]] if fields["one"] else [])}
            if not wanted <= beacons or (fields["light"] and fields["light"] not in lights):
                return None
    return after if parents <= after.keys() else None


MODELS: dict[str, Callable[..., Any]] = {"Site": Site, "Beacon": Beacon, "Lamp": Lamp, "Pilot": Pilot}


def perform(tx: Any, op: Op) -> None:
    """Take one step on a transaction."""
    verb, text, fields = op
    key = AnyKey.parse(text)
    if verb == "delete":
        tx.delete(key)
        return
    parent = {"parent": Key("Site", key.segments[0])} if key.kind in {"Beacon", "Lamp"} else {}
    getattr(tx, verb)(MODELS[key.kind](name=key.name, **parent, **fields))


def everything(store: Store) -> set[str]:
    """Return the keys of all that is stored."""
    return {found.key.text for kind in MODELS for found in store.list(kind, limit=1000)}


def has_failed(store: Store, ops: list[Op]) -> bool:
    """Run a transaction, and tell whether it was refused."""
    try:
        with store.transaction() as tx:
            for op in ops:
                perform(tx, op)
    except StoreError:
        return True
    return False


@pytest.mark.parametrize("seed", range(8))
def test_random_programs_end_as_the_model_says(seed: int):
    """A transaction is refused exactly where the model refuses it, and what is held always matches (REF-14, DEL-13)."""
    chance = random.Random(seed)
    first: list[Op] = [("put", f"Site/{site}", {}) for site in SITES]
    first += [("put", f"Beacon/{site}/{name}", {}) for site in SITES for name in NAMES]
    state = {key: fields for _, key, fields in first}
    refused = 0
    with connect("memory://", namespace="programs") as store:
        assert not has_failed(store, first)
        for _ in range(120):
            ops = [some_op(chance) for _ in range(chance.choice([1, 1, 1, 2, 3, 5]))]
            wanted = expected(state, ops)
            is_refused = has_failed(store, ops)
            assert is_refused is (wanted is None), ops
            state = state if wanted is None else wanted
            refused += is_refused
            assert state.keys() == everything(store), ops
            assert () == store.check(limit=1000).flaws, ops

    assert 20 < refused < 100
