"""What ``emco-store doctor`` finds on etcd."""

from __future__ import annotations

import pytest

from emco_store.backends.etcd.backend import EtcdBackend
from emco_store.backends.etcd.server import durability_of, is_corrupting, is_unsynced, refuse_unfit
from emco_store.backends.health import Report, Verdict
from emco_store.backends.keyvalue.ordered_map import Write
from emco_store.errors import NotSupported
from emco_store.ports import Durability
from tests.servers.process import HOST, free_port

pytestmark = pytest.mark.etcd


def finding(report: Report, name: str):
    """Return the finding of a name."""
    (found,) = (each for each in report.findings if each.name == name)
    return found


def test_report_on_one_member_without_its_disk(node, open_map):
    """One old member that waits for no disk: all of that is said, and the report is not well."""
    one = open_map(node.url)
    for _ in range(100):
        one.write(Write(puts={b"a": b""}))

    report = EtcdBackend(node.url).report("ns")

    assert Durability.LOCAL_SYNC is report.durability
    assert Verdict.ADVICE is finding(report, f"{HOST}:{node.port}").verdict
    assert "three members" in finding(report, "durability").hint
    assert Verdict.WRONG is finding(report, "disk").verdict
    assert "1 member" == finding(report, "cluster").value
    assert not report.is_well
    assert {} == report.records


def test_report_names_members_and_limits_that_do_not_fit(node):
    """A member of the URL that is not there is advice; operations that the server refuses are wrong."""
    gone = free_port()

    report = EtcdBackend(f"{node.url},{HOST}:{gone}?max_txn_ops=129").report("ns")

    assert Verdict.ADVICE is finding(report, f"{HOST}:{gone}").verdict
    assert (Verdict.WRONG, "129 are refused") == (
        finding(report, "operations in a write").verdict,
        finding(report, "operations in a write").value,
    )


def test_report_on_a_server_that_is_not_there():
    """It is unreachable, and says where."""
    port = free_port()

    report = EtcdBackend(f"etcd://{HOST}:{port}").report("ns")

    assert not report.is_reachable
    assert f"{HOST}:{port}" in report.findings[0].value


@pytest.mark.parametrize(
    ("version", "expected"),
    [((3, 4, 23), False), ((3, 5, 0), True), ((3, 5, 2), True), ((3, 5, 3), False), ((3, 6, 0), False)],
)
def test_releases_that_spoil_data_are_known(version, expected):
    """3.5.0 to 3.5.2."""
    assert expected == is_corrupting(version)


@pytest.mark.parametrize(
    ("puts", "syncs", "expected"), [(100, 2, True), (99, 2, False), (100, 5, False), (1_000_000, 2_000, False)]
)
def test_member_that_waits_for_no_disk_is_known_by_its_metrics(puts, syncs, expected):
    """Much was put and next to nothing waited for; a batch of puts waits once."""
    metrics = {"etcd_mvcc_put_total": puts, "etcd_disk_wal_fsync_duration_seconds_count": syncs}

    assert expected == is_unsynced(metrics)


def test_durability_comes_from_the_members_that_vote():
    """Three voters keep what one of them loses; learners do not count."""
    voter, learner = {"name": "a"}, {"name": "b", "isLearner": True}

    assert Durability.MAJORITY is durability_of([voter] * 3)
    assert Durability.LOCAL_SYNC is durability_of([voter, voter, learner])
    assert Durability.LOCAL_SYNC is durability_of([voter])


def test_server_that_is_too_old_is_refused():
    """From 3.4 on the gateway speaks as this backend does."""
    refuse_unfit({"version": "3.4.0"})
    refuse_unfit({"version": "4.0.0-rc.1"})
    with pytest.raises(NotSupported):
        refuse_unfit({"version": "3.3.27"})
