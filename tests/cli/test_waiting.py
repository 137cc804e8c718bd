"""``apply --run --wait``: a run goes on when a worker has ended what it has begun."""

from __future__ import annotations

import secrets
import threading
from itertools import count

import pytest

from emco_store import Key, MemoryBackend, connect
from emco_store.cli.exits import Exit
from emco_store.cli.screen import Screen
from emco_store.cli.waiting import Waiting
from emco_store.emco import CATALOGUE, RSYNC, DigState, run_bundle
from tests.emco.conftest import EXAMPLES, Rsync, bundle_of

EDGE = (EXAMPLES / "edge.yaml").read_text(encoding="utf-8")
LIVE = Key("DeploymentIntentGroup", "harbour", "vision", "v1", "live")
D = "projects/harbour/composite-apps/vision/v1/deployment-intent-groups/live"
UPDATE = f"\n---\nversion: emco/v2\nresourceContext: {{anchor: {D}/update}}\n"
LIMIT_S = 10


@pytest.fixture
def backend():
    """The memory that a store and a worker share."""
    return MemoryBackend()


@pytest.fixture
def store(backend):
    """A store on which nobody works yet."""
    with connect(backend, namespace="emco", models=CATALOGUE) as opened:
        yield opened


@pytest.fixture
def rsync(backend):
    """A worker on the same data."""
    with connect(backend, namespace="emco", models=CATALOGUE, actor=RSYNC) as opened:
        yield Rsync(opened)


@pytest.fixture
def begun(store):
    """A deployment that is being instantiated."""
    run_bundle(store, bundle_of(EDGE))
    return store.lifecycle(LIVE)


@pytest.fixture
def place(redis_server):
    """The options of a command for an empty namespace."""
    return ("--store", redis_server.url, "--namespace", f"k{secrets.token_hex(8)}")


@pytest.fixture
def bundle(tmp_path):
    """Writes a bundle, and returns the name of its file."""

    def write(text):
        file = tmp_path / "bundle.yaml"
        file.write_text(text, encoding="utf-8")
        return str(file)

    return write


def waiting(store, pause):
    """Return what waits for ten seconds of a clock that moves by one with each look."""
    return Waiting(store, Screen(), LIMIT_S, pause=pause, clock=count().__next__)


def test_wait_ends_when_the_worker_reports(store, rsync, begun, capsys):
    """The end is shown, and the command has succeeded."""
    code = waiting(store, lambda _: rsync.catch_up()).finish([LIVE])

    assert (Exit.OK, DigState.UP) == (code, store.lifecycle(LIVE).state)
    assert begun.operation is not None
    assert capsys.readouterr().out == f"{LIVE}: Instantiated\n"


def test_failure_of_the_worker_is_the_end_of_the_command(store, rsync, begun, capsys):
    """An operation that has failed is an end too, and the exit code says so."""
    rsync.is_broken = True

    code = waiting(store, lambda _: rsync.catch_up()).finish([begun.key])

    assert Exit.REFUSED == code
    assert capsys.readouterr().out == f"{LIVE}: InstantiateFailed\n"


def test_wait_without_a_worker_ends_with_its_time(store, begun, capsys):
    """Nobody reports: the operation is still under way, the remark names it, and the same command may succeed later."""
    looks = []

    code = waiting(store, looks.append).finish([LIVE])

    out, err = capsys.readouterr()
    assert (Exit.RETRY, f"{LIVE}: Instantiating\n") == (code, out)
    assert begun.operation in err
    assert 0 < len(looks) < LIMIT_S


def test_wait_for_what_was_deleted_ends(store, rsync, begun, capsys):
    """A resource that is gone has no operation any more."""
    steps, keys = iter(("terminate", None)), bundle_of(EDGE).final

    def vanish(_):
        if next(steps, None):
            run_bundle(store, bundle_of(f"{{resourceContext: {{anchor: {D}/terminate}}}}"))
            run_bundle(store, bundle_of(f"{{resourceContext: {{anchor: {D}/stop}}}}"))
            store.delete(*(key for key in keys if key.segments[:4] == LIVE.segments))

    assert waiting(store, vanish)(begun) is None
    assert Exit.OK == waiting(store, lambda _: rsync.catch_up()).finish([LIVE])
    assert not capsys.readouterr().out


@pytest.mark.redis
def test_command_waits_before_and_after_each_action(run, place, bundle):
    """An update that needs the end of an instantiation is carried out, and its own end is awaited."""
    file = bundle(EDGE + UPDATE)
    over = threading.Event()

    def work():
        with connect(place[1], namespace=place[3], models=CATALOGUE, actor=RSYNC) as store:
            rsync = Rsync(store)
            while not over.wait(0.05):
                rsync.catch_up()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        ended = run("apply", "-f", file, "--run", "--yes", "--wait", 120, *place)
    finally:
        over.set()
        thread.join()

    assert (Exit.OK, f"{LIVE}: Instantiated") == (ended.code, ended.out.splitlines()[-1])
    refused = run("apply", "-f", bundle(UPDATE + UPDATE), "--run", "--yes", *place)
    assert (Exit.REFUSED, True) == (refused.code, "it would be Instantiating" in refused.out)


@pytest.mark.parametrize("arguments", [("--wait", "5"), ("--run", "--yes", "--wait", "-1"), ("--run", "--wait", "x")])
def test_wait_that_makes_no_sense_is_a_wrong_command(run, bundle, arguments):
    """Seconds are a number, and belong to a run."""
    ended = run("apply", "-f", bundle(EDGE), *arguments)

    assert (Exit.USAGE, "") == (ended.code, ended.out)
