"""Each command that the port sends fails once in each way: every call still ends as it would have, and once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emco_store import Conflict, Outcome, Store, Transaction, UnknownOutcome, connect
from emco_store.backends.mongo.commands import FEW
from tests.backends.mongo.conftest import Thing

FAULTS: dict[str, dict[str, Any]] = {
    "cut": {"closeConnection": True},
    "WriteConflict": {"errorCode": 112},
    "NoSuchTransaction": {"errorCode": 251},
    "NotWritablePrimary": {"errorCode": 10107},
    "PrimarySteppedDown": {"errorCode": 189},
    "ShutdownInProgress": {"errorCode": 91},
    "InterruptedAtShutdown": {"errorCode": 11600},
    "WriteConcernTimeout": {"writeConcernError": {"code": 64, "errmsg": "planned"}},
    "UnsatisfiableWriteConcern": {"writeConcernError": {"code": 100, "errmsg": "planned"}},
}


def opened(store: Store, url: str) -> None:
    """Open one more store."""
    with connect(url, namespace=store.namespace) as other:
        other.get(Thing, "a")


def updated(store: Store, _: str) -> None:
    """Change a resource."""
    thing = store.update(store.get(Thing, "a").model_copy(update={"note": "new"}))
    assert 2 == thing.meta.version


def refused(store: Store, _: str) -> None:
    """Have a commit refused after a part of it was written, so that it must be taken back."""
    thing, stale = store.get(Thing, "a"), store.get(Thing, "b")
    store.update(stale)

    def change(tx: Transaction) -> None:
        tx.update(thing.model_copy(update={"note": "never"}))
        tx.update(stale.model_copy(update={"note": "never"}))

    with pytest.raises(Conflict):
        store.run(change)


def resolved(store: Store, _: str) -> None:
    """Settle a commit that never came."""
    assert Outcome.ABORTED == store.resolve("some")


def imported_and_cleared(store: Store, _: str) -> None:
    """Create many at once, and delete them at once."""
    with store.transaction() as tx:
        made = [tx.create(Thing(name=f"many-{number}")) for number in range(2 * FEW)]
    store.delete(*made)
    assert ["a", "b"] == [thing.name for thing in store.list(Thing)]


COMMANDS: dict[str, tuple[str, Callable[[Store, str], None]]] = {
    "hello": ("", opened),
    "buildInfo": ("", opened),
    "createIndexes": ("", opened),
    "find": ("new", updated),
    "update": ("new", updated),
    "commitTransaction": ("new", updated),
    "abortTransaction": ("", refused),
    "findAndModify": ("", resolved),
    "insert": ("", imported_and_cleared),
    "delete": ("", imported_and_cleared),
}
"""Each command, with the note that is there after a call that sends it."""
READING = {"hello", "buildInfo", "find"}
CASES = [
    pytest.param(command, fault, id=f"{command}-{name}")
    for command in COMMANDS
    for name, fault in FAULTS.items()
    if not (command in READING and "writeConcernError" in fault)
    # Of a transaction that the server has not ended, it never says that it cannot be found or has met another one.
    and not (command == "abortTransaction" and fault.get("errorCode") in {112, 251})
]


@pytest.mark.parametrize(("command", "fault"), CASES)
def test_command_that_fails_once_costs_nothing_but_time(store, url, fail, command, fault):
    """The call ends as without the fault, its effect is there once, and the next one is not blocked (ATM-2)."""
    after, call = COMMANDS[command]
    store.create(Thing(name="a"))
    store.create(Thing(name="b"))
    failed = fail(command, 1, **fault)

    call(store, url)

    # A commit that is known to be refused need not be sent, and then there is nothing to abort.
    assert fail(command, "off") > failed or command == "abortTransaction"
    assert after == store.get(Thing, "a").note
    assert "next" == store.update(store.get(Thing, "a").model_copy(update={"note": "next"})).note


def test_lost_commit_whose_session_cannot_be_ended_is_settled_later(store, fail, root, namespace):
    """While the server keeps what a lost commit wrote, its outcome is unknown; then ``resolve`` says it (ATM-5)."""
    port: Any = store._port
    port._deadline_s = 0.3
    data = {"failCommands": ["commitTransaction", "killSessions"], "appName": namespace, "errorCode": 50}
    root.admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data})

    with pytest.raises(UnknownOutcome) as caught:
        store.create(Thing(name="a"))
    fail("ping", "off")
    root.admin.command("killAllSessions", [])  # as the server itself does after transactionLifetimeLimitSeconds

    assert Outcome.ABORTED == store.resolve(caught.value.txid)
    assert () == store.list(Thing).items
