"""The servers of one test run: started when first asked for, shared, named in the report, stopped at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.servers.etcd import running_etcd
from tests.servers.mongo import running_mongo
from tests.servers.nats import running_nats
from tests.servers.process import Server, ServerMissing
from tests.servers.redis import running_redis
from tests.servers.shared import Borrowed, Lender, Result, Source, Started

STARTERS: Final = {"mongo": running_mongo, "redis": running_redis, "nats": running_nats, "etcd": running_etcd}
_FOUND: Final = pytest.StashKey[dict[str, str]]()
_REQUIRED: Final = pytest.StashKey[frozenset[str]]()
_LENDER: Final = pytest.StashKey[Lender]()
_INPUT: Final = "servers"
_RAN = "ran "


class Servers:
    """The servers that tests ask for by name.

    Args:
        shared: The servers of the whole run.
        own: The servers of this process alone. Without workers they are the same.
        required: Names whose absence is a failure; the absence of others is a skip.
        found: Where to note, for the report, what each server turned out to be.
    """

    def __init__(self, shared: Source, own: Source, *, required: frozenset[str], found: dict[str, str]) -> None:
        self._shared = shared
        self._own = own
        self._required = required
        self._found = found

    def get(self, name: str) -> Server:
        """Return the server called ``name`` that the whole run shares.

        Skips the asking test where the server is missing; fails it where that is required, or the server is broken.
        """
        return self._usable(name, self._shared.get(name))

    def own(self, name: str) -> Server:
        """Return the server called ``name`` that no other worker uses, for tests that change what it does."""
        return self._usable(name, self._own.get(name))

    def _usable(self, name: str, result: Result) -> Server:
        self._found[name] = _describe(result)
        if isinstance(result, Server):
            return result
        if isinstance(result, ServerMissing) and name not in self._required:
            pytest.skip(f"{name}: {result}")
        pytest.fail(f"{name}: {result}", pytrace=False)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--require``."""
    parser.addoption(
        "--require",
        default="",
        metavar="SERVERS",
        help=f"servers whose absence is a failure, not a skip: any of {','.join(STARTERS)}",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read ``--require``, and refuse names that mean nothing."""
    required = frozenset(filter(None, config.getoption("require").split(",")))
    unknown = required - STARTERS.keys()
    if unknown:
        raise pytest.UsageError(f"--require: unknown {', '.join(sorted(unknown))}; known: {', '.join(STARTERS)}")
    config.stash[_REQUIRED] = required
    config.stash[_FOUND] = {}


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the servers of this run are."""
    stash = node.config.stash
    if _LENDER not in stash:
        stash[_LENDER] = Lender(STARTERS)
    node.workerinput[_INPUT] = stash[_LENDER].address


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """The servers of this run."""
    config: Any = request.config
    own = Started(STARTERS)
    shared = Borrowed(tuple(config.workerinput[_INPUT])) if hasattr(config, "workerinput") else own
    yield Servers(shared, own, required=config.stash[_REQUIRED], found=config.stash[_FOUND])
    own.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the servers that it asks for, so that ``-m redis`` finds them."""
    for item in items:
        for name in STARTERS:
            if f"{name}_server" in getattr(item, "fixturenames", ()):
                item.add_marker(name)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a green run red when a required server never ran; hand what ran to the controller."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["servers"] = config.stash[_FOUND]
        return
    absent = _absent(config)
    if absent and session.exitstatus == pytest.ExitCode.OK and not config.option.collectonly:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers that the workers shared; the workers have ended."""
    lender = config.stash.get(_LENDER, None)
    if lender is not None:
        lender.close()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect what a worker found."""
    node.config.stash[_FOUND].update(getattr(node, "workeroutput", {}).get("servers", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which server ran in which version, and what is missing."""
    if config.option.collectonly:
        return
    absent = _absent(config)
    terminalreporter.section("servers")
    for name in STARTERS:
        text = config.stash[_FOUND].get(name, "not run: no test asked for it")
        red = name in absent or text.startswith("FAILED")
        demanded = " (required)" if name in absent else ""
        terminalreporter.line(f"{name:6} {text.removeprefix(_RAN)}{demanded}", red=red, yellow="MISSING" in text)


def _absent(config: pytest.Config) -> set[str]:
    found = config.stash[_FOUND]
    return {name for name in config.stash[_REQUIRED] if not found.get(name, "").startswith(_RAN)}


def _describe(result: Result) -> str:
    if isinstance(result, Server):
        return f"{_RAN}{result.version} ({result.origin})"
    return f"{'MISSING' if isinstance(result, ServerMissing) else 'FAILED'}: {result}"
