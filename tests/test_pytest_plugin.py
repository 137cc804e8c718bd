"""The pytest plugin gives a test its store, runs it on servers that are named, and costs a run without it nothing."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import emco_store  # noqa: F401 - imported once, and not in each inner run
from pytest_emco_store import MovableClock

pytest_plugins = ["pytester"]
PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "test-your-service.md"
MODEL = """
import asyncio
from datetime import timedelta
import pytest
from emco_store import InvalidCall, Key, Resource

class Project(Resource):
    text: str = ""
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Run a file of tests with the plugin, and return what came of it."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # those of others take seconds to start
    monkeypatch.delenv("EMCO_STORE_TEST_REDIS_URL", raising=False)
    monkeypatch.delenv("EMCO_STORE_TEST_MONGODB_URL", raising=False)

    def run(source, *arguments):
        pytester.makepyfile(MODEL + source)
        return pytester.runpytest_inprocess("-p", "pytest_emco_store", "-rs", *arguments)

    return run


def test_stores_of_a_test_share_data_and_clock(run):
    """The blocking store and the one for asyncio see the same data, and time moves when the test says so."""
    result = run("""
def test_both(emco_store, emco_async_store, emco_clock):
    made = emco_store.create(Project(name="p"))
    emco_clock.move(timedelta(days=1))

    async def change():
        async with emco_async_store as store:
            return await store.patch(made, {"text": "t"})

    changed = asyncio.run(change())
    assert changed.meta.updated_at - made.meta.created_at == timedelta(days=1)
    assert emco_store.get(made).text == "t"

def test_next(emco_store):
    assert emco_store.count(Project) == 0
""")

    result.assert_outcomes(passed=2)


def test_options_are_those_of_connect(run):
    """A fixture of the tests' own changes how stores are opened."""
    result = run("""
@pytest.fixture
def emco_options():
    return {"actor": "tester"}

def test_actor(emco_store):
    assert emco_store.create(Project(name="p")).meta.actor == "tester"
""")

    result.assert_outcomes(passed=1)


def test_outcome_is_forgotten_when_the_clock_has_moved(run):
    """The clock of a memory backend is the same one."""
    result = run("""
def test_resolve(emco_store, emco_backend, emco_clock):
    before = emco_backend.clock()
    emco_clock.move(timedelta(hours=1))
    assert emco_backend.clock() - before == 3600
""")

    result.assert_outcomes(passed=1)


def test_marked_test_runs_on_each_server_that_is_named(run, redis_server, monkeypatch):
    """A variable names the server; what is missing is skipped with its name, or fails where demanded."""
    source = """
@pytest.mark.emco_servers
def test_create(emco_store):
    assert emco_store.create(Project(name="p")).meta.version == 1
"""
    absent = run(source)
    monkeypatch.setenv("EMCO_STORE_TEST_REDIS_URL", redis_server.url)
    there = run(source)
    demanded = run(source, "--emco-require=redis,mongodb")

    absent.assert_outcomes(passed=1, skipped=2)
    absent.stdout.fnmatch_lines(["*mongodb: EMCO_STORE_TEST_MONGODB_URL is not set*"])
    there.assert_outcomes(passed=2, skipped=1)
    demanded.assert_outcomes(passed=2, errors=1)


def test_marker_takes_names_of_servers(run):
    """Only these; an unknown one is a mistake, and so is a marked test without a store."""
    result = run("""
@pytest.mark.emco_servers("redis")
def test_create(emco_store):
    pass
""")
    unknown = run("""
@pytest.mark.emco_servers("mysql")
def test_create(emco_store):
    pass
""")
    bare = run("""
@pytest.mark.emco_servers
def test_create():
    pass
""")

    result.assert_outcomes(passed=1, skipped=1)
    unknown.stdout.fnmatch_lines(["*emco_servers: unknown mysql. Hint: redis and mongodb are.*"])
    bare.stdout.fnmatch_lines(["*asks for no store*"])


def test_comparison_explains_itself(run):
    """A resource that was read equals one that was made but for its meta, and pytest says so."""
    result = run("""
def test_equal(emco_store):
    emco_store.create(Project(name="p"))
    assert emco_store.get(Project, "p") == Project(name="p")

def test_fields(emco_store):
    emco_store.create(Project(name="p"))
    assert emco_store.get(Project, "p").model_dump() == Project(name="p").model_dump()

def test_other(emco_store):
    assert emco_store.create(Project(name="p")) == Project(name="q")
""")

    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*All fields are equal. `==` compares the meta too:", "*never stored*", "*Hint:*"])
    assert 1 == result.stdout.str().count("All fields are equal")


def test_example_of_the_page_runs(run):
    """The block of the how-to passes; its test for asyncio is for those who have a plugin that runs it."""
    text = PAGE.read_text("utf-8")
    (block,) = [part.partition("```")[0] for part in text.split("```python\n# test_projects.py\n")[1:]]

    run(block, "-k", "not asyncio").assert_outcomes(passed=2, skipped=2, deselected=1)


def test_distribution_brings_the_plugin():
    """Pytest finds it, under the name of its module, and the wheel holds it."""
    project = tomllib.loads((PAGE.parents[2] / "pyproject.toml").read_text("utf-8"))

    assert {"pytest_emco_store": "pytest_emco_store"} == project["project"]["entry-points"]["pytest11"]
    assert "src/pytest_emco_store" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]


def test_start_of_pytest_imports_no_library():
    """A run that uses no fixture of ours pays for one small module."""
    code = (
        "import sys, pytest, pytest_emco_store as p; sys.exit('emco_store' in sys.modules or 'pydantic' in sys.modules)"
    )

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode  # noqa: S603 - our own


def test_clock_stands_still_until_it_is_moved():
    """It can be moved either way, and is in UTC."""
    clock = MovableClock()
    first = clock.now()

    assert first == clock.now() == datetime(2030, 1, 1, tzinfo=UTC)
    assert first + timedelta(hours=1) == clock.move(timedelta(hours=1)) == clock.now()
    assert first == clock.move(timedelta(hours=-1))
    assert clock.seconds() == first.timestamp()
