"""The verbs of lifecycles, and that none of the store's own records shows in any verb."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess

import pytest

from emco_store import Key, connect
from emco_store.cli.exits import Exit
from emco_store.cli.graphs import diagram_of, draw_state_dot, draw_state_mermaid
from emco_store.core.lifecycle_records import standing_key
from tests.cli.stateful import Cloud, CloudLifecycle, Group, GroupLifecycle, Page, Part, Release

MODELS = "tests.cli.stateful"
MERMAID = """\
stateDiagram-v2
    direction LR
    state "Draft — 2" as s0
    state "Starting — 0 — holds cloud in Up" as s1
    state "Up#59; 100 % — 1 — holds cloud in Up" as s2
    [*] --> s0
    s0 --> s1 : start [some(Part), check(is_fine)] / begins an operation
    s1 --> s2 : started / ends an operation, by worker alone
    s1 --> s0 : reset
    s2 --> s0 : reset
    classDef open stroke:#059669
    classDef locked stroke:#dc2626,stroke-width:3px
    class s0 open
    class s1 locked
    class s2 locked
"""
DOT = """\
digraph lifecycle {
    rankdir=LR;
    ranksep=0.8;
    node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica,Arial,sans-serif"];
    edge [fontname="Helvetica,Arial,sans-serif", fontsize=10, color="#94a3b8", arrowsize=0.7];
    "" [shape=point, width=0.15, color=black];
    "Created" [label=<<b>Created</b>>, color="#059669", penwidth=1.2];
    "Up" [label=<<b>Up</b><br/><font color="#64748b">freezes level</font>>, color="#dc2626", penwidth=2.6];
    "Down" [label=<<b>Down</b>>, color="#059669", penwidth=1.2];
    "" -> "Created";
    "Created" -> "Up" [label=<<b>instantiate</b>>];
    "Down" -> "Up" [label=<<b>instantiate</b>>];
    "Up" -> "Down" [label=<<b>terminate</b>>];
}
"""


@pytest.fixture
def place(redis_server):
    """A namespace with a cloud that is up and one that is not, and a group that has started."""
    namespace = f"k{secrets.token_hex(8)}"
    with connect(redis_server.url, namespace=namespace) as store:
        cloud = store.create(Cloud(name="c"))
        store.create(Cloud(name="other"))
        group = store.create(Group(name="g", cloud=cloud))
        store.create(Part(parent=group, name="p"))
        store.transition(cloud, CloudLifecycle.instantiate, note="CHG-7")
        store.transition(group, GroupLifecycle.start)
    return ("--store", redis_server.url, "--namespace", namespace, "--models", MODELS)


def test_diagram_in_mermaid_shows_states_steps_and_numbers():
    """Guards, effects, holds and numbers stand in the diagram, and syntax characters are escaped."""
    assert MERMAID == draw_state_mermaid(diagram_of(Group, {"Draft": 2, "Up; 100 %": 1}))


def test_diagram_in_dot_is_the_same_each_time():
    """Deletable states are open, the others are locked; what is frozen stands in them."""
    assert DOT == draw_state_dot(diagram_of(Cloud))


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_draws_the_diagram():
    """Graphviz accepts the text, and draws each state."""
    text = draw_state_dot(diagram_of(Group, {"Draft": 2}))

    svg = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, check=True).stdout  # noqa: S607

    assert all(state in svg for state in ("Draft", "Starting", "Up; 100"))


def test_graph_of_a_lifecycle_needs_no_store(run):
    """From the class alone, there are no numbers."""
    ended = run("graph", "--lifecycle", "Cloud", "--models", MODELS)

    assert (Exit.OK, True, False) == (ended.code, "instantiate → Up" in ended.out, "resource" in ended.out)


@pytest.mark.parametrize(
    "arguments",
    [
        ("graph", "--lifecycle", "Part"),
        ("graph", "--lifecycle", "Cloudd"),
        ("graph", "Cloud/c", "--lifecycle", "Cloud"),
        ("lifecycle", "Part/g/p"),
        ("lifecycle", "Nothing/g"),
        ("lifecycle", "emco__Lifecycle/Cloud/c"),
        ("transition", "Cloud/c", "instantiat"),
        ("transition", "Cloud/c", "__init__"),
        ("transition", "Cloud/c", "instantiate", "--digest", "sha256:0"),
        ("transition", "Release/r", "approve"),
        ("transition", "Release/r", "approve", "--plan", "--digest", "x"),
    ],
)
def test_mistake_is_one_message(run, arguments):
    """What cannot be meant ends with the exit code for wrong commands."""
    ended = run(*arguments, "--models", MODELS)

    assert (Exit.USAGE, "") == (ended.code, ended.out)


@pytest.mark.redis
def test_graph_shows_how_many_are_in_each_state(run, place):
    """With a store, each state has its number."""
    ended = run("graph", "--lifecycle", "Cloud", *place)

    for line in ("Created  can be deleted  initial  1 resource", "Up  locked  1 resource", "Down  can be deleted  0"):
        assert line in ended.out


@pytest.mark.redis
def test_lifecycle_shows_the_state_and_the_way_on(run, place):
    """The card names the state, since when, the note, and the transitions that leave it."""
    ended = run("lifecycle", "Cloud/c", *place)
    plain = json.loads(run("lifecycle", "Group/g", "-o", "json", *place).out)

    assert Exit.OK == ended.code
    for text in ("Cloud/c  Up  locked", "CHG-7", "terminate → Down"):
        assert text in ended.out
    assert ("Group/g", "Starting", ["started", "reset"], False) == (
        plain["key"], plain["state"], plain["transitions"], plain["deletable"],
    )  # fmt: skip
    assert plain["operation"]


@pytest.mark.redis
def test_transition_changes_the_state_or_says_why_not(run, place):
    """A transition that is possible is made; one that is held is refused with its reason."""
    held = run("transition", "Cloud/c", "terminate", *place)
    made = run("transition", "Cloud/other", "instantiate", "--note", "up", *place)
    reset = run("transition", "Group/g", "reset", "-o", "json", *place)
    again = run("transition", "Group/g", "start", *place)

    assert (Exit.REFUSED, True) == (held.code, "Group/g" in held.err)
    assert (Exit.OK, "Cloud/other  → Up\n") == (made.code, made.out)
    assert "Draft" == json.loads(reset.out)["state"]
    assert (Exit.OK, True) == (again.code, "is under way" in again.err)


@pytest.mark.redis
def test_plan_gives_the_digest_that_an_approval_needs(run, place):
    """What is approved is what the plan has shown; another digest is refused, and so is a guard that does not hold."""
    with connect(place[1], namespace=place[3]) as store:
        store.create(Page(parent=store.create(Release(name="r")), name="p"))
    plan = json.loads(run("transition", "Release/r", "approve", "--plan", "-o", "json", *place).out)
    shown = run("transition", "Release/r", "approve", "--plan", *place)
    refused = run("transition", "Release/r", "publish", "--plan", *place)
    other = run("transition", "Release/r", "approve", "--digest", "sha256:0", *place)
    made = run("transition", "Release/r", "approve", "--digest", plan["digest"], "--actor", "bob", *place)

    assert ["Page/r/p", "Release/r"] == sorted(plan["members"])
    assert (Exit.OK, True) == (shown.code, plan["digest"] in shown.out)
    assert (Exit.REFUSED, True) == (refused.code, "! approved()" in refused.out)
    assert (Exit.REFUSED, Exit.OK) == (other.code, made.code)
    assert "revision 1 by bob" in run("lifecycle", "Release/r", *place).out


@pytest.mark.redis
def test_report_of_an_operation_needs_its_writer(run, place):
    """Only the actor whom the lifecycle names ends an operation, and only the one that is under way."""
    operation = json.loads(run("lifecycle", "Group/g", "-o", "json", *place).out)["operation"]
    nobody = run("transition", "Group/g", "started", "--operation", operation, *place)
    other = run("transition", "Group/g", "started", "--operation", "another", "--actor", "worker", *place)
    worker = run("transition", "Group/g", "started", "--operation", operation, "--actor", "worker", *place)

    assert [Exit.REFUSED, Exit.REFUSED, Exit.OK] == [nobody.code, other.code, worker.code]


@pytest.mark.redis
def test_no_verb_shows_the_stores_own_records(run, place):
    """Exports, graphs, lists, checks, plans and counts are about resources alone (RES-2, RES-4)."""
    export = run("export", "--format", "json", *place)
    doctor = json.loads(run("doctor", "-o", "json", *place).out)
    check = run("check", "--json", "--unknown-kinds", *place)
    others = [
        run("graph", "Cloud/c", *place),
        run("graph", *place),
        run("list", "Cloud", *place),
        run("list", "X", *place),
    ]

    assert ["Cloud/c", "Cloud/other", "Group/g", "Part/g/p"] == [one["key"] for one in json.loads(export.out)]
    assert {"Cloud": 2, "Group": 1, "Part": 1} == doctor["records"]
    assert 4 == json.loads(check.out.splitlines()[-1])["checked"]["records"]
    for ended in (export, check, *others):
        assert "emco__" not in ended.out + ended.err


@pytest.mark.redis
def test_delete_that_a_state_forbids_says_the_state(run, place):
    """The plan and the refusal speak of the resource (RES-3)."""
    plan = run("delete", "Group/g", "Cloud/c", "--plan", *place)
    named = run("delete", "Cloud/c", standing_key(Key("Cloud", "c")), *place)

    assert (Exit.REFUSED, Exit.USAGE) == (plan.code, named.code)
    assert "! Cloud/c is Up" in plan.out
    assert "! Group/g is Starting" in plan.out
    assert "emco__" not in plan.out
