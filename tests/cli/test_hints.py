"""Hints on the command line name commands: no hint that can be shown there is a call of the library."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import emco_store
from emco_store import DeleteRestricted, Key, MemoryBackend, connect
from emco_store.cli.hints import in_commands, plan_in_commands, said
from emco_store.emco import CATALOGUE, DigLifecycle, apply_bundle
from tests.emco.conftest import EXAMPLES, bundle_of

PACKAGE = Path(emco_store.__file__).parent
ROOMS = ("core", "flows", "emco")
"""Where the texts of errors come from that a command can show."""
CALL = re.compile(r"[a-z_.]*\b[a-z_]+\([^ )]*\)|\bstore\.[a-z_]+|\b[a-z_]+=…")
FOR_PROGRAMS = {
    'call consumer.skip(failure, reason="…") with the error that run() has raised.',
    "use the newer class; get() values of the earlier one again.",
    "take the value that create() gives back.",
    "give it a method report(namespace).",
    "call store.transaction() for each block.",
    "get() the resource again, and report what is so now.",
    "report it through the store of that program, opened with connect(…, actor=…).",
    "give a subclass of Status; statuses() reads those of all writers.",
    "create() it; or get() the stored one and change that with model_copy(update=…).",
    "get() it again from tx, or go on with what the earlier call gave back.",
    "leave if_version= and if_match= out, or update().",
    "pass a plain function, or connect_async().",
    "list with parent=…, or with stable=False if the transaction need not see all of them.",
    "correct hold(…, needs=…).",
    "give a sink: an object with position() and send(batch).",
    "wait until cache.ready(), or read from the store.",
    "give a function for it: store.follow(Model).cache(index={…}).",
    "after a write of your own, call cache.wait(…) first; or ask the store.",
    "call store.follow(…).cache() for each block.",
    "use it as `with store.follow(Model).cache() as cache:`.",
    "follow one model, or watch all kinds with store.watch().",
    "leave the commit to store.apply(plan), or give the function to store.run().",
}
"""Hints at which no command can arrive: about classes, values and transactions, which only programs make."""
ABOUT_CLASSES = re.compile(
    r"\bclass\b|lease=timedelta|some_of\(|indexed\(\)|Key\.parse\(|lifecycle=|Annotated\[|update=\{"
)


def hints():
    """Yield the texts that stand in the source as hints, with a letter in the place of what is filled in."""
    for room in ROOMS:
        for file in sorted((PACKAGE / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    given = [one.value for one in node.keywords if one.arg == "hint"]
                    is_objection = isinstance(node.func, ast.Name) and node.func.id == "Objection"
                    for value in [*given, *(node.args[1:2] if is_objection else [])]:
                        yield from ((file.name, text) for text in texts(value))


def texts(node):
    """Yield the texts of an expression."""
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(one.value) if isinstance(one, ast.Constant) else "1" for one in node.values)
    elif isinstance(node, ast.Constant):
        yield str(node.value)
    else:
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, ast.expr) and not isinstance(node, ast.Call):
                yield from texts(inner)


def test_hints_name_commands():
    """Each hint with a call has a command in its place, or is for programs alone."""
    found = list(hints())

    calls = {(name, text) for name, text in found if CALL.search(text) and not ABOUT_CLASSES.search(text)}
    assert len(found) > 100
    assert len(calls) > 15
    assert [] == [(name, said(text)) for name, text in calls if text not in FOR_PROGRAMS and CALL.search(said(text))]


@pytest.mark.parametrize(
    ("hint", "command"),
    [
        ('store.diff(key, 3, "now") shows the change; approve it (approve), or roll back.',
         "emco-store diff Group/a/b 3 now shows the change; approve it (approve), or roll back."),
        ("plan_transition() shows the content: give the digest of that plan, or apply() it.",
         "emco-store transition Group/a/b STEP --plan shows the content: give its digest with --digest."),
        ("check the key; list(…) shows what is there.", "check the key; emco-store list Group shows what is there."),
        ("give keep= a number from 1.", "give --keep a number from 1."),
    ],
)  # fmt: skip
def test_command_names_the_resource(hint, command):
    """The key of the resource stands in the command, so that it can be given as it is."""
    assert command == said(hint, Key("Group", "a", "b"))


def test_key_is_quoted_for_the_shell():
    """What a shell would read as its own is quoted; a hint about several resources leaves the key to the reader."""
    key, other = Key("App", "a b's"), Key("App", "b")
    hint = "store.plan_delete(key) shows the whole plan."

    one = DeleteRestricted("Cannot delete it.", hint=hint, keys=(key,))
    two = DeleteRestricted("Cannot delete them.", hint=hint, keys=(key, other))

    assert f"emco-store delete {key.text} --plan shows" in in_commands(one)
    assert "emco-store delete KEY --plan shows" in in_commands(two)


def test_refused_command_names_the_next_one(run, bundle):
    """A refused delete shows how to see its plan, and what is not there how to list."""
    refused = run("delete", "Project/p1", "--load", bundle)
    absent = run("get", "App/p1/vfw/v1/none", "--load", bundle)

    assert "emco-store delete Project/p1 --plan" in refused.err
    assert "emco-store list App shows what is there" in absent.err
    assert "store." not in (refused.err + absent.err).replace("memory://", "")


def test_plan_of_a_transition_names_commands():
    """The hint in a plan is the command that shows what has changed since the approval."""
    live = Key("DeploymentIntentGroup", "harbour", "vision", "v1", "live")
    text = (EXAMPLES / "edge.yaml").read_text(encoding="utf-8")
    with connect(MemoryBackend(), namespace="emco", models=CATALOGUE) as store:
        apply_bundle(store, bundle_of(text))
        store.transition(live, DigLifecycle.approve, digest=store.digest(live))
        store.delete(Key("GroupIntent", *live.segments, "intents"))

        plan = store.plan_transition(live, DigLifecycle.instantiate)

    assert f"emco-store diff {live} 1 now shows the change" in plan_in_commands(plan)
    assert "store.diff(" not in plan_in_commands(plan)
