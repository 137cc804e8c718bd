"""How ``connect`` finds backends: those of the library by its table, those of other packages by entry points."""

from __future__ import annotations

import asyncio
import json
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from emco_store import InvalidCall, MemoryBackend, NotSupported, Resource, connect, connect_async
from emco_store.backends import schemes
from emco_store.backends.schemes import BUILT_IN, GROUP
from emco_store.cli import main
from emco_store.connect import inspect

ROOT = Path(__file__).parents[2]
SHELF = """
from emco_store import InvalidCall, MemoryBackend

SHELVES, OPENED = {}, []

def open_target(target, options):
    if not isinstance(target, str) or not target.startswith("shelf://"):
        raise InvalidCall("Cannot read this.", hint="write shelf://NAME.")
    OPENED.append((target, options.require, options.transport))
    return SHELVES.setdefault(target, MemoryBackend())

def open_nothing(target, options):
    return None
"""


class Book(Resource):
    """A resource."""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return what installs a package with entry points, as pip would write it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "shelf_store.py").write_text(SHELF, "utf-8")
    monkeypatch.delitem(sys.modules, "shelf_store", raising=False)

    def add(package, **entries):
        info = tmp_path / f"{package}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n", "utf-8")
        lines = [f"[{GROUP}]", *(f"{name} = {value}" for name, value in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines), "utf-8")

    yield add
    sys.modules.pop("shelf_store", None)


def refusal(target, **options):
    """Return the error of a target that cannot be opened."""
    with pytest.raises(NotSupported) as caught:
        connect(target, namespace="n", **options)
    return caught.value


def test_table_of_the_library_is_what_its_package_declares():
    """Whoever asks Python for the entry points of the group learns the same as ``connect`` knows."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = declared["optional-dependencies"]

    assert {name: built_in.opener for name, built_in in BUILT_IN.items()} == declared["entry-points"][GROUP]
    assert {built_in.extra for built_in in BUILT_IN.values()} - {""} <= extras.keys()


@pytest.mark.parametrize("name", BUILT_IN)
def test_backend_of_the_library_is_where_its_entry_says(name):
    """Each entry leads to a function."""
    assert callable(EntryPoint(name, BUILT_IN[name].opener, GROUP).load())


def test_url_of_another_package_opens_its_backend(install):
    """An installed entry point is all that a scheme needs, for stores of both kinds and for the doctor."""
    install("shelf-store", shelf="shelf_store:open_target")

    with connect("shelf://a", namespace="n", require="volatile", transport="plain") as store:
        store.create(Book(name="b"))
    report = inspect("shelf://a", namespace="n")

    assert {"Book": 1} == report.records
    assert [("shelf://a", "volatile", "plain"), ("shelf://a", None, "auto")] == sys.modules["shelf_store"].OPENED


async def _count(url):
    async with connect_async(url, namespace="n") as store:
        return await store.count(Book)


def test_url_of_another_package_opens_a_store_for_asyncio(install):
    """``connect_async`` finds the same backend."""
    install("shelf-store", shelf="shelf_store:open_target")
    with connect("shelf://a", namespace="n") as store:
        store.create(Book(name="b"))

    assert 1 == asyncio.run(_count("shelf://a"))


def test_doctor_of_the_command_line_works_through_entry_points(install, capsys):
    """``emco-store doctor`` asks the backend that the scheme names."""
    install("shelf-store", shelf="shelf_store:open_target")

    code = main(["doctor", "shelf://a", "-o", "json"])

    assert 0 == code
    assert "memory" == json.loads(capsys.readouterr().out)["backend"]


def test_client_of_another_package_opens_its_backend(install):
    """An entry point may be named after the module of a driver's clients."""
    install("shelf-store", tests="shelf_store:open_target")

    with pytest.raises(InvalidCall) as caught:
        connect(Book(name="b"), namespace="n")

    assert "write shelf://NAME." == caught.value.hint


def test_unknown_scheme_names_what_is_installed_and_what_is_not(install, monkeypatch):
    """The error lists the schemes that work here, and the extra that brings each of the others."""
    install("shelf-store", shelf="shelf_store:open_target")
    monkeypatch.delitem(sys.modules, "emco_store.backends.mongo.backend", raising=False)
    monkeypatch.setitem(sys.modules, "pymongo", None)

    error = refusal("tape://a")

    here = next(line for line in error.why if line.startswith("installed"))
    away = next(line for line in error.why if line.startswith("not installed") and "mongodb://" in line)
    assert "'tape'" in error.what
    assert all(f"{name}://" in here for name in ("shelf", "memory", "redis"))
    assert "mongodb" not in here
    assert "emco-store[mongo]" in away
    assert "pymongo://" not in away


def test_driver_that_is_missing_names_its_extra(monkeypatch):
    """A backend of the library without its driver says what to install."""
    monkeypatch.delitem(sys.modules, "emco_store.backends.redis.backend", raising=False)
    monkeypatch.setitem(sys.modules, "redis", None)

    error = refusal("redis://localhost")

    assert "pip install 'emco-store[redis]'" == error.hint
    assert isinstance(error.__cause__, ModuleNotFoundError)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("no_such_module_of_shelves:open_target", "ModuleNotFoundError"),
        ("shelf_store:no_such_function", "AttributeError"),
        ("shelf_store:open_nothing", "NoneType"),
    ],
)
def test_package_whose_backend_cannot_be_used_is_named(install, value, reason):
    """A plug-in that is broken ends in an error of the store, and not in one of Python's."""
    install("shelf-store", shelf=value)

    error = refusal("shelf://a")

    assert "'shelf'" in error.what
    assert reason in error.why[0]


def test_scheme_of_two_packages_is_refused(install):
    """Nothing is chosen by chance."""
    install("shelf-store", shelf="shelf_store:open_target")
    install("other-store", shelf="other_store:open_target")

    assert all(name in refusal("shelf://a").why[0] for name in ("shelf-store", "other-store"))


def test_package_that_is_found_twice_is_one(install):
    """The metadata of one package may lie in two places on the path."""
    install("shelf-store", shelf="shelf_store:open_target")
    install("shelf_store-copy", shelf="shelf_store:open_target")

    with connect("shelf://a", namespace="n") as store:
        assert 0 == store.count(Book)


def test_no_package_takes_the_place_of_a_backend_of_the_library(install):
    """What ``redis://`` and ``memory://`` mean does not depend on what else is installed."""
    install("shelf-store", memory="shelf_store:open_nothing")

    with connect("memory://", namespace="n") as store:
        assert "memory" == store.guarantees.backend


def test_backend_of_the_library_is_found_without_reading_what_is_installed(monkeypatch):
    """Opening one costs no search of the path, and a checkout that is not installed opens it too."""
    monkeypatch.setattr(schemes, "entry_points", None)

    for target in ("memory://", "fakeredis://", MemoryBackend()):
        with connect(target, namespace="n") as store:
            assert 0 == store.count(Book)
