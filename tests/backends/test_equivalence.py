"""The same random lives on every backend at once: after each step all hold the same and have answered the same."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from secrets import token_hex
from typing import Any

import pytest

from emco_store import Key, Page, Plan, Resource, StoreError
from emco_store.contracts.harness import Bench, Lab, Mode, Space
from tests.backends.lives import MODELS, POINTS, Call, Life, Step
from tests.backends.shared import NAMES, bench_on, url_of

LIVES = int(os.environ.get("EMCO_STORE_TEST_LIVES", "20"))
"""How many lives are led in each mode; the usual number takes a moment, a night takes as many as one likes."""
STEPS = 60
Read = Callable[[str | None], Any]


class Subject:
    """One backend, as the life of a namespace meets it."""

    def __init__(self, bench: Bench, namespace: str) -> None:
        self.name = bench.harness.name
        self.lab = Lab(bench, Space(namespace))
        self.store = self.lab.store
        self._old: Sequence[Any] = ()

    def close(self) -> None:
        """Return the namespace."""
        self.lab.close()
        if self.lab.bench.harness.drop is not None:
            self.lab.bench.harness.drop(self.lab.bench.backend, self.lab.namespace)

    def answer(self, step: Step) -> Any:
        """Do a step, and give all that a caller can see of its result."""
        name, given = step
        answer = _outcome(lambda: getattr(self, name)(**given))
        self.lab.faults.clear()
        return answer

    def state(self) -> dict[str, Any]:
        """Return every record with all its parts: uid, version, document, edges, values, times and guard."""
        return {key: asdict(record) for key, record in self.lab.records().items()}

    # the actions of a life

    def call(self, calls: list[Call]) -> Any:
        """Make one call of the store."""
        return _perform(self.store, calls)

    def transact(self, calls: list[Call]) -> Any:
        """Make several calls in one transaction."""
        with self.store.transaction() as tx:
            return _perform(tx, calls)

    def transact_and_read(self, calls: list[Call], question: dict[str, Any], key: str) -> Any:
        """Read before and after the calls of a transaction."""
        with self.store.transaction() as tx:
            stable = question["parent"] is not None
            before = _listed(tx, question, stable=stable), tx.referrers(Key.parse(key))
            _perform(tx, calls)
            return before, _listed(tx, question, stable=stable), tx.children(Key.parse(key))

    def transact_while_another_commits(self, calls: list[Call], read: str, others: list[Call]) -> Any:
        """Let another store commit between the reads of a transaction and its commit."""
        late: list[Any] = []
        with self.store.transaction() as tx:
            late.append(_outcome(lambda: tx.referrers(Key.parse(read))))
            _perform(tx, calls)
            late.append(_outcome(lambda: _perform(self.lab.open(), others)))
        return late

    def transact_with_a_fault(self, calls: list[Call], what: str, times: int) -> Any:
        """Lose requests or replies of a commit, all of them too, and settle what is unknown."""
        getattr(self.lab.faults, what)(times=times)
        made = _outcome(lambda: self.transact(calls))
        self.lab.faults.clear()
        settled = self.store.resolve(made[-1]["txid"]) if made[0] == "UnknownOutcome" else None
        return made, settled

    def plan_and_apply(self, keys: list[str]) -> Any:
        """Delete in two steps."""
        plan = self.store.plan_delete(*map(Key.parse, keys))
        return plan, _outcome(lambda: self.store.apply(plan))

    def delete_without_models(self, key: str) -> Any:
        """Delete through a store that knows no model."""
        return self.lab.open().delete(Key.parse(key))

    def remember(self) -> None:
        """Keep values that will be old later on."""
        self._old = self.store.list(Resource).items

    def write_a_stale_value(self, at: int, verb: str, version: int | None) -> Any:
        """Write what may have changed or gone since it was read."""
        return getattr(self.store, verb)(self._old[at], if_version=version) if at < len(self._old) else None

    def page_through(self, question: dict[str, Any]) -> Any:
        """Read a list page by page."""
        return _followed(lambda after: _listed(self.store, question, after=after))

    def look_around(self, key: str, limit: int) -> Any:
        """Read children and referrers page by page."""
        target = Key.parse(key)
        return (
            _followed(lambda after: self.store.children(target, limit=limit, after=after)),
            _followed(lambda after: self.store.referrers(target, limit=limit, after=after)),
        )

    def get_many(self, keys: list[str], missing_ok: bool) -> Any:  # noqa: FBT001 - as the store names it
        """Read several by key."""
        return self.store.get_many(list(map(Key.parse, keys)), missing_ok=missing_ok)

    def advance(self) -> None:
        """Let time pass."""
        self.lab.clock.advance()


def _perform(target: Any, calls: Sequence[Call]) -> list[Any]:
    return [_do(target, *call) for call in calls]


def _do(target: Any, verb: str, text: str, fields: dict[str, Any]) -> Any:
    key = Key.parse(text)
    if verb == "delete":
        return target.delete(key)
    made = MODELS[key.kind](name=key.name, **fields)
    if verb == "update":
        changed = {name: getattr(made, name) for name in fields if name != "parent"}
        made = target.get(type(made), *key.segments).model_copy(update=changed)
    return getattr(target, verb)(made)


def _listed(target: Any, question: dict[str, Any], **options: Any) -> Any:
    given = {name: value for name, value in question.items() if name != "kind"}
    parent = None if given["parent"] is None else Key.parse(given["parent"])
    return target.list(MODELS[question["kind"]], **{**given, "parent": parent}, **options)


def _followed(read: Read) -> list[Any]:
    pages = [read(None)]
    while pages[-1].next is not None:
        pages.append(read(pages[-1].next))
    return pages


def _outcome(work: Callable[[], Any]) -> tuple[Any, ...]:
    """Return the result, or the class, code and fields of the error, as values that can be compared."""
    try:
        return "ok", _plain(work())
    except StoreError as problem:
        return type(problem).__name__, problem.code, problem.retryable, _plain(dict(problem.fields))


def _plain(value: Any) -> Any:
    if isinstance(value, Page):
        return _plain(value.items), value.next
    if isinstance(value, Plan):
        return value.deletes, value.updates, value.blockers, value.commit
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


@pytest.fixture(scope="module", params=list(Mode), ids=str)
def benches(request: pytest.FixtureRequest) -> Iterator[list[Bench]]:
    """Every backend, in one mode."""
    with ExitStack() as stack:
        yield [stack.enter_context(bench_on(name, request.param, url_of(request))) for name in NAMES]


@contextmanager
def subjects(benches: Sequence[Bench]) -> Iterator[list[Subject]]:
    """Return one namespace on each backend; identifiers begin with its name, so it is the same on all."""
    namespace = f"t{token_hex(8)}"
    with ExitStack() as stack:
        made = [Subject(bench, namespace) for bench in benches]
        for subject in made:
            stack.callback(subject.close)
        yield made


def differences(subjects: Sequence[Subject], step: Step) -> list[str]:
    """Name the backends that answer a step otherwise than the first, or hold something else after it."""
    first, *others = subjects
    answer, state = first.answer(step), first.state()
    return [subject.name for subject in others if answer != subject.answer(step) or state != subject.state()]


@pytest.mark.mongo
@pytest.mark.redis
@pytest.mark.parametrize("seed", range(LIVES))
def test_life_is_the_same_on_every_backend(benches: list[Bench], seed: int):
    """Whatever is done, all backends give the same answers and errors, and hold the same data (ID to BAD)."""
    life = Life(seed)

    with subjects(benches) as each:
        begin = ("transact", {"calls": [("create", key, {}) for key in POINTS]})
        assert [] == differences(each, begin)
        for number in range(STEPS):
            step = life.step(each[0].lab.records())
            assert [] == differences(each, step), f"step {number}: {step}"
