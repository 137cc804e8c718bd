"""``emco-store check``: what is told, what is repaired, and what a script may conclude."""

from __future__ import annotations

import json
import secrets

import pytest
from redis import Redis

from emco_store import Store, connect
from tests.checking.scenes import MODELS, Box, fill

pytestmark = pytest.mark.redis
SCENES = "tests.checking.scenes"


@pytest.fixture
def place(redis_server):
    """A namespace in which one route refers to a site that is gone, and one index entry leads to nothing."""
    namespace = f"k{secrets.token_hex(8)}"
    with connect(redis_server.url, namespace=namespace, models=MODELS) as store:
        fill(store)
    with Redis.from_url(redis_server.url) as raw:
        at = f"{{emco:{namespace}}}:"
        raw.hdel(f"{at}records", "Site/b")
        raw.hdel(f"{at}guards", "Site/b")
        raw.zrem(f"{at}keys", "Site/b")
        raw.zadd(f"{at}index", {"garbage\x1b[31m": 0})
    return ("--store", redis_server.url, "--namespace", namespace, "--models", SCENES)


def test_check_of_a_sound_store_ends_with_0(run):
    """A store without a flaw says so."""
    ended = run("check", "--models", SCENES)

    assert (0, True) == (ended.code, "Nothing is wrong" in ended.out)


def test_check_tells_what_is_wrong_and_ends_with_5(run, place):
    """Each flaw is shown with what can be done, and characters that steer a terminal are not."""
    ended = run("check", *place)

    assert 5 == ended.code
    for text in ("dangling", "Route/r stops[1]", "Site/b", "Repair: takes the entry out", "stray-entry", "2 flaws"):
        assert text in ended.out
    assert "\x1b" not in ended.out


def test_check_for_programs_gives_one_value_a_line(run, place):
    """With ``--json`` each line can be read by itself."""
    ended = run("check", "--json", *place)

    *flaws, last = [json.loads(line) for line in ended.out.splitlines()]
    assert {("dangling", "edit"), ("stray-entry", "mend")} == {
        (one["flaw"]["kind"], one["flaw"]["repair"]) for one in flaws
    }
    assert (2, 2) == (last["checked"]["flaws"], last["checked"]["repairs"])


def test_repair_shows_the_plan_repairs_and_checks_again(run, place):
    """``--repair --yes`` ends with 0 when nothing is wrong any more."""
    ended = run("check", "--repair", "--yes", *place)

    assert 0 == ended.code
    assert ended.out.index("2 flaws in") < ended.out.index("2 flaws repaired") < ended.out.index("Nothing is wrong")
    assert 0 == run("check", *place).code


def test_repair_without_a_terminal_is_refused_before_anything_is_done(run, place):
    """Nobody can be asked, so ``--yes`` must be said."""
    ended = run("check", "--repair", *place)

    assert (2, "") == (ended.code, ended.out)
    assert "--yes" in ended.err


@pytest.mark.parametrize(("answer", "code"), [("yes\n", 0), ("no\n", 5), ("", 5)])
def test_repair_asks_first(run, place, monkeypatch, answer, code):
    """What is not answered with yes is not repaired."""
    monkeypatch.setattr("sys.stdin", _Terminal(answer))

    ended = run("check", "--repair", *place)

    assert (code, True) == (ended.code, "Type yes" in ended.err)
    assert code == run("check", *place).code


def test_check_that_ends_early_says_how_to_go_on(run, place, monkeypatch):
    """After an interruption the cursor is told, and the rest can be checked with it."""
    check, calls = Store.check, []

    def interrupted(store, **options):
        calls.append(options)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return check(store, **options)

    monkeypatch.setattr(Store, "check", interrupted)
    ended = run("check", *place)
    cursor = ended.err.partition("--after ")[2].split()[0]
    rest = run("check", "--after", cursor, *place)

    assert 130 == ended.code
    assert ("dangling" in ended.out, "dangling" in rest.out) == (True, False)
    assert "stray-entry" in rest.out


def test_unknown_kinds_are_told_when_asked_for_and_are_no_flaws(run, place):
    """Kinds without a model are named, and the exit code is about damage alone."""
    store, url, option, namespace, *_ = place
    run("check", "--repair", "--yes", *place)

    ended = run("check", "--unknown-kinds", store, url, option, namespace)

    assert (0, True, True) == (ended.code, "unknown-kind" in ended.out, Box.__name__ in ended.out)


class _Terminal:
    """A terminal at which somebody answers."""

    def __init__(self, answer):
        self.answer = answer

    def isatty(self):
        """Say that there is somebody."""
        return True

    def readline(self):
        """Return the answer."""
        return self.answer
