"""Errors: values for programs, four parts for people, the same in every process."""

from __future__ import annotations

import copy
import pickle

import pytest

import emco_store
from emco_store import Blocker, Conflict, InvalidResource, Key, MissingReference, Rule, StoreError
from emco_store.errors import MAX_ENTRIES, MAX_SHOWN, MAX_TEXT
from emco_store.flows.refusals import not_found

KEY = Key("App", "p", "a b")
FIELDS = {
    "NotFound": {"keys": (KEY,)},
    "AlreadyExists": {"key": KEY},
    "Conflict": {"keys": (KEY,), "pinned": True},
    "LeaseHeld": {"keys": (KEY,), "pinned": True, "holder": "process 1 on a", "token": 7, "lease_uid": "u"},
    "LeaseLost": {"keys": (KEY,)},
    "FeedGap": {"cursor": "7.x"},
    "HandlerFailed": {"consumer": "mail", "cursor": "7.x", "txid": "t", "attempts": 3, "number": 2, "version": 5},
    "SinkFailed": {"relay": "mail", "attempts": 3},
    "StaleCache": {"keys": (KEY,)},
    "MissingReference": {"missing": (("App/p/a app", KEY),)},
    "DeleteRestricted": {"keys": (KEY,), "blockers": (Blocker(KEY, "apps[0]", Rule.RESTRICT, KEY),)},
    "UniqueViolation": {"key": KEY, "field": "chart", "owner": KEY},
    "TransitionRefused": {
        "key": KEY,
        "transition": "instantiate",
        "state": "Created",
        "reasons": ("not approved",),
        "allowed": ("approve",),
    },
    "ContentChanged": {"key": KEY, "digest": "a", "found": "b", "changed": (KEY,)},
    "StateForbids": {"key": KEY, "state": "Instantiated", "frozen": ("spec.level",)},
    "NotPermitted": {"key": KEY, "actor": "alice", "writers": ("rsync",)},
    "SegmentRefused": {"segment": "fleet", "owner": "network", "reasons": ("Line: it has no field 'x'",)},
    "NotReady": {"kinds": ("Bus",), "awaits": ("Line: no active segment declares it",)},
    "InvalidResource": {"key": KEY, "problems": ("name: empty", "x: \ud800")},
    "NewerModel": {"key": KEY, "problems": ("version 3",), "needed": 3, "model_version": 2},
    "InvalidModel": {"model": "App"},
    "InvalidCall": {"size": 11, "limit": 10},
    "UnknownOutcome": {"txid": "tx-1"},
    "Unavailable": {},
    "Misconfigured": {"setting": "maxmemory-policy"},
    "NotSupported": {},
}
KINDS = {
    kind.__name__: kind
    for kind in (*StoreError.__subclasses__(), *Conflict.__subclasses__(), *InvalidResource.__subclasses__())
    if kind.__module__ == StoreError.__module__
}


def test_every_error_is_public_and_looked_at_here():
    """ATM-4: No kind of error is missing from the public names, nor from the tests below."""
    assert FIELDS.keys() == KINDS.keys()
    assert FIELDS.keys() <= set(emco_store.__all__)


def test_codes_are_different():
    """ATM-3: A program can tell all errors apart by their code."""
    assert len(KINDS) == len({kind.code for kind in KINDS.values()})
    retryable = {kind.code for kind in KINDS.values() if kind.retryable}
    assert {"CACHE-STALE", "CONFLICT", "LEASE-HELD", "NOT-READY", "UNAVAILABLE"} == retryable


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


def test_text_of_an_error_is_bounded():
    """BAD-10: However much is wrong, the text stays readable, says how much it leaves out, and the fields hold more."""
    missing = tuple((f"App/p{number} app", KEY) for number in range(100_000))
    error = MissingReference("x" * 10**6, why=[f"{place} is missing" for place, _ in missing], hint="y" * 10**6,
                             missing=missing)  # fmt: skip

    assert len(str(error)) < (MAX_SHOWN + 4) * MAX_TEXT
    assert f"{MAX_ENTRIES - MAX_SHOWN:,} more" in str(error)
    assert "App/p19 app" in str(error)
    assert "App/p20 app" not in str(error)
    assert missing[:MAX_ENTRIES] == error.missing
    assert MAX_ENTRIES == len(error.why)
    assert {MAX_TEXT} == {len(error.what), len(error.hint)}
    assert len(error.line) < len(str(error))


def test_bounded_error_stays_the_same_when_it_travels():
    """BAD-10: What was cut once is not cut again."""
    error = InvalidResource("x" * 5_000, why=["z" * 5_000] * 20_000, problems=("z" * 5_000,) * 20_000)

    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled here

    assert (str(error), error.why, error.fields) == (str(twin), twin.why, twin.fields)


def test_single_text_in_a_field_is_whole():
    """BAD-10: What a program hands on, such as the id of a commit, is never cut."""
    assert "t" * 5_000 == StoreError("Cannot do it.", txid="t" * 5_000).fields["txid"]


@pytest.mark.parametrize("text", ["Site" + "/" * 10**6, "/" * 10**6, "Site/" + "a%" * 10**6, "Site/" + "é/" * 10**6])
def test_error_about_a_hostile_key_is_small(text: str):
    """BAD-10: A key of a million names or bad characters makes no error of megabytes."""
    with pytest.raises(InvalidResource) as caught:
        Key.parse(text)

    assert len(str(caught.value)) < 30_000
    assert len(pickle.dumps(caught.value)) < 2_000_000


def test_error_that_names_many_keys_says_how_many():
    """BAD-10: The sentence stays whole when many resources are concerned."""
    error = not_found([Key("App", f"p{number}", "a") for number in range(20_000)])

    assert "App/p19/a, … and 19,980 more." in str(error)
    assert MAX_ENTRIES == len(error.keys)
