"""``apply --run``: a bundle with its actions, after a plan that is shown first."""

from __future__ import annotations

import io
import secrets

import pytest

from emco_store import connect
from emco_store.cli.exits import Exit
from emco_store.emco import CloudState

pytestmark = pytest.mark.redis
STATED = """\
version: emco/v2
resourceContext: {anchor: projects}
metadata: {name: p1}
---
version: emco/v2
resourceContext: {anchor: projects/p1/logical-clouds}
metadata: {name: lc}
spec: {level: "1", namespace: ns1}
"""
ACTION = """\
---
version: emco/v2
resourceContext: {anchor: projects/p1/logical-clouds/lc/VERB}
"""
UP, UPDATE = (ACTION.replace("VERB", verb) for verb in ("instantiate", "update"))


@pytest.fixture
def place(redis_server):
    """The options of a command for an empty namespace."""
    return ("--store", redis_server.url, "--namespace", f"k{secrets.token_hex(8)}")


@pytest.fixture
def bundle(tmp_path):
    """Writes a bundle, and returns the name of its file."""

    def write(*texts):
        file = tmp_path / "bundle.yaml"
        file.write_text("".join(texts), encoding="utf-8")
        return str(file)

    return write


def _found(place):
    with connect(place[1], namespace=place[3]) as store:
        return store.list("LogicalCloud").items


def test_plan_shows_each_action_and_writes_nothing(run, place, bundle):
    """The plan follows the states through the bundle, in which the cloud does not exist yet."""
    ended = run("apply", "-f", bundle(STATED, UP, UPDATE), "--plan", *place)

    assert Exit.OK == ended.code
    assert "Plan: 2 resources to create, 0 to update; can be applied." == ended.out.splitlines()[0]
    assert "Plan: 2 resources stated, 2 actions; can be carried out." in ended.out.splitlines()
    assert "instantiate LogicalCloud/p1/lc: Created -> Instantiated" in ended.out
    assert "update LogicalCloud/p1/lc: Instantiated -> Instantiated" in ended.out
    assert not _found(place)


def test_actions_are_carried_out_in_their_order(run, place, bundle):
    """With ``--yes`` nobody is asked, and a second run finds everything as it should be."""
    file = bundle(STATED, UP)
    first = run("apply", "-f", file, "--run", "--yes", *place)
    second = run("apply", "-f", file, "--run", "--yes", *place)
    shown = run("lifecycle", "LogicalCloud/p1/lc", *place)

    assert (Exit.OK, Exit.OK) == (first.code, second.code)
    assert "2 resources created" in first.out
    assert "Instantiated, as before" in second.out
    assert CloudState.UP.value in shown.out


def test_action_that_the_state_does_not_allow_is_refused_with_the_plan(run, place, bundle):
    """The plan says which state is needed, and nothing of the bundle is done."""
    file = bundle(STATED, UPDATE, UP)
    ended = run("apply", "-f", file, "--run", "--yes", *place)

    assert Exit.REFUSED == ended.code
    assert "! " in ended.out
    assert "it would be Created, Instantiated is needed" in ended.out
    assert not _found(place)


def test_action_that_fails_says_what_was_done_before(run, place, bundle):
    """The error names the document; what came before stays."""
    more = (
        "---\nversion: emco/v2\n"
        "resourceContext: {anchor: projects/p1/composite-apps/a/v1/deployment-intent-groups/d/approve}\n"
    )
    ended = run("apply", "-f", bundle(STATED, UP, more), "--run", "--yes", *place)

    assert (Exit.NOT_FOUND, True) == (ended.code, "before that: 2 resources created" in ended.err)
    assert _found(place)


@pytest.mark.parametrize("answer", ["yes\n", "no\n", ""])
def test_somebody_at_a_terminal_is_asked(run, place, bundle, monkeypatch, answer):
    """Only ``yes`` carries the bundle out."""
    stream = io.StringIO(answer)
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", stream)

    ended = run("apply", "-f", bundle(STATED, UP), "--run", *place)

    assert (Exit.OK, True) == (ended.code, "Carry out 1 action?" in ended.err)
    assert (answer == "yes\n") is bool(_found(place))


def test_nobody_at_a_terminal_is_a_wrong_command(run, place, bundle):
    """Without ``--yes`` and a terminal, nothing is done."""
    ended = run("apply", "-f", bundle(STATED, UP), "--run", *place)

    assert Exit.USAGE == ended.code
    assert not _found(place)
