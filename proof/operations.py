"""The operations during which clients die: every operation that writes, and the data that it starts with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from emco_store._sync.store import Store
from emco_store.contracts.harness import scanned
from emco_store.contracts.models import Cascade, Crate, Item, Parcel, Rack, Remove, SetNull, Site
from emco_store.contracts.recorded import PLANT, Chart, Desk, Ground, Hall, Plant, PlantLife
from emco_store.core.flaws import Flaw
from emco_store.core.keys import Key
from emco_store.core.naming import REVISION, REVISION_PART
from emco_store.core.records import Record
from emco_store.core.reserved import is_reserved
from emco_store.core.resource import Resource
from emco_store.core.status import Status
from emco_store.ports import Commit, Get, Port, Receipt, Scan


class Gauge(Status, of=Plant, writer="gauge"):
    """What is reported of a plant."""

    level: int = 0


MODELS: Final[tuple[type[Resource], ...]] = (
    Site, Rack, Crate, Parcel, Cascade, SetNull, Remove, Item, Ground, Plant, Hall, Desk, Chart, Gauge,
)  # fmt: skip
MANY: Final = 25
"""Number of records that the large transaction creates."""
_OTHER = Key("Plant", "g", "other")
_GONE = Key("Plant", "g", "gone")
_A, _B, _ABSENT = Key("Site", "a"), Key("Site", "b"), Key("Site", "absent")

State = dict[str, tuple[int, bytes, frozenset[Key]]]
"""The version, the document and the targets of every record."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One call on a store, or a few that belong together.

    Attributes:
        name: For the report.
        call: Runs it, on a blocking store or a blocking view.
        compete: What another client does during its first commit, so that this one loses; None for nothing.
        spoil: What a manual edit or a faulty program did to the data before; None for nothing.
    """

    name: str
    call: Callable[[Any], Any]
    compete: Callable[[Any], Any] | None = None
    spoil: Callable[[Port, str], None] | None = None


def _update(store: Any) -> None:
    store.update(store.get(Site, "a").model_copy(update={"title": "new"}))


def _transact(store: Any) -> None:
    with store.transaction() as tx:
        site = tx.get(Site, "a")
        for number in range(MANY):
            tx.create(Crate(name=f"n{number}", parent=site))
        tx.update(site.model_copy(update={"title": "many"}))
        tx.create(Item(name="j", serial="taken"))
        tx.delete(Key("Item", "i"))
        tx.delete(Key("Parcel", "a", "c", "p"))


def _repair(store: Any) -> None:
    store.repair(flaws(store))


def _refer_to_b(store: Any) -> Any:
    return store.create(SetNull(name="late", one=_B))  # pyright: ignore[reportArgumentType]  # validated as a caller's


def _spoil(port: Port, txid: str) -> None:
    """Make a reference dangle, and make what is recorded beside a document differ from it."""
    keys = (Key("SetNull", "n"), Key("Parcel", "a", "c", "q"), Key("Cascade", "k"))
    found = port.ask(Get(keys))
    null, parcel, cascade = (found[key] for key in keys)
    (edge,) = null.edges
    (along,) = cascade.edges
    put(
        port,
        f"{txid}-spoil",
        replace(
            null, document=null.document.replace(b"Site/a", b"Site/absent"), edges=(replace(edge, target=_ABSENT),),
        ),
        replace(parcel, index=()),
        replace(
            cascade, document=cascade.document.replace(b"Site/a", b"Site/absent"),
            edges=(replace(along, target=_ABSENT),),
        ),
    )  # fmt: skip


OPERATIONS: Final = (
    Operation("create", lambda store: store.create(Rack(name="k", parent=_B))),
    Operation("update", _update),
    Operation("put of a new one", lambda store: store.put(Site(name="new"))),
    Operation("put", lambda store: store.put(Site(name="a", title="put"))),
    Operation("delete of a leaf", lambda store: store.delete(Key("Parcel", "a", "c", "p"))),
    Operation("delete over several levels and rules", lambda store: store.delete(_A)),
    Operation("plan and apply", lambda store: store.apply(store.plan_delete(_A))),
    Operation("transaction", _transact),
    Operation("run", lambda store: store.run(lambda tx: tx.put(Site(name="a", title=f"{tx.get(_B).title}!")))),
    Operation("delete that lost and holds", lambda store: store.delete(_B), compete=_refer_to_b),
    Operation("repair", _repair, spoil=_spoil),
    Operation("approval", lambda store: store.transition(PLANT, PlantLife.approve, digest=store.digest(PLANT))),
    Operation("transition", lambda store: store.transition(PLANT, PlantLife.save)),
    Operation("first status", lambda store: store.set_status(Gauge(parent=PLANT, level=1), observed=1)),  # pyright: ignore[reportArgumentType]  # validated as a caller's
    Operation("status", lambda store: store.set_status(Gauge(parent=_OTHER, level=2), observed=1)),  # pyright: ignore[reportArgumentType]  # as above
    Operation("rollback", lambda store: store.apply(store.plan_rollback(PLANT, 1))),
    Operation("restore", lambda store: store.apply(store.plan_restore(_GONE))),
    Operation("tag", lambda store: store.tag(PLANT, 1, "good")),
    Operation("prune", lambda store: store.prune(PLANT, keep=1)),
    Operation("delete with states and statuses", lambda store: store.delete(Key("Ground", "g"))),
)
"""Every operation that writes. The function for ``run`` is not a coroutine, so that one is for blocking stores only."""
BLOCKING_ONLY: Final = frozenset({"run"})


def begin(store: Store) -> None:
    """Create the data that every operation starts with, in an empty namespace."""
    with store.transaction() as tx:
        for made in (
            Site(name="a"), Site(name="b"), Crate(name="c", parent=_A), Parcel(name="p", parent="Crate/a/c", code="x"),
            Parcel(name="q", parent="Crate/a/c", code="y", weight=3), SetNull(name="n", one=_A),
            Cascade(name="k", one=_A), Remove(name="r", listed=[_A, _B]), Item(name="i", serial="taken"),
        ):  # fmt: skip
            tx.create(made)
    _begin_plants(store)


def _begin_plants(store: Store) -> None:
    """Create plants with revisions: one that has changed since, one with a status, and one that is gone."""
    with store.transaction() as tx:
        ground, chart = tx.create(Ground(name="g")), tx.create(Chart(name="c"))
        for name in ("p", "other", "gone"):
            plant = tx.create(Plant(parent=ground, name=name))
            tx.create(Desk(parent=tx.create(Hall(parent=plant, name="h", chart=chart)), name="d"))
            tx.transition(plant, PlantLife.approve, digest=tx.digest(plant))
    with store.transaction() as tx:
        tx.update(tx.get(Hall, "g", "p", "h").model_copy(update={"text": "changed", "chart": None}))
        tx.delete(Key("Desk", "g", "p", "h", "d"))
        tx.create(Hall(parent=PLANT, name="new"))
        tx.set_status(Gauge(parent=_OTHER, level=1), observed=1)
        tx.delete(_GONE)
    store.transition(PLANT, PlantLife.save)
    store.transition(PLANT, PlantLife.approve, digest=store.digest(PLANT))


def clear(port: Port, txid: str) -> None:
    """Empty a namespace."""
    keys = tuple(record.key for record in scanned(port, Scan(None)))
    if keys:
        _commit(port, Commit(f"{txid}-clear", deletes=keys))


def put(port: Port, txid: str, *records: Any) -> None:
    """Write records without applying any rule."""
    _commit(port, Commit(txid, puts=records))


def flaws(store: Any) -> list[Flaw]:
    """Return everything that a check finds, on all pages."""
    found: list[Flaw] = []
    after: str | None = None
    while True:
        page = store.check(after=after)
        found += page.flaws
        after = page.next
        if after is None:
            return found


def state(port: Port) -> State:
    """Return what is stored."""
    return {_text(record): (record.version, _lasting(record), record.targets) for record in scanned(port, Scan(None))}


def _text(record: Record) -> str:
    """Return the key of a record; without the uid of a revision, which differs in each run."""
    uids = {REVISION: -2, REVISION_PART: -3}
    names = list(record.key.segments)
    if record.key.kind in uids:
        del names[uids[record.key.kind]]
    return "/".join((record.key.kind, *names))


def _lasting(record: Record) -> bytes:
    """Return the document of a record; without the times in records of the store's own, which differ in each run."""
    return _TIMES.sub(b"", record.document) if is_reserved(record.key.kind) else record.document


_TIMES: Final = re.compile(rb'"\w+_us":\d+,?')


def differences(found: State, allowed: Iterable[State]) -> str:
    """Return the differences to the nearest of the allowed states."""
    return min((_different(found, one) for one in allowed), key=len, default="")


def _different(found: State, wanted: State) -> str:
    keys = sorted(key for key in found.keys() | wanted.keys() if found.get(key) != wanted.get(key))
    return ", ".join(f"{key}: {_short(found.get(key))} and not {_short(wanted.get(key))}" for key in keys)


def _short(one: tuple[int, bytes, frozenset[Key]] | None) -> str:
    return "absent" if one is None else f"version {one[0]} {one[1][:80]!r}"


def _commit(port: Port, commit: Commit) -> None:
    reply = port.ask(commit)
    if not isinstance(reply, Receipt):
        message = f"the data could not be made: {reply}"
        raise RuntimeError(message)  # noqa: TRY004 - no argument is of a wrong type
