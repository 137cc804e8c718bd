"""``emco-store doctor`` on real servers: what it finds, what it says about it, and that it changes nothing."""

from __future__ import annotations

import json

import pytest
import yaml
from pymongo import MongoClient
from redis import Redis

from emco_store import Resource, connect
from emco_store.backends.health import clock, clock_finding
from emco_store.backends.mongo.backend import DATABASE
from emco_store.backends.mongo.commands import collection
from emco_store.backends.mongo.indexes import LATER, making
from emco_store.backends.redis.commands import Names
from emco_store.cli.exits import Exit
from tests.servers.mongo import standalone_mongo
from tests.servers.process import ServerMissing
from tests.servers.redis_nodes import own_redis

NAMESPACE = "doctor"
SECRET = "hunter2"  # noqa: S105 - the one that must not be shown
NOWHERE = "127.0.0.1:1"
"""An address at which nothing listens."""


class Ward(Resource):
    """A kind to count."""


class Patient(Resource, parent=Ward):
    """Another one, whose name begins with no other's."""


@pytest.fixture(scope="module")
def redis_url(redis_server):  # noqa: ARG001 - it skips or fails where there is no Redis
    """A Redis server whose settings these tests change."""
    try:
        with own_redis() as node:
            yield node.url
    except ServerMissing as problem:
        pytest.skip(str(problem))


@pytest.fixture
def redis(redis_url):
    """A client of that server, empty and set for the least: no file, no eviction."""
    with Redis.from_url(redis_url, decode_responses=True) as client:
        client.flushall()
        client.config_set("appendonly", "no")
        client.config_set("maxmemory-policy", "noeviction")
        yield client


@pytest.fixture
def mongo(mongo_server):
    """The collection of the namespace, which is not there yet."""
    with MongoClient(mongo_server.url) as client:
        client[DATABASE].drop_collection(collection(NAMESPACE))
        yield client[DATABASE][collection(NAMESPACE)]
        client[DATABASE].drop_collection(collection(NAMESPACE))


@pytest.fixture
def look(run):
    """Run the doctor, and give its exit code and its report."""

    def call(url, *arguments):
        ended = run("doctor", url, "--namespace", NAMESPACE, "-o", "json", *arguments)
        return ended.code, json.loads(ended.out)

    return call


def fill(url):
    """Put three resources of two kinds into the namespace."""
    with connect(url, namespace=NAMESPACE) as store:
        ward = store.create(Ward(name="w1"))
        for name in ("p1", "p2"):
            store.create(Patient(parent=ward, name=name))


def value(report, name: str) -> str:
    """Return what was found under a name."""
    return next(finding["value"] for finding in report["findings"] if finding["name"] == name)


def verdict(report, name):
    """Return the verdict of one finding."""
    return next(finding["verdict"] for finding in report["findings"] if finding["name"] == name)


def test_memory_is_well(look):
    """There is no server that could be set badly, and nothing is kept."""
    code, report = look("memory://")

    assert Exit.OK == code
    assert (True, True, "volatile", {}) == (
        report["reachable"], report["well"], report["durability"], report["records"],
    )  # fmt: skip


def test_redis_is_well_and_its_records_are_counted(look, redis, redis_url):
    """A server that a store would open is fine; the count is by kind."""
    fill(redis_url)

    code, report = look(redis_url)

    assert Exit.OK == code
    assert {"Ward": 1, "Patient": 2} == report["records"]
    assert redis.info("server")["redis_version"] in report["findings"][0]["value"]
    assert value(report, "transport").startswith("fast: ")


def test_clock_of_a_server_is_compared(look, redis, redis_url, mongo, mongo_server):  # noqa: ARG001 - empty servers
    """Servers on this machine have its clock, to what the way to them takes."""
    for url in (redis_url, mongo_server.url):
        _, report = look(url)

        assert ("fine", True) == (verdict(report, "clock"), value(report, "clock").startswith("that of this machine"))


@pytest.mark.parametrize(
    ("ahead_us", "found"),
    [
        (0, ("fine", "that of this machine, to 0.2 ms")),
        (-200, ("fine", "that of this machine, to 0.2 ms")),
        (201, ("fine", "0.2 ms ahead of this machine's, to 0.2 ms")),
        (-1_000_200, ("fine", "1,000.2 ms behind this machine's, to 0.2 ms")),
        (1_000_201, ("advice", "1,000.2 ms ahead of this machine's, to 0.2 ms")),
        (-90_000_000, ("advice", "90,000.0 ms behind this machine's, to 0.2 ms")),
    ],
)
def test_clock_that_is_far_off_is_advised(ahead_us, found):
    """Beyond a second, and what the measurement may be wrong by, there is something to do."""
    finding = clock_finding(ahead_us, 200)

    assert (*found, found[0] == "advice") == (str(finding.verdict), finding.value, bool(finding.hint))


def test_clock_is_compared_by_the_quickest_answer():
    """An answer that took long says little about the time, and does not count."""
    own = iter([0, 8_000_000, *[8_000_000, 8_000_200] * 19])
    server = iter([0, *[9_000_100] * 19])

    found = clock(lambda: next(server), own_us=lambda: next(own))

    assert ("fine", "1,000.0 ms ahead of this machine's, to 0.1 ms") == (str(found.verdict), found.value)


def test_redis_without_a_file_is_advised(look, redis, redis_url):
    """Volatile is a class like others, so it works; production wants more."""
    _, volatile = look(redis_url)
    redis.config_set("appendonly", "yes")
    redis.config_set("appendfsync", "always")
    _, durable = look(redis_url)

    assert ("volatile", "advice") == (volatile["durability"], verdict(volatile, "durability"))
    assert ("local-sync", "fine") == (durable["durability"], verdict(durable, "durability"))


def test_length_of_the_feed_is_shown(look, redis, redis_url, mongo, mongo_server):  # noqa: ARG001 - empty servers
    """How far a reader may fall behind: by the stream of the namespace, or by the oplog."""
    before = value(look(redis_url)[1], "feed")
    for url in (redis_url, mongo_server.url):
        with connect(url, namespace=NAMESPACE, models=[Ward]) as store:
            store.feed_cursor()
            store.create(Ward(name="w9"))

    found = [value(look(url)[1], "feed") for url in (redis_url, mongo_server.url, "memory://")]

    assert before.startswith("not begun")
    assert "2 entries, the oldest 0:00:0" in found[0]
    assert "the oplog goes back" in found[1]
    assert "10,000 commits" in found[2]


def test_less_than_the_required_durability_must_be_changed(look, redis, redis_url):
    """What ``connect(require=…)`` would refuse is wrong."""
    redis.config_set("appendonly", "yes")
    redis.config_set("appendfsync", "everysec")

    assert [Exit.OK, Exit.REFUSED] == [
        look(redis_url, "--require", wanted)[0] for wanted in ("local-1s", "local-sync")
    ]  # fmt: skip


def test_redis_that_evicts_must_be_changed(look, redis, redis_url):
    """A server that may drop records is wrong, and the report says what to set."""
    redis.config_set("maxmemory-policy", "allkeys-lru")

    code, report = look(redis_url)

    assert (Exit.REFUSED, "wrong", None) == (code, verdict(report, "eviction policy"), report["durability"])
    assert all(finding["hint"] for finding in report["findings"] if finding["verdict"] != "fine")


def test_key_of_somebody_else_must_be_changed(look, redis, redis_url):
    """A key of the namespace that holds something else would make every commit fail."""
    redis.set(Names(NAMESPACE).key("index"), "mine")

    code, report = look(redis_url)

    assert (Exit.REFUSED, "wrong") == (code, verdict(report, "keys"))


def test_records_that_do_not_match_their_order_must_be_changed(look, redis, redis_url):
    """A record that was removed around the library is noticed."""
    fill(redis_url)
    redis.hdel(Names(NAMESPACE).key("records"), "Ward/w1")

    code, report = look(redis_url)

    assert (Exit.REFUSED, "wrong") == (code, verdict(report, "keys"))


def test_user_who_may_not_look_at_keys_still_gets_a_report(look, redis, redis_url):
    """Settings are shown without the right to read keys; the count is then unknown, not zero."""
    fill(redis_url)
    redis.acl_setuser(
        "porter", reset=True, enabled=True, passwords=[f"+{SECRET}"], commands=["+info", "+ping", "+evalsha"]
    )

    _, report = look(redis_url.replace("redis://", f"redis://porter:{SECRET}@"))

    assert ("fine", None) == (verdict(report, "eviction policy"), report["records"])
    assert SECRET not in json.dumps(report)


def test_wrong_password_is_no_silence(run, look, redis, redis_url):
    """A server that refuses the user answers: repeating would not help, and the password is not shown."""
    redis.acl_setuser("porter", reset=True, enabled=True, passwords=["+another"], keys=["*"], commands=["+@all"])
    url = redis_url.replace("redis://", f"redis://porter:{SECRET}@")

    code, report = look(url)
    ended = run("list", "App", "--store", url)

    assert (Exit.REFUSED, True, False) == (code, report["reachable"], report["well"])
    assert Exit.REFUSED == ended.code
    assert SECRET not in json.dumps(report) + ended.err


@pytest.mark.usefixtures("mongo")
def test_mongo_is_well_and_its_records_are_counted(look, mongo_server):
    """A replica set that a store would open is fine; the count is by kind."""
    fill(mongo_server.url)

    code, report = look(mongo_server.url)

    assert (Exit.OK, "majority") == (code, report["durability"])
    assert {"Patient": 2, "Ward": 1} == report["records"]
    assert mongo_server.version in report["findings"][0]["value"]
    assert value(report, "transport").startswith("fast: ")


def test_transport_and_its_reason_are_named(look, mongo_server):
    """Whoever wonders why a store is slow sees that it uses public calls only, and why."""
    _, report = look(f"{mongo_server.url}&compressors=zlib")

    assert value(report, "transport").startswith("plain: ")
    assert "compressors" in value(report, "transport")


def test_mongo_without_an_index_must_be_changed(look, mongo, mongo_server):
    """An index that is gone is named; the next store that opens makes it again."""
    fill(mongo_server.url)
    mongo.drop_index("referrers")
    before, report = look(mongo_server.url)
    fill_again = connect(mongo_server.url, namespace=NAMESPACE)
    fill_again.close()
    after, _ = look(mongo_server.url)

    assert (Exit.REFUSED, "wrong", Exit.OK) == (before, verdict(report, "indexes"), after)


def test_index_that_nothing_is_in_is_named(look, mongo, mongo_server):
    """Where an earlier release has made indexes that nothing needs, the report says so, and that nothing is wrong."""
    fill(mongo_server.url)
    before, _ = look(mongo_server.url)
    mongo.database.command(making(mongo.name, LATER))
    code, report = look(mongo_server.url)

    assert [Exit.OK, Exit.OK] == [before, code]
    assert "advice" == verdict(report, "idle indexes")
    assert value(report, "idle indexes").startswith("pulses, unique, values: ")


def test_look_at_an_empty_namespace_writes_nothing(look, mongo, mongo_server, redis, redis_url):
    """Neither keys nor a collection come to be."""
    codes = [look(mongo_server.url)[0], look(redis_url)[0]]

    assert [Exit.OK, Exit.OK] == codes
    assert [] == redis.keys()
    assert mongo.name not in mongo.database.list_collection_names()


@pytest.mark.usefixtures("mongo_server")
def test_mongo_that_stands_alone_must_be_changed(look):
    """Only a replica set has transactions; everything else is reported all the same."""
    try:
        with standalone_mongo() as url:
            code, report = look(url)
    except ServerMissing as problem:
        pytest.skip(str(problem))

    assert (Exit.REFUSED, "wrong", {}) == (code, verdict(report, "topology"), report["records"])


@pytest.mark.parametrize(
    "url", [f"redis://u:{SECRET}@{NOWHERE}", f"mongodb://u:{SECRET}@{NOWHERE}/?serverSelectionTimeoutMS=200"]
)
@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_server_that_does_not_answer_has_its_exit_code(run, url, output):
    """The report comes in every form, says so, and holds no secret."""
    ended = run("doctor", url, "-o", output)

    assert (Exit.RETRY, "") == (ended.code, ended.err)
    assert ended.out.strip()
    assert SECRET not in ended.out
    assert output == "table" or yaml.safe_load(ended.out)["reachable"] is False


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (f"redis://u:{SECRET}@{NOWHERE}", Exit.RETRY),
        (f"redis://u:{SECRET}@{NOWHERE}/0?protocol=3&password={SECRET}", Exit.RETRY),
        (f"redis://u:{SECRET}/x@{NOWHERE}", Exit.USAGE),
        (f"redis://u:{SECRET} y@{NOWHERE}:{SECRET}", Exit.USAGE),
        (f"mongodb://u:{SECRET}@x@{NOWHERE}", Exit.USAGE),
        (f"mongodb://u:{SECRET}@{NOWHERE}/?w=1", Exit.REFUSED),
        (f"memory://u:{SECRET}@host", Exit.USAGE),
        (f"oracle://u:{SECRET}@host", Exit.REFUSED),
    ],
)
@pytest.mark.parametrize(
    "verb",
    [("apply", "-f"), ("get", "Project/p1"), ("list", "App"), ("delete", "Project/p1"), ("graph", "Project/p1"),
     ("export",), ("doctor",)],
    ids=" ".join,
)  # fmt: skip
def test_no_verb_shows_the_secret_of_its_url(run, bundle, verb, url, code):
    """Whatever goes wrong with a URL, its password stays out of what is shown."""
    arguments = [*verb, bundle] if verb[0] == "apply" else verb

    ended = run(*arguments, "--store", url)

    assert code == ended.code, ended.err
    assert SECRET not in ended.out + ended.err


def test_verb_on_a_mongodb_that_does_not_answer_shows_no_secret(run):
    """The driver's long text about servers that it looked for stays out of the message."""
    ended = run("list", "App", "--store", f"mongodb://u:{SECRET}@{NOWHERE}/?serverSelectionTimeoutMS=200")

    assert Exit.RETRY == ended.code
    assert SECRET not in ended.out + ended.err


def test_secret_of_an_argument_in_the_wrong_place_is_not_shown(run):
    """A URL that the command has no place for is repeated without its secret."""
    ended = run("list", "App", f"redis://u:{SECRET}@host")

    assert Exit.USAGE == ended.code
    assert SECRET not in ended.err


@pytest.mark.parametrize("arguments", [["memory://", "--namespace", "a/b"], ["here"], ["memory://", "--require", "x"]])
def test_doctor_that_is_badly_called_ends_with_a_message(run, arguments):
    """A mistake in the call is no finding."""
    ended = run("doctor", *arguments)

    assert Exit.OK != ended.code
    assert ("", True) == (ended.out, "  Hint: " in ended.err)


OTHERS = """
from emco_store import Resource

class Ward(Resource):
    pass

{}
"""


@pytest.fixture
def module(redis_url, redis, tmp_path, monkeypatch):
    """Write a module with another service's models, where three resources of ours are stored; return its name."""
    fill(redis_url)
    redis.config_set("appendonly", "yes")
    monkeypatch.chdir(tmp_path)

    def write(declaration):
        name = f"others_{len(declaration)}"
        (tmp_path / f"{name}.py").write_text(OTHERS.format(declaration), "utf-8")
        return name

    return write


@pytest.mark.parametrize(
    ("declaration", "is_well"),
    [
        ("class Patient(Resource, parent=Ward): pass", True),
        ("class Patient(Resource, parent=Ward): age: int", False),
        ("class Patient(Resource): pass", False),
        ("class Patient(Resource, parent=Ward, key=('name', 'ward')): ward: str", False),
        ("class Nurse(Resource): age: int", True),
    ],
    ids=["the same", "another field", "another parent", "another key", "a kind that is not stored"],
)
def test_models_that_contradict_what_is_stored_are_reported(look, redis_url, module, declaration, is_well):
    """Two services that declare one kind differently are found before one misreads the other."""
    code, report = look(redis_url, "--models", module(declaration))

    found = [finding for finding in report["findings"] if finding["name"] == "model"]
    assert ({"fine"} if is_well else {"fine", "wrong"}) == {finding["verdict"] for finding in found}
    assert (Exit.OK if is_well else Exit.REFUSED) == code
    assert all(finding["hint"] for finding in found if finding["verdict"] == "wrong")
