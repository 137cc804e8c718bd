"""The checker of single resources: what no order explains is found, and what some order explains is let pass."""

from __future__ import annotations

from random import Random

import pytest

from emco_store.contracts.histories.history import Operation, Result
from emco_store.contracts.histories.linearizability import apply, check
from tests.proof.written import transaction

CREATE = ("create", "r", 1)
GET = ("get", "r")
UPDATE = ("update", "r", 1, 1, 2)
DELETE = ("delete", "r", 1, 1)


def done(span: tuple[int, int | None], step: tuple[object, ...], answer: object = None) -> Operation:
    """Make an operation with its answer, or of unknown end where there is none."""
    if answer is None:
        return transaction("p", span, step, result=Result.UNKNOWN)
    return transaction("p", span, step, answer)


BROKEN = {
    "stale read": [
        done((0, 1), CREATE, "ok"),
        done((2, 3), UPDATE, "ok"),
        done((4, 5), GET, [1, 1, 1]),
    ],
    "lost update": [
        done((0, 1), CREATE, "ok"),
        done((2, 9), UPDATE, "ok"),
        done((2, 9), ("update", "r", 1, 1, 3), "ok"),
    ],
    "created twice": [done((0, 9), CREATE, "ok"), done((0, 9), ("create", "r", 2), "ok")],
    "resurrected": [
        done((0, 1), CREATE, "ok"),
        done((2, 3), DELETE, "ok"),
        done((4, 5), UPDATE, "ok"),
    ],
    "deleted twice": [
        done((0, 1), CREATE, "ok"),
        done((2, 9), DELETE, "ok"),
        done((2, 9), DELETE, "ok"),
    ],
    "read from the future": [done((0, 1), GET, [1, 1, 1]), done((2, 3), CREATE, "ok")],
    "applied twice": [
        done((0, 1), CREATE, "ok"),
        done((2, 3), UPDATE),
        done((4, 5), GET, [1, 3, 2]),
    ],
    "went back": [
        done((0, 1), CREATE, "ok"),
        done((2, 3), UPDATE),
        done((4, 5), GET, [1, 2, 2]),
        done((6, 7), GET, [1, 1, 1]),
    ],
    "refused for nothing": [done((0, 1), CREATE, "ok"), done((2, 3), UPDATE, "conflict")],
}
"""Histories that no order explains."""


@pytest.mark.parametrize("name", BROKEN)
def test_history_that_no_order_explains_is_caught(name):
    """Each way in which a register can lie is found, with a counterexample."""
    verdict = check(BROKEN[name])

    assert not verdict.holds
    assert "no order explains" in verdict.violations[0]


def test_overlapping_writers_may_have_happened_in_either_order():
    """Of two that overlap, the one that was refused came second."""
    assert check(
        [
            done((0, 1), CREATE, "ok"),
            done((2, 9), UPDATE, "ok"),
            done((2, 9), ("update", "r", 1, 1, 3), "conflict"),
            done((10, 11), GET, [1, 2, 2]),
        ]
    ).holds


def test_unknown_end_may_happen_late():
    """What was not answered may take effect long after it was sent."""
    assert check(
        [
            done((0, 1), CREATE, "ok"),
            done((2, 3), UPDATE),
            done((4, 5), GET, [1, 1, 1]),
            done((6, 7), GET, [1, 2, 2]),
        ]
    ).holds


def test_unknown_end_may_never_happen():
    """What was not answered need not have happened."""
    assert check([done((0, 1), CREATE, "ok"), done((2, None), DELETE), done((4, 5), GET, [1, 1, 1])]).holds


def test_operation_that_failed_for_sure_is_left_out():
    """What did not happen explains nothing and needs no explanation."""
    failed = transaction("p", (2, 3), UPDATE, result=Result.FAILED)

    assert not check([done((0, 1), CREATE, "ok"), failed, done((4, 5), GET, [1, 2, 2])]).holds


def test_registers_are_judged_one_by_one():
    """One broken register does not hide behind a sound one."""
    sound = [done((0, 1), ("create", "s", 7), "ok"), done((2, 3), ("get", "s"), [7, 1, 7])]

    verdict = check([*sound, *BROKEN["stale read"]])

    assert (2, 5, 1) == (verdict.registers, verdict.operations, len(verdict.violations))


@pytest.mark.parametrize("seed", range(10))
def test_history_of_overlapping_clients_is_linearizable(seed):
    """What a register answered to thirty clients at once is explained, also where some were not told."""
    verdict = check(overlapping(seed))

    assert verdict.holds, verdict.violations
    assert [] == verdict.undecided


@pytest.mark.parametrize("seed", range(10))
def test_one_stale_answer_among_overlapping_clients_is_caught(seed):
    """A read that is answered with a state from long before is found."""
    operations = overlapping(seed)
    last = max(operation.returned_ns or 0 for operation in operations)
    reads = (each.steps[1] for each in operations if each.steps[0] == GET and len(each.steps) > 1)
    first = next(answer for answer in reads if answer != "absent")

    late = done((last + 1, last + 2), GET, first)

    assert not check([*operations, late]).holds


def overlapping(seed: int) -> list[Operation]:
    """Run a register by its definition, each operation at a moment within its span; one in ten is not told."""
    random = Random(seed)
    moments = sorted((random.randrange(100_000), number) for number in range(1500))
    state = None
    made = []
    for moment, number in moments:
        known = state or (0, 0, 0)
        version = known[1] - (random.random() < 0.3)
        step = random.choice(
            [("create", "r", number + 10), GET, GET, ("update", "r", known[0], version, number + 10),
             ("delete", "r", known[0], version)]
        )  # fmt: skip
        state, answer = apply(state, step)
        span = moment - random.randrange(1000), moment + random.randrange(1000)
        made.append(done(span, step, answer if random.random() < 0.9 else None))
    return made
