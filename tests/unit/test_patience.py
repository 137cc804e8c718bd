"""How long a request is tried: no attempt begins that its deadline would cut off."""

from __future__ import annotations

import pytest

from emco_store.backends import patience
from emco_store.backends.patience import LEAST_S, Patience


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Read the clock."""
        return self.now_s


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """The clock of every Patience of a test, which waits without a pause."""
    clock = Clock()
    monkeypatch.setattr(patience, "monotonic", clock)
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.0)
    return clock


def test_refusals_that_take_no_time_are_tried_until_little_is_left(clock):
    """The next attempt may begin until the least time is left."""
    waits = Patience(within_s=1.0)

    assert 0.0 == waits.pause_s()
    assert waits.has_time
    clock.now_s += 1.0 - LEAST_S
    assert not waits.has_time
    assert waits.pause_s() is None


def test_refusal_that_took_long_is_not_tried_again_without_as_much_time(clock):
    """A commit that is cut off has an unknown outcome, where the refusal before it said that nothing was written."""
    waits = Patience(within_s=1.0)
    clock.now_s += 0.3

    assert 0.0 == waits.pause_s()  # 0.7 s are left for 0.3 s and the least time
    clock.now_s += 0.3

    assert waits.pause_s() is None  # 0.4 s are left


def test_time_before_the_first_refusal_counts(clock):
    """A request that has been tried already says when it began."""
    waits = Patience(within_s=1.0, begin_s=clock.now_s - 0.4)

    assert waits.pause_s() is None  # 0.6 s are left, for 0.4 s and the least time


def test_quick_refusal_after_a_slow_one_says_nothing_of_the_next(clock):
    """The longest of them counts."""
    waits = Patience(within_s=1.0)
    clock.now_s += 0.35

    assert 0.0 == waits.pause_s()
    clock.now_s += 0.15  # quick
    assert waits.pause_s() is None  # 0.5 s are left for 0.35 s and the least time


def test_server_that_is_away_is_looked_for_until_little_time_is_left(clock):
    """However long an attempt has waited for it: nothing was sent, so nothing is unknown."""
    waits = Patience(within_s=2.0)
    clock.now_s += 1.5

    assert 0.0 == waits.pause_without_server_s(is_outright=False)
    clock.now_s += 0.4
    assert waits.pause_without_server_s(is_outright=False) is None
