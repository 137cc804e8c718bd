"""After a random life a check finds nothing: whatever the API was used for, it left nothing wrong."""

from __future__ import annotations

import secrets
from contextlib import closing

import pytest

from tests.backends.lives import POINTS, Life
from tests.backends.test_equivalence import Subject
from tests.checking.scenes import checked

SEEDS = range(4)
STEPS = 60
"""Steps of a life; lost replies, transactions and deletes under every rule are among them."""


@pytest.mark.parametrize("seed", SEEDS)
def test_life_leaves_nothing_wrong(bench, seed):
    """What went through the store is sound, seen with the models and without."""
    life = Life(seed)
    with closing(Subject(bench, f"t{secrets.token_hex(8)}")) as subject:
        subject.answer(("transact", {"calls": [("create", key, {}) for key in POINTS]}))

        for _ in range(STEPS):
            subject.answer(life.step(subject.lab.records()))

        assert [] == checked(subject.store, limit=7)
        assert [] == checked(subject.lab.open(), limit=100)
