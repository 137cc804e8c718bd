"""The pytest plugin: fixtures for the suite, declared gaps made strict, and the report at the end.

``pytest_plugins = ["emco_store.contracts.plugin"]`` in the ``conftest.py`` at the root loads it.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from emco_store.contracts.bounds import BOUND_S, bounded
from emco_store.contracts.harness import Bench, Gap, Harness, Lab, Mode
from emco_store.contracts.methods import hint_for
from emco_store.contracts.report import Column, Report, Verdict
from emco_store.contracts.rules import names_by_rule, rules_of
from emco_store.contracts.suite import Conformance
from emco_store.errors import StoreError
from emco_store.ports import Backend

_REPORT: Final = pytest.StashKey[Report]()
_OPTION: Final = "--contracts-report"
_ALL_SCHEDULES: Final = "--contracts-all-schedules"
_BOUND: Final = "--contracts-bound"
_LONG: Final = ("test_every_schedule", "test_random_programs", "test_walk_over", "test_at_the_end")
"""How the names of the tests begin that run last, because they take longest."""
_TOO_WIDE: Final = (BaseException, Exception, StoreError)
"""Exceptions that say nothing: anything that goes wrong in a test would be the gap."""
_PROPERTY: Final = "emco_store.contracts"
_COLUMNS: Final = "emco_store.contracts.columns"
"""Where a worker of pytest-xdist stores its columns for the process that reports."""
_PARTIAL: Final = "emco_store.contracts.partial"
"""The same for whether tests were deselected."""
_SELECTING: Final = ("keyword", "markexpr", "lf", "failedfirst_only", "deselect", "stepwise", "ignore", "ignore_glob")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--contracts-report``, ``--contracts-all-schedules`` and ``--contracts-bound``."""
    parser.addoption(_OPTION, metavar="FILE", help="write the table of rules to FILE, as JSON")
    parser.addoption(
        _ALL_SCHEDULES,
        action="store_true",
        help="run every pair of interleaved calls and every crash point, whatever the stride of a harness",
    )
    parser.addoption(
        _BOUND,
        metavar="SECONDS",
        type=float,
        default=BOUND_S,
        help="fail a test of the contract that takes longer (default: %(default)g; 0 for no bound)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin the report.

    Raises:
        pytest.UsageError: The file of the report is an argument of its own. Before pytest knows the options of plugins,
            it takes an argument that is the path of a file for a path to tests, and a second run would look for its
            configuration beside the report of the first.
    """
    if _OPTION in config.invocation_params.args:
        raise pytest.UsageError(f"The file stands apart from its option. Hint: write {_OPTION}=FILE, with '='.")
    config.stash[_REPORT] = Report(tuple(sorted(names_by_rule(Conformance), key=_in_order)))


# fixtures


@pytest.fixture(scope="class", params=list(Mode), ids=str)
def contract_mode(request: pytest.FixtureRequest) -> Mode:
    """The mode: how the backend is used. Each test runs in both modes."""
    mode: Mode = request.param
    return mode


@pytest.fixture(scope="class")
def contract_harness(request: pytest.FixtureRequest) -> Harness:
    """The harness of the class, with what the command line asks for."""
    suite: Any = request.cls
    harness: Harness = suite.harness
    return replace(harness, stride=1) if request.config.getoption(_ALL_SCHEDULES) else harness


@pytest.fixture(scope="class")
def contract_backend(contract_harness: Harness) -> Iterator[Backend]:
    """The backend. Override this fixture if your backend needs other fixtures, such as the address of a server."""
    backend: Any = contract_harness.backend()
    yield backend
    if hasattr(backend, "close"):
        backend.close()


@pytest.fixture(scope="class")
def bench(contract_harness: Harness, contract_mode: Mode, contract_backend: Backend) -> Iterator[Bench]:
    """The backend in one mode, for all tests of the class."""
    bench = Bench(contract_harness, contract_mode, contract_backend)
    bench.begin()
    yield bench
    bench.close()


@pytest.fixture
def lab(bench: Bench) -> Iterator[Lab]:
    """The lab of one test."""
    with bench.lab() as lab:
        yield lab


# collection


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Make declared gaps strict, note the columns to report, and put the tests of each class that take longest last."""
    report = config.stash[_REPORT]
    places: dict[object, int] = {}
    for item in items:
        places.setdefault(getattr(item, "cls", None), len(places))
    items.sort(key=lambda item: (places[getattr(item, "cls", None)], item.name.startswith(_LONG)))
    checked: set[type] = set()
    for item in items:
        suite = getattr(item, "cls", None)
        rules = rules_of(getattr(item, "function", None))
        if suite is None or not issubclass(suite, Conformance) or not rules:
            continue
        if suite not in checked:
            checked.add(suite)
            _check_harness(suite)
        mode = _mode_of(item)
        column = Column(suite.harness.name, mode)
        report.expect(column)
        item.user_properties.append((_PROPERTY, [*_pair(column), list(rules)]))
        name = item.function.__name__  # type: ignore[attr-defined]  # a test function, by its rules
        for gap in suite.harness.gaps:
            if gap.rule in rules and mode in gap.modes and (not gap.tests or name in gap.tests):
                item.add_marker(pytest.mark.xfail(raises=gap.raises, reason=_describe(gap), strict=True))


def _check_harness(suite: type[Conformance]) -> None:
    if not isinstance(getattr(suite, "harness", None), Harness):
        raise pytest.UsageError(f"{suite.__name__} has no harness. Hint: set harness = Harness(name, backend).")
    known = names_by_rule(suite)
    for gap in suite.harness.gaps:
        problem = _problem_of(gap)
        if problem:
            raise pytest.UsageError(f"{suite.__name__} declares a gap in {gap.rule!r} {problem}")
        if gap.rule not in known:
            raise pytest.UsageError(f"{suite.__name__} declares a gap in {gap.rule!r}, and there is no such rule.")
        unknown = set(gap.tests) - set(known[gap.rule])
        if unknown:
            raise pytest.UsageError(
                f"{suite.__name__} declares a gap in {gap.rule} for unknown tests: {sorted(unknown)}."
            )


def _problem_of(gap: Gap) -> str | None:
    raises = gap.raises if isinstance(gap.raises, tuple) else (gap.raises,)
    if not gap.reason.strip():
        return "without a reason. Hint: say why, for the report."
    if not raises or any(one in _TOO_WIDE for one in raises):
        return f"that any failure would fit ({gap.raises!r}). Hint: name the exception with which its tests fail."
    return None if gap.modes else "in no mode. Hint: leave out modes for both."


def _mode_of(item: Any) -> Mode:
    params = item.callspec.params if hasattr(item, "callspec") else {}
    if "contract_mode" not in params:
        raise pytest.UsageError(f"{item.nodeid} has no mode. Hint: let the fixture that replaces lab ask for bench.")
    return Mode(params["contract_mode"])


def _describe(gap: Gap) -> str:
    return f"gap in {gap.rule} ({gap.kind}): {gap.reason}"


def _pair(column: Column) -> tuple[str, str]:
    return column.backend, str(column.mode)  # a plain text, for xdist


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Note that tests of the suite were left out, whoever did it."""
    for item in items:
        if rules_of(getattr(item, "function", None)):
            item.config.stash[_REPORT].is_partial = True
            return


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """End a test of the suite that does not end by itself; where pytest-timeout is in use, it does that."""
    is_ours = bool(rules_of(getattr(item, "function", None))) and not item.config.pluginmanager.hasplugin("timeout")
    seconds: Any = item.config.getoption(_BOUND)
    with bounded(seconds if is_ours else 0):
        yield


# outcomes


class _Gatherer:
    """Turns pytest's reports into ours; with xdist they arrive at the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_keyboard_interrupt(self) -> None:
        """Note that the run was cut short, by a signal or by ``pytest.exit`` with any exit code."""
        self._config.stash[_REPORT].is_partial = True

    def pytest_internalerror(self) -> None:
        """Note that the run was cut short."""
        self._config.stash[_REPORT].is_partial = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of one test of the suite."""
        found: Any = dict(report.user_properties).get(_PROPERTY)
        verdict = _verdict_of(report)
        if found is None or verdict is None:
            return
        backend, mode, rules = found
        reason = getattr(report, "wasxfail", "") if verdict is Verdict.GAP else ""
        if verdict is Verdict.FAILED:
            reason = hint_for(rules)
            report.sections.append(("contract", f"{', '.join(rules)}: {reason}"))
        self._config.stash[_REPORT].add(Column(backend, mode), rules, verdict, reason=reason)


def _verdict_of(report: pytest.TestReport) -> Verdict | None:
    if report.when == "call" and report.passed:
        return Verdict.PASSED
    if report.failed:
        return Verdict.FAILED
    if report.skipped:
        return Verdict.GAP if hasattr(report, "wasxfail") else Verdict.NOT_RUN
    return None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Start to gather."""
    session.config.pluginmanager.register(_Gatherer(session.config))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn a green run red if the suite did not run as a whole."""
    config: Any = session.config  # the config of a worker of pytest-xdist has one more attribute
    report = config.stash[_REPORT]
    if hasattr(config, "workeroutput"):
        config.workeroutput[_COLUMNS] = [_pair(column) for column in report.columns]
        config.workeroutput[_PARTIAL] = report.is_partial
        return
    if config.option.collectonly:
        return
    report.is_partial |= _is_partial(session)
    if config.option.contracts_report:
        Path(config.option.contracts_report).write_text(json.dumps(report.to_dict(), indent=2), "utf-8")
    if report.is_red and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Expect the columns of a worker, even if its outcomes did not arrive; what it left out, the run has left out."""
    output = getattr(node, "workeroutput", {})
    for backend, mode in output.get(_COLUMNS, ()):
        node.config.stash[_REPORT].expect(Column(backend, mode))
    node.config.stash[_REPORT].is_partial |= output.get(_PARTIAL, False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    if config.option.collectonly:
        return
    report = config.stash[_REPORT]
    terminalreporter.section("contract")
    for line in str(report).splitlines():
        terminalreporter.line(line, red="FAILED" in line or line.startswith("RED"), yellow=line.startswith("partial"))


def _is_partial(session: pytest.Session) -> bool:
    """Return whether only a part of the suite was selected, or the run was cut short."""
    config: Any = session.config
    chosen = any(getattr(config.option, name, None) for name in _SELECTING)
    is_cut = bool(session.shouldstop or session.shouldfail)
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    is_elsewhere = named and not config.stash[_REPORT].columns
    return chosen or is_cut or is_elsewhere or any("::" in argument for argument in config.args)


def _in_order(rule: str) -> tuple[str, int]:
    family, _, number = rule.partition("-")
    return family, int(number)
