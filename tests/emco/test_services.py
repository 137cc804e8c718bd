"""The catalogue as segments of EMCO's services, and its bad reference schemas as registrations that brick nobody.

EMCO reads a YAML file for each service. Each way in which such a file can be wrong, as its own test files and its
loader know them, is retold here as what a service would register.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, NamedTuple

import pytest

from emco_store import (
    InvalidCall,
    InvalidModel,
    MemoryBackend,
    Ref,
    Resource,
    Segment,
    SegmentRefused,
    Store,
    View,
    connect,
)
from emco_store.emco import CATALOGUE, SERVICES, Cluster, ClusterProvider, DigStatus, Project, service_segment

_SEGMENTS = {name: service_segment(name) for name in SERVICES}


def _class(base: Any, name: str, fields: dict[str, Any] | None = None, **options: Any) -> Any:
    return type(name, (base,), {"__module__": f"{__name__}.vendor", "__annotations__": fields or {}}, **options)


def _clusterrr() -> Segment:
    """``missingparent.yaml``: ``providerNetwork`` under ``clusterrr``."""
    provider = _class(View, "PView", of="ClusterProvider", parent=None)
    misspelt = _class(View, "ClusterrrView", of="Clusterrr", parent=provider)
    return Segment("vendor", [_class(Resource, "VendorNetwork", parent=misspelt)])


def _missing_target() -> Segment:
    """A reference to a type that no file has."""
    view = _class(View, "SwitchView", of="Switch")
    return Segment("vendor", [_class(Resource, "VendorPort", {"switch": Ref[view]}), view])


def _missing_resource() -> Segment:
    """``missingresource.yaml``: four types under ``cluster``, and ``cluster`` itself is not in the file."""
    rack = _class(View, "RackView", of="Rack", parent=None)
    return Segment("vendor", [_class(Resource, f"Rack{part}", parent=rack) for part in ("Label", "Kv", "Network")])


def _loop() -> Segment:
    """``loop.yaml``: ``cluster`` under ``clusterLabel`` under ``cluster``."""
    label = _class(View, "LabelView", of="VendorLabel", parent=None)
    below = _class(View, "HostView", of="VendorHost", parent=None)
    return Segment(
        "vendor", [_class(Resource, "VendorHost", parent=label), _class(Resource, "VendorLabel", parent=below)]
    )


def _loop_of_two_files() -> Segment:
    """The same over two files, of which the other one does not come."""
    label = _class(View, "LabelView", of="VendorLabel", parent=None)
    return Segment("vendor", [_class(Resource, "VendorHost", parent=label)])


def _loop_of_classes() -> Any:
    """The same where the classes know each other: it cannot even be defined."""
    label = _class(View, "LabelView", of="VendorLabel", parent=None)
    return _class(Resource, "VendorLabel", parent=_class(Resource, "VendorHost", parent=label))


def _two_of_one_name() -> Segment:
    """``duplicateresource.yaml``: ``clusterKv`` twice."""
    return Segment("vendor", [_class(Resource, "VendorKv"), _class(Resource, "VendorKv", {"kv": str})])


def _owned_by_another() -> Segment:
    """A type that another file has already."""
    return Segment("vendor", [_class(Resource, "Project", {"owner": str})])


def _same_name() -> Segment:
    """Another file with the name of one that is registered."""
    return Segment("clm", [_class(Resource, "VendorCluster")])


def _no_schema() -> Any:
    """``badyaml.yaml``: what is no schema at all."""
    return Segment("vendor", "resources: [")  # type: ignore[arg-type]  # that is what is wrong


def _bad_name() -> Any:
    """A name that is none."""
    return Segment("", [_class(Resource, "VendorKv")])


def _bad_type_name() -> Any:
    return _class(Resource, "V", kind="vendor/kv")


class Bad(NamedTuple):
    """A bad schema.

    Attributes:
        make: Makes what is registered.
        error: The error that refuses it; None where it waits.
        reason: A part of the reason.
    """

    make: Callable[[], Any]
    error: type[Exception] | None
    reason: str


BAD = {
    "missing parent": Bad(_clusterrr, None, "Clusterrr: no active segment declares it"),
    "missing target": Bad(_missing_target, None, "Switch: no active segment declares it"),
    "missing resource": Bad(_missing_resource, None, "Rack: no active segment declares it"),
    "loop over two files": Bad(_loop_of_two_files, None, "VendorLabel: no active segment declares it"),
    "loop": Bad(_loop, SegmentRefused, "it lies at VendorHost/VendorLabel, and not at VendorLabel"),
    "loop of classes": Bad(_loop_of_classes, InvalidModel, "its own ancestor"),
    "duplicate resource": Bad(_two_of_one_name, InvalidCall, "both of the kind VendorKv"),
    "resource of another": Bad(_owned_by_another, SegmentRefused, "the segment orchestrator owns it"),
    "name of another": Bad(_same_name, SegmentRefused, "still version 1"),
    "no schema": Bad(_no_schema, InvalidCall, "is not the class of a kind"),
    "bad name": Bad(_bad_name, InvalidCall, "name="),
    "bad name of a type": Bad(_bad_type_name, InvalidModel, "vendor/kv"),
}


@pytest.fixture
def opened() -> Callable[[], Store]:
    """Open stores on one namespace, as services do that start."""
    backend = MemoryBackend()
    return lambda: connect(backend, namespace="emco")


def _start(opened: Callable[[], Store], names: Iterable[str]) -> Store:
    """Start services one after the other; return one more store."""
    for name in names:
        opened().register(_SEGMENTS[name])
    return opened()


def test_catalogue_is_what_the_services_own() -> None:
    """Each of the 52 types has one service, and the status of rsync its own."""
    owned = list(chain.from_iterable(SERVICES.values()))

    assert len(owned) == len(set(owned))
    assert {*CATALOGUE, DigStatus} == set(owned)


@pytest.mark.parametrize("step", [1, -1, 7])
def test_services_may_start_in_any_order(opened: Callable[[], Store], step: int) -> None:
    """SEG-2: Whoever comes first waits, those that rely on each other go together, and in the end all are active."""
    names = list(SERVICES)
    store = _start(opened, (names[(at * step) % len(names)] for at in range(len(names))))

    assert SERVICES.keys() == {one.name for one in store.segments() if one.is_active}


@pytest.mark.parametrize("name", BAD)
def test_bad_schema_is_refused_or_waits_and_bricks_nobody(opened: Callable[[], Store], name: str) -> None:
    """B25, B27: All services are active in the end, restart, and write, whether it came among the first or last."""
    make, error, reason = BAD[name]
    names = list(SERVICES)
    is_late = error is SegmentRefused  # it contradicts others, which must be there
    _start(opened, names if is_late else names[:5])
    if error is None:
        state = opened().register(make())
        assert not state.is_active
        assert any(reason in one for one in state.awaits)
    else:
        with pytest.raises(error) as caught:
            opened().register(make())
        assert reason in str(caught.value)
    store = _start(opened, names[5:] if not is_late else ["clm", "orchestrator"])

    assert SERVICES.keys() == {one.name for one in store.segments() if one.is_active}
    for service in ("orchestrator", "clm", "dcm"):
        restarted = opened()
        assert restarted.register(_SEGMENTS[service]).is_active
        assert restarted.ready()
        assert 1 == restarted.create(Project(name=service)).meta.version
    provider = restarted.create(ClusterProvider(name="cp"))
    assert 1 == restarted.create(Cluster(parent=provider, name="c")).meta.version
