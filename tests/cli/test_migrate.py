"""``migrate`` writes a kind as the newest version of its model, says what it leaves, and goes on where it ended."""

from __future__ import annotations

import pytest

from emco_store import MemoryBackend, Unavailable, connect
from emco_store.cli.exits import Exit
from emco_store.contracts.migration_models import Hull1

MIGRATE = ("migrate", "Hull", "--models", "tests.cli.newer", "--store", "kept://")


@pytest.fixture
def hulls(kept):
    """A store with two resources of the first version, of which the second cannot be made current."""
    with connect(kept, namespace="default", models=[Hull1]) as store:
        store.create(Hull1(name="a", region="eu", cargo="tea 3"))
        store.create(Hull1(name="b", cargo="tea much"))
        yield store


def test_plan_shows_what_would_be_written_and_what_left(run, hulls):
    """The plan names changed fields and reasons, writes nothing, and its exit code says that something is left."""
    before = hulls.export().text

    ended = run(*MIGRATE, "--plan")

    assert Exit.REFUSED == ended.code
    assert ended.out.startswith("Hull, version 5 of the model: 2 resources, 1 to be written, 1 to be left.")
    assert "zone: absent -> 'eu'" in ended.out
    assert "! Hull/b" in ended.out
    assert before == hulls.export().text


def test_migration_is_reported_and_can_be_repeated(run, hulls):
    """What is left is shown with the reason; once that is mended, the same command ends well."""
    first = run(*MIGRATE)
    hulls.patch(hulls.get(Hull1, "b"), {"cargo": ""})
    again = run(*MIGRATE)

    assert (Exit.REFUSED, Exit.OK) == (first.code, again.code)
    assert "Hull: 2 resources read, 1 written, 1 left as they were" in first.out
    assert "! Hull/b" in first.out
    assert "Hull: 2 resources read, 1 written\n" == again.out


def test_interrupted_migration_says_how_to_go_on(run, kept, monkeypatch):
    """The cursor that it shows leads to what was not read yet."""
    with connect(kept, namespace="default", models=[Hull1]) as store, store.transaction() as tx:
        for number in range(150):
            tx.create(Hull1(name=f"h{number:03}"))
    asked, answers = MemoryBackend.port, iter([True] * 2)

    def port(self, namespace):
        made = asked(self, namespace)
        real = made.ask

        def ask(request):
            if type(request).__name__ in {"Scan", "Commit"} and not next(answers, False):
                raise Unavailable("The server is gone.")
            return real(request)

        made.ask = ask
        return made

    monkeypatch.setattr(MemoryBackend, "port", port)
    broken = run(*MIGRATE)
    monkeypatch.setattr(MemoryBackend, "port", asked)
    assert Exit.RETRY == broken.code
    assert "before that: Hull: 100 resources read, 100 written" in broken.err
    rest = run(*MIGRATE, "--after", broken.err.split("--after ")[1].split()[0])

    assert (Exit.OK, "Hull: 50 resources read, 50 written\n") == (rest.code, rest.out)


@pytest.mark.usefixtures("kept")
def test_unknown_kind_is_refused(run):
    """A kind without a model is named, with the nearest one."""
    ended = run("migrate", "Hul", *MIGRATE[2:])

    assert Exit.USAGE == ended.code
    assert "Hull" in ended.err
