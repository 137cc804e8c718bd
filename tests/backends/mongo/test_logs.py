"""What stands in errors, reprs and log records: nothing of ours is a secret, and what the driver logs is known."""

from __future__ import annotations

import base64
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import pytest
from pymongo import MongoClient

from emco_store import Misconfigured, Resource, Store, StoreError, connect, indexed, unique
from emco_store.backends.mongo.backend import DATABASE
from emco_store.backends.mongo.commands import collection
from tests.backends.mongo.conftest import ROOT

PASSWORD, CONTENT = "pass-word-of-the-user", "content-of-a-document"
USER = "logged"
COMMANDS = "pymongo.command"
"""The logger to which the driver gives every command, with its documents, at DEBUG."""


class Note(Resource):
    """What is stored: its content in the document, in an index and in a unique value."""

    text: str = ""
    rank: Annotated[str, indexed()] = ""
    code: Annotated[str | None, unique()] = None


@pytest.fixture
def admin(guarded: str) -> Iterator[MongoClient[Any]]:
    """A client that may do everything; the user of this page is gone after the test."""
    with MongoClient[Any](guarded, username="root", password=ROOT) as client:
        client[DATABASE].command("createUser", USER, pwd=PASSWORD, roles=["readWrite"])
        yield client
        client[DATABASE].command("dropUser", USER)
        client[DATABASE].drop_collection(collection(USER))


@pytest.fixture
def told(guarded: str, admin: MongoClient[Any], caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Uses a store in which all sorts of things go wrong; gives the texts of its errors and reprs."""

    def use() -> list[str]:
        url = guarded.replace("://", f"://{USER}:{{}}@") + f"&authSource={DATABASE}&appName={USER}"
        problems: list[StoreError] = []
        with connect(url.format(PASSWORD), namespace=USER) as store:
            texts = [repr(store), repr(store._port), repr(store._port._client)]  # type: ignore[attr-defined]
            problems += _failures(store, admin)
        with pytest.raises(Misconfigured) as caught:
            connect(url.format(f"not-{PASSWORD}"), namespace=USER)
        for problem in [*problems, caught.value]:
            texts += [repr(problem), str(pickle.dumps(problem)), "".join(traceback.format_exception(problem))]
        return texts

    caplog.set_level(logging.DEBUG)
    return use


def _failures(store: Store, admin: MongoClient[Any]) -> Iterator[StoreError]:
    """Store, read, and give the errors of what is refused by the rules and by the server."""
    note = store.create(Note(name="a", text=CONTENT, rank=CONTENT, code=CONTENT))
    assert [CONTENT] == [found.text for found in store.list(Note)]
    calls: list[tuple[str, Callable[[], object]]] = [
        ("", lambda: store.create(note)),
        ("", lambda: store.create(Note(name="b", code=CONTENT))),
        ("update", lambda: store.put(Note(name="c", text=CONTENT))),
        ("commitTransaction", lambda: store.put(Note(name="c", text=CONTENT))),
        ("find", lambda: store.get(note)),
        ("findAndModify", lambda: store.resolve("some")),
    ]
    for command, call in calls:
        data = {"failCommands": [command], "appName": USER, "errorCode": 8}
        admin.admin.command(
            {"configureFailPoint": "failCommand", "mode": "alwaysOn" if command else "off", "data": data}
        )
        with pytest.raises(StoreError) as caught:
            call()
        yield caught.value
    admin.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


def reveals(text: str) -> bool:
    """Tell whether a text holds the password or the content, also as bytes that were written as text."""
    secrets = (PASSWORD, CONTENT)
    # What is in the midst of other bytes has three forms in base64, whose first and last signs depend on the others.
    hidden = [base64.b64encode(b" " * by + secret.encode()).decode()[4:-4] for secret in secrets for by in range(3)]
    return any(secret in text for secret in (*secrets, *hidden))


def by_logger(caplog: pytest.LogCaptureFixture) -> set[str]:
    """Name the loggers whose records reveal something."""
    return {record.name for record in caplog.records if reveals(f"{record.getMessage()}{record.exc_text}")}


def test_no_error_and_no_repr_reveals_anything(told):
    """Texts, chains, reprs and pickles of errors name neither a password nor what was stored."""
    assert [] == [text for text in told() if reveals(text)]


def test_store_writes_no_log_records_of_its_own(told, caplog):
    """At DEBUG everything that is logged comes from the driver and from Python."""
    told()

    assert caplog.records
    assert [] == [record for record in caplog.records if record.name.startswith("emco")]


def test_documents_are_logged_by_one_logger_of_the_driver(told, caplog):
    """As the page on production says: at DEBUG this logger, and no other, is given documents, and none a password."""
    told()

    assert {COMMANDS} == by_logger(caplog)
    assert not any(PASSWORD in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("remedy", ["level", "length"])
def test_remedies_of_the_page_keep_documents_out_of_the_log(told, caplog, monkeypatch, remedy):
    """Each of the two settings that the page names is enough, with everything else at DEBUG."""
    if remedy == "level":
        caplog.set_level(logging.INFO, logger=COMMANDS)
        caplog.set_level(logging.DEBUG)  # of all others, and of what listens here
    else:
        monkeypatch.setenv("MONGOB_LOG_MAX_DOCUMENT_LENGTH", "0")

    told()

    assert set() == by_logger(caplog)
    assert any(record.name.startswith("pymongo") for record in caplog.records)
