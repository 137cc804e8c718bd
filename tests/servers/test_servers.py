"""The servers are real: they keep the promises that the backends build on, and their absence is never silent."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern
from redis import Redis, ResponseError

from tests.servers.process import Server
from tests.servers.redis import BINARY_VARIABLE, URL_VARIABLE

ROOT = Path(__file__).parents[2]

MOVE = """
for _, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= 'string' then
    return redis.error_reply('WRONGKIND ' .. key)
  end
end
redis.call('INCRBY', KEYS[1], -ARGV[1])
redis.call('INCRBY', KEYS[2], ARGV[1])
return 'moved'
"""
"""A script of two phases: it reads and checks everything first, and only then writes."""


@pytest.fixture
def mongo(mongo_server: Server) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client of the replica set, with an empty collection ``smoke.accounts``."""
    with MongoClient[dict[str, Any]](mongo_server.url) as client:
        client["smoke"].drop_collection("accounts")
        yield client


@pytest.fixture
def redis(redis_server: Server) -> Iterator[Redis]:
    """A client of the Redis server, which holds no key named ``smoke:…``."""
    with Redis.from_url(redis_server.url, decode_responses=True) as client:
        client.delete("smoke:a", "smoke:b")
        yield client


def test_replica_set_commits_a_transaction_with_majority(mongo):
    """What a majority transaction wrote is there for a majority read, all of it."""
    accounts = mongo["smoke"]["accounts"]

    transaction = {"read_concern": ReadConcern("snapshot"), "write_concern": WriteConcern("majority")}
    with mongo.start_session() as session, session.start_transaction(**transaction):
        accounts.insert_many([{"_id": "a", "sum": 1}, {"_id": "b", "sum": 2}], session=session)

    majority = accounts.with_options(read_concern=ReadConcern("majority"))
    assert {"a": 1, "b": 2} == {account["_id"]: account["sum"] for account in majority.find()}


def test_replica_set_forgets_an_aborted_transaction(mongo):
    """What an aborted transaction wrote was never there."""
    accounts = mongo["smoke"]["accounts"]

    with mongo.start_session() as session:
        session.start_transaction()
        accounts.insert_one({"_id": "a"}, session=session)
        session.abort_transaction()

    assert 0 == accounts.count_documents({})


def test_redis_runs_a_script_as_one_step(redis):
    """EVALSHA applies every write of its script, and says so once."""
    sha = redis.script_load(MOVE)
    redis.mset({"smoke:a": 10, "smoke:b": 0})

    reply = redis.evalsha(sha, 2, "smoke:a", "smoke:b", 4)

    assert "moved" == reply
    assert ["6", "4"] == redis.mget("smoke:a", "smoke:b")


def test_redis_script_that_finds_a_wrong_type_writes_nothing(redis):
    """A script that checks types before its first write leaves everything as it was."""
    sha = redis.script_load(MOVE)
    redis.set("smoke:a", 10)
    redis.rpush("smoke:b", "not a number")

    with pytest.raises(ResponseError, match="WRONGKIND smoke:b"):
        redis.evalsha(sha, 2, "smoke:a", "smoke:b", 4)

    assert "10" == redis.get("smoke:a")


def test_redis_refuses_a_command_on_a_wrong_type(redis):
    """The server itself never treats a list as a number."""
    redis.rpush("smoke:b", "not a number")

    with pytest.raises(ResponseError, match="WRONGTYPE"):
        redis.incr("smoke:b")


def test_mongo_server_is_as_old_or_newer_than_promised(mongo_server):
    """The oldest MongoDB that is promised is 6.0."""
    assert (6, 0) <= _version(mongo_server)


def test_redis_server_is_as_old_or_newer_than_promised(redis_server):
    """The oldest Redis that is promised is 6.2."""
    assert (6, 2) <= _version(redis_server)


def test_missing_server_is_a_skip_that_is_named():
    """A server that nobody requires may be absent, and the report says so."""
    run = _run_without_redis()

    assert pytest.ExitCode.OK == run.returncode, run.stdout
    assert "redis  MISSING" in run.stdout


def test_missing_server_that_is_required_is_a_failure():
    """With ``--require redis`` no run is green without Redis."""
    run = _run_without_redis("--require=redis")

    assert pytest.ExitCode.TESTS_FAILED == run.returncode, run.stdout
    assert "(required)" in run.stdout


def test_required_server_that_no_test_asks_for_is_a_failure():
    """With ``--require mongo`` no run is green in which no test talked to MongoDB."""
    run = _run_without_redis("--require=mongo")

    assert pytest.ExitCode.TESTS_FAILED == run.returncode, run.stdout
    assert "mongo  not run: no test asked for it (required)" in run.stdout


def test_unknown_name_of_a_server_is_refused():
    """A misspelt ``--require`` is an error, not a promise that means nothing."""
    assert pytest.ExitCode.USAGE_ERROR == _run_without_redis("--require=reddis").returncode


def _version(server: Server) -> tuple[int, ...]:
    return tuple(int(part) for part in server.version.split(".")[:2])


def _run_without_redis(*arguments: str) -> subprocess.CompletedProcess[str]:
    wanted = "tests/servers/test_servers.py::test_redis_refuses_a_command_on_a_wrong_type"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", wanted, *arguments]
    environment = os.environ | {BINARY_VARIABLE: "/nowhere/redis-server", URL_VARIABLE: ""}
    environment = {name: text for name, text in environment.items() if not name.startswith("PYTEST_")}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environment, cwd=ROOT)
