"""Random programs on a store and on plain dictionaries, compared in full after every step."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, Phase, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule as step, run_state_machine_as_test

from emco_store.contracts.harness import Bench, Lab
from emco_store.contracts.naive import Fields, Naive, Program
from emco_store.contracts.programs import KEYS, NODES, Author
from emco_store.contracts.rules import rule
from emco_store.core.indexing import indexed, unique
from emco_store.core.keys import Key
from emco_store.core.query import F
from emco_store.core.refs import Ref, on_delete
from emco_store.core.resource import Resource
from emco_store.core.rules import Rule
from emco_store.errors import Conflict, MissingReference, NotFound, StoreError


class Node(Resource):
    """A root that refers to others of its kind under four rules, also in cycles."""

    hard: Ref[Node] | None = None
    guard: Annotated[Ref[Node] | None, on_delete(Rule.PROTECT)] = None
    soft: Annotated[Ref[Node] | None, on_delete(Rule.CASCADE)] = None
    weak: Annotated[Ref[Node] | None, on_delete(Rule.SET_NULL)] = None
    code: Annotated[str | None, unique()] = None
    rank: Annotated[int, indexed()] = 0


class Leaf(Resource, parent=Node, on_parent_delete=Rule.CASCADE):
    """Is deleted with its parent."""

    weak: Annotated[Ref[Twig] | None, on_delete(Rule.SET_NULL)] = None


class Twig(Resource, parent=Node):
    """Blocks the delete of its parent."""

    soft: Annotated[Ref[Leaf] | None, on_delete(Rule.CASCADE)] = None


class Hook(Resource):
    """Has a default, and containers that lose entries."""

    to: Annotated[Ref[Node], on_delete(Rule.SET_DEFAULT)] = Ref("Node/main")
    listed: Annotated[list[Ref[Node]], on_delete(Rule.REMOVE)] = []
    chosen: Annotated[set[Ref[Node]], on_delete(Rule.REMOVE)] = set()
    by_node: Annotated[dict[Ref[Node], str], on_delete(Rule.REMOVE)] = {}
    grid: Annotated[list[list[Ref[Node]]], on_delete(Rule.REMOVE)] = []


_MODELS: dict[str, Any] = {"Node": Node, "Leaf": Leaf, "Twig": Twig, "Hook": Hook}


def _resource(key: str, fields: Fields) -> Any:
    kind, *names = key.split("/")
    return _MODELS[kind](name=names[-1], **fields)


def _plain(resource: Any) -> Fields:
    fields: Fields = resource.model_dump(mode="json", exclude={"name"})
    if "chosen" in fields:
        fields["chosen"].sort()
    return {name: value for name, value in fields.items() if name != "parent" or value is not None}


class StoreMachine(RuleBasedStateMachine):
    """One random program on a namespace."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._scope = bench.lab()
        self.lab: Lab = self._scope.__enter__()
        self.store: Any = self.lab.store
        self.naive = Naive()
        self.stale: list[Any] = []

    def teardown(self) -> None:
        """Release the namespace."""
        self._scope.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        """Create some nodes, so that references have targets."""
        nothing = {"hard": None, "guard": None, "soft": None, "weak": None, "code": None, "rank": 0}
        for key in NODES:
            self._single("create", key, nothing)

    @step(data=st.data())
    def call(self, data: st.DataObject) -> None:
        """Make one call on the store."""
        self._single(*self._program(data, 1)[0])

    @step(data=st.data())
    def transact(self, data: st.DataObject) -> None:
        """Run several steps as one transaction."""
        program = self._program(data, 5)
        self._compare(program, lambda: self._transact(program), is_exact=False)

    @step(data=st.data())
    def transact_with_a_lost_reply(self, data: st.DataObject) -> None:
        """Lose the reply of the commit; the outcome is the same."""
        program = self._program(data, 4)
        self.lab.faults.lose_reply()
        self._compare(program, lambda: self.store.run(lambda tx: _perform(tx, program)), is_exact=False)
        self.lab.faults.clear()

    @step(data=st.data())
    def delete_without_models(self, data: st.DataObject) -> None:
        """Delete through a store that knows no models."""
        (key,) = self._author(data).keys(1)
        self._compare([("delete", key)], lambda: self.lab.open().delete(Key.parse(key)))

    @step(data=st.data())
    def plan_and_apply(self, data: st.DataObject) -> None:
        """Delete in two steps; the plan shows what will happen."""
        keys = self._author(data).keys(2)

        def work() -> None:
            plan = self.store.plan_delete(*map(Key.parse, keys))
            self.store.apply(plan)
            assert {deletion.key.text for deletion in plan.deletes}.isdisjoint(self.lab.records())

        self._compare([("delete", *keys)], work)

    @step(data=st.data())
    def update_a_stale_value(self, data: st.DataObject) -> None:
        """Update a resource that has changed or was deleted since it was read; the state stays."""
        if self.stale:
            old = data.draw(st.sampled_from(self.stale))
            current = self.naive.versions.get(old.key.text)
            if current is not None and self.store.get(old).meta == old.meta:
                return
            with pytest.raises((Conflict, NotFound, MissingReference)):
                self.store.update(old)

    @step()
    def reopen(self) -> None:
        """Continue with another store."""
        self.store = self.lab.open()

    @invariant()
    def store_and_dictionaries_agree(self) -> None:
        """Compare the whole state: fields, versions, lists, children, referrers."""
        for kind, model in _MODELS.items():
            found = {item.key.text: item for item in self.store.list(model)}
            wanted = {key: fields for key, fields in self.naive.fields.items() if key.split("/")[0] == kind}
            assert wanted == {key: _plain(item) for key, item in found.items()}
            assert {key: self.naive.versions[key] for key in wanted} == {
                key: item.meta.version for key, item in found.items()
            }
        for node in NODES:
            if node in self.naive.fields:
                key = Key.parse(node)
                assert self.naive.referrers(node) == [item.key.text for item in self.store.referrers(key)]
                assert self.naive.children(node) == [item.key.text for item in self.store.children(key)]
        nodes = {key: fields for key, fields in self.naive.fields.items() if key in NODES}
        ordered = [item.key.text for item in self.store.list(Node, order_by="-rank")]
        assert sorted(nodes, key=lambda key: (nodes[key]["rank"], key), reverse=True) == ordered
        coded = [item.key.text for item in self.store.list(Node, where=F.code == "x")]
        assert [key for key, fields in nodes.items() if fields["code"] == "x"] == coded

    def _single(self, name: str, *arguments: Any) -> None:
        self._compare([(name, *arguments)], lambda: _perform(self.store, [(name, *arguments)]))

    def _program(self, data: st.DataObject, most: int) -> Program:
        return self._author(data).program(most)

    def _author(self, data: st.DataObject) -> Author:
        return Author(data.draw, self.naive.fields)

    def _transact(self, program: Program) -> None:
        with self.store.transaction() as tx:
            _perform(tx, program)

    def _compare(self, program: Program, work: Any, *, is_exact: bool = True) -> None:
        """Do the same on both sides: both succeed, or both refuse for the same reason."""
        refusal = self.naive.refusal_of(program)
        self.stale = [item for item in self.store.list(Resource) if item.key.text in KEYS][-4:]
        if refusal is None:
            work()
            return
        with pytest.raises(StoreError) as caught:
            work()
        assert not isinstance(caught.value, Conflict)
        assert not is_exact or type(caught.value).__name__ in refusal.why


def _perform(target: Any, program: Program) -> None:
    for name, *arguments in program:
        if name == "delete":
            target.delete(*map(Key.parse, arguments))
            continue
        key, fields = arguments
        made = _resource(key, fields)
        if name == "update":
            old = target.get(Key.parse(key))
            made = old.model_copy(update={field: getattr(made, field) for field in fields if field != "parent"})
        getattr(target, name)(made)


def run_machine(bench: Bench, examples: int, *, steps: int = 25, may_shrink: bool = True) -> None:
    """Run a number of random programs, the same in every run.

    Raises:
        AssertionError: Store and dictionaries differ. The shortest program found is printed.
    """
    run_programs(partial(StoreMachine, bench), examples, steps=steps, may_shrink=may_shrink)


def run_programs(machine: Any, examples: int, *, steps: int, may_shrink: bool = True) -> None:
    """Run a number of random programs of a state machine, the same in every run.

    Args:
        machine: Returns a new state machine.
        examples: The number of programs (>= 1).
        steps: The most steps of a program (>= 1).
        may_shrink: Whether to look for a shorter program that fails.
    """
    every_check: Any = list(HealthCheck)  # a slow server is no fault of the program's
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink) if may_shrink else (Phase.generate,),
        report_multiple_bugs=False,
        suppress_health_check=every_check,
    )
    run_state_machine_as_test(machine, settings=profile)


class MachineRules:
    """The state machine as a test of the suite."""

    @rule(
        "ID-1", "ID-4", "ID-5", "ID-6", "ID-7", "ID-11", "REF-2", "REF-7", "DEL-7", "DEL-10", "ALL-2", "OCC-7", "ATM-2"
    )
    def test_random_programs_end_as_on_dictionaries(self, lab: Lab) -> None:
        """Whatever is done, a store holds what plain dictionaries hold under the rules as they are written down."""
        run_machine(lab.bench, lab.bench.harness.examples)
