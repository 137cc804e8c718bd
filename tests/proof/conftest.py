"""The backends, as places of a proof."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proof.places import Place
from tests.proof.prove import place_of

ON_EACH = (
    "memory",
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("mongo", marks=pytest.mark.mongo),
)


@pytest.fixture(params=ON_EACH)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Each backend, on the servers of this run."""
    server = None if request.param == "memory" else request.getfixturevalue(f"{request.param}_server")
    with place_of(request.param, server) as place:
        yield place
