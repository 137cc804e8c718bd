"""The servers of one test run: started when first asked for, shared, named in the report, stopped at the end."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Any, Final

import pytest

from tests.servers.mongo import running_mongo
from tests.servers.process import Server, ServerFailed, ServerMissing
from tests.servers.redis import running_redis

STARTERS: Final = {"mongo": running_mongo, "redis": running_redis}
_FOUND: Final = pytest.StashKey[dict[str, str]]()
_REQUIRED: Final = pytest.StashKey[frozenset[str]]()
_RAN = "ran "


class Servers:
    """Start each server once, when the first test asks for it.

    Args:
        required: Names whose absence is a failure; the absence of others is a skip.
        found: Where to note, for the report, what each server turned out to be.
    """

    def __init__(self, required: frozenset[str], found: dict[str, str]) -> None:
        self._required = required
        self._found = found
        self._results: dict[str, Server | ServerMissing | ServerFailed] = {}
        self._stack = ExitStack()

    def get(self, name: str) -> Server:
        """Return the server called ``name``.

        Skips the asking test where the server is missing; fails it where that is required, or the server is broken.
        """
        if name not in self._results:
            self._results[name] = self._start(STARTERS[name]())
            self._found[name] = _describe(self._results[name])
        result = self._results[name]
        if isinstance(result, Server):
            return result
        if isinstance(result, ServerMissing) and name not in self._required:
            pytest.skip(f"{name}: {result}")
        pytest.fail(f"{name}: {result}", pytrace=False)

    def close(self) -> None:
        """Stop every server that was started here."""
        self._stack.close()

    def _start(self, server: AbstractContextManager[Server]) -> Server | ServerMissing | ServerFailed:
        try:
            return self._stack.enter_context(server)
        except (ServerMissing, ServerFailed) as error:
            return error


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


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Any:
    """The servers of this run."""
    servers = Servers(request.config.stash[_REQUIRED], request.config.stash[_FOUND])
    yield servers
    servers.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the servers that it asks for, so that ``-m redis`` finds them."""
    for item in items:
        for name in STARTERS:
            if f"{name}_server" in getattr(item, "fixturenames", ()):
                item.add_marker(name)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a green run red when a required server never ran; hand what ran to the xdist controller."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["servers"] = config.stash[_FOUND]
        return
    absent = _absent(config)
    if absent and session.exitstatus == pytest.ExitCode.OK and not config.option.collectonly:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Collect what an xdist worker found."""
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


def _describe(result: Server | ServerMissing | ServerFailed) -> str:
    if isinstance(result, Server):
        return f"{_RAN}{result.version} ({result.origin})"
    return f"{'MISSING' if isinstance(result, ServerMissing) else 'FAILED'}: {result}"
