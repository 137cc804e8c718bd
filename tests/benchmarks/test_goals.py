"""Goals are judged by ratios of medians, and like is compared with like."""

from __future__ import annotations

from benchmarks.goals import verdicts


def test_time_is_compared_with_the_contender_of_the_same_colour():
    """A blocking peer is compared with our blocking call, an asyncio peer with our coroutine."""
    item = _item(
        "mongo-create",
        _contender("emco_store", "ours", [2.0, 4.0]),
        _contender("emco_store, asyncio", "ours", [3.0, 3.0], colour="async"),
        _contender("raw safe", "raw safe", [2.0, 2.0]),
        _contender("Beanie 2", "peer", [6.0, 6.0], colour="async"),
    )

    found = [(one.other, one.value, one.low, one.high, one.is_met) for one in verdicts([item])]

    assert [("raw safe", 1.5, 1.0, 2.0, False), ("Beanie 2", 0.5, 0.5, 0.5, True)] == found


def test_throughput_counts_how_many_times_as_much_is_done():
    """Half the seconds an operation are twice the throughput."""
    item = _item("mongo-4x8-hot", _contender("emco_store", "ours", [1.0]), _contender("raw", "raw safe", [6.0]))

    assert [(6.0, True)] == [(one.value, one.is_met) for one in verdicts([item])]


def test_contender_that_failed_is_not_judged():
    """What was not measured meets no goal and misses none."""
    item = _item("mongo-4x8-hot", _contender("emco_store", "ours", [1.0]), _contender("raw", "raw safe", []))

    assert [] == verdicts([item])


def _item(name, *contenders):
    return {"name": name, "title": name, "contenders": list(contenders)}


def _contender(name, role, seconds, *, colour="sync"):
    middle = sum(seconds) / len(seconds) if seconds else None
    rounds = [{"operations": 1, "wall_s": one, "cpu_s": one} for one in seconds]
    return {
        "name": name, "role": role, "colour": colour, "lacks": "", "problem": "", "seconds": middle,
        "cpu_seconds": middle, "rounds": rounds, "notes": {},
    }  # fmt: skip
