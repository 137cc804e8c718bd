"""A server that speaks only TLS: by its URL, with a certificate that the test has made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from emco_store import Misconfigured, connect, connect_async
from emco_store.backends.mongo.backend import MongoBackend
from emco_store.ports import Unreachable
from tests.backends.mongo.conftest import Thing
from tests.backends.mongo.members import own_set
from tests.servers.process import HOST, Server

ENOUGH_S = 3.0
"""For how long a client looks for a server that it can use; a handshake takes milliseconds."""


@dataclass(frozen=True, slots=True)
class Secured:
    """A replica set, and the certificates of the authority that it is signed by and of another one."""

    url: str
    authority: Path
    stranger: Path


@pytest.fixture(scope="module")
def secured(mongo_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:  # noqa: ARG001 - it says whether a server is needed
    """A replica set that refuses whoever does not speak TLS."""
    folder = tmp_path_factory.mktemp("tls")
    authority, stranger, server = folder / "ca.pem", folder / "stranger.pem", folder / "server.pem"
    made = trustme.CA()
    made.cert_pem.write_to_path(str(authority))
    trustme.CA().cert_pem.write_to_path(str(stranger))
    made.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(server))
    options = (
        "--tlsMode=requireTLS",
        f"--tlsCertificateKeyFile={server}",
        f"--tlsCAFile={authority}",
        "--tlsAllowConnectionsWithoutCertificates",
    )
    with own_set(1, *options, query=f"&tls=true&tlsCAFile={authority}") as (url, _):
        yield Secured(url, authority, stranger)


def test_store_over_tls_works_in_both_modes(secured):
    """The options of TLS stand in the URL, which goes to the driver untouched."""

    async def notes() -> list[str]:
        async with connect_async(secured.url, namespace="tls") as store:
            await store.create(Thing(name="b", note="asyncio"))
            return [thing.note for thing in await store.list(Thing)]

    with connect(secured.url, namespace="tls") as store:
        store.create(Thing(name="a", note="blocking"))

    assert ["blocking", "asyncio"] == asyncio.run(notes())


@pytest.mark.parametrize("trusts", ["a stranger", "the authorities of the system"])
def test_server_that_is_not_trusted_is_misconfigured(secured, trusts):
    """A certificate of an authority that the client does not know is one clear error, and nothing is sent."""
    option = f"&tlsCAFile={secured.authority}"
    other = f"&tlsCAFile={secured.stranger}" if trusts == "a stranger" else ""

    with pytest.raises(Misconfigured) as caught:
        open_port(secured.url.replace(option, other))

    assert "tlsCAFile" == caught.value.setting


def test_client_without_tls_is_told_that_nobody_answers(secured):
    """The server ends such a connection at once, and nothing is sent."""
    with pytest.raises(Unreachable):
        open_port(secured.url.partition("&tls=")[0])


def test_look_at_a_server_that_is_not_trusted_says_so(secured):
    """The report names the certificate, and not a server that is away."""
    wrong = secured.url.replace(str(secured.authority), str(secured.stranger))
    report = MongoBackend(f"{wrong}&serverSelectionTimeoutMS={ENOUGH_S * 1000:.0f}").report("tls")

    assert any("certificate" in finding.value for finding in report.findings)


def open_port(url: str) -> None:
    """Open a port that gives up sooner than others do."""
    port: Any = MongoBackend(url).port("tls")
    port._deadline_s = ENOUGH_S
    try:
        port.open()
    finally:
        port.close()
