"""URLs of etcd: what they say, and what is refused before anything is sent."""

from __future__ import annotations

import pytest

from emco_store.backends.etcd.address import Endpoint, read_address
from emco_store.backends.etcd.etcd_map import EtcdMap, limits_of
from emco_store.errors import InvalidCall


def test_url_names_members_user_folder_and_limits():
    """Everything that the URL may hold is read, with %XX decoded."""
    found = read_address(
        "etcd://us%40er:p%3Aw@one:23790,[::1],three/a%20b/c/?max_txn_ops=1000&max_request_bytes=9000000"
    )

    assert (Endpoint("one", 23790), Endpoint("::1", 2379), Endpoint("three", 2379)) == found.endpoints
    assert ("us@er", "p:w") == (found.user, found.password)
    assert b"a b/c/" == found.prefix
    assert (1_000, 9_000_000) == (found.max_txn_ops, found.max_request_bytes)
    assert not found.is_tls


def test_url_of_a_host_alone_has_the_defaults_of_etcd():
    """Without a folder the keys stand in one of this project, so that an etcd may be shared."""
    found = read_address("etcds://host")

    assert (Endpoint("host", 2379),) == found.endpoints
    assert b"emco_store/" == found.prefix
    assert (128, 1_572_864) == (found.max_txn_ops, found.max_request_bytes)
    assert found.is_tls


@pytest.mark.parametrize(
    "url",
    [
        "etcd://",
        "etcd://host:0",
        "etcd://host:70000",
        "etcd://one,,two",
        "etcd://user@host",
        "etcd://host?max_txn_ops=1",
        "etcd://host?max_txn_ops=many",
        "etcd://host?max_request_bytes=1000",
        "etcd://host?timeout=3",
        "etcd://host?ca=/no/such/file",
        "etcds://host?ca=/no/such/file",
        f"etcds://host?cert={__file__}",
        "etcd://host#part",
        "http://host",
    ],
)
def test_url_that_cannot_work_is_refused(url):
    """One error names everything that is wrong."""
    with pytest.raises(InvalidCall) as caught:
        read_address(url)

    assert caught.value.why


def test_refusal_of_a_url_keeps_the_password():
    """What the error says does not hold the password."""
    with pytest.raises(InvalidCall) as caught:
        read_address("etcd://user:secret@host:x")

    assert "secret" not in str(caught.value)


def test_file_that_is_no_certificate_is_refused():
    """A file of TLS is read before anything is sent."""
    with pytest.raises(InvalidCall):
        EtcdMap(f"etcds://host?ca={__file__}")


def test_declared_limits_leave_room_for_what_etcd_adds():
    """The bytes that a write may hold are fewer than those of etcd's request, however many operations it allows."""
    usual, many = limits_of(read_address("etcd://h")), limits_of(read_address("etcd://h?max_txn_ops=1000000"))

    assert (128, 1_572_864 - 128 * 128) == (usual.write_entries, usual.write_bytes)
    assert (1_000_000, 1_572_864 // 2) == (many.write_entries, many.write_bytes)
