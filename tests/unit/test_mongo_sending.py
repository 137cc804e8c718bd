"""How commits become the commands of one transaction on MongoDB."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import bson
import pytest

from emco_store.backends.mongo import sending as module
from emco_store.backends.mongo.sending import FEW, FEW_DELETES, Command, Sending, are_apart, sending
from emco_store.core.keys import Key
from emco_store.core.pulses import LEASE as KIND
from emco_store.core.records import Record, Seal, Stamp
from emco_store.core.reserved import beside
from emco_store.errors import InvalidResource
from emco_store.ports import Commit

SITE, NETWORK = Key("Site", "s"), Key("Network", "n")
LEASE = beside(KIND, SITE)
STAMP = Stamp("u", 3)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MANY = 2 * FEW


def record(name: str, **values: object) -> Record:
    """Make a record of which only what matters is said."""
    plain = {
        "uid": f"u-{name}",
        "version": 1,
        "document": b"{}",
        "edges": (),
        "unique": (("code", f"3{name}"),),
        "index": (),
    }
    return Record(Key("App", name), **{**plain, "created_us": 1, "updated_us": 2, **values})  # type: ignore[arg-type]


def create(name: str, *, require: frozenset[Key] = frozenset({SITE})) -> Commit:
    """Make the commit of a create under the site."""
    return Commit(f"t-{name}", {Key("App", name): None}, require, puts=(record(name),))


def delete(*names: str) -> Commit:
    """Make the commit of a delete."""
    keys = tuple(Key("App", name) for name in names)
    sealed = {key: Seal(f"u-{key.name}", 1) for key in keys}
    return Commit("t-delete", {key: Stamp(f"u-{key.name}", 1) for key in keys}, sealed=sealed, deletes=keys)


def named(work: Sending) -> list[tuple[str, list[Any]]]:
    """Return each command with the ids of its statements or documents."""
    commands = [*work.begin(), *(work.finish(NOW) if work.goes_on else ())]
    return [
        (command.name, [(item if command.name == "insert" else item["q"])["_id"] for item in read(command)])
        for command in commands
    ]


def read(command: Command) -> list[dict[str, Any]]:
    """Read what is sent."""
    return [bson.decode(item) for item in command.items]


def test_one_commit_is_one_command():
    """A create that moves two guards is one update command, which holds its outcome as well (ATM-1)."""
    found = named(sending([create("a", require=frozenset({SITE, NETWORK}))], optimistic=True))

    assert [("update", ["Network/n", "Site/s", "App/a", "tx:t-a"])] == found


def test_fences_of_several_commits_are_looked_at_once():
    """What commits of one holder rest on is one statement, ahead of all others, and no document is named twice."""
    fenced = {LEASE: "l"}
    commits = [replace(create(name, require=frozenset()), fenced=fenced) for name in "ab"]

    work = sending(commits, optimistic=True)

    assert ["emco__Lease/Site/s", "App/a", "App/b", "tx:t-a", "tx:t-b"] == [one["q"]["_id"] for one in work.updates]
    assert {"_id": "emco__Lease/Site/s", "u": "l"} == work.updates[0]["q"]
    assert are_apart(commits)


def test_fence_stays_on_its_side_of_the_end_of_its_lease():
    """In a group, a fence is looked at before or after the commit that ends the lease, as the commits came."""
    before, after = (replace(create(name, require=frozenset()), fenced={LEASE: "l"}) for name in "ab")
    end = Commit("t-end", {LEASE: Stamp("l", 1)}, deletes=(LEASE,))

    ids = [one["q"]["_id"] for one in sending([before, end, after], optimistic=False).updates]

    lease, app = LEASE.text, "App/"
    assert [lease, f"{app}a", lease, "beat:l", lease, f"{app}b"] == ids[:6]


@pytest.mark.parametrize("uid", ["l", "other"])
def test_fence_of_what_the_commit_ends_is_part_of_the_same_statement(uid):
    """A release is fenced by the lease that it deletes; one that is fenced by another finds nothing."""
    release = Commit("t-end", {LEASE: Stamp("l", 1)}, deletes=(LEASE,), fenced={LEASE: uid})

    (statement, pulse, _) = sending([release], optimistic=True).updates

    assert (uid == "other") == (statement["q"].get("o") == "")
    assert "beat:l" == pulse["q"]["_id"]


def test_guards_that_several_commits_move_move_once():
    """What several commits do to one guard is one statement, which moves it by as much (OCC-10)."""
    work = sending([create("a"), create("b", require=frozenset({SITE, NETWORK}))], optimistic=False)

    assert [({"g": 2}, "Site/s"), ({"g": 1}, "Network/n")] == [
        (statement["u"]["$inc"], statement["q"]["_id"]) for statement in work.updates[:2]
    ]


def test_guard_of_what_another_commit_is_about_stays_in_its_place():
    """A commit that refers to what one before it creates comes behind that, and one that finds it gone fails."""
    child = create("child", require=frozenset({Key("App", "a")}))

    found = [statement["q"]["_id"] for statement in sending([create("a"), child], optimistic=True).updates]

    assert ["Site/s", "App/a", "App/a", "App/child", "tx:t-a", "tx:t-child"] == found


def test_many_new_records_are_inserted():
    """New records and outcomes are inserted; one outcome is updated, because its reply tells the server's time."""
    names = [f"n{number}" for number in range(MANY)]
    work = sending([create(name) for name in names], optimistic=True)

    (_, updated), (_, inserted) = named(work)

    assert ["Site/s", "tx:t-n0"] == updated
    assert [f"App/{name}" for name in names] + [f"tx:t-{name}" for name in names[1:]] == inserted
    (command,) = work.finish(NOW)
    assert {NOW.replace(tzinfo=None)} == {item["t"] for item in read(command) if "t" in item}
    assert 2 * MANY - 1 == command.total


def test_record_is_the_same_inserted_or_not():
    """An insert makes what the upsert of a create makes."""
    (statement,) = [one for one in sending([create("a")], optimistic=False).updates if one["q"]["_id"] == "App/a"]
    inserted = sending([create(f"a{number}" if number else "a") for number in range(MANY)], optimistic=True).inserts[0]

    assert {"p", "z"} < inserted.keys()
    assert {"_id": "App/a", **statement["u"]} == inserted


def test_where_a_tombstone_may_stand_nothing_is_inserted():
    """After an attempt that failed, a create writes over the tombstone that may have been in its way."""
    work = sending([create(f"n{number}") for number in range(MANY)], optimistic=False)

    assert [] == work.inserts
    assert {f"App/n{number}" for number in range(MANY)} < {statement["q"]["_id"] for statement in work.updates}


@pytest.mark.parametrize(("count", "names"), [(FEW_DELETES, ["update"]), (MANY, ["delete", "update"])])
def test_many_deletes_of_one_commit_leave_no_tombstones(count, names):
    """Many records go by a delete command, and what it must find is counted."""
    commands = [*sending([delete(*(f"n{number}" for number in range(count)))], optimistic=True).begin()]

    assert names == [command.name for command in commands]
    assert count + 1 == sum(command.total for command in commands)


def test_what_others_refer_to_is_deleted_first():
    """A guard that may have moved is tried before the rest is deleted, which would be in vain (DEL-8)."""
    keys = [Key("App", f"n{number}") for number in range(MANY)]
    sealed = {key: Seal("u", 7 if key == keys[-1] else 0) for key in keys}

    first, rest, _ = sending([Commit("t", {}, sealed=sealed, deletes=tuple(keys))], optimistic=True).begin()

    assert [("delete", 1), ("delete", MANY - 1)] == [(one.name, one.total) for one in (first, rest)]
    assert [keys[-1].text] == [item["q"]["_id"] for item in read(first)]


def test_deletes_beside_other_commits_stay_in_their_place():
    """In a group, a delete keeps its place among the others: what one frees another may take (ID-6)."""
    work = sending([delete(*(f"n{number}" for number in range(MANY))), create("a")], optimistic=True)

    assert [] == work.deletes


def test_commits_about_one_record_are_not_apart():
    """Commits that are about one record are carried out strictly in their order."""
    assert are_apart([create("a"), create("b")])
    assert not are_apart([create("a"), delete("a")])
    assert are_apart([create("a")])


def test_commands_are_as_large_as_the_server_takes(monkeypatch):
    """What is too much for one command becomes several; what is too large by itself is refused and named."""
    monkeypatch.setattr(module, "COMMAND_BYTES", 150 * MANY)
    names = [f"n{number}" for number in range(MANY)]

    work = sending([create(name) for name in names], optimistic=False)
    commands = [*work.begin(), *(work.finish(NOW) if work.goes_on else ())]

    assert ["update", "update", "insert"] == [command.name for command in commands]
    assert 2 * MANY + 1 == sum(command.total for command in commands)
    large = Commit("t", {Key("App", "x"): None}, puts=(record("x", document=b"x" * 150 * MANY),))
    with pytest.raises(InvalidResource, match="Cannot store App/x"):
        list(sending([large], optimistic=True).begin())
