"""A bundle leaves the same data behind on every backend: their exports are equal byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex

import pytest
from pymongo import MongoClient

from emco_store.backends.mongo.backend import DATABASE
from emco_store.backends.mongo.commands import collection
from emco_store.cli import main
from tests.servers.process import Server

EDGE = Path(__file__).parents[2] / "examples" / "edge.yaml"
Command = Callable[..., str]


@pytest.fixture
def namespace(mongo_server: Server) -> Iterator[str]:
    """A name that no other test has."""
    name = f"t{token_hex(8)}"
    yield name
    with MongoClient(mongo_server.url) as client:
        client[DATABASE].drop_collection(collection(name))


@pytest.fixture
def command(namespace: str, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command line in this process, on the namespace, and gives what it wrote."""

    def run(*arguments: object) -> str:
        code = main([str(argument) for argument in (*arguments, "--namespace", namespace)])
        out, err = capsys.readouterr()
        assert 0 == code, err
        return out

    return run


@pytest.fixture(params=["edge", "vfw", "sfc", "hpa", "test-update", "test-cert"])
def bundle(request: pytest.FixtureRequest) -> Path:
    """The file of a bundle: the documentation's own, or one of EMCO's."""
    name: str = request.param
    return EDGE if name == "edge" else request.getfixturevalue("facts") / "examples" / f"{name}.yaml"


@pytest.mark.parametrize("form", ["yaml", "json", "emcoctl"])
def test_export_of_a_bundle_is_the_same_bytes_on_every_backend(
    command: Command, redis_server: Server, mongo_server: Server, bundle: Path, form: str
):
    """What was applied on Redis or on MongoDB is exported as what is loaded into memory is (ID-13)."""
    command("apply", "-f", bundle, "--store", redis_server.url)
    command("apply", "-f", bundle, "--store", mongo_server.url)

    exports = [
        command("export", "--format", form, "--load", bundle),
        command("export", "--format", form, "--store", redis_server.url),
        command("export", "--format", form, "--store", mongo_server.url),
    ]

    assert len(exports[0]) > 1000
    assert [exports[0]] * 3 == exports
