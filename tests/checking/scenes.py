"""What the tests of this folder share: some models, a few resources of them, and a whole check."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from emco_store import (
    CASCADE,
    REMOVE,
    SET_DEFAULT,
    SET_NULL,
    CheckPage,
    F,
    Flaw,
    FlawKind,
    Key,
    Ref,
    Resource,
    Store,
    indexed,
    on_delete,
    unique,
)


class Site(Resource):
    """A target."""


class Box(Resource, parent=Site, on_parent_delete=CASCADE):
    """A child with a unique and an indexed value."""

    code: Annotated[str | None, unique()] = None
    colour: Annotated[str, indexed()] = ""


class Route(Resource):
    """A referrer under each rule."""

    firm: Ref[Site] | None = None
    soft: Annotated[Ref[Site] | None, on_delete(SET_NULL)] = None
    over: Annotated[Ref[Site] | None, on_delete(SET_DEFAULT)] = Ref("Site/main")
    stops: Annotated[list[Ref[Site]], on_delete(REMOVE)] = []
    note: str = ""


MODELS = (Site, Box, Route)


def fill(store: Store) -> None:
    """Make some resources of all kinds."""
    for name in ("main", "a", "b"):
        store.create(Site(name=name))
    for number in range(5):
        store.create(Box(parent="Site/a", name=f"x{number}", code=f"c{number}", colour="red"))
    store.create(Route(name="r", soft="Site/a", stops=["Site/a", "Site/b"]))


def checked(store: Store, *, limit: int = 3, unknown_kinds: bool = False) -> list[Flaw]:
    """Check everything, in small pages, and give what is wrong."""
    return [flaw for page in pages(store, limit=limit, unknown_kinds=unknown_kinds) for flaw in page.flaws]


def pages(store: Store, *, limit: int = 3, unknown_kinds: bool = False) -> list[CheckPage]:
    """Return all pages of a check."""
    found = [store.check(limit=limit, unknown_kinds=unknown_kinds)]
    while found[-1].next is not None:
        found.append(store.check(after=found[-1].next, limit=limit, unknown_kinds=unknown_kinds))
        assert len(found) < 1000, "the check does not end"
    return found


def told(flaws: list[Flaw]) -> set[tuple[FlawKind, str]]:
    """Return kind and key of each flaw."""
    return {(flaw.kind, flaw.key) for flaw in flaws}


def repair_all(store: Store) -> list[Flaw]:
    """Check and repair until nothing can be repaired, and give what is left."""
    for _ in range(5):
        found = checked(store)
        if not any(flaw.repair for flaw in found):
            return found
        store.repair(found)
    raise AssertionError(found)


def assert_usable(store: Store) -> None:
    """See that resources can be made, found and deleted, and that nothing is wrong afterwards."""
    site = store.put(Site(name="new"))
    store.put(Box(parent=site, name="y", code="new", colour="blue"))
    assert ["y"] == [box.name for box in store.list(Box, where=F.colour == "blue")]
    assert ["y"] == [box.name for box in store.children(site)]
    store.delete(site)
    for kind in MODELS:
        assert () == store.list(kind).errors
    assert [] == checked(store)


def lists_in_pages(store: Store) -> list[list[str]]:
    """List in pages of every size by key, by an index and against references, and return the names in each list."""
    found: list[list[str]] = []
    for limit in range(1, 7):
        for ask in (
            partial(store.list, Box),
            partial(store.list, Box, order_by="-key"),
            partial(store.list, Box, order_by="colour"),
            partial(store.list, Box, parent=Key("Site", "a"), where=F.colour == "red"),
            partial(store.children, Key("Site", "a")),
        ):
            names: list[str] = []
            after: str | None = None
            while True:
                page = ask(limit=limit, after=after)
                names += [item.name for item in page]
                after = page.next
                if after is None:
                    break
            found.append(sorted(names))
    return found
