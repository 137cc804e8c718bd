"""Users with rights of their own, tokens that end, and TLS."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import trustme

from emco_store.backends.etcd.backend import EtcdBackend
from emco_store.backends.keyvalue.ordered_map import Write
from emco_store.errors import Misconfigured
from emco_store.ports import Unreachable
from tests.servers.etcd import Node, find, own_etcd
from tests.servers.plugin import Servers
from tests.servers.process import HOST, running

pytestmark = pytest.mark.etcd


@pytest.fixture(scope="module")
def guarded(servers: Servers) -> Iterator[Node]:
    """A member that asks for users; ``app`` with the password ``s:p@`` may use the keys of one folder."""
    servers.get("etcd")  # skips or fails where there is none
    with own_etcd() as node:
        key, end = (b64encode(text).decode() for text in (b"emco_store/", b"emco_store0"))
        for path, message in (
            ("user/add", {"name": "root", "password": "root"}),
            ("role/add", {"name": "root"}),
            ("user/grant", {"user": "root", "role": "root"}),
            ("user/add", {"name": "app", "password": "s:p@"}),
            ("role/add", {"name": "app"}),
            ("role/grant", {"name": "app", "perm": {"permType": "READWRITE", "key": key, "range_end": end}}),
            ("user/grant", {"user": "app", "role": "app"}),
            ("enable", {}),
        ):
            assert "header" in node.ask(f"/v3/auth/{path}", message), path
        yield node


def url(node: Node, account: str = "app:s%3Ap%40@", folder: str = "") -> str:
    """Return the URL of the member for a user."""
    return f"etcd://{account}{HOST}:{node.port}{folder}"


def test_user_of_one_folder_reads_writes_and_waits(guarded, open_map):
    """Rights for the folder are all that a store needs; a token that the server has forgotten is replaced."""
    one = open_map(url(guarded))
    assert one.write(Write(puts={b"f/a": b"1"}))
    guarded.kill()
    guarded.begin()
    guarded.wait_until_it_listens()

    assert one.write(Write(puts={b"f/b": b"2"}))
    one.wait(b"f/", 0, 60)
    assert [b"f/a", b"f/b"] == [entry.key for entry in one.later(b"f/", 0, 9)]


def test_doctor_goes_on_where_the_user_may_not_look(guarded):
    """What such a user may not read is no reason to stop."""
    report = EtcdBackend(url(guarded)).report("ns")

    assert report.is_reachable
    assert {} == report.records
    assert "read" in {each.name for each in report.findings}


@pytest.mark.parametrize(
    ("account", "folder", "setting"),
    [("app:wrong@", "", "password"), ("", "", "password"), ("app:s%3Ap%40@", "/other", "role")],
)
def test_user_without_rights_is_refused_with_the_setting(guarded, open_map, account, folder, setting):
    """No user, a wrong password and a folder of others are told apart, and the password is not shown."""
    with pytest.raises(Misconfigured) as caught:
        open_map(url(guarded, account, folder))

    assert setting == caught.value.setting
    assert "wrong" not in str(caught.value)


def test_server_and_client_show_certificates_to_each_other(open_map, tmp_path, servers):
    """With the authority's file and a certificate of its own a client is served; without either, it is not."""
    servers.get("etcd")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    for name in ("server", "client"):
        issued = authority.issue_cert(HOST)
        issued.cert_chain_pems[0].write_to_path(str(tmp_path / f"{name}.crt"))
        issued.private_key_pem.write_to_path(str(tmp_path / f"{name}.key"))
    ca, own = f"ca={tmp_path / 'ca.crt'}", f"cert={tmp_path / 'client.crt'}&key={tmp_path / 'client.key'}"

    with running(partial(command_with_tls, find(None)[0], tmp_path)) as (port, _):
        one = open_map(f"etcds://{HOST}:{port}?{ca}&{own}")
        assert one.write(Write(puts={b"a": b"1" * 100_000}))
        with one.snapshot() as now:
            assert b"1" * 100_000 == now.get([b"a"])[b"a"].value
        for options in (own, ca):
            with pytest.raises(Unreachable):
                open_map(f"etcds://{HOST}:{port}?{options}")
        with pytest.raises(Unreachable):
            open_map(f"etcd://{HOST}:{port}")


def command_with_tls(program: Path, files: Path, port: int, folder: Path) -> list[str]:
    """Return how to start a member that speaks TLS with clients."""
    client, peer = f"https://{HOST}:{port}", f"http://{HOST}:0"
    return [
        *(str(program), "--data-dir", str(folder / "data"), "--unsafe-no-fsync", "--log-level", "error"),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"),
        *("--cert-file", str(files / "server.crt"), "--key-file", str(files / "server.key")),
        *("--trusted-ca-file", str(files / "ca.crt")),
    ]
