"""What each error of the driver means: the table, without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any

import pytest
from bson.errors import BSONError, InvalidBSON
from pymongo import MongoClient, ReadPreference, errors

from emco_store import InvalidCall, InvalidResource, Misconfigured, Unavailable
from emco_store.backends.mongo.errors import TRANSIENT, Collided, Outdated, confirmed, lost, refused, translated
from emco_store.ports import OutcomeLost, Unreachable

PASSING = (6, 7, 20, 24, 43, 89, 91, 94, 109, 112, 117, 134, 164, 175, 189, 210, 211, 216, 217, 239, 246, 251, 262, 276)
MORE_PASSING = (285, 290, 355, 365, 391, 9001, 10058, 10107, 11000, 11600, 11601, 11602, 13435, 13436)
OF_THE_PRIMARY = (91, 189, 10058, 10107, 11600, 11602, 13435, 13436)
"""Those that PyMongo tells as NotPrimaryError."""
NOT_PASSING = (2, 8, 13, 18, 26, 85, 86, 96)
TRANSIENT_LABEL = {"errorLabels": ["TransientTransactionError"]}
_POOL_CLOSED = next(kind for kind in errors.PyMongoError.__subclasses__() if kind.__name__ == "_PoolClosedError")
BY_CLASS: dict[str, tuple[Exception, type[Exception]]] = {
    "cut": (errors.AutoReconnect("connection closed"), Collided),
    "pool-paused": (errors.AutoReconnect("connection pool paused"), Collided),
    "no-connection": (errors.ConnectionFailure("x"), Collided),
    "member-removed": (_POOL_CLOSED("x"), Collided),
    "not-confirmed": (errors.WriteConcernError("x", 100), Collided),
    "labelled": (errors.OperationFailure("x", 1, TRANSIENT_LABEL), Collided),
    "overloaded": (errors.OperationFailure("x", 462, {"errorLabels": ["SystemOverloadedError"]}), Collided),
    "rtt-unknown": (errors.ConfigurationError("round_trip_time for server x is unexpectedly None"), Outdated),
    "no-server": (errors.ServerSelectionTimeoutError("x"), Unreachable),
    "no-place-in-the-pool": (errors.WaitQueueTimeoutError("x"), Unreachable),
    "no-answer": (errors.NetworkTimeout("x"), Unreachable),
    "out-of-time": (errors.ExecutionTimeout("x", 50), Unreachable),
    "not-confirmed-in-time": (errors.WTimeoutError("x", 64), Unreachable),
    "too-large": (errors.DocumentTooLarge("x"), InvalidResource),
    "too-large-when-updated": (errors.OperationFailure("x", 17419), InvalidResource),
    "cache-too-small": (errors.OperationFailure("x", 388), Unavailable),
    "certificate": (errors.ServerSelectionTimeoutError("SSL: certificate verify failed: x"), Misconfigured),
    "newer-server": (errors.ConfigurationError("Server at x requires wire version 99"), Misconfigured),
    "spoiled-reply": (InvalidBSON("x"), Misconfigured),
    "other-protocol": (errors.ProtocolError("x"), Misconfigured),
}


def meaning(problem: Exception, within: Callable[[], AbstractContextManager[None]] = translated) -> BaseException:
    """Return what becomes of an error of the driver."""
    with pytest.raises(BaseException) as caught, within():  # noqa: PT011 - which one it is, is what is asked
        raise problem
    return caught.value


@pytest.fixture
def client() -> Iterator[MongoClient[Any]]:
    """A client that never connects."""
    with MongoClient("mongodb://127.0.0.1:1", connect=False) as made:
        yield made


def test_every_code_of_the_table_is_tested():
    """The codes of this page are those of the table."""
    assert {*PASSING, *MORE_PASSING} == TRANSIENT


@pytest.mark.parametrize("code", [*PASSING, *MORE_PASSING])
def test_code_that_passes_is_repeated(code):
    """Whether a command or one of its statements fails with it, nothing was written and the same may be sent again."""
    assert Collided is type(meaning(errors.OperationFailure("x", code, {"code": code})))
    if code != 11000:
        with pytest.raises(Collided):
            refused({"writeErrors": [{"code": code}]})


@pytest.mark.parametrize("code", OF_THE_PRIMARY)
def test_moving_primary_is_repeated(code):
    """Every error that says that a member is no primary, or is about to end, passes."""
    assert Collided is type(meaning(errors.NotPrimaryError("x", {"code": code})))


@pytest.mark.parametrize("code", NOT_PASSING)
def test_code_that_does_not_pass_is_misconfigured(code):
    """What comes again every time is told at once, with its code and without the server's text."""
    problem = meaning(errors.OperationFailure("a text with a document", code, {"code": code}))

    assert Misconfigured is type(problem)
    assert "a text" not in str(problem)


@pytest.mark.parametrize("case", BY_CLASS)
def test_error_without_a_code_has_a_meaning(case):
    """Each class of error is repeated, or becomes one typed error."""
    problem, kind = BY_CLASS[case]

    assert kind is type(meaning(problem))


def test_session_on_a_connection_that_was_made_in_a_transition_is_repeated(client):
    """PyMongo's own refusal, which it raises before it sends anything, is known by its text."""
    with client.start_session() as session, pytest.raises(errors.ConfigurationError) as caught:
        session._apply_to(
            {"update": "x"},
            is_retryable=False,
            read_preference=ReadPreference.PRIMARY,
            conn=SimpleNamespace(supports_sessions=False),
        )

    assert Outdated is type(meaning(caught.value))


def test_closed_client_and_other_misuse_are_told_apart(client):
    """An operation that PyMongo refuses is a mistake in the program, and the error says which."""
    client.close()
    with pytest.raises(errors.InvalidOperation) as caught:
        client.admin.command("ping")

    closed, bound = meaning(caught.value), meaning(errors.InvalidOperation("Only the client that created the session"))

    assert (InvalidCall, ("it is closed",)) == (type(closed), closed.why)
    assert (InvalidCall, ("Only the client that created the session",)) == (type(bound), bound.why)


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (errors.OperationFailure("x", 251, TRANSIENT_LABEL), Collided),
        (errors.OperationFailure("x", 64), OutcomeLost),
        (errors.OperationFailure("x", 20), OutcomeLost),
        (errors.WriteConcernError("x", 100), OutcomeLost),
        (errors.ExecutionTimeout("x", 50), OutcomeLost),
        (errors.AutoReconnect("x"), OutcomeLost),
        (errors.ServerSelectionTimeoutError("x"), OutcomeLost),
        (errors.ConfigurationError("Sessions are not supported by this MongoDB deployment"), OutcomeLost),
        (InvalidBSON("x"), OutcomeLost),
    ],
    ids=repr,
)
def test_commit_without_a_reply_is_lost(problem, kind):
    """Only a reply that says so makes a commit one that did not happen (ATM-4)."""
    assert kind is type(meaning(problem, lost))


def test_label_that_is_not_from_the_server_leaves_a_commit_lost():
    """PyMongo labels as transient what hinders a second sending, though the first may have arrived (ATM-4)."""
    problem = errors.InvalidOperation("Cannot use MongoClient after close")
    problem._add_error_label("TransientTransactionError")

    assert OutcomeLost is type(meaning(problem, lost))


def test_content_of_a_document_is_not_in_the_cause():
    """The text of an error of BSON holds the document, so it is not chained."""
    for within in (translated, lost):
        problem = meaning(BSONError("a document"), within)

        assert problem.__cause__ is None
        assert problem.__suppress_context__


def test_reply_that_a_majority_has_not_confirmed_is_repeated():
    """A command whose replies PyMongo does not look into is done again."""
    confirmed({"ok": 1.0})
    with pytest.raises(Collided):
        confirmed({"ok": 1.0, "writeConcernError": {"code": 91}})
