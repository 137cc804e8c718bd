"""Files: which ones a store opens, which it refuses, and what becomes of one that is full, locked or damaged."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from emco_store import (
    InvalidCall,
    Misconfigured,
    NotSupported,
    Resource,
    StoreError,
    Unavailable,
    connect,
    connect_async,
)
from emco_store.backends.sqlite import rows
from emco_store.backends.sqlite.errors import meaning, meaning_of_commit
from emco_store.backends.sqlite.rows import APPLICATION, LAYOUT
from emco_store.connect import drop_namespace, inspect, namespaces
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import Commit, Durability, Events, Get, Outcome, OutcomeLost, Receipt, Settle, Unreachable
from tests.backends.sqlite.adding import Tally
from tests.backends.test_sqlite import on

A, B = Key("Note", "a"), Key("Note", "b")
SHORT = timedelta(seconds=0.4)


class Note(Resource):
    """Something to store."""

    text: str = ""


def record(key: Key, version: int = 1) -> Record:
    """Return a record."""
    return Record(key, f"u-{key.name}", version, b"{}", (), (), (), 1, 1)


@pytest.fixture
def file(tmp_path):
    """A path where nothing is yet."""
    return tmp_path / "store.db"


@pytest.fixture
def url(file):
    """The URL of it."""
    return f"sqlite:///{file}?synchronous=off"


def port_on(file):
    """Open a port on a file, as another process would: with connections of its own."""
    port = on(file).port("ns")
    port.open()
    return port


def sql(file: Path, *statements: str) -> None:
    """Do something to a file with another program."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()


# opening


def test_what_was_stored_is_there_when_the_file_is_opened_again(url):
    """The data is in the file, for each way to open it."""
    with connect(url, namespace="ns") as store:
        store.create(Note(name="a", text="kept"))
    with connect(url, namespace="ns") as store:
        assert "kept" == store.get(Note, "a").text


async def _read(url):
    async with connect_async(url, namespace="ns") as store:
        return (await store.get(Note, "a")).text


def test_data_in_memory_goes_with_its_backend():
    """Nothing is shared, and no file is made."""
    with connect("sqlite:///:memory:", namespace="ns") as store, connect("sqlite:///:memory:", namespace="ns") as other:
        store.create(Note(name="a"))
        assert ([], Durability.VOLATILE) == (list(other.list(Note)), store.guarantees.durability)
    assert not Path(":memory:").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        "sqlite://file.db", "sqlite:file.db", "sqlite:///", "sqlite:///folder/", "sqlite:///a.db?synchronous=extra",
        "sqlite:///a.db?mode=ro", "sqlite:///a.db#x", "sqlite:///a%00b", "sqlite:///a.db?synchronous",
    ],
)  # fmt: skip
def test_url_that_cannot_be_right_is_refused(wrong):
    """Before any file is made."""
    with pytest.raises(InvalidCall):
        connect(wrong, namespace="ns")


def test_connection_of_sqlite3_is_refused(file):
    """A store makes its own."""
    with closing(sqlite3.connect(file)) as connection, pytest.raises(NotSupported):
        connect(connection, namespace="ns")


@pytest.mark.parametrize(
    ("options", "durability"),
    [
        ("", Durability.LOCAL_SYNC),
        ("?synchronous=normal", Durability.VOLATILE),
        ("?synchronous=off", Durability.VOLATILE),
    ],
)
def test_durability_is_what_the_url_asks_for(file, options, durability):
    """By default each commit waits for the disk; a class that the URL does not give is refused."""
    with connect(f"sqlite:///{file}{options}", namespace="ns") as store:
        assert durability == store.guarantees.durability
        store.create(Note(name="a"))
    if durability is not Durability.LOCAL_SYNC:
        with pytest.raises(Misconfigured):
            connect(f"sqlite:///{file}{options}", namespace="ns", require="local-sync")


def test_files_that_are_no_store_are_refused_and_stay_as_they_are(tmp_path):
    """A database of another program, one of a newer release, and what is no database."""
    foreign, newer, text = (tmp_path / name for name in ("foreign.db", "newer.db", "text.db"))
    sql(foreign, "CREATE TABLE notes (text)")
    sql(newer, f"PRAGMA application_id={APPLICATION}", f"PRAGMA user_version={LAYOUT + 1}")
    text.write_bytes(b"no database at all, and longer than the head of a file of SQLite would be. " * 20)
    before = [path.read_bytes() for path in (foreign, newer, text)]

    for path, problem in ((foreign, Misconfigured), (newer, NotSupported), (text, Misconfigured)):
        with pytest.raises(problem):
            connect(f"sqlite:///{path}", namespace="ns")

    assert before == [path.read_bytes() for path in (foreign, newer, text)]


def test_folder_that_is_not_there_is_one_clear_error(tmp_path):
    """A store makes a file, and no folder."""
    with pytest.raises(Misconfigured):
        connect(f"sqlite:///{tmp_path}/none/store.db", namespace="ns")


# several processes


def test_processes_add_to_one_counter_and_none_is_lost(url):
    """Transactions of several processes on one file are one after the other."""
    with connect(url, namespace="adding") as store:
        store.create(Tally(name="all"))
        command = [sys.executable, "-m", "tests.backends.sqlite.adding", url]
        running = [subprocess.Popen([*command, name, "20"], cwd=Path(__file__).parents[3]) for name in "xy"]  # noqa: S603
        assert [0, 0] == [process.wait(60) for process in running]

        assert (40, 41) == (store.get(Tally, "all").number, store.count(Tally))
        assert [] == list(store.check().flaws)


def test_event_of_another_process_is_told_to_a_reader_that_waits(file):
    """The reader looks at the file, since nobody else tells it."""
    reader, writer = port_on(file), port_on(file)
    begin = reader.ask(Events()).cursor
    writer.ask(Commit("one", puts=(record(A),)))
    one = reader.ask(Events(begin, wait=timedelta(seconds=20)))
    assert ["one"] == [event.txid for event in one.events]
    assert () == reader.ask(Events(one.cursor, wait=timedelta(seconds=0.03))).events
    for port in (reader, writer):
        port.close()


def test_file_that_another_process_has_locked_is_waited_for_until_the_deadline(file, url):
    """A reader is not hindered; a writer gives up at its deadline, with nothing written."""
    with connect(url, namespace="ns") as store, closing(sqlite3.connect(file, isolation_level=None)) as other:
        store.create(Note(name="a"))
        other.execute("BEGIN IMMEDIATE")
        assert "a" == store.get(Note, "a").name
        with pytest.raises(Unavailable) as caught:
            store.create(Note(name="b"), deadline=SHORT)
        assert any("locked" in reason for reason in caught.value.why)
        other.execute("ROLLBACK")
        store.create(Note(name="b"))


# what goes wrong


@pytest.mark.parametrize("moment", ["_holds", "_put"])
@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit])
def test_interrupt_leaves_the_commit_without_effect_and_the_port_usable(file, monkeypatch, moment, problem):
    """Wherever it comes before the end of the transaction."""
    port = port_on(file)
    inner = getattr(rows, moment)

    def interrupted(*arguments):
        inner(*arguments)
        monkeypatch.setattr(rows, moment, inner)
        raise problem

    monkeypatch.setattr(rows, moment, interrupted)
    with pytest.raises(problem):
        port.ask(Commit("one", puts=(record(A),)))

    assert {} == port.ask(Get((A,)))
    assert Receipt("one") == port.ask(Commit("one", {A: None}, puts=(record(A),)))
    port.close()


def test_interrupt_of_a_read_leaves_the_port_usable(file, monkeypatch):
    """Its transaction ends with it."""
    port = port_on(file)
    with monkeypatch.context() as patched:
        patched.setattr(rows, "_rows", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            port.ask(Get((A,)))
    assert Receipt("one") == port.ask(Commit("one", puts=(record(A),)))
    port.close()


def _interrupt(*_):
    raise KeyboardInterrupt


def test_full_disk_is_one_clear_error_and_nothing_is_written(file):
    """What was stored stays, and there is room again after a delete."""
    port = port_on(file)
    port.ask(Commit("fill", puts=(record(A),)))
    with port._map.connections.lent(1) as connection:
        connection.execute("PRAGMA max_page_count=12")
    large = Record(B, "u-b", 1, b'"%b"' % (b"x" * 100_000), (), (), (), 1, 1)

    with pytest.raises(Misconfigured) as caught:
        port.ask(Commit("two", puts=(large,)))

    assert "full" in caught.value.why[0]
    assert ([A], Outcome.ABORTED) == ([*port.ask(Get((A, B)))], port.ask(Settle("two")))
    port.close()


def test_file_that_cannot_be_written_is_one_clear_error_and_can_be_read(file):
    """Reads go on."""
    port = port_on(file)
    port.ask(Commit("fill", puts=(record(A),)))
    with port._map.connections.lent(1) as connection:
        connection.execute("PRAGMA query_only=ON")

    with pytest.raises(Misconfigured) as caught:
        port.ask(Commit("two", puts=(record(B),)))

    assert ("cannot be written" in caught.value.why[0], [A]) == (True, [*port.ask(Get((A, B)))])
    port.close()


def test_damaged_file_is_found_by_check_and_by_the_doctor(file, url):
    """Pages that somebody has overwritten: one clear error, and no wrong answer."""
    with connect(url, namespace="ns") as store:
        for number in range(300):
            store.create(Note(name=f"n{number}", text="x" * 200))
    data = bytearray(file.read_bytes())
    data[8192:-8192] = b"\xa5" * (len(data) - 16384)
    file.write_bytes(data)

    with connect(url, namespace="ns") as store, pytest.raises(Misconfigured) as caught:
        _check(store)
    assert "damaged" in caught.value.why[0]
    assert not inspect(url, namespace="ns").is_well


def _check(store):
    after = None
    while True:
        page = store.check(after=after)
        after = page.next
        if after is None:
            return


@pytest.mark.parametrize(
    ("code", "in_read", "in_commit"),
    [
        (sqlite3.SQLITE_IOERR_FSYNC, Unreachable, OutcomeLost),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, Unreachable, Unreachable),
        (sqlite3.SQLITE_FULL, Misconfigured, Misconfigured),
        (sqlite3.SQLITE_CORRUPT_VTAB, Misconfigured, Misconfigured),
        (sqlite3.SQLITE_MISUSE, Misconfigured, Misconfigured),
    ],
)
def test_errors_of_sqlite_have_one_meaning(code, in_read, in_commit):
    """After an error of the disk at the end of a transaction, nobody knows whether it has it."""
    problem = sqlite3.OperationalError("said so")
    problem.sqlite_errorcode = code
    assert (in_read, in_commit) == (type(meaning(problem, "f")), type(meaning_of_commit(problem, "f")))


def test_port_that_is_closed_says_so(file):
    """A request after the end, and a second end."""
    port = port_on(file)
    port.close()
    port.close()
    with pytest.raises((Unreachable, StoreError)):
        port._map.later(b"", 0, 1)


# around it


def test_namespaces_are_named_and_dropped(url):
    """One of several goes, the others stay."""
    for name in ("b", "a", "ab"):
        with connect(url, namespace=name) as store:
            store.create(Note(name="x"))
            store.create(Note(name="y"))
    assert ["a", "ab", "b"] == namespaces(url)

    drop_namespace(url, "a")

    assert ["ab", "b"] == namespaces(url)
    with connect(url, namespace="ab") as store:
        assert 2 == store.count(Note)


def test_doctor_looks_at_a_file_and_makes_none(file, url):
    """Its size, its safety, its pages; a file that is not there is not made."""
    assert (False, False) == (inspect(url, namespace="ns").is_well, file.exists())
    with connect(url, namespace="ns") as store:
        store.create(Note(name="a"))
    report = inspect(f"sqlite:///{file}", namespace="ns", require="local-sync")
    assert (True, {"Note": 1}) == (report.is_well, report.records)
    assert not inspect(url, namespace="ns", require="local-sync").is_well
