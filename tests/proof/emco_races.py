"""The ways in which EMCO's data breaks, as races: who does what at once, and what must not be there afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from emco_store import F, Key, Ref
from emco_store.contracts.histories.clients import Ask, Request, Transact
from emco_store.core.records import Record
from tests.breakages.models import (
    Action,
    App,
    AppProfile,
    Cluster,
    ClusterReference,
    CompositeApp,
    CompositeProfile,
    Controller,
    Customization,
    Group,
    Intent,
    Kubeconfig,
    Label,
    LogicalCloud,
    Placement,
    Project,
    Provider,
    Registration,
    SyncObject,
)

Actor = Callable[[str], Generator[Request, Any, Any]]
"""What one caller does in the round of that name."""
Told = tuple[str, Any]
"""``("done", what it gave)``, ``("refused", the class of the error)``, or ``("unexpected", its text)``."""


@dataclass(frozen=True)
class End:
    """How a round ended.

    Attributes:
        name: The name of the round.
        told: What each actor was told.
        records: Everything that is stored.
    """

    name: str
    told: Sequence[Told]
    records: Mapping[str, Record]

    def document(self, key: Key) -> Any:
        """Return a document; None where there is none."""
        record = self.records.get(key.text)
        return None if record is None else json.loads(record.document)

    def has(self, *keys: Key) -> bool:
        """Tell whether all are there."""
        return all(key.text in self.records for key in keys)

    def done(self, actor: int) -> bool:
        """Tell whether an actor was told that it was done."""
        return self.told[actor][0] == "done"


@dataclass(frozen=True)
class Race:
    """One breakage of EMCO.

    Attributes:
        number: As the study of EMCO numbers it.
        what: What breaks, in a few words.
        emco: What happens there.
        rules: The rules of the contract that hold it here.
        prepare: Gives what a round begins with, in an order in which it can be created; or functions that are given
            the transaction.
        actors: Who acts at once.
        judge: Names what must not be; that nothing dangles is looked at in each.
        plant: Puts something into a record by hand, as nothing of ours would.
        models: What the stores know; none for the models of ``tests.breakages.models``.
    """

    number: str
    what: str
    emco: str
    rules: tuple[str, ...]
    prepare: Callable[[str], Sequence[Any]]
    actors: tuple[Actor, ...]
    judge: Callable[[End], Iterator[str]] = lambda _: iter(())
    plant: Callable[[str], tuple[Key, bytes]] | None = None
    models: Sequence[Any] = ()


# who and what there is in a round: all of it under names of its own


def _project(name: str) -> Key:
    return Key("Project", name)


def _composite(name: str) -> Key:
    return Key("CompositeApp", name, "shop", "v1")


def _under(kind: str, name: str, *names: str) -> Key:
    return Key(kind, name, "shop", "v1", *names)


def _group(name: str) -> Key:
    return _under("Group", name, "g")


def _cluster(name: str) -> Key:
    return Key("Cluster", name, "c1")


def _new_group(name: str, own: str = "g", **fields: Any) -> Any:
    cloud = Key("LogicalCloud", name, "lc")
    return Group(
        parent=_composite(name), name=own, profile=_under("CompositeProfile", name, "small"), cloud=cloud, **fields
    )


def _composites(name: str) -> list[Any]:
    return [
        Project(name=name),
        CompositeApp(parent=_project(name), name="shop", version="v1"),
        LogicalCloud(parent=_project(name), name="lc"),
    ]


def _groups(name: str) -> list[Any]:
    profile = CompositeProfile(parent=_composite(name), name="small")
    return [*_composites(name), App(parent=_composite(name), name="web"), profile, _new_group(name)]


def _clusters(name: str) -> list[Any]:
    return [Provider(name=name), Cluster(parent=Key("Provider", name), name="c1")]


# what is done


def _create(make: Callable[[str], Any]) -> Actor:
    def act(name: str) -> Generator[Request, Any, Any]:
        yield Ask("create", (make(name),))

    return act


def _put(make: Callable[[str], Any]) -> Actor:
    def act(name: str) -> Generator[Request, Any, Any]:
        yield Ask("put", (make(name),))

    return act


def _delete(*keys: Callable[[str], Key]) -> Actor:
    def act(name: str) -> Generator[Request, Any, Any]:
        yield Ask("delete", tuple(key(name) for key in keys))

    return act


def _change(key: Callable[[str], Key], change: Callable[[Any], dict[str, Any]]) -> Actor:
    """Read, change and write back, in a transaction that is repeated while it loses."""

    def act(name: str) -> Generator[Request, Any, Any]:
        def script() -> Generator[Ask, Any, Any]:
            found = yield Ask("get", (key(name),))
            yield Ask("update", (found.model_copy(update=change(found)),))

        yield Transact(script)

    return act


def _look_and_create(look: Callable[[str], Key], make: Callable[[str], Any]) -> Actor:
    """Do what EMCO's handlers do: look whether it may be, then insert."""

    def act(name: str) -> Generator[Request, Any, Any]:
        yield Ask("get", (look(name),))
        yield Ask("create", (make(name),))

    return act


def _append(state: str) -> Actor:
    return _change(_group, lambda group: {"history": [*group.history, Action(state=state)]})


def _late_update(name: str) -> Generator[Request, Any, Any]:
    """Write back, without a transaction, what was read before."""
    group = yield Ask("get", (_group(name),))
    yield Ask("update", (group.model_copy(update={"history": [Action(state="Instantiated")], "overrides": {}}),))


def _instantiate(who: str) -> Actor:
    """Deploy, unless somebody has."""

    def act(name: str) -> Generator[Request, Any, Any]:
        def script() -> Generator[Ask, Any, Any]:
            group = yield Ask("get", (_group(name),))
            if any(action.state == "Instantiated" for action in group.history):
                return
            history = [*group.history, Action(state="Instantiated", instance=who)]
            yield Ask("update", (group.model_copy(update={"history": history}),))

        yield Transact(script)

    return act


def _create_cluster_with_kubeconfig(name: str) -> Generator[Request, Any, Any]:
    def script() -> Generator[Ask, Any, Any]:
        cluster = yield Ask("create", (Cluster(parent=Key("Provider", name), name="new"),))
        yield Ask("create", (Kubeconfig(parent=cluster, name="admin", text={"a": 1}),))

    yield Transact(script)


def _look_at_both(name: str) -> Generator[Request, Any, Any]:
    keys = [Key("Cluster", name, "new"), Key("Kubeconfig", name, "new", "admin")]
    seen = []
    for _ in range(3):
        found = yield Ask("get_many", (keys,), {"missing_ok": True})
        seen.append(len(found))
    return seen


def _delete_with_an_empty_name(name: str) -> Generator[Request, Any, Any]:
    yield Ask("delete", (Key("App", name, "shop", "v1", ""),))


def _list_groups(name: str) -> Generator[Request, Any, Any]:
    seen = []
    for _ in range(3):
        page = yield Ask("list", (Group,), {"parent": _composite(name)})
        seen.append(sorted(item.key.segments[-1] for item in page.resources))
    return seen


def _steal_a_name(name: str) -> Generator[Request, Any, Any]:
    app = yield Ask("get", (_under("App", name, "web"),))
    yield Ask("update", (app.model_copy(update={"name": "db", "chart": "stolen"}),))


def _find_profiles_of_web(name: str) -> Generator[Request, Any, Any]:
    page = yield Ask("list", (AppProfile,), {"where": F.app == Ref(_under("App", name, "web"))})
    return len(page)


# what must not be


def _says(is_bad: bool, text: str) -> Iterator[str]:  # noqa: FBT001 - what was found
    if is_bad:
        yield text


def _b4(end: End) -> Iterator[str]:
    found = end.document(_composite(end.name))
    yield from _says(end.done(1) and (found or {}).get("description") != "child", "a child was overwritten")
    yield from _says(not end.has(_project(end.name)), "a project is gone")


def _b5(end: End) -> Iterator[str]:
    yield from _says(not end.has(_composite(end.name)), "a child was deleted in the place of its parent")
    yield from _says(end.told[1] != ("refused", "NotFound"), "the delete of what never was did something")


def _b6(end: End) -> Iterator[str]:
    profile, app = _under("AppProfile", end.name, "small", "web"), end.document(_under("App", end.name, "web"))
    yield from _says(end.done(0) and (end.document(profile) or {}).get("app") is None, "a profile was overwritten")
    yield from _says((end.done(1) or end.done(2)) and (app or {}).keys() != {"name", "chart"}, "an app is none")


def _b7(end: End) -> Iterator[str]:
    record = end.records.get(_project(end.name).text)
    puts = sum(told == "done" for told, _ in end.told)
    yield from _says(puts != len(end.told), "a put was refused")
    yield from _says(record is None or record.version != puts, "there is not one of it, changed as often as it was put")


def _b8(end: End) -> Iterator[str]:
    winners = [str(at) for at in range(len(end.told)) if end.done(at)]
    found = end.document(_project(end.name))
    yield from _says(len(winners) != 1, f"{len(winners)} creates were told that they made it")
    yield from _says(bool(winners) and found["description"] not in winners, "the loser's is stored")


def _b9(end: End) -> Iterator[str]:
    history = end.document(_group(end.name))["history"]
    states = [entry["state"] for entry in history]
    for at, state in enumerate(("Approved", "Stopped")):
        yield from _says(end.done(at) and states.count(state) != 1, "an entry of the history is lost")
    yield from _says(states.count("Instantiated") != 1, "deployed more than once, or never")


def _b10(end: End) -> Iterator[str]:
    yield from _says(not set(end.told[1][1]) <= {0, 2}, "one half was seen without the other")
    both = {end.has(Key("Cluster", end.name, "new")), end.has(Key("Kubeconfig", end.name, "new", "admin"))}
    yield from _says(len(both) != 1, "one half was left")


def _zombie(end: End) -> Iterator[str]:
    yield from _says(end.done(1) and end.has(_group(end.name)), "what was deleted is there again")


def _b13(end: End) -> Iterator[str]:
    yield from _says(not end.done(2), "a word in free data held another project")
    yield from _says(end.done(1), "a profile in use was deleted")


def _b14(end: End) -> Iterator[str]:
    found = end.document(_under("Customization", end.name, "g", "c"))
    yield from _says(found["specific"] and not end.has(_cluster(end.name)), "a reference that applies dangles")


def _b15(end: End) -> Iterator[str]:
    labels = [Key("Label", end.name, cluster, "near") for cluster in ("c1", "c2")]
    is_placed = end.has(_under("Placement", end.name, "g", "p"))
    yield from _says(is_placed and not any(map(end.has, labels)), "placed by a label that no cluster bears")
    yield from _says(is_placed is not end.done(2), "what was told of the placement is not so")


def _b18(end: End) -> Iterator[str]:
    yield from _says(end.done(0), "an empty name meant something")
    yield from _says(not end.has(_under("App", end.name, "web")), "an app is gone")
    yield from _says(end.done(1) and not end.has(_under("App", end.name, "db")), "a new app is gone")


def _b20(end: End) -> Iterator[str]:
    yield from _says(end.done(0), "it was stored under another name")
    yield from _says(end.document(_under("App", end.name, "db"))["chart"] == "stolen", "another was overwritten")


def _b21(end: End) -> Iterator[str]:
    state = _under("Intent", end.name, "g", "state")
    yield from _says(end.has(_group(end.name)) is not end.has(state), "a refused delete took the state along")


def _b22(end: End) -> Iterator[str]:
    found = end.document(_group(end.name))
    yield from _says(end.done(0) and len(found["history"]) != 1, "what a read adds is lost")
    yield from _says(end.done(1) and found["overrides"] != {"by": "a put"}, "a put is lost")


def _b23(end: End) -> Iterator[str]:
    found = end.document(Key("Controller", "dtc", end.name))
    yield from _says(end.done(2) and found["port"] != 2, "the controller of one group was found in the other")


def _b24(end: End) -> Iterator[str]:
    yield from _says(not end.done(0), f"a list failed: {end.told[0]}")
    yield from _says(end.done(0) and any("g" not in seen for seen in end.told[0][1]), "a list lacks what is healthy")
    yield from _says(end.done(2) and end.has(_under("Group", end.name, "broken")), "what is broken cannot be deleted")


RACES: tuple[Race, ...] = (
    Race("B1", "A group is created that names a profile which is not there, or is being deleted",
         "Succeeds every time: references are not enforced on write", ("REF-2", "OCC-10"),
         lambda name: [*_composites(name), CompositeProfile(parent=_composite(name), name="small")],
         (_create(_new_group), _delete(lambda name: _under("CompositeProfile", name, "small")),
          _create(lambda name: CompositeProfile(parent=_composite(name), name="small")))),
    Race("B2", "A child is created while its parent goes and a sibling stays or comes",
         "Succeeds: any document with the parent's names passes for it", ("REF-1", "OCC-10"),
         lambda name: [*_clusters(name)[:1], SyncObject(parent=Key("Provider", name), name="s")],
         (_create(lambda name: Cluster(parent=Key("Provider", name), name="c1")),
          _delete(lambda name: Key("Provider", name), lambda name: Key("SyncObject", name, "s")),
          _create(lambda name: SyncObject(parent=Key("Provider", name), name="t")))),
    Race("B3", "A child is created while its parent is deleted", "Orphan in 241 to 298 of 300 runs",
         ("REF-1", "DEL-1", "OCC-10"), lambda name: [Project(name=name)],
         (_look_and_create(_project, lambda name: CompositeApp(parent=_project(name), name="shop", version="v1")),
          _delete(_project))),
    Race("B4", "A parent is put while its child is created", "The put replaces an orphaned child, whose data are lost",
         ("ID-2",), lambda name: [Project(name=name)],
         (_put(lambda name: Project(name=name, description="put")),
          _create(lambda name: CompositeApp(parent=_project(name), name="shop", version="v1", description="child")),
          _put(lambda name: Project(name=name, description="again"))), _b4),
    Race("B5", "A parent is deleted twice, and one that was never there, while children come",
         "Deletes an orphaned child and answers success", ("ID-4", "DEL-1"),
         lambda name: _composites(name)[:2],
         (_delete(_project), _delete(lambda name: Key("Project", f"{name}-never")), _delete(_project),
          _create(lambda name: CompositeApp(parent=_project(name), name="shop", version="v2"))), _b5),
    Race("B6", "A profile of an app, and the app itself, are created and put at once",
         "The profile is found in the app's place, and overwritten", ("ID-2", "REF-2"),
         lambda name: [*_composites(name), CompositeProfile(parent=_composite(name), name="small")],
         (_create(lambda name: AppProfile(parent=_under("CompositeProfile", name, "small"), name="web", app="web")),
          _create(lambda name: App(parent=_composite(name), name="web")),
          _put(lambda name: App(parent=_composite(name), name="web", chart="put")), _find_profiles_of_web), _b6),
    Race("B7", "Four puts of one new resource",
         "Two or more documents in 40 to 80 of 200 runs, which can never be deleted",
         ("ID-1", "ID-5"), lambda _: [],
         tuple(_put(lambda name, at=at: Project(name=name, description=str(at))) for at in range(4)), _b7),
    Race("B8", "Two creates of one new resource", "Both succeed in 183 of 200 runs", ("ID-1",), lambda _: [],
         tuple(_create(lambda name, at=at: Project(name=name, description=str(at))) for at in range(2)), _b8),
    Race("B9", "Two transitions of one state, and two deployments",
         "One entry lost in 91 of 100 runs; deployed twice in 20 of 20", ("OCC-1", "OCC-6"), _groups,
         (_append("Approved"), _append("Stopped"), _instantiate("one"), _instantiate("two")), _b9),
    Race("B10", "What is created in several parts is looked at meanwhile",
         "Several writes: a crash between them leaves one half", ("ATM-1", "OCC-7"), lambda name: _clusters(name)[:1],
         (_create_cluster_with_kubeconfig, _look_at_both, _delete(lambda name: Key("Cluster", name, "new"))), _b10),
    Race("B11", "A state is written back while its owner is deleted",
         "The state comes back without its data, and all lists fail", ("ID-4",), _groups,
         (_late_update, _delete(_group)), _zombie),
    Race("B12", "A part is taken from what is being deleted",
         "Creates a document without a type, which counts as a parent",
         ("ID-4", "REF-1"), _groups,
         (_change(_group, lambda _: {"history": [], "overrides": {"none": 1}}), _delete(_group),
          _create(lambda name: Intent(parent=_group(name), name="i"))), _zombie),
    Race("B13", "Free data hold words such as `project` while the profile in use and that project are deleted",
         "The words count as references; the profile in use is deleted", ("REF-13", "DEL-1"),
         lambda name: [*_groups(name), Project(name=f"{name}-other")],
         (_change(_group, lambda group: {"overrides": {"project": f"{group.key.segments[0]}-other", "app": ["web"]}}),
          _delete(lambda name: _under("CompositeProfile", name, "small")),
          _delete(lambda name: Key("Project", f"{name}-other"))), _b13),
    Race("B14", "A conditional reference begins to apply while its target is deleted",
         "Not recorded, or recorded where it does not apply: 4 of 5 in one example", ("REF-10", "OCC-10"),
         lambda name: [*_groups(name), *_clusters(name),
                       Customization(parent=_group(name), name="c", scope="name", cluster=_cluster(name))],
         (_change(lambda name: _under("Customization", name, "g", "c"), lambda _: {"specific": True}),
          _delete(_cluster)), _b14),
    Race("B15",
         "An intent names an app while that is deleted; another chooses clusters by a label while both clusters that "
         "bear it lose it",
         "Of nine sorts of references the schema knows nothing; the chain of deletes succeeds",
         ("REF-2", "REF-14", "DEL-1", "DEL-13", "OCC-12"),
         lambda name: [*_groups(name), *_clusters(name), Cluster(parent=Key("Provider", name), name="c2"),
                       Label(parent=_cluster(name), name="near"),
                       Label(parent=Key("Cluster", name, "c2"), name="near")],
         (_create(lambda name: Intent(parent=_group(name), name="i", app="web")),
          _delete(lambda name: _under("App", name, "web")),
          _create(lambda name: Placement(parent=_group(name), name="p", provider=name, label="near")),
          _delete(lambda name: Key("Label", name, "c1", "near")),
          _delete(lambda name: Key("Label", name, "c2", "near"))), _b15),
    Race("B16", "A reference is made while its target is deleted", "Dangling in 242 of 300 runs",
         ("REF-2", "DEL-1", "OCC-10"), lambda name: [*_composites(name), *_clusters(name)],
         (_look_and_create(_cluster, lambda name: ClusterReference(
             parent=Key("LogicalCloud", name, "lc"), name="r", cluster=_cluster(name))),
          _delete(_cluster))),
    Race("B18", "A delete with an empty name while others create", "Deletes every object of the type", ("ID-3",),
         lambda name: [*_composites(name), App(parent=_composite(name), name="web")],
         (_delete_with_an_empty_name, _create(lambda name: App(parent=_composite(name), name="db"))), _b18),
    Race("B19", "A secret is stored under what is being deleted",
         "Accepted below missing parents; the leftover blocks for ever", ("REF-1", "DEL-3", "OCC-10"), _clusters,
         (_create(lambda name: Kubeconfig(parent=_cluster(name), name="admin")), _delete(_cluster),
          _put(lambda name: Kubeconfig(parent=_cluster(name), name="user")))),
    Race("B20", "A resource is stored under another's name while that is changed",
         "The name in the body wins: the other is overwritten", ("ID-10", "ID-4"),
         lambda name: [*_composites(name), App(parent=_composite(name), name="web"),
                       App(parent=_composite(name), name="db")],
         (_steal_a_name, _change(lambda name: _under("App", name, "db"), lambda _: {"chart": "own"})), _b20),
    Race("B21", "A delete is refused because of a child that comes meanwhile",
         "The states are gone by then: it can never be deleted again", ("DEL-7", "ATM-1", "OCC-10"),
         lambda name: [*_groups(name), Intent(parent=_group(name), name="state")],
         (_delete(_group), _create(lambda name: Customization(parent=_group(name), name="c"))), _b21),
    Race("B22", "A read that writes back what it read, and a put", "The put is lost", ("OCC-1", "OCC-6"), _groups,
         (_append("Certified"), _change(_group, lambda _: {"overrides": {"by": "a put"}})), _b22),
    Race("B23", "A controller is registered while it is deleted, and another group has one of its name",
         "Found in the wrong group; can always be deleted", ("ID-2", "DEL-1", "OCC-10"),
         lambda name: [Controller(group="orchestrator", name=name, port=1)],
         (_create(lambda name: Registration(
             name=name, controller=Key("Controller", "orchestrator", name),
             needed=Key("Controller", "orchestrator", name))),
          _delete(lambda name: Key("Controller", "orchestrator", name)),
          _create(lambda name: Controller(group="dtc", name=name, port=2))), _b23),
    Race("B24", "Lists go over a document that cannot be read, while it is deleted and others come",
         "Every list stops at the first such document", ("BAD-8",),
         lambda name: [*_groups(name), _new_group(name, "broken")],
         (_list_groups, _create(lambda name: _new_group(name, "z")),
          _delete(lambda name: _under("Group", name, "broken"))),
         _b24, lambda name: (_under("Group", name, "broken"), b'{"name":7}')),
)  # fmt: skip
WITHOUT = {
    "B1": "no guard",
    "B2": "no guard",
    "B3": "no guard",
    "B7": "forgets versions",
    "B8": "forgets versions",
    "B9": "forgets versions",
    "B10": "commits in halves",
    "B11": "forgets versions",
    "B12": "no guard",
    "B14": "no guard",
    "B15": "no guard",
    "B16": "no guard",
    "B19": "no guard",
    "B21": "no guard",
    "B22": "forgets versions",
    "B23": "no guard",
}
"""What is taken out of the backend to see that the race is one; for the others, no such piece can be taken out."""
ELSEWHERE = {
    "B17": (
        "The type of a document is a formatted text whose format changed",
        "Old documents are in no list, and what they use is deleted",
        "A kind is a part of the key. Older documents are made current where they are read (MIG-2, SEG-5).",
    ),
    "B25": (
        "A segment with a misspelt parent is registered once",
        "It is stored before it is validated, and every service that restarts refuses all writes",
        "It waits beside the active segments, and nobody else has to mind it (SEG-2).",
    ),
    "B26": (
        "One byte of a schema file changes, such as a comment",
        "The upgraded service cannot write anything, and its health is green",
        "What a segment means is compared, and what means something else is refused (SEG-4, SEG-5).",
    ),
}
"""What is no race here, with the reason."""


def judge(race: Race, end: End) -> list[str]:
    """Name all that must not be after a round."""
    unexpected = [str(what) for told, what in end.told if told == "unexpected"]
    dangling = [
        f"{text} {edge.place} -> {edge.target} dangles"
        for text, record in end.records.items()
        for edge in record.edges
        if edge.target.text not in end.records
    ]
    return [*unexpected, *dangling, *race.judge(end)]


def broken(record: Record, document: bytes) -> Record:
    """Return a record with another document, as a hand leaves it."""
    return replace(record, version=record.version + 1, document=document)
