"""The verbs of approval and of histories, from an approval to a restore."""

from __future__ import annotations

import json
import secrets

import pytest

from emco_store import Key, connect
from emco_store.cli.exits import Exit
from tests.cli.stateful import Page, Release, ReleaseLifecycle

pytestmark = pytest.mark.redis
MODELS = "tests.cli.stateful"
KEY = "Release/r"


@pytest.fixture
def place(redis_server):
    """A release with two approved revisions, of which the first is tagged, and a change since."""
    namespace = f"k{secrets.token_hex(8)}"
    with connect(redis_server.url, namespace=namespace, actor="alice") as store:
        release = store.create(Release(name="r", title="one"))
        first = store.create(Page(parent=release, name="first", text="hello"))
        _approve(store)
        store.tag(release, 1, "stable")
        store.update(first.model_copy(update={"text": "\x1b[31mbye"}))
        store.create(Page(parent=release, name="second"))
        _approve(store)
        store.update(store.get(Release, "r").model_copy(update={"title": "two"}))
    return ("--store", redis_server.url, "--namespace", namespace, "--models", MODELS)


def _approve(store):
    key = Key.parse(KEY)
    plan = store.plan_transition(key, ReleaseLifecycle.approve)
    store.transition(key, ReleaseLifecycle.approve, digest=plan.digest)


def test_plan_gives_the_digest_that_the_approval_needs(run, place):
    """What is approved is what the plan has shown; another digest is refused."""
    plan = json.loads(run("transition", KEY, "approve", "--plan", "-o", "json", *place).out)
    other = run("transition", KEY, "approve", "--digest", "sha256:0", *place)
    made = run("transition", KEY, "approve", "--digest", plan["digest"], "--actor", "bob", *place)
    shown = run("lifecycle", KEY, *place)

    assert (["Page/r/first", "Page/r/second", KEY], [KEY]) == (sorted(plan["members"]), plan["changes"])
    assert (Exit.REFUSED, Exit.OK) == (other.code, made.code)
    assert "revision 3 by bob" in shown.out


def test_plan_of_a_refused_transition_ends_with_1(run, place):
    """The plan names each reason, and nothing is written."""
    ended = run("transition", KEY, "publish", "--plan", *place)

    assert (Exit.REFUSED, True) == (ended.code, "! approved()" in ended.out)


def test_history_shows_revisions_of_each_incarnation(run, place):
    """Numbers, tags and approvals, the newest first; after a delete too."""
    before = run("history", KEY, *place)
    plain = json.loads(run("history", KEY, "-o", "json", "--limit", "1", *place).out)
    run("delete", KEY, *place)
    after = run("history", KEY, *place)

    for text in ("2 ✓", "1 ✓", "[stable]", "by alice", "Approved"):
        assert text in before.out
    assert (2, "alice", True) == (plain["items"][0]["number"], plain["items"][0]["actor"], plain["next"] is not None)
    assert ", gone" not in before.out
    assert ", gone" in after.out


def test_diff_shows_paths_and_both_values(run, place):
    """Added, removed and changed resources, each field with its path; what would steer a terminal is escaped."""
    ended = run("diff", KEY, "stable", "2", *place)
    now = json.loads(run("diff", KEY, "2", "-o", "json", *place).out)

    for text in ("+ Page/r/second", "~ Page/r/first", '- text: "hello"', "+ text: "):
        assert text in ended.out
    assert "\x1b" not in ended.out
    assert (2, None, [], []) == (now["before"], now["after"], now["added"], now["removed"])
    assert [{"key": KEY, "fields": [{"path": "title", "before": "one", "after": "two"}]}] == now["changed"]


def test_rollback_shows_the_plan_and_applies_it_when_told(run, place):
    """Without --apply, nothing changes; with it, the content is that of the revision."""
    plan = run("rollback", KEY, "stable", *place)
    same = run("diff", KEY, "2", *place)
    done = run("rollback", KEY, "1", "--apply", "--note", "CHG-9", *place)
    after = run("diff", KEY, "stable", *place)

    assert (Exit.OK, True, True) == (plan.code, "- Page/r/second" in plan.out, "--apply" in plan.err)
    assert "title" in same.out
    assert (Exit.OK, True) == (done.code, "revision 3" in done.out)
    assert "no difference" in after.out
    assert "CHG-9" in run("history", KEY, *place).out


def test_restore_brings_back_what_is_gone(run, place):
    """A resource that was deleted is created again from a revision, with its children."""
    run("delete", KEY, *place)

    plan = run("restore", KEY, *place)
    done = run("restore", KEY, "stable", "--apply", *place)

    assert (Exit.OK, True) == (plan.code, "+ Page/r/second" in plan.out)
    assert Exit.OK == done.code
    assert [KEY, "Page/r/first"] == sorted(
        [one["key"] for one in json.loads(run("export", "--format", "json", *place).out)], reverse=True
    )


def test_tags_move_and_prune_keeps_them(run, place):
    """A tag names one revision, and what has one is not pruned."""
    moved = run("tag", KEY, "2", "best", *place)
    gone = run("tag", KEY, "best", "--remove", *place)
    pruned = run("prune", KEY, "--keep", "1", *place)

    assert (Exit.OK, Exit.OK) == (moved.code, gone.code)
    assert "0 revisions removed, 2 kept\n" == pruned.out


def test_prune_forgets_what_is_gone(run, place):
    """Everything of a resource that is there stays; of one that is gone, nothing does when told so."""
    there = run("prune", KEY, "--forget", *place)
    run("delete", KEY, *place)
    gone = run("prune", KEY, "--forget", *place)

    assert (Exit.REFUSED, Exit.OK) == (there.code, gone.code)
    assert "2 revisions removed" in gone.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("history", "Page/r/first"), Exit.USAGE),
        (("history", "emco__Revision/Release/r"), Exit.USAGE),
        (("history", KEY, "--limit", "0"), Exit.USAGE),
        (("history", KEY, "--after", "x"), Exit.USAGE),
        (("diff", KEY, "now"), Exit.USAGE),
        (("diff", KEY, "0"), Exit.USAGE),
        (("diff", KEY, "99"), Exit.NOT_FOUND),
        (("rollback", KEY, "99"), Exit.NOT_FOUND),
        (("rollback", KEY, "1", "--leave-out", "Page/r/nothing"), Exit.USAGE),
        (("restore", KEY), Exit.REFUSED),
        (("tag", KEY, "1"), Exit.USAGE),
        (("tag", KEY, "1", "2"), Exit.USAGE),
        (("tag", KEY, "1", "a", "--remove"), Exit.USAGE),
        (("tag", KEY, "nothing", "--remove"), Exit.NOT_FOUND),
        (("prune", KEY, "--keep", "0"), Exit.USAGE),
        (("transition", KEY, "approve"), Exit.USAGE),
        (("transition", KEY, "approve", "--plan", "--digest", "x"), Exit.USAGE),
    ],
)
def test_mistake_is_one_message(run, place, arguments, code):
    """What cannot be meant, or is not there, ends with its exit code and says so."""
    ended = run(*arguments, *place)

    assert (code, "", True) == (ended.code, ended.out, bool(ended.err))
