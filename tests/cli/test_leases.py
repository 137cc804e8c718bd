"""The verbs of leases: who holds what, what is assigned to whom, and the end of a lease."""

from __future__ import annotations

import io
import json
import sys

import pytest

from emco_store import Key, LeaseLost, MissingReference, connect
from emco_store.cli import main
from emco_store.cli.exits import Exit
from tests.cli.leased import Operator, Session, Window, Worker

PLACE = ("--store", "kept://", "--models", "tests.cli.leased")


@pytest.fixture
def store(kept):
    """A store with two workers, of which nobody leases the second, and an operator for each."""
    with connect(kept, namespace="default") as opened:
        opened.create(Worker(name="w2"))
        yield opened


@pytest.fixture
def lease(store):
    """The lease of the first worker, to which an operator and a session are assigned."""
    with store.lease(Worker(name="w1")) as held:
        store.create(Operator(name="map", worker="Worker/w1"))
        store.create(Operator(name="idle"))
        store.create(Session(name="s", worker="Worker/w1"))
        yield held


@pytest.mark.usefixtures("lease")
def test_workers_shows_verdict_token_holder_and_what_is_assigned(run, store):
    """Each worker of the kind has a line, whether somebody holds its lease or not."""
    ended = run("workers", "Worker", *PLACE)

    head, held, free = ended.out.splitlines()
    (state, _) = store.leases(Worker).resources
    assert Exit.OK == ended.code
    assert ["VERDICT", "RESOURCE", "LAST", "BEAT", "TOKEN", "HOLDER", "ASSIGNED", "PROGRESS"] == head.split()
    assert ["alive", "Worker/w1"] == held.split()[:2]
    assert ["free", "Worker/w2", "-", "-", "-", "-", "-"] == free.split()
    for text in (f"  {state.token}  ", state.holder, " s ago", "Operator/map, Session/s"):
        assert text in held
    assert "2 leases shown" in ended.err


def test_workers_for_programs_gives_every_attribute(run, lease, store):
    """JSON carries what the library knows of a lease, and each reference that needs it, with its rule."""
    (item,) = json.loads(run("workers", "-o", "json", *PLACE).out)["items"]

    (state,) = store.leases().resources
    assert ("Worker/w1", "alive", lease.token, state.holder, 3600.0) == tuple(
        item[name] for name in ("resource", "verdict", "token", "holder", "ttl_s")
    )
    assert item["silent_s"] >= 0
    assert [("Operator/map", "SET_NULL"), ("Session/s", "CASCADE")] == [
        (one["key"], one["on_expire"]) for one in item["assigned"]
    ]
    assert {"worker"} == {one["place"] for one in item["assigned"]}
    assert not item["has_more_assigned"]


@pytest.mark.usefixtures("lease")
def test_workers_without_models_shows_what_is_held_and_what_is_assigned(run):
    """Neither leases nor references need a model here."""
    ended = run("workers", "--store", "kept://")

    assert "Operator/map, Session/s" in ended.out
    assert "Worker/w2" not in ended.out


def test_workers_shows_seats(run, store):
    """The lease of a seat is one like others, and its key ends it."""
    with store.lease("billing-leader"):
        shown = run("workers", *PLACE)
        ended = run("expire", "emco_Seat/billing-leader", *PLACE)
        after = run("workers", *PLACE)

    assert "emco_Seat/billing-leader" in shown.out
    assert (Exit.OK, "") == (ended.code, after.out)


def test_page_of_workers_goes_on_after_its_cursor(run, store):
    """The pages, one after the other, hold each lease once."""
    with store.lease(Worker(name="w0")), store.lease(Worker(name="w1")):
        first = json.loads(run("workers", "--limit", 1, "-o", "json", *PLACE).out)
        second = json.loads(run("workers", "--limit", 1, "--after", first["next"], "-o", "json", *PLACE).out)

    assert ["Worker/w0", "Worker/w1"] == [page["items"][0]["resource"] for page in (first, second)]
    assert second["next"] is None


def test_more_assigned_than_shown_is_said(run, store):
    """A holder of very much work is shown with the first ones, and the cut is no secret."""
    with store.lease(Worker(name="w1")):
        with store.transaction() as tx:
            for number in range(101):
                tx.create(Operator(name=f"o{number:03}", worker="Worker/w1"))
        table = run("workers", *PLACE)
        (item,) = json.loads(run("workers", "-o", "json", *PLACE).out)["items"]

    assert "Operator/o005 and 94 or more others" in table.out
    assert (100, True) == (len(item["assigned"]), item["has_more_assigned"])


@pytest.mark.usefixtures("lease")
def test_referrer_that_cannot_be_read_is_an_error(run, kept):
    """What is assigned and cannot be read is not left out in silence."""
    broken = kept._spaces["default"].records["Operator/map"]
    object.__setattr__(broken, "document", b'{"name":"map","nonsense":1}')

    ended = run("workers", "Worker", *PLACE)

    assert Exit.REFUSED == ended.code
    assert "Session/s" in ended.out
    assert "Operator/map" in ended.err


class _Impatient(io.StringIO):
    """An output at which the user presses Ctrl-C when something has been shown twice."""

    def __init__(self, sign: str, *, is_terminal: bool) -> None:
        super().__init__()
        self.sign = sign
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        """Return whether it passes for a terminal."""
        return self.is_terminal

    def flush(self) -> None:
        """Be interrupted once, at the second time."""
        if self.sign and self.getvalue().count(self.sign) >= 2:
            self.sign = ""
            raise KeyboardInterrupt


@pytest.mark.usefixtures("lease")
@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_watch_without_a_terminal_shows_one_look_below_the_other(monkeypatch, output):
    """Until it is interrupted; JSON has a line for each look."""
    shown = _Impatient("Worker/w1", is_terminal=False)
    monkeypatch.setattr(sys, "stdout", shown)

    code = main(["workers", "--watch", "-o", output, *PLACE])

    text = shown.getvalue()
    assert Exit.INTERRUPTED == code
    assert "\x1b" not in text
    assert output != "json" or ["Worker/w1"] * 2 == [
        json.loads(line)["items"][0]["resource"] for line in text.splitlines()
    ]


@pytest.mark.usefixtures("lease")
def test_watch_on_a_terminal_draws_in_the_same_place(monkeypatch):
    """The cursor goes up before the second look."""
    monkeypatch.setenv("TERM", "xterm")
    shown = _Impatient("Worker/w1", is_terminal=True)
    monkeypatch.setattr(sys, "stdout", shown)

    code = main(["workers", "--watch", *PLACE])

    first, second = shown.getvalue().split("Worker/w1")[:2]
    assert Exit.INTERRUPTED == code
    assert "\x1b[1A" in second
    assert "\x1b[1A" not in first


def test_expire_frees_work_and_fences_the_holder(run, store, lease):
    """What is assigned is freed or goes, as its rule says, and the holder commits nothing more that requires it."""
    ended = run("expire", "Worker/w1", "--reason", "node drained", "--actor", "ops", *PLACE)

    operator = store.get(Operator, "map")
    line = "Worker/w1: its lease is over; 1 resource deleted (Session 1), 1 resource changed (Operator 1)\n"
    assert (Exit.OK, line) == (ended.code, ended.out)
    assert (None, "ops", "node drained") == (operator.worker, operator.meta.actor, operator.meta.reason)

    def late(tx):
        tx.require(lease)
        tx.update(operator)

    with pytest.raises(LeaseLost):
        store.run(late)
    with pytest.raises(MissingReference):
        store.create(Operator(name="late", worker="Worker/w1"))


def test_expire_for_programs_gives_figures(run, lease):
    """JSON carries how many resources of each kind were deleted and changed."""
    ended = run("expire", lease.resource, "-o", "json", *PLACE)

    assert {"key": "Worker/w1", "deleted": {"Session": 1}, "changed": {"Operator": 1}} == json.loads(ended.out)


@pytest.mark.usefixtures("lease")
def test_plan_of_an_end_shows_everything_and_writes_nothing(run, store):
    """What would go and what would change stands in the plan, as a tree and for programs."""
    table = run("expire", "Worker/w1", "--plan", *PLACE)
    plan = json.loads(run("expire", "Worker/w1", "--plan", "-o", "json", *PLACE).out)

    assert Exit.OK == table.code
    assert [
        "1 resource would go, 1 resource would change: can be applied",
        "├── - Session/s  worker CASCADE",
        "└── ~ Operator/map worker -> null (SET_NULL)",
    ] == table.out.splitlines()
    via = {"place": "worker", "target": "the lease of Worker/w1", "rule": "CASCADE"}
    assert [{"key": "Session/s", "via": via}] == plan["deletes"]
    assert [{"key": "Operator/map", "place": "worker", "target": "Worker/w1", "rule": "SET_NULL"}] == plan["updates"]
    assert "alive" == store.leases().resources[0].verdict


@pytest.mark.usefixtures("lease")
def test_end_that_is_blocked_is_refused(run, store):
    """What restricts a delete restricts the end of a lease too; the plan says so first."""
    store.create(Window(parent="Session/s", name="w"))

    table = run("expire", "Worker/w1", "--plan", *PLACE)
    plan = run("expire", "Worker/w1", "--plan", "-o", "json", *PLACE)
    ended = run("expire", "Worker/w1", *PLACE)
    store.delete(Key.parse("Window/s/w"))  # so that the lease can end

    assert [Exit.REFUSED] * 3 == [table.code, plan.code, ended.code]
    assert "! Window/s/w parent → Session/s  RESTRICT" in table.out
    (blocker,) = json.loads(plan.out)["blockers"]
    assert ("Window/s/w", "Session/s", "RESTRICT", "rule") == tuple(
        blocker[name] for name in ("key", "target", "rule", "reason")
    )
    assert "[DEL-RESTRICTED]" in ended.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("expire", "Worker/w2"), Exit.NOT_FOUND),
        (("expire", "Worker/w2", "--plan"), Exit.NOT_FOUND),
        (("expire", "Worker"), Exit.USAGE),
        (("expire", "emco__Lease/Worker/w1"), Exit.USAGE),
        (("expire", "Worker/w1", "--reason", "x" * 10_000), Exit.USAGE),
        (("expire",), Exit.USAGE),
        (("workers", "Ward"), Exit.USAGE),
        (("workers", "Wroker"), Exit.USAGE),
        (("workers", "emco__Lease"), Exit.USAGE),
        (("workers", "--limit", "0"), Exit.USAGE),
        (("workers", "--after", "\0"), Exit.USAGE),
        (("workers", "--stall-after", "0"), Exit.USAGE),
        (("workers", "--stall-after", "nan"), Exit.USAGE),
        (("workers", "--stall-after", "1e30"), Exit.USAGE),
        (("workers", "--stall-after", "soon"), Exit.USAGE),
    ],
)
@pytest.mark.usefixtures("lease")
def test_mistake_is_one_message(run, arguments, code):
    """What cannot be meant, or is not there, ends with its exit code and says so."""
    ended = run(*arguments, *PLACE)

    assert (code, "", True) == (ended.code, ended.out, "  Hint: " in ended.err), ended.err


def test_holder_cannot_steer_a_terminal(run, store):
    """What holders report is shown with escapes."""
    with store.lease(Worker(name="w1")) as lease:
        lease.progress(**{"\x1b[31m": "\x1b[31m"})
        store._beater.beat()
        ended = run("workers", *PLACE)

    assert "\x1b" not in ended.out
    assert "\\x1b[31m=" in ended.out


def test_plan_of_a_delete_for_programs(run, bundle):
    """A plan of a delete has the same form as that of an end."""
    plan = json.loads(run("delete", "Project/p1", "--plan", "-o", "json", "--load", bundle).out)
    done = json.loads(run("delete", "Cluster/edge/c1", "-o", "json", "--load", bundle).out)

    assert [{"key": "Project/p1", "via": None}] == plan["deletes"]
    assert ["CompositeApp/p1/vfw/v1"] == [one["key"] for one in plan["blockers"]]
    assert {"deleted": {"Cluster": 1}, "changed": {}, "missing": []} == done
