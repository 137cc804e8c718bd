"""Put what a bundle states into a store, or take it away: each in one transaction."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import methodcaller

from emco_store._aio.store import AsyncStore
from emco_store._aio.transaction import AsyncTransaction
from emco_store._sync.store import Store
from emco_store._sync.transaction import Transaction
from emco_store.core.keys import Key
from emco_store.core.plan import Plan
from emco_store.core.transaction_plans import TransactionPlan
from emco_store.core.wording import count
from emco_store.emco.bundles import Action, Bundle, Fault, unreadable
from emco_store.emco.documents import ANCHOR_FIELD
from emco_store.emco.members import recorded
from emco_store.emco.steps import Steps, perform, perform_async
from emco_store.errors import InvalidCall, InvalidResource, MissingReference, NotFound
from emco_store.ports import Commit


@dataclass(frozen=True, slots=True)
class Report:
    """What applying a bundle did.

    Attributes:
        created: What was not there.
        updated: What was there and has changed.
        unchanged: What was there as it is stated.
        restated: What the bundle states more than once; its last statement counted.
        actions: What the bundle asks to be done; ``run_bundle`` does it.
        pruned: What was deleted because the bundle of this name holds it no more.
        kept: What the bundle of this name holds no more, and stays because another bundle holds it.
    """

    created: tuple[Key, ...]
    updated: tuple[Key, ...]
    unchanged: tuple[Key, ...]
    restated: tuple[Key, ...]
    actions: tuple[Action, ...]
    pruned: tuple[Key, ...] = ()
    kept: tuple[Key, ...] = ()

    def __str__(self) -> str:
        made, changed, same = len(self.created), len(self.updated), len(self.unchanged)
        pruned = f", {len(self.pruned):,} deleted" if self.pruned else ""
        lines = [f"{count(made, 'resource')} created, {changed:,} updated, {same:,} unchanged{pruned}."]
        lines += _listed("created", self.created)
        lines += _listed("updated", self.updated)
        lines += _listed("stated more than once, the last statement counted", self.restated)
        lines += _listed("deleted, because the bundle holds it no more", self.pruned)
        lines += _listed("kept, because another bundle holds it", self.kept)
        lines += _listed("asked for, not carried out", self.actions)
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class BundlePlan:
    """What deleting a bundle would do.

    Attributes:
        plan: The plan for all that is there; ``store.apply(plan)`` does it.
        absent: What the bundle states and is not there.
        actions: What the bundle asks to be done; it has no part in a delete.
    """

    plan: Plan
    absent: tuple[Key, ...]
    actions: tuple[Action, ...]

    def __str__(self) -> str:
        return "\n".join([str(self.plan), *_listed("not there, skipped", self.absent)])


@dataclass(frozen=True, slots=True)
class DeleteReport:
    """What deleting a bundle did.

    Attributes:
        deleted: What the bundle states and was there.
        absent: What the bundle states and was not there.
        actions: What the bundle asks to be done; it has no part in a delete.
    """

    deleted: tuple[Key, ...]
    absent: tuple[Key, ...]
    actions: tuple[Action, ...]

    def __str__(self) -> str:
        lines = [f"{count(len(self.deleted), 'resource')} deleted."]
        lines += _listed("deleted", self.deleted)
        lines += _listed("not there, skipped", self.absent)
        return "\n".join(lines)


def apply_bundle(store: Store, bundle: Bundle, *, name: str | None = None, prune: bool = False) -> Report:
    """Create, update or leave each resource so that it is as the bundle states it; all of them, or none.

    Args:
        store: The store.
        bundle: The bundle.
        name: The name under which the store remembers what the bundle holds, in an ``emco_Bundle`` of this name; None
            to remember nothing.
        prune: Delete what a bundle of the same name held before and this one does not, by the delete rules and in the
            same commit; what a bundle of another name holds stays.

    Raises:
        MissingReference: References or parents resolve nowhere; ``faults`` has all of them, each a ``Fault`` with its
            document and field, and ``missing`` the same as pairs, as for every other call.
        InvalidResource: A document is beyond a limit of this store; ``faults`` has all of them.
        InvalidCall: The bundle has more resources than one commit of this store may write; or ``prune`` without a name.
        DeleteRestricted: References forbid the delete of what the bundle holds no more.
        Conflict: Other writers won until the deadline of the store.
    """

    def attempt(tx: Transaction) -> Report:
        return perform(_applied(bundle, name, prune=prune), tx)

    with by_document(bundle):
        return store.run(attempt)


async def apply_bundle_async(
    store: AsyncStore, bundle: Bundle, *, name: str | None = None, prune: bool = False
) -> Report:
    """Do the same as :func:`apply_bundle`, for asyncio."""

    async def attempt(tx: AsyncTransaction) -> Report:
        return await perform_async(_applied(bundle, name, prune=prune), tx)

    with by_document(bundle):
        return await store.run(attempt)


def plan_bundle(
    store: Store, bundle: Bundle, *, name: str | None = None, prune: bool = False
) -> TransactionPlan[Report]:
    """Return what :func:`apply_bundle` would create, update, leave and delete; nothing is written.

    ``store.apply(plan)`` does what the plan shows, or is refused because something has changed; it returns
    ``plan.result``, the report.
    """

    def attempt(tx: Transaction) -> Report:
        return perform(_applied(bundle, name, prune=prune), tx)

    return _by_document(store.plan_transaction(attempt), bundle)


async def plan_bundle_async(
    store: AsyncStore, bundle: Bundle, *, name: str | None = None, prune: bool = False
) -> TransactionPlan[Report]:
    """Do the same as :func:`plan_bundle`, for asyncio."""

    async def attempt(tx: AsyncTransaction) -> Report:
        return await perform_async(_applied(bundle, name, prune=prune), tx)

    return _by_document(await store.plan_transaction(attempt), bundle)


def delete_bundle(store: Store, bundle: Bundle) -> DeleteReport:
    """Delete all that the bundle states and that is there, in one commit; repeated while it loses races.

    The policy module that agents imply stays: EMCO makes it, and other agents may lie under it.

    Raises:
        DeleteRestricted: Resources outside the bundle refer to what would go; all of them are named.
        Conflict: Other writers won until the deadline of the store.
    """

    def attempt(tx: Transaction) -> DeleteReport:
        return perform(_delete(bundle), tx)

    return store.run(attempt)


async def delete_bundle_async(store: AsyncStore, bundle: Bundle) -> DeleteReport:
    """Do the same as :func:`delete_bundle`, for asyncio."""

    async def attempt(tx: AsyncTransaction) -> DeleteReport:
        return await perform_async(_delete(bundle), tx)

    return await store.run(attempt)


def plan_bundle_delete(store: Store, bundle: Bundle) -> BundlePlan:
    """Say what :func:`delete_bundle` would take, change, and be blocked by; nothing is written."""
    return perform(_plan(bundle), store)


async def plan_bundle_delete_async(store: AsyncStore, bundle: Bundle) -> BundlePlan:
    """Do the same as :func:`plan_bundle_delete`, for asyncio."""
    return await perform_async(_plan(bundle), store)


def _applied(bundle: Bundle, name: str | None, *, prune: bool) -> Steps[Report]:
    if name is None:
        if prune:
            raise InvalidCall(
                "Cannot prune without a name.",
                why=["what a bundle held before is remembered under its name"],
                hint="give name=, the same one each time that the bundle is applied.",
            )
        return (yield from stated(bundle))
    report = yield from stated(bundle)
    pruned, kept = yield from recorded(bundle, name, prune=prune)
    return replace(report, pruned=pruned, kept=kept)


def stated(bundle: Bundle) -> Steps[Report]:
    """Write all that a bundle states, in a transaction, and return what became of each resource."""
    final = bundle.final
    before = yield from _versions(final)
    after: dict[Key, int] = {}
    faults: list[Fault] = []
    for key, statement in final.items():
        try:
            stored = yield methodcaller("put", statement.resource)
        except InvalidResource as problem:
            faults += [Fault(statement.position, "", reason) for reason in problem.problems]
        else:
            after[key] = stored.meta.version
    if faults:
        raise unreadable(faults)
    return Report(
        created=tuple(key for key in final if key not in before),
        updated=tuple(key for key in final if key in before and before[key] != after[key]),
        unchanged=tuple(key for key in final if before.get(key) == after[key]),
        restated=bundle.restated,
        actions=bundle.actions,
    )


def _delete(bundle: Bundle) -> Steps[DeleteReport]:
    present, absent = yield from _present(bundle)
    if present:
        yield methodcaller("delete", *present)
    return DeleteReport(present, absent, bundle.actions)


def _plan(bundle: Bundle) -> Steps[BundlePlan]:
    present, absent = yield from _present(bundle)
    plan = Plan((), (), (), commit=Commit(txid=""))
    if present:
        plan = yield methodcaller("plan_delete", *present)
    return BundlePlan(plan, absent, bundle.actions)


def _present(bundle: Bundle) -> Steps[tuple[tuple[Key, ...], tuple[Key, ...]]]:
    keys = [key for key, statement in bundle.final.items() if not statement.is_implied]
    versions = yield from _versions(keys)
    return tuple(key for key in keys if key in versions), tuple(key for key in keys if key not in versions)


def _versions(wanted: Iterable[Key]) -> Steps[dict[Key, int]]:
    """Return the versions of those that are there, in one request; 0 for one whose document cannot be read."""
    keys = list(wanted)
    try:
        found = yield methodcaller("get_many", keys, missing_ok=True)
    except InvalidResource:
        return (yield from _versions_one_by_one(keys))
    return {key: value.meta.version for key, value in zip(keys, found, strict=True) if value is not None}


def _versions_one_by_one(keys: Iterable[Key]) -> Steps[dict[Key, int]]:
    versions: dict[Key, int] = {}
    for key in keys:
        try:
            value = yield methodcaller("get", key)
        except NotFound:
            continue
        except InvalidResource:
            versions[key] = 0
        else:
            versions[key] = value.meta.version
    return versions


@contextmanager
def by_document(bundle: Bundle) -> Generator[None]:
    """Tell a missing reference by the document and the field that hold it."""
    try:
        yield
    except MissingReference as problem:
        raise _located(problem, bundle) from problem


def _by_document(plan: TransactionPlan[Report], bundle: Bundle) -> TransactionPlan[Report]:
    """Let a plan be refused with an error that names documents."""
    refusal = plan.refusal
    return replace(plan, refusal=_located(refusal, bundle)) if isinstance(refusal, MissingReference) else plan


def _located(problem: MissingReference, bundle: Bundle) -> MissingReference:
    absent = {target for _, target in problem.missing}
    faults = tuple(
        Fault(
            statement.position,
            ANCHOR_FIELD if edge.is_parent else edge.place,
            f"{edge.target} is not there" if edge.selection is None else f"nothing matches {edge.selection}",
            edge.target,
        )
        for statement in bundle.final.values()
        for edge in statement.edges
        if edge.target in absent
    )
    return MissingReference(
        f"The bundle was not applied: what it refers to is not there, in {count(len(faults), 'place')}.",
        why=[str(fault) for fault in faults],
        hint="state the targets in the bundle, or create them first.",
        missing=problem.missing,
        faults=faults,
    )


def _listed(title: str, items: Iterable[object]) -> list[str]:
    lines = [f"    {item}" for item in items]
    return [f"  {title}:", *lines] if lines else []
