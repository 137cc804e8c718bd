"""Run the tests of the contract against broken variants, and note which test catches each."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import perf_counter
from typing import Final, NoReturn

import pytest

from emco_store.backends.keyvalue.ordered_map import OrderedMap
from emco_store.contracts.harness import ONE_STEP, UNDAMAGED, Bench, Harness
from emco_store.contracts.maps import MapConformance, opening
from emco_store.contracts.rules import proofs_of, rules_of
from emco_store.contracts.suite import Conformance
from emco_store.contracts.witnesses import WitnessRules
from emco_store.errors import StoreError
from proof.variants.broken import Variant

LATE: Final = ("test_every_schedule", "test_random_programs", "test_walk_over", "test_waiting_taker")
"""How the names of tests begin that take seconds."""
WITNESS: Final = WitnessRules.test_at_the_end_what_was_noted_at_the_beginning_still_counts.__name__
OWN: Final = ("ATM", "ID", "PUL", "OCC", "REF", "DUR", "FEED", "DEL", "ALL", "WHO", "BAD", "CHK")
"""The families of rules that are about what a backend does itself."""
STRIDE: Final = 40
EXAMPLES: Final = 10
"""The shortest form of the suite: it must catch a variant without the help of chance."""
LONGEST_TEST_S: Final = 20
"""In seconds of the processor, so that a busy machine makes no test too long; nine times as many by the clock."""
LONGEST_VARIANT_S: Final = 600
RED: Final = (AssertionError, StoreError, pytest.fail.Exception)
"""How a test of the contract fails."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a variant.

    Attributes:
        name: The name of the variant.
        what: What is wrong with it.
        tests: Number of tests that were run.
        seconds: How long they took.
        caught_by: The test that failed; empty if none did.
        rules: The rules that this test proves.
        problem: How it failed: ``assertion``, the code of an error of the store, or the class of another exception.
        suite: How many tests the whole contract had by then, which tells how old the verdict is; 0 if not noted.
    """

    name: str
    what: str
    tests: int
    seconds: float
    caught_by: str = ""
    rules: tuple[str, ...] = ()
    problem: str = ""
    suite: int = 0


def in_order(*, is_quick: bool = False) -> list[str]:
    """Return the names of tests: first those of what a backend does itself, its own audits last; then all others.

    That of what was noted at the beginning comes in the end, when time has passed.

    Args:
        is_quick: Only those of what a backend does itself, and only those that do not take seconds.
    """
    ranks = {name: _rank(name) for name, _ in proofs_of(Conformance)}
    kept = [name for name, rank in ranks.items() if not is_quick or rank < len(OWN)]
    return sorted(kept, key=lambda name: (name == WITNESS, ranks[name]))


def _rank(name: str) -> int:
    family = rules_of(getattr(Conformance, name))[0].partition("-")[0]
    return len(OWN) + name.startswith(LATE) if family not in OWN or name.startswith(LATE) else OWN.index(family)


def judge(variant: Variant, tests: Sequence[str], *, stride: int = STRIDE) -> Verdict:
    """Run tests on a variant until one fails, and then those of its map.

    Args:
        variant: The variant.
        tests: The names of the tests, in their order.
        stride: See :class:`emco_store.contracts.harness.Harness`.
    """
    begun = perf_counter()
    harness = Harness(
        variant.name, variant.backend, examples=EXAMPLES, stride=stride, inside=variant.inside, damage=variant.damage
    )
    gaps = {gap.rule for gap, is_kept in ((ONE_STEP, variant.inside), (UNDAMAGED, variant.damage)) if not is_kept}
    tests = [name for name in tests if gaps.isdisjoint(rules_of(getattr(Conformance, name)))]
    with closing(Bench(harness, variant.mode)) as bench:
        bench.begin()
        for done, name in enumerate(tests, 1):
            problem = _failure(bench, name)
            if problem is not None:
                rules = rules_of(getattr(Conformance, name))
                return Verdict(variant.name, variant.what, done, perf_counter() - begun, name, rules, told(problem))
    of_maps = [name for name, _ in proofs_of(MapConformance)] if variant.rows else []
    for done, name in enumerate(of_maps, len(tests) + 1):
        problem = None if variant.rows is None else failure_of_map(variant.rows, name)
        if problem is not None:
            rules = (MapConformance.__name__,)
            return Verdict(variant.name, variant.what, done, perf_counter() - begun, name, rules, told(problem))
    return Verdict(variant.name, variant.what, len(tests) + len(of_maps), perf_counter() - begun)


def judge_apart(variant: Variant, tests: Sequence[str], *, stride: int = STRIDE) -> Verdict:
    """Judge a variant in a process of its own, which is ended if it hangs."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=_judge_and_send, args=(variant, tests, stride, sending))
    child.start()
    sending.close()
    try:
        if receiving.poll(LONGEST_VARIANT_S):
            verdict: Verdict = receiving.recv()
            return verdict
        return Verdict(variant.name, variant.what, 0, LONGEST_VARIANT_S, "(hangs)", (), "time")
    except EOFError:
        return Verdict(variant.name, variant.what, 0, 0.0, "(ends the process)", (), "exit")
    finally:
        child.kill()
        child.join()


def _judge_and_send(variant: Variant, tests: Sequence[str], stride: int, sending: Connection) -> None:
    logging.disable()
    sending.send(judge(variant, tests, stride=stride))


def told(problem: BaseException) -> str:
    """Return in a word how a test failed."""
    if isinstance(problem, StoreError):
        return problem.code
    return "assertion" if isinstance(problem, RED) else type(problem).__name__


class TooLongError(BaseException):
    """Raised in a test that has run for too long."""


def _failure(bench: Bench, name: str) -> BaseException | None:
    """Run one test; return how it failed."""
    try:
        with _bounded(), bench.lab() as lab:
            getattr(Conformance(), name)(lab)
    except (Exception, TooLongError, pytest.fail.Exception) as problem:  # noqa: BLE001 - a broken backend may raise anything
        return problem
    return None


def failure_of_map(make: Callable[[], OrderedMap], name: str) -> BaseException | None:
    """Run one test of ordered maps on a new one; return how it failed."""
    rows = make()
    try:
        with _bounded(), opening(lambda: rows) as opened:
            getattr(MapConformance(), name)(opened)
    except (Exception, TooLongError, pytest.fail.Exception) as problem:  # noqa: BLE001 - a broken map may raise anything
        return problem
    return None


@contextmanager
def _bounded() -> Generator[None]:
    """Raise in a block that runs for too long."""

    def end(*_: object) -> NoReturn:
        raise TooLongError

    before = [signal.signal(one, end) for one in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, LONGEST_TEST_S)
    signal.setitimer(signal.ITIMER_REAL, 9 * LONGEST_TEST_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGPROF, before[0])
        signal.signal(signal.SIGALRM, before[1])


def table(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Yield the lines of a table for people."""
    yield "| variant | what is wrong with it | caught by |"
    yield "| --- | --- | --- |"
    for one in verdicts:
        rules = ", ".join(one.rules) if one.caught_by else "**nothing**"
        yield f"| {one.name} | {one.what} | {rules} |"
