"""A readiness probe tells whether what the store of an application has registered is complete."""

from __future__ import annotations

import pytest
from fastapi import FastAPI

from emco_store import MemoryBackend, SegmentRefused, connect, connect_async
from emco_store.contracts.faults import Faults, FaultyBackend
from emco_store.contracts.segments import FLEET, NETWORK, STAFF, Line
from emco_store.core.segments import Segment
from emco_store.fastapi import add_ready_route, blocking_lifespan, lifespan
from emco_store.ports import Get
from tests.service.conftest import calling


@pytest.mark.parametrize("is_blocking", [False, True])
def test_application_is_ready_when_its_segment_is_active(is_blocking):
    """It registers at its start, waits without failing, and is ready when another service completes it."""
    backend = MemoryBackend()
    if is_blocking:
        app = FastAPI(lifespan=blocking_lifespan(lambda: connect(backend, namespace="n"), segment=FLEET))
    else:
        app = FastAPI(lifespan=lifespan(lambda: connect_async(backend, namespace="n"), segment=FLEET))
    add_ready_route(app)

    with calling(app) as call:
        waits = call("GET", "/ready")
        assert (503, False) == (waits.status_code, waits.json()["ready"])
        assert any("Line" in reason for reason in waits.json()["awaits"])
        with connect(backend, namespace="n") as other:
            other.register(NETWORK)
        assert (200, {"ready": True, "awaits": []}) == ((now := call("GET", "/ready")).status_code, now.json())


def test_application_that_registers_nothing_is_ready_while_the_backend_answers():
    """An outage is told as one, and as nothing else."""
    faults = Faults()
    backend = FaultyBackend(MemoryBackend(), faults)
    app = FastAPI(lifespan=lifespan(lambda: connect_async(backend, namespace="n")))
    add_ready_route(app, "/health/ready")

    with calling(app) as call:
        assert 200 == call("GET", "/health/ready").status_code
        faults.unreachable(Get)
        assert (503, ["the backend does not answer"]) == (
            (ended := call("GET", "/health/ready")).status_code, ended.json()["awaits"],
        )  # fmt: skip


def test_application_whose_segment_is_refused_does_not_start():
    """The error of the registration ends the start, and the store is closed."""
    backend = MemoryBackend()
    with connect(backend, namespace="n") as store:
        store.register(NETWORK)
    made = []

    def make():
        made.append(connect_async(backend, namespace="n"))
        return made[0]

    app = FastAPI(lifespan=lifespan(make, segment=Segment("mine", [Line])))
    with pytest.raises(SegmentRefused), calling(app):
        pass
    assert STAFF.name
