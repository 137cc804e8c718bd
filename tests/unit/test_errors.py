"""Errors: values for programs, four parts for people, the same in every process."""

from __future__ import annotations

import copy
import pickle

import pytest

import emco_store
from emco_store import Blocker, Key, Rule, StoreError

KEY = Key("App", "p", "a b")
FIELDS = {
    "NotFound": {"keys": (KEY,)},
    "AlreadyExists": {"key": KEY},
    "Conflict": {"keys": (KEY,), "pinned": True},
    "MissingReference": {"missing": (("App/p/a app", KEY),)},
    "DeleteRestricted": {"keys": (KEY,), "blockers": (Blocker(KEY, "apps[0]", Rule.RESTRICT, KEY),)},
    "UniqueViolation": {"key": KEY, "field": "chart", "owner": KEY},
    "InvalidResource": {"key": KEY, "problems": ("name: empty", "x: \ud800")},
    "InvalidModel": {"model": "App"},
    "InvalidCall": {"size": 11, "limit": 10},
    "UnknownOutcome": {"txid": "tx-1"},
    "Unavailable": {},
    "Misconfigured": {"setting": "maxmemory-policy"},
    "NotSupported": {},
}
KINDS = {kind.__name__: kind for kind in StoreError.__subclasses__() if kind.__module__ == StoreError.__module__}


def test_every_error_is_public_and_looked_at_here():
    """ATM-4: No kind of error is missing from the public names, nor from the tests below."""
    assert FIELDS.keys() == KINDS.keys()
    assert FIELDS.keys() <= set(emco_store.__all__)


def test_codes_are_different():
    """ATM-3: A program can tell all errors apart by their code."""
    assert len(KINDS) == len({kind.code for kind in KINDS.values()})
    assert {"CONFLICT", "UNAVAILABLE"} == {kind.code for kind in KINDS.values() if kind.retryable}


@pytest.mark.parametrize("name", FIELDS)
def test_error_travels_between_processes_with_all_that_it_says(name: str):
    """ATM-3: A pickled or copied error has the same class, text and fields."""
    error = KINDS[name]("Cannot do it.", why=["one reason", "another"], hint="do that.", **FIELDS[name])

    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 - pickled here
        assert type(error) is type(twin)
        assert str(error) == str(twin)
        assert (error.what, error.why, error.hint, error.fields) == (twin.what, twin.why, twin.hint, twin.fields)
        assert FIELDS[name] == {field: getattr(twin, field) for field in FIELDS[name]}


@pytest.mark.parametrize("name", FIELDS)
def test_text_of_an_error_holds_its_four_parts_and_its_code(name: str):
    """ATM-3: People read what was refused, every reason, and what to do."""
    text = str(KINDS[name]("<what>", why=["<first>", "<second>"], hint="<do>", **FIELDS[name]))

    places = [text.index(part) for part in ("<what>", "<first>", "<second>", "<do>", KINDS[name].code)]
    assert sorted(places) == places


@pytest.mark.parametrize("name", FIELDS)
def test_error_without_its_fields_still_has_them(name: str):
    """ATM-3: A program may read each documented field of every instance."""
    declared = {field for field in KINDS[name].__annotations__ if field not in {"code", "retryable"}}

    error = KINDS[name]("Cannot do it.")

    assert all(hasattr(error, field) for field in declared)
