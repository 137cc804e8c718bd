"""SUP-2 on a real server: a clock that is set or runs wrong ends no lease."""

from __future__ import annotations

import pytest

from tests.proof.server_clocks import play


@pytest.mark.redis
def test_clock_of_the_server_ends_no_live_lease():
    """SUP-2, SUP-3: The clock is set forth and back and runs wrong; nobody loses a lease, and the dead are found."""
    played = play(episodes=3, leases=10, seed=7)

    assert ([], 3) == (played.lost, played.episodes)
