"""The checker of transactions names each anomaly, and finds nothing in a history without one."""

from __future__ import annotations

from random import Random

import pytest

from emco_store.contracts.histories.history import Operation, Result
from emco_store.contracts.histories.serializability import check
from tests.proof.written import append, read, transaction

TOGETHER = (0, 100)
"""A span of time in which all overlap, so that only what they read and wrote orders them."""

ANOMALIES = {
    "G0": [
        transaction("a", TOGETHER, append("x", 1), append("y", 1)),
        transaction("b", TOGETHER, append("x", 2), append("y", 2)),
        transaction("c", TOGETHER, read("x", 1, 2), read("y", 2, 1)),
    ],
    "G1a": [
        transaction("a", TOGETHER, append("x", 1), result=Result.FAILED),
        transaction("b", TOGETHER, read("x", 1)),
    ],
    "G1b": [
        transaction("a", TOGETHER, append("x", 1), append("x", 2)),
        transaction("b", TOGETHER, read("x", 1)),
    ],
    "G1c": [
        transaction("a", TOGETHER, append("x", 1), read("y", 1)),
        transaction("b", TOGETHER, append("y", 1), read("x", 1)),
    ],
    "G-single": [
        transaction("a", TOGETHER, append("x", 1), append("y", 1)),
        transaction("b", TOGETHER, read("x"), read("y", 1)),
        transaction("c", TOGETHER, read("x", 1)),
    ],
    "G2-item": [
        transaction("a", TOGETHER, read("x"), append("y", 1)),
        transaction("b", TOGETHER, read("y"), append("x", 1)),
        transaction("c", TOGETHER, read("x", 1), read("y", 1)),
    ],
    "lost update": [
        transaction("a", TOGETHER, read("x"), append("x", 1)),
        transaction("b", TOGETHER, read("x"), append("x", 2)),
        transaction("c", TOGETHER, read("x", 2)),
    ],
    "lost append": [
        transaction("a", (0, 1), append("x", 1)),
        transaction("b", (2, 3), read("x")),
    ],
    "duplicate append": [
        transaction("a", TOGETHER, append("x", 1)),
        transaction("b", TOGETHER, read("x", 1, 1)),
    ],
    "incompatible order": [
        transaction("a", TOGETHER, append("x", 1)),
        transaction("b", TOGETHER, append("x", 2)),
        transaction("c", TOGETHER, read("x", 1, 2)),
        transaction("d", TOGETHER, read("x", 2)),
    ],
    "unwritten value": [transaction("a", TOGETHER, read("x", 9))],
    "internal": [transaction("a", TOGETHER, read("x"), append("x", 1), read("x"))],
    "G0-realtime": [
        transaction("a", (0, 1), append("x", 1)),
        transaction("b", (2, 3), append("x", 2)),
        transaction("c", (0, 9), read("x", 2, 1)),
    ],
    "G1c-realtime": [
        transaction("a", (0, 1), read("x", 1)),
        transaction("b", (2, 3), append("x", 1)),
    ],
    "G-single-realtime": [
        transaction("a", (0, 1), append("x", 1)),
        transaction("b", (2, 3), read("x")),
        transaction("c", (4, 5), read("x", 1)),
    ],
    "G2-item-realtime": [
        transaction("a", (0, 9), read("x"), append("y", 1)),
        transaction("b", (0, 1), append("x", 1)),
        transaction("c", (2, 3), read("y")),
        transaction("d", (0, 9), read("x", 1), read("y", 1)),
    ],
}
"""For each anomaly, a history that has it."""


@pytest.mark.parametrize("kind", ANOMALIES)
def test_history_with_an_anomaly_is_named(kind):
    """Each anomaly is found under its own name, with a counterexample."""
    verdict = check(ANOMALIES[kind])

    assert kind in verdict.counts, verdict
    assert all(anomaly.text for anomaly in verdict.anomalies)


def test_cyclic_anomaly_is_named_by_its_edges_alone():
    """What needs no other explanation is given none: write skew is G2-item and nothing else."""
    assert {"G2-item": 1} == check(ANOMALIES["G2-item"]).counts


def test_counterexample_names_the_transactions_and_why_they_are_in_order():
    """A cycle is told by who did what, and one line for each of its edges."""
    (found,) = check(ANOMALIES["G2-item"]).anomalies

    assert found.text.count("T1") >= 3
    assert 2 == found.text.count("(rw)")


def test_unknown_end_that_nobody_saw_is_no_anomaly():
    """A transaction of unknown end may never have happened."""
    assert check(
        [
            transaction("a", (0, None), append("x", 1), result=Result.UNKNOWN),
            transaction("b", (5, 6), read("x")),
        ]
    ).holds


def test_unknown_end_that_somebody_saw_takes_part():
    """A transaction of unknown end that was seen happened, and is held to what it had read."""
    seen = transaction("a", (0, None), read("y"), append("x", 1), result=Result.UNKNOWN)
    rest = [
        transaction("b", TOGETHER, read("x"), append("y", 1)),
        transaction("c", TOGETHER, read("x", 1), read("y", 1)),
    ]

    assert {"G2-item": 1} == check([seen, *rest]).counts


def test_unknown_end_may_happen_at_any_later_time():
    """What was sent and not answered may be seen after others have begun and ended."""
    assert check(
        [
            transaction("a", (0, 1), append("x", 1), result=Result.UNKNOWN),
            transaction("b", (2, 3), read("x")),
            transaction("c", (4, 5), read("x", 1)),
        ]
    ).holds


def test_workload_that_repeats_a_value_is_refused():
    """A value that is appended twice makes reads ambiguous, so there is no verdict."""
    with pytest.raises(ValueError, match="twice"):
        check([transaction("a", (0, 1), append("x", 1)), transaction("b", (2, 3), append("x", 1))])


@pytest.mark.parametrize("seed", range(5))
def test_serial_history_has_no_anomaly(seed):
    """Whatever is done one after the other is explained by that order."""
    verdict = check(serial(seed, 300))

    assert verdict.holds
    assert 300 == verdict.transactions


@pytest.mark.parametrize("seed", range(5))
def test_serial_history_with_one_read_from_the_past_is_caught(seed):
    """One read that misses what had ended before is found among hundreds."""
    operations = serial(seed, 300)
    at = next(
        at for at in range(200, 300) if any(len(step[2]) > 1 for step in operations[at].steps if step[0] == "read")
    )
    steps = [(kind, name, value[:-1] if kind == "read" else value) for kind, name, value in operations[at].steps]
    old = Operation("stale", operations[at].called_ns, operations[at].returned_ns, Result.OK,
                    tuple(step for step in steps if step[0] == "read"))  # fmt: skip

    assert not check([*operations, old]).holds


def test_a_hundred_thousand_transactions_make_edges_in_proportion():
    """The number of edges grows with the history and not with its square, so that long runs can be judged."""
    small, large = (check(serial(1, size)) for size in (2_000, 20_000))

    assert small.holds
    assert large.holds
    assert large.edges < 12 * small.edges


def serial(seed: int, size: int) -> list[Operation]:
    """Make a history without overlaps, on lists that are replaced when they grow long."""
    random = Random(seed)
    lists: dict[str, list[int]] = {}
    made: list[Operation] = []
    for at in range(size):
        steps = []
        for number in range(random.randint(1, 3)):
            name = f"l{random.randrange(5)}-{at // 100}"
            values = lists.setdefault(name, [])
            steps.append(read(name, *values))
            if random.random() < 0.5:
                values.append(at * 10 + number)
                steps.append(append(name, values[-1]))
        made.append(transaction(f"p{at % 3}", (2 * at, 2 * at + 1), *steps))
    return made
