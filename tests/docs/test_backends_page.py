"""The page about the backends says what the suite declares: every rule, every backend, every gap."""

from __future__ import annotations

import pytest

from emco_store.contracts.harness import Gap, Harness
from emco_store.contracts.rules import names_by_rule
from emco_store.contracts.suite import Conformance
from tests.backends import test_etcd, test_fakeredis, test_memory, test_mongo, test_mongomock, test_redis, test_sqlite
from tests.docs.backends_table import BEGIN, END, PAGE, read, table, written

HARNESSES: dict[str, Harness] = {
    "memory": test_memory.TestMemory.harness,
    "SQLite": test_sqlite.TestSqlite.harness,
    "etcd 3.5": test_etcd.TestEtcd.harness,
    "Redis 6.2": test_redis.TestRedis.harness,
    "Redis 7.0": test_redis.TestRedis.harness,
    "MongoDB 6.0": test_mongo.TestMongo.harness,
    "fakeredis": test_fakeredis.TestFakeRedis.harness,
    "mongomock": test_mongomock.TestMongomock.harness,
}
"""The columns of the page, each with what declares its gaps."""


def expected(gaps: tuple[Gap, ...], rule: str) -> str:
    """Return what the cell of a rule says where these gaps are declared."""
    modes = {mode for gap in gaps if gap.rule == rule for mode in gap.modes}
    if len(modes) == 1:
        return ", ".join(f"{'gap' if mode in modes else 'yes'} ({mode})" for mode in ("asyncio", "blocking"))
    return "gap" if modes else "yes"


def report(verdict="green", modes=("asyncio", "blocking"), **verdicts):
    """Return a report with the same verdicts in each mode."""
    return {"verdict": verdict, "columns": [{"mode": mode, "rules": verdicts} for mode in modes]}


def test_page_shows_every_rule_of_every_backend_and_every_gap():
    """A rule or a gap that is new, gone or changed makes the page out of date; run the suite and write it anew."""
    found = read(PAGE.read_text("utf-8"))

    rules = names_by_rule(Conformance)
    assert found == {
        name: {rule: expected(harness.gaps, rule) for rule in rules} for name, harness in HARNESSES.items()
    }


def test_page_names_the_reason_of_every_gap():
    """A gap stands on the page with its reason."""
    text = PAGE.read_text("utf-8")

    assert [] == [gap for harness in HARNESSES.values() for gap in harness.gaps if gap.reason not in text]


def test_table_is_read_as_it_was_written():
    """What the generator writes into a page is what the check reads from it."""
    page = written(f"above\n{BEGIN}\nold\n{END}\nbelow\n", table({"a": report(X="passed", Y="gap")}))

    assert {"a": {"X": "yes", "Y": "gap"}} == read(page)
    assert (page.startswith("above\n"), page.endswith(f"{END}\nbelow\n"), "old" in page) == (True, True, False)


@pytest.mark.parametrize(
    "reports",
    [
        {"a": report("red", X="passed")},
        {"a": report("partial", X="passed")},
        {"a": report(modes=("blocking",), X="passed")},
        {"a": report(X="passed"), "b": report(X="passed", Y="passed")},
    ],
)
def test_table_of_less_than_whole_runs_is_refused(reports):
    """No table is made of runs that failed, were cut short, or were of other rules."""
    with pytest.raises(ValueError):  # noqa: PT011 - one cause for each case
        table(reports)
