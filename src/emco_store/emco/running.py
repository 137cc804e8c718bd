"""Carry a bundle out in its order, actions included, and end what it has started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from operator import methodcaller
from typing import Any

from emco_store._aio.store import AsyncStore
from emco_store._aio.transaction import AsyncTransaction
from emco_store._sync.store import Store
from emco_store._sync.transaction import Transaction
from emco_store.core.keys import Key
from emco_store.core.lifecycle import LifecycleRecord
from emco_store.core.wording import count
from emco_store.emco.actions import AT_ONCE, VERBS, Done, carried_out, check_action, ended, looked_up, rolled_back
from emco_store.emco.applying import Report, by_document, stated
from emco_store.emco.bundles import Bundle, Stage
from emco_store.emco.catalogue.certificates import PHASES
from emco_store.emco.steps import Steps, perform, perform_async
from emco_store.errors import NotFound, StoreError

_Call = Callable[[Any], Any]
_InOne = Callable[[Callable[[], Steps[Any]]], _Call]
"""Makes of steps in a transaction a call of the store, which repeats them while other writers win."""
Wait = Callable[[LifecycleRecord[Any]], object]
"""Is called with the lifecycle record of a resource whose operation is under way, and returns when it has ended."""
WaitAsync = Callable[[LifecycleRecord[Any]], Awaitable[object]]
"""The same for asyncio."""


@dataclass(slots=True)
class RunReport:
    """What carrying out a bundle did.

    Attributes:
        created: What was not there.
        updated: What was there and has changed.
        unchanged: What was there, each time that it was stated, as it was stated.
        done: The actions, in the order of the bundle.
    """

    created: tuple[Key, ...] = ()
    updated: tuple[Key, ...] = ()
    unchanged: tuple[Key, ...] = ()
    done: list[Done] = field(default_factory=list[Done])

    def __str__(self) -> str:
        made, changed, same = len(self.created), len(self.updated), len(self.unchanged)
        lines = [f"{count(made, 'resource')} created, {changed:,} updated, {same:,} unchanged."]
        return "\n".join([*lines, *(f"    {one}" for one in self.done)])

    def add(self, report: Report, done: Iterable[Done]) -> None:
        """Add what one transaction did."""
        changed = dict.fromkeys((*self.updated, *report.updated))
        self.created = (*self.created, *report.created)
        self.updated = tuple(key for key in changed if key not in self.created)
        touched = {*self.created, *self.updated}
        self.unchanged = tuple(key for key in dict.fromkeys((*self.unchanged, *report.unchanged)) if key not in touched)
        self.done += done


def run_bundle(store: Store, bundle: Bundle, *, wait: Wait | None = None) -> RunReport:
    """Carry out the documents of a bundle in their order: what they state, and what they ask to be done.

    An action is one transaction with the statements before it, so ``approve`` approves what the bundle states, and
    whatever else belongs to the deployment. The first document that cannot be carried out ends the run. What was done
    before stays, and the bundle can be run again: an action whose state is reached already changes nothing.

    ``update`` and ``rollback`` of a deployment approve in the same commit what they deploy. ``rollback`` brings the
    content of a revision back before. ``migrate`` starts the one deployment and stops the other in one commit.

    Args:
        store: The store.
        bundle: The bundle.
        wait: Called with the lifecycle record of a target whose operation is under way, before the next action on it
            other than ``stop``; it returns when the operation has ended. Without it, an action that needs the end is
            refused.

    Raises:
        StoreError: A document cannot be carried out: the error of the call, such as ``TransitionRefused``,
            ``MissingReference`` or ``NotFound``, with the document in its text and in ``position``, and what was done
            before in ``report``.
        InvalidCall: An action does not exist for its target, or lacks its spec; nothing was done then.
    """
    return perform(_run(bundle, wait, _in_one), store)


async def run_bundle_async(store: AsyncStore, bundle: Bundle, *, wait: WaitAsync | None = None) -> RunReport:
    """Do the same as :func:`run_bundle`, for asyncio."""
    return await perform_async(_run(bundle, wait, _in_one_async), store)


def terminate_bundle(store: Store, bundle: Bundle, *, wait: Wait | None = None) -> tuple[LifecycleRecord[Any], ...]:
    """End what a bundle has started, the last thing first; afterwards ``delete_bundle`` can take it away.

    Args:
        store: The store.
        bundle: The bundle.
        wait: Called with the lifecycle record of each deployment that is being terminated; it returns when that is
            done. Without it, a logical cloud that a deployment still holds is refused.

    Returns:
        The lifecycle records of what was terminated.

    Raises:
        TransitionRefused: Something outside the bundle holds a resource, or there is no ``wait``.
    """
    return perform(_terminate(bundle, wait, _in_one), store)


async def terminate_bundle_async(
    store: AsyncStore, bundle: Bundle, *, wait: WaitAsync | None = None
) -> tuple[LifecycleRecord[Any], ...]:
    """Do the same as :func:`terminate_bundle`, for asyncio."""
    return await perform_async(_terminate(bundle, wait, _in_one_async), store)


def _in_one(steps: Callable[[], Steps[Any]]) -> _Call:
    def attempt(tx: Transaction) -> Any:
        return perform(steps(), tx)

    return methodcaller("run", attempt)


def _in_one_async(steps: Callable[[], Steps[Any]]) -> _Call:
    async def attempt(tx: AsyncTransaction) -> Any:
        return await perform_async(steps(), tx)

    return methodcaller("run", attempt)


def _run(bundle: Bundle, wait: Callable[..., Any] | None, in_one: _InOne) -> Steps[RunReport]:
    report = RunReport()
    for stage in bundle.stages:
        if stage.action is not None:
            with _at(stage, report):
                check_action(stage.action)
    for stage in bundle.stages:
        with _at(stage, report), by_document(Bundle(stage.statements)):
            yield from _carry_out(stage, wait, in_one, report)
    return report


def _carry_out(stage: Stage, wait: Callable[..., Any] | None, in_one: _InOne, report: RunReport) -> Steps[None]:
    action = stage.action
    if action is not None and wait is not None:
        target, verb = check_action(action)
        if verb not in AT_ONCE:
            yield from _waited(target, wait)
    if action is not None and action.verb == "rollback":
        report.add((yield in_one(lambda: stated(Bundle(stage.statements)))), ())
        yield from rolled_back(action)
        report.done += yield in_one(lambda: carried_out(action))
        return

    def steps() -> Steps[tuple[Report, tuple[Done, ...]]]:
        first = yield from stated(Bundle(stage.statements))
        return first, (() if action is None else (yield from carried_out(action)))

    report.add(*(yield in_one(steps)))


def _waited(target: Key, wait: Callable[..., Any]) -> Steps[None]:
    try:
        record = yield from looked_up(target)
    except NotFound:
        return  # it is only stated now
    if record.operation is not None:
        yield lambda _: wait(record)


def _terminate(
    bundle: Bundle, wait: Callable[..., Any] | None, in_one: _InOne
) -> Steps[tuple[LifecycleRecord[Any], ...]]:
    done: list[LifecycleRecord[Any]] = []
    phases = [
        Key(phase.__emco__.kind, *key.segments, name)
        for key in bundle.final
        for owner, phase in PHASES.items()
        if owner.__emco__.kind == key.kind
        for name in ("enrollment", "distribution")
    ]
    keys = list(dict.fromkeys((*bundle.final, *phases, *(action.target for action in bundle.actions))))
    for key in [key for kind in VERBS for key in reversed(keys) if key.kind == kind]:
        record = yield in_one(partial(ended, key))
        done += [] if record is None else [record]
        if wait is not None:
            yield from _waited(key, wait)
    return tuple(done)


class _at:  # noqa: N801 - it is used as a block
    """Say in every error which document could not be carried out, and what was done before."""

    def __init__(self, stage: Stage, report: RunReport) -> None:
        self._stage, self._report = stage, report

    def __enter__(self) -> None:
        """Begin the block."""

    def __exit__(self, _: object, problem: BaseException | None, __: object) -> None:
        """Raise the error anew, of the same class and with its fields."""
        action = self._stage.action
        if not isinstance(problem, StoreError):
            return
        fields = {**problem.fields, "report": self._report}
        what = problem.what
        if action is not None and "faults" not in fields:
            fields["position"] = action.position
            what = f"{action.position}: {what}"
        raise type(problem)(what, why=problem.why, hint=problem.hint, **fields) from problem
