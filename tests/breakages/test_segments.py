"""B17 and B25 to B28: what a schema does to services that share it, and a change of it to what is stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emco_store import (
    DeleteRestricted,
    FlawKind,
    MemoryBackend,
    NotReady,
    Ref,
    Resource,
    Segment,
    SegmentRefused,
    Store,
    Unavailable,
    View,
    connect,
)
from emco_store.contracts.faults import Faults, FaultyBackend
from emco_store.ports import Get


class Project(Resource):
    """Of the orchestrator."""

    description: str = ""


class App(Resource, parent=Project):
    """Of the orchestrator too."""

    chart: str = ""


class AppView(View, of="App"):
    """What the others know of an app."""


class Intent(Resource):
    """Of a controller."""

    app: Ref[AppView]


ORCHESTRATOR = Segment("orchestrator", [Project, App])
CONTROLLER = Segment("controller", [Intent, AppView])


@pytest.fixture
def opened() -> Callable[[], Store]:
    """Open a store as a service does that starts."""
    backend = MemoryBackend()
    return lambda: connect(backend, namespace="emco")


def _class(base: Any, name: str, fields: dict[str, Any], **options: Any) -> Any:
    values = {field: one[1] for field, one in fields.items() if len(one) > 1}
    annotations = {field: one[0] for field, one in fields.items()}
    return type(name, (base,), {"__module__": f"{__name__}.later", "__annotations__": annotations, **values}, **options)


def test_b17_after_an_upgrade_old_documents_are_listed_and_hold_what_they_use(opened):
    """B17: The kind is a part of the key, and older documents are raised where they are read (MIG-2, SEG-5)."""
    old = opened()
    old.register(ORCHESTRATOR)
    old.register(CONTROLLER)
    project = old.create(Project(name="p", description="d"))
    app = old.create(App(parent=project, name="a", chart="c"))
    old.create(Intent(name="i", app=app))

    later = _class(
        Resource, "App", {"package": (str, "")}, parent=Project, model_version=2,
        steps={2: lambda one: {**{k: v for k, v in one.items() if k != "chart"}, "package": one["chart"]}},
    )  # fmt: skip
    new = opened()
    with pytest.raises(SegmentRefused):
        new.register(Segment("orchestrator", [Project, later], 2))
    both = _class(View, "AppView", {}, of="App", model_version=2, steps={2: lambda one: one})
    intent = _class(Resource, "Intent", {"app": (Ref[both],)})
    assert opened().register(Segment("controller", [intent, both], 2)).is_active
    assert new.register(Segment("orchestrator", [Project, later], 2)).is_active

    assert ["c"] == [one.package for one in new.list(later)]
    with pytest.raises(DeleteRestricted):
        new.delete(app.key)
    assert () == new.check().flaws


def test_b25_segment_with_a_misspelt_parent_stops_nobody(opened):
    """B25: It waits beside the others; services that restart write as before (SEG-2)."""
    vendor = Segment("vendor", [_class(Resource, "Lamp", {}, parent=_class(View, "V", {}, of="Projekt", parent=None))])
    for first in (vendor, ORCHESTRATOR, CONTROLLER, vendor, ORCHESTRATOR):
        service = opened()
        state = service.register(first)
    assert state.is_active
    assert 1 == service.create(Project(name="p")).meta.version

    parent = _class(View, "V", {}, of="Project", parent=None)
    corrected = Segment("vendor", [_class(Resource, "Lamp", {}, parent=parent)])
    assert opened().register(corrected).is_active


def test_b26_schema_that_means_the_same_is_the_same(opened):
    """B26: Other words and another order change nothing, and a schema that means something else is refused (SEG-4)."""
    opened().register(ORCHESTRATOR)
    again = _class(Resource, "Project", {"description": (str, "")})
    again.__doc__ = "One comment more."
    service = opened()

    app = _class(Resource, "App", {"chart": (str, "")}, parent=again)
    assert service.register(Segment("orchestrator", [app, again])).is_active
    assert 1 == service.create(again(name="p")).meta.version
    with pytest.raises(SegmentRefused):
        opened().register(Segment("orchestrator", [_class(Resource, "Project", {"description": (int, 0)})]))
    assert opened().register(ORCHESTRATOR).is_active


def test_b27_of_two_segments_with_one_type_one_gets_in(opened):
    """B27: The second one is told who owns the type and what differs; all restarts go well (SEG-1, SEG-3)."""
    first, second = opened(), opened()
    first.register(ORCHESTRATOR)
    with pytest.raises(SegmentRefused) as caught:
        second.register(Segment("other", [_class(Resource, "Project", {"owner": (str,)})]))

    assert "orchestrator" == caught.value.owner
    assert any("'owner'" in reason for reason in caught.value.reasons)
    assert opened().register(ORCHESTRATOR).is_active


def test_b28_insert_right_after_the_start_waits_for_the_schema_and_for_nothing_else():
    """B28: It is refused as retryable until the schema is complete, and an outage is told as one (SEG-6)."""
    faults, backend = Faults(), MemoryBackend()
    service = connect(FaultyBackend(backend, faults), namespace="emco")
    faults.unreachable(Get)
    with pytest.raises(Unavailable):
        service.register(CONTROLLER)
    service.register(CONTROLLER)
    with pytest.raises(NotReady) as caught:
        service.create(Intent(name="i", app="App/p/a"))
    assert caught.value.retryable
    faults.unreachable(Get)
    with pytest.raises(Unavailable):
        service.create(Intent(name="i", app="App/p/a"))

    with connect(backend, namespace="emco") as other:
        other.register(ORCHESTRATOR)
        app = other.create(App(parent=other.create(Project(name="p")), name="a"))
    assert 1 == service.create(Intent(name="i", app=app)).meta.version


@pytest.mark.parametrize(
    ("fields", "options"),
    [({}, {}), ({}, {"parent": Project, "key": ("name", "tag")}), ({"chart": (int, 0)}, {"parent": Project})],
    ids=["parent", "key", "type"],
)
def test_contradicting_models_are_found_by_a_check_where_nobody_registers(opened, fields, options):
    """Another parent, another key, another type: a check with the one names what the other one has written (CHK-2)."""
    writer = opened()
    app = writer.create(App(parent=writer.create(Project(name="p")), name="a", chart="c"))
    more = {"tag": (str,)} if "key" in options else {}
    other = _class(Resource, "App", {"chart": (str, ""), **fields, **more}, **options)
    checking = opened()
    checking.schema.learn(other)
    flaws = checking.check().flaws

    assert [(FlawKind.INVALID, app.key.text)] == [(flaw.kind, flaw.key) for flaw in flaws]
    assert () == writer.check().flaws
