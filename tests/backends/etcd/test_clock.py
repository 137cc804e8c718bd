"""The clock of a server is learned from dates in whole seconds; pure."""

from __future__ import annotations

from emco_store.backends.etcd.clock import SECOND_US, Bounds, narrowed

AHEAD_US = 1_700_000_000_300_000
"""How far the server is ahead in these examples."""
TRIP_US = 400


def look(known: Bounds | None, own_us: int, ahead_us: int = AHEAD_US) -> Bounds:
    """Look at the server, whose clock is read in the middle of the request."""
    date_us = (own_us + ahead_us) // SECOND_US * SECOND_US
    return narrowed(known, date_us, sent_us=own_us - TRIP_US // 2, received_us=own_us + TRIP_US // 2)


def test_first_look_knows_the_clock_to_a_second():
    """One date leaves a second, and the time that the answer took."""
    found = look(None, 5_000_000)

    assert found.low_us <= AHEAD_US <= found.high_us
    assert SECOND_US + TRIP_US == found.high_us - found.low_us
    assert not found.is_narrow


def test_looks_on_both_sides_of_a_second_narrow_the_clock():
    """A second of looks, every 20 ms, ends with bounds that hold the clock and are narrow."""
    known, own_us = None, 5_000_000
    while known is None or not known.is_narrow:
        known, own_us = look(known, own_us), own_us + 20_000

    assert known.low_us <= AHEAD_US <= known.high_us
    assert own_us < 5_000_000 + SECOND_US + 40_000
    assert 50_000 >= abs(known.now_us(own_us) - own_us - AHEAD_US)


def test_clocks_that_drift_stay_within_the_bounds():
    """An hour of looks at a clock that runs 50 millionths too fast keeps it within the bounds."""
    known = None
    for own_us in range(5_000_000, 3_600_000_000, 7_000_001):
        ahead_us = AHEAD_US + own_us // 20_000
        known = look(known, own_us, ahead_us)
        assert known.low_us <= ahead_us <= known.high_us


def test_clock_that_is_set_is_learned_anew():
    """After a step of the server's clock, what was known before counts no more."""
    known = look(None, 5_000_000)
    known = look(known, 5_690_000)

    known = look(known, 6_000_000, AHEAD_US - 3_600 * SECOND_US)

    assert known.low_us <= AHEAD_US - 3_600 * SECOND_US <= known.high_us
