"""Build graphs: of the models of a schema, or of the resources around one key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from emco_store import Key, Resource, Store
from emco_store.cli.graphs.graph import Arrow, Box, Graph
from emco_store.core.kinship import find_model
from emco_store.core.refs import RefSpec
from emco_store.core.reserved import stated
from emco_store.core.shapes import Either, Entries, Items, Leaf, Node, Root, Struct
from emco_store.core.some_of import SelectionSpec

MAX_BOXES = 250
"""Maximum number of resources in one drawing. Nobody could read a larger one."""


def graph_of_models(models: Iterable[type[Resource]]) -> Graph:
    """Build the graph of all kinds, their parents, and their fields for references."""
    known = sorted(models, key=lambda model: model.__emco__.kind)
    boxes = tuple(
        Box(
            id=model.__emco__.kind,
            kind=model.__emco__.kind,
            title=model.__emco__.kind,
            detail="" if model.__emco__.key_fields == ("name",) else ", ".join(model.__emco__.key_fields),
            family=model.__emco__.chain[0][0],
        )
        for model in known
    )
    arrows = [arrow for model in known for arrow in _arrows_of(model)]
    drawn = {box.id for box in boxes}
    return Graph(boxes, _sorted(arrow for arrow in arrows if arrow.target in drawn))


def _arrows_of(model: type[Resource]) -> Iterator[Arrow]:
    spec = model.__emco__
    if spec.parent is not None:
        yield Arrow(spec.kind, spec.parent.__emco__.kind, "parent", spec.on_parent_delete, is_parent=True)
    places: list[tuple[str, RefSpec | SelectionSpec]] = list(spec.selections.items())
    places += [found for name, node in spec.shape.items() for found in _references(node, name)]
    for place, found in places:
        for target in found.targets:
            yield Arrow(spec.kind, find_model(model, target).__emco__.kind, place, found.rule)


def _references(node: Node | None, place: str) -> Iterator[tuple[str, RefSpec | SelectionSpec]]:
    """Yield each path of references: ``clusters[]`` for items, ``intent{}`` for map keys, ``apps.*`` for map values."""
    if isinstance(node, Leaf):
        yield place, node.spec
    elif isinstance(node, Items):
        yield from _references(node.item, f"{place}[]")
    elif isinstance(node, Entries):
        yield from _references(node.key, f"{place}{{}}")
        yield from _references(node.value, f"{place}.*")
    elif isinstance(node, Struct):
        for name, inner in node.fields.items():
            yield from _references(inner, f"{place}.{name}")
        yield from ((f"{place}.{name}", selection) for name, selection in node.selections.items())
    elif isinstance(node, Root):
        yield from _references(node.item, place)
    elif isinstance(node, Either):
        for option in node.options:
            yield from _references(option, place)


def graph_around(store: Store, key: Key, *, depth: int) -> Graph:
    """Build the graph of all resources that are at most ``depth`` references away from ``key``, in either direction.

    Args:
        store: The store.
        key: The resource in the middle.
        depth: Maximum number of steps (>= 0). A step to a parent or a child counts, too.

    Raises:
        NotFound: There is no such resource.
    """
    found: dict[Key, Any] = {key: store.get_many([key])[0]}
    frontier, cut = [key], 0
    for _ in range(depth):
        near: dict[Key, Any] = {}
        for at in frontier:
            near |= {item.key: item for item in _referrers(store, at)}
        wanted = {stated(edge.target) for at in frontier for edge in found[at].meta.edges} - found.keys() - near.keys()
        targets = store.get_many(sorted(wanted), missing_ok=True) if wanted else ()
        near |= {item.key: item for item in targets if item is not None}
        fresh = [at for at in sorted(near) if at not in found]
        room = MAX_BOXES - len(found)
        cut += max(0, len(fresh) - room)
        frontier = fresh[:room]
        found |= {at: near[at] for at in frontier}
    return _graph_of(store, found.values(), focus=key, cut=cut)


def _referrers(store: Store, key: Key) -> Iterator[Any]:
    after: str | None = None
    while True:
        page = store.referrers(key, after=after)
        yield from page.resources
        after = page.next
        if after is None:
            return


def _graph_of(store: Store, resources: Iterable[Any], *, focus: Key, cut: int) -> Graph:
    known = sorted(resources, key=lambda item: item.key)
    boxes = tuple(
        Box(
            id=item.key.text,
            kind=item.key.kind,
            title=_own_names(store, item.key),
            detail=item.key.kind,
            family=_family(store, item.key.kind),
            is_focus=item.key == focus,
        )
        for item in known
    )
    drawn = {box.id for box in boxes}
    return Graph(boxes, _sorted(arrow for item in known for arrow in _edges(item) if arrow.target in drawn), cut)


def _family(store: Store, kind: str) -> str:
    model = store.schema.model_of(kind)
    return kind if model is None else model.__emco__.chain[0][0]


def _own_names(store: Store, key: Key) -> str:
    model = store.schema.model_of(key.kind)
    return "/".join(key.segments[-len(model.__emco__.key_fields) :]) if model is not None else key.name


def _edges(item: Any) -> Iterator[Arrow]:
    for edge in item.meta.edges:
        yield Arrow(item.key.text, edge.target.text, _in_one_line(edge.place), edge.rule, is_parent=edge.is_parent)


def _in_one_line(place: str) -> str:
    """Escape what is not printable: the key of a map is any text, and a newline in it must not begin a line."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in place)


def _sorted(arrows: Iterable[Arrow]) -> tuple[Arrow, ...]:
    return tuple(sorted(arrows, key=lambda arrow: (arrow.source, not arrow.is_parent, arrow.place, arrow.target)))
