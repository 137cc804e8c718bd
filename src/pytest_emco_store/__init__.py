"""The pytest plugin of emco_store: fixtures for stores, a marker for servers, a clock that can be moved.

It stands beside the package ``emco_store``, which pytest would otherwise import at each start; a run that uses none of
its fixtures never does.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from emco_store import AsyncStore, Store

__all__ = ["MovableClock"]

VARIABLES: Final[Mapping[str, str]] = {"redis": "EMCO_STORE_TEST_REDIS_URL", "mongodb": "EMCO_STORE_TEST_MONGODB_URL"}
"""The variables of the environment that name the servers of the tests."""
_MARKER: Final = "emco_servers"
_OPTION: Final = "--emco-require"
_REQUIRED: Final = pytest.StashKey[frozenset[str]]()


class MovableClock:
    """A clock that stands still until a test moves it.

    Args:
        start: The time at which it stands, with a time zone.
    """

    def __init__(self, start: datetime = datetime(2030, 1, 1, tzinfo=UTC)) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return self._now

    def move(self, by: timedelta) -> datetime:
        """Move it forward, or back with a negative ``by``, and return the time."""
        self._now += by
        return self._now

    def seconds(self) -> float:
        """Return the time in seconds since 1970, as ``MemoryBackend(clock=…)`` wants it."""
        return self._now.timestamp()


# fixtures


@pytest.fixture
def emco_clock() -> MovableClock:
    """The clock of the stores of this test, and of a memory backend: holds, outcomes and leases expire by it."""
    return MovableClock()


@pytest.fixture
def emco_options() -> Mapping[str, Any]:
    """More arguments of ``connect`` for the stores of this test; override it: ``return {"actor": "tester"}``."""
    return {}


@pytest.fixture
def emco_namespace() -> str:
    """The namespace of the stores of this test, which no other test uses."""
    return f"test-{os.urandom(8).hex()}"


@pytest.fixture
def emco_backend(request: pytest.FixtureRequest, emco_clock: MovableClock) -> Any:
    """What the stores of this test are connected to: a ``MemoryBackend``, or the URL of a server."""
    name: str = getattr(request, "param", "memory")
    if name == "memory":
        from emco_store import MemoryBackend  # noqa: PLC0415 - only a test that asks for it imports the library

        return MemoryBackend(clock=emco_clock.seconds)
    url = os.environ.get(VARIABLES[name])
    if url:
        return url
    missing = f"{name}: {VARIABLES[name]} is not set"
    if name in request.config.stash[_REQUIRED]:
        pytest.fail(f"{missing}, and {_OPTION} demands it", pytrace=False)
    pytest.skip(missing)


@pytest.fixture
def emco_store(
    emco_backend: Any, emco_namespace: str, emco_clock: MovableClock, emco_options: Mapping[str, Any]
) -> Generator[Store]:
    """An empty blocking store."""
    from emco_store import connect  # noqa: PLC0415 - see above

    settings: dict[str, Any] = {"clock": emco_clock, **emco_options}
    with connect(emco_backend, namespace=emco_namespace, **settings) as store:
        yield store


@pytest.fixture
def emco_async_store(
    emco_backend: Any, emco_namespace: str, emco_clock: MovableClock, emco_options: Mapping[str, Any]
) -> AsyncStore:
    """A store for asyncio on the data of ``emco_store``: open it in the event loop of the test, with ``async with``."""
    from emco_store import connect_async  # noqa: PLC0415 - see above

    settings: dict[str, Any] = {"clock": emco_clock, **emco_options}
    return connect_async(emco_backend, namespace=emco_namespace, **settings)


# servers


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--emco-require``."""
    parser.getgroup("emco_store").addoption(
        _OPTION,
        default="",
        metavar="SERVERS",
        help=f"fail, and do not skip, if the URL of one of these is missing: any of {','.join(VARIABLES)}",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and read ``--emco-require``."""
    named = ", ".join(VARIABLES.values())
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(*names): run the test on memory and on servers, all or those named; their URLs are in {named}",
    )
    config.stash[_REQUIRED] = frozenset(_known(_OPTION, filter(None, str(config.getoption(_OPTION)).split(","))))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a marked test once for each backend.

    Raises:
        pytest.UsageError: The marker names no such server, or the test uses no fixture of ours.
    """
    marker = metafunc.definition.get_closest_marker(_MARKER)
    if marker is None:
        return
    if "emco_backend" not in metafunc.fixturenames:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid} is marked with {_MARKER} and asks for no store. Hint: use emco_store."
        )
    names = _known(_MARKER, marker.args or VARIABLES)
    metafunc.parametrize("emco_backend", ["memory", *names], indirect=True)


def _known(where: str, names: Any) -> list[str]:
    found = list(names)
    unknown = [name for name in found if name not in VARIABLES]
    if unknown:
        raise pytest.UsageError(
            f"{where}: unknown {', '.join(map(str, unknown))}. Hint: {' and '.join(VARIABLES)} are."
        )
    return found


# comparisons


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Explain why a resource that was read is not equal to one that was made: only its ``meta`` differs."""
    library: Any = sys.modules.get("emco_store")
    if library is None or op != "==" or type(left) is not type(right) or not isinstance(left, library.Resource):
        return None
    one: Any = left
    other: Any = right
    if one.model_dump() != other.model_dump():
        return None
    return [
        f"{one.key} == {other.key}",
        "All fields are equal. `==` compares the meta too:",
        f"  {_meta(one)}",
        f"  {_meta(other)}",
        "Hint: compare the fields alone, with .model_dump() on both sides.",
    ]


def _meta(resource: Any) -> str:
    return repr(resource.meta) if resource.is_stored else "never stored, so it has none"
