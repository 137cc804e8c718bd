"""Random programs on resources that have lifecycles, compared with a second, simple set of rules after every step."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any, Final

from hypothesis import note, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule as step

from emco_store.contracts.naive_lifecycles import Recorded, Thing
from emco_store.contracts.walk_steps import PLAIN, Space, Walked, Walker, agree, outcome
from emco_store.core.keys import Key
from emco_store.core.plan import BlockReason
from emco_store.core.resource import Resource
from emco_store.errors import DeleteRestricted, NotFound, StateForbids


class LifecycleWalker(Walker):
    """One program on a namespace: it also deletes, brings revisions back, and compares everything."""

    # deletes

    def delete(self, dice: Random) -> None:
        """Delete resources: at once, by a plan, or in a transaction."""
        how = dice.choice(["at once", "planned", "in a transaction"])
        self._delete(self._some(dice), {"at once": _delete, "planned": _apply, "in a transaction": _within}[how])

    def delete_without_models(self, dice: Random) -> None:
        """Delete through a store that knows no models; the states forbid what they forbid."""
        self._delete(self._some(dice), _delete, store=self.open())

    def _some(self, dice: Random) -> list[str]:
        texts = sorted(self.first)
        return list(dict.fromkeys(dice.choice(texts) for _ in range(dice.randint(1, 2))))

    def _delete(self, texts: Sequence[str], how: Callable[[Any, list[Key]], Any], *, store: Any = None) -> bool:
        there, on = self.expected, self.store if store is None else store
        note(f"delete {', '.join(texts)}{'' if store is None else ' without models'}")
        absent = set(texts) - there.things.keys()
        going = set[str]() if absent else there.closure(texts)
        kept, blocked = there.keepers(going), there.blockers(going, set(texts))
        _, problem = outcome(partial(how, on, [*map(Key.parse, texts)]))
        if isinstance(problem, NotFound):
            assert absent == {key.text for key in problem.keys}
        elif isinstance(problem, DeleteRestricted):
            self.walked.refused_deletes += 1
            states = {one.referrer.text for one in problem.blockers if one.reason is BlockReason.STATE}
            others = {one.referrer.text for one in problem.blockers if one.reason is not BlockReason.STATE}
            assert kept == states, f"{kept} should have kept {texts}: {problem}"
            assert blocked <= others
            assert there.is_judged_elsewhere(going) or blocked == others, problem
        elif problem is not None:
            assert isinstance(problem, StateForbids), problem
            assert there.is_judged_elsewhere(going)
        if problem is not None:
            return False
        assert not absent
        assert not kept, f"{texts} went, although {kept} should have kept them"
        assert not blocked, f"{texts} went, although {blocked} refer to them"
        self.walked.deletes += 1
        before = set(there.things)
        self.take(is_known=store is None)
        assert going == before - there.things.keys()
        return True

    # history

    def bring_back(self, dice: Random) -> None:
        """Roll a resource back, or restore one that is gone."""
        texts = sorted(text for text in self.first if self.expected.revisions(text))
        if not texts:
            return
        text = dice.choice(texts)
        thing, now = self.expected.things.get(text), None
        known = self.expected.revisions(text) if thing is None else thing.revisions
        if thing is not None:
            now = self.expected.members(text)
        others = [one.number for one in known if one.members != now] or [one.number for one in known]
        if others:
            number = dice.choice(sorted(set(others)))
            self._bring_back(text, next(one for one in known if one.number == number))

    def _bring_back(self, text: str, wanted: Recorded) -> None:
        there, key = self.expected, Key.parse(text)
        note(f"bring revision {wanted.number} of {text} back")
        thing = there.things.get(text)
        plan = (
            self.store.plan_restore(key, wanted.number)
            if thing is None
            else self.store.plan_rollback(key, wanted.number)
        )
        before = {} if thing is None else there.members(text)
        shown = {one.text for one in plan.creates}, {one.key.text for one in plan.updates}
        joined = before.keys() - wanted.members.keys()
        differs = {one for one in before.keys() & wanted.members.keys() if before[one] != wanted.members[one]}
        going = there.closure(joined)
        made, problem = outcome(partial(self.store.apply, plan))
        if problem is not None:
            assert isinstance(problem, (*PLAIN, DeleteRestricted, StateForbids)), problem
            return
        assert (wanted.members.keys() - before.keys(), differs) == shown
        assert joined <= {one.key.text for one in plan.deletes}
        assert not there.keepers(going), f"{going} went with a rollback of {text}"
        self.walked.rollbacks += 1
        self.take()
        assert there.members(text) == wanted.members
        assert made.revision == (None if thing is None else thing.last + 1)
        if thing is not None:
            there.record(text, is_approved=wanted.is_approved and there.content(text) == wanted.content, is_act=True)

    def tag(self, dice: Random) -> None:
        """Give a revision a name."""
        things = self.expected.things
        texts = sorted(text for text, thing in things.items() if thing.revisions)
        if texts:
            thing = things[text := dice.choice(texts)]
            number = dice.choice([one.number for one in thing.revisions])
            name = dice.choice(["good", "best"])
            note(f"tag revision {number} of {text} as {name}")
            self.store.tag(Key.parse(text), number, name)
            thing.tags = {**(thing.tags or {}), name: number}

    def prune(self, dice: Random) -> None:
        """Remove old revisions; those that are needed stay."""
        things = self.expected.things
        texts = sorted(text for text, thing in things.items() if thing.lifecycle is not None)
        if texts:
            thing = things[text := dice.choice(texts)]
            keep = dice.choice([1, 1, 2])
            needed = {*(thing.tags or {}).values(), thing.applied, thing.approved[1] if thing.approved else None}
            note(f"prune {text} to {keep}")
            self.store.prune(Key.parse(text), keep=keep)
            found = {(one.uid, one.number) for one in self.store.history(Key.parse(text))}
            kept = tuple(one for one in thing.revisions if (one.uid, one.number) in found)
            wanted = {one.number for at, one in enumerate(thing.revisions) if at < keep or one.number in needed}
            assert wanted <= {one.number for one in kept}
            thing.revisions = kept
            past = self.expected.past.get(text, ())
            self.expected.past[text] = tuple(one for one in past if (one.uid, one.number) in found)

    # comparing

    def everything_is_as_declared(self) -> None:
        """Compare resources, states and histories with what they should be."""
        things = self.expected.things
        found = {one.key.text: one for one in self.store.list(Resource)}
        assert {text: (thing.value.meta.uid, thing.document) for text, thing in things.items()} == {
            text: (one.meta.uid, Thing.of(one).document) for text, one in found.items()
        }
        for text, thing in things.items():
            if thing.lifecycle is not None:
                agree(self.store.lifecycle(Key.parse(text)), thing)

    def look(self, dice: Random) -> None:
        """Read the history of a resource, one of its revisions, its digest, and the resources in its state."""
        texts = sorted(text for text, value in self.first.items() if Thing.of(value).lifecycle is not None)
        text = dice.choice(texts)
        key, thing, known = Key.parse(text), self.expected.things.get(text), self.expected.revisions(text)
        found = tuple(self.store.history(key))
        assert [(one.uid, one.number) for one in known] == [(one.uid, one.number) for one in found]
        if found:
            one = dice.choice(range(len(found)))
            members = self.store.revision(key, found[one]).documents
            assert known[one].members.keys() == {member.text for member in members}
        if thing is not None:
            self.digests_of(text, self.expected.content(text))
            listed = {one.key.text for one in self.store.list(type(thing.value), state=thing.state).resources}
            assert listed == {
                other for other, one in self.expected.things.items()
                if type(one.value) is type(thing.value) and one.state is thing.state
            }  # fmt: skip

    # the way back

    def leave(self) -> None:
        """Delete everything, by transitions that need nobody else; then nothing is left, and nothing is wrong."""
        self.everything_is_as_declared()
        self._check()
        for value in [None, *self.first.values()]:
            if value is not None:
                self.put(value, is_new=False)  # what a guard asks for may be missing
                for status in self.statuses:
                    self.observe(status)
            while any(self._step_back(text) for text in sorted(self.expected.things)):
                pass
            if all(thing.is_deletable for thing in self.expected.things.values()):
                break
        stuck = {text: str(thing.state) for text, thing in self.expected.things.items() if not thing.is_deletable}
        assert not stuck, f"there is no way back from {stuck}"
        assert not self.expected.things or self._delete(sorted(self.expected.things), _apply)
        self._check()
        for text in sorted(self.expected.past):
            if Thing.of(self.first[text]).lifecycle is not None:
                self.store.prune(Key.parse(text), forget=True)
                assert () == tuple(self.store.history(Key.parse(text)))
        self._check()

    def _step_back(self, text: str) -> bool:
        """Make a transition that leads nearer to a state in which the resource can be deleted."""
        thing = self.expected.things[text]
        if thing.is_deletable:
            return False
        far = _distances(thing)
        steps = [one for one in thing.steps.values() if not one.ends and thing.state in one.sources]
        nearer = [one for one in steps if far.get(one.to, len(far)) < far[thing.state]]
        return any(self._step_back_by(text, one) for one in nearer)

    def _step_back_by(self, text: str, one: Any) -> bool:
        self.actor = min(one.writers, default="")
        with self.store.acting(actor=self.actor or None):
            return self.make(self.store, self.expected, text, one)

    def _check(self) -> None:
        after: str | None = None
        while True:
            page = self.store.check(after=after)
            assert () == page.flaws
            if page.next is None:
                return
            after = page.next


def _distances(thing: Thing) -> dict[Any, int]:
    """Return how many transitions each state is away from a deletable one, without reports of operations."""
    far = dict.fromkeys(thing.lifecycle.deletable, 0)
    while more := {
        source: far[one.to] + 1
        for one in thing.steps.values()
        if not one.ends and one.to in far
        for source in one.sources
        if source not in far
    }:
        far |= more
    return far


def _delete(store: Any, keys: list[Key]) -> None:
    store.delete(*keys)


def _apply(store: Any, keys: list[Key]) -> None:
    store.apply(store.plan_delete(*keys))


def _within(store: Any, keys: list[Key]) -> None:
    with store.transaction() as tx:
        tx.delete(*keys)


ACTIONS: Final = (
    *(LifecycleWalker.write,) * 3, *(LifecycleWalker.advance,) * 5, *(LifecycleWalker.attempt,) * 3,
    *(LifecycleWalker.bring_back,) * 2, *(LifecycleWalker.delete,) * 2,
    LifecycleWalker.complete, LifecycleWalker.report, LifecycleWalker.plan_and_apply, LifecycleWalker.look,
    LifecycleWalker.change_several_states, LifecycleWalker.delete_without_models, LifecycleWalker.tag,
    LifecycleWalker.prune,
)  # fmt: skip
"""What a program does, the more often the more often it stands here."""


class LifecycleMachine(RuleBasedStateMachine):
    """The same for hypothesis, which looks for the shortest program that fails.

    A step draws a single number, which decides all that it does: where each choice is drawn by itself, most programs
    stay near the beginning.
    """

    def __init__(self, space: Space, resources: Sequence[Resource], walked: Walked) -> None:
        super().__init__()
        self._scope = space()
        self.walker = LifecycleWalker(self._scope.__enter__(), resources, walked)

    def teardown(self) -> None:
        """Go back to nothing, unless the program has failed; then release the namespace."""
        try:
            if sys.exc_info()[0] is None:
                self.walker.leave()
        finally:
            self._scope.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        """Create the first version of each resource."""
        self.walker.begin()

    @step(seed=st.integers(0, 2**32 - 1))
    def act(self, seed: int) -> None:
        """Do something."""
        dice = Random(seed)  # noqa: S311 - examples that repeat themselves
        dice.choice(ACTIONS)(self.walker, dice)

    @invariant()
    def compare(self) -> None:
        """Compare resources, states and histories with what they should be."""
        self.walker.everything_is_as_declared()
