"""Why a replica set cannot be reached: the error names the server and the cause, soon, and no secret."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from emco_store import InvalidCall, Misconfigured, StoreError, Unavailable, connect, connect_async
from emco_store.backends.mongo.calls import LOOK_S
from emco_store.backends.patience import OUTRIGHT_S, Patience
from tests.servers.process import HOST, free_port

SECRET = "hunter2"  # noqa: S105 - the one that must not be shown
MOST_TRIES = OUTRIGHT_S / LOOK_S + 1


@pytest.fixture
def mute() -> Iterator[str]:
    """An address at which somebody listens and never answers."""
    with socket.create_server((HOST, 0)) as listener:
        yield f"{HOST}:{listener.getsockname()[1]}"


@pytest.fixture
def tries(monkeypatch) -> list[bool]:
    """How often a request was tried while no server was there, and whether all servers refused outright."""
    found: list[bool] = []
    pause_s = Patience.pause_without_server_s

    def noted(self: Patience, *, is_outright: bool) -> float | None:
        found.append(is_outright)
        return pause_s(self, is_outright=is_outright)

    monkeypatch.setattr(Patience, "pause_without_server_s", noted)
    return found


def problem_of(url: str, mode: str) -> StoreError:
    """Open a store that cannot be opened, and return the error."""

    async def scenario() -> None:
        async with connect_async(url, namespace="n"):
            pass

    try:
        asyncio.run(scenario()) if mode == "asyncio" else connect(url, namespace="n")
    except StoreError as problem:
        return problem
    pytest.fail("it was opened")


@pytest.mark.parametrize("mode", ["blocking", "asyncio"])
def test_server_that_refuses_is_named_with_its_cause_after_a_few_attempts(mode, tries):
    """Nothing listens: that is final after two seconds, and not after the deadline of the request."""
    at = f"{HOST}:{free_port()}"

    problem = problem_of(f"mongodb://u:{SECRET}@{at}/?replicaSet=rs0", mode)

    assert isinstance(problem, Unavailable)
    assert f"{at}: it refuses connections" in str(problem)
    assert SECRET not in str(problem)
    assert all(tries)  # each ends within two seconds, and not with the deadline of the request
    assert len(tries) <= MOST_TRIES


@pytest.mark.parametrize("mode", ["blocking", "asyncio"])
def test_unknown_host_and_wrong_set_are_told_apart(mode, mongo_server, tries):
    """Each cause is named, with the address."""
    member = mongo_server.url.partition("//")[2].partition("/")[0]

    wrong = problem_of(f"mongodb://{member}/?replicaSet=wrong", mode)
    alone = problem_of(f"mongodb://{member}/?replicaSet=wrong&directConnection=true", mode)
    unknown = problem_of("mongodb://no-such-host.invalid/", mode)

    assert f"{member}: it does not belong to the replica set 'wrong'" in str(wrong)
    assert f"{member}: it belongs to another replica set" in str(alone)
    assert "no-such-host.invalid:27017: " in str(unknown)
    assert "name" in str(unknown)
    assert {Unavailable} == {type(wrong), type(alone), type(unknown)}
    assert tries


@pytest.mark.parametrize("mode", ["blocking", "asyncio"])
def test_tls_that_fails_and_silence_are_told_apart(mode, mongo_server, mute):
    """A server without TLS refuses the handshake; one that is mute has not answered."""
    handshake = problem_of(f"{mongo_server.url}&tls=true", mode)
    silent = problem_of(f"mongodb://{mute}/?serverSelectionTimeoutMS=700&connectTimeoutMS=300", mode)

    assert "the TLS handshake failed" in str(handshake)
    assert f"{mute}: it did not answer in time" in str(silent)


def test_wrong_password_says_so(guarded):
    """It is no matter of rights, and of no replica set."""
    problem = problem_of(guarded.replace("://", f"://root:{SECRET}@"), "blocking")
    without = problem_of(guarded, "blocking")

    assert isinstance(problem, Misconfigured)
    assert "password" == problem.setting
    assert "user" == getattr(without, "setting", None)
    assert SECRET not in str(problem)


@pytest.mark.parametrize("mode", ["blocking", "asyncio"])
def test_name_that_the_dns_does_not_know_is_unavailable(mode):
    """A mongodb+srv URL is looked up before any server is asked."""
    problem = problem_of("mongodb+srv://no-such-host.invalid/", mode)

    assert isinstance(problem, Unavailable)
    assert "DNS" in str(problem)


@pytest.mark.parametrize("mode", ["blocking", "asyncio"])
@pytest.mark.parametrize("option", ["tlsCAFile", "tlsCertificateKeyFile"])
@pytest.mark.parametrize("is_there", [False, True], ids=["no file", "nonsense"])
def test_option_that_the_driver_does_not_take_is_an_invalid_call(mode, option, is_there, tmp_path):
    """BAD-1: no error of the driver, of TLS or of the system comes out."""
    path = tmp_path / "file.pem"
    if is_there:
        path.write_text("nonsense")

    assert isinstance(problem_of(f"mongodb://{HOST}/?tls=true&{option}={path}", mode), InvalidCall)


def test_store_is_closed_in_its_own_event_loop(mongo_server):
    """Another one cannot wait for its connections; that is an error of ours."""
    store = connect_async(mongo_server.url, namespace="loops")
    with asyncio.Runner() as runner:
        runner.run(store.open())
        with pytest.raises(InvalidCall):
            asyncio.run(store.aclose())
        runner.run(store._port.close())
