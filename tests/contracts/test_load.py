"""The load for backends of others: a sound backend passes, and one that loses commits does not."""

from __future__ import annotations

import pytest

from emco_store import MemoryBackend
from emco_store.backends.memory import MemoryPort
from emco_store.contracts.histories.load import check_releases, check_resources, check_transactions, run_in_threads
from emco_store.ports import Receipt

CHECKS = (check_transactions, check_resources, check_releases)


class Forgetful(MemoryBackend):
    """Acknowledges every third commit without doing it."""

    def port(self, namespace):
        """See the base class."""
        return _Forgetful(self, namespace)


class _Forgetful(MemoryPort):
    commits = 0

    def commit(self, commit):
        _Forgetful.commits += 1
        return Receipt(commit.txid) if _Forgetful.commits % 3 == 0 else super().commit(commit)


@pytest.mark.parametrize("check", CHECKS)
def test_sound_backend_passes(check, tmp_path):
    """What threads did on memory can be explained, and there was something to explain."""
    verdict = check(MemoryBackend(), "n", tmp_path, clients=4, seconds=60, operations=25)

    assert verdict.holds
    assert 100 <= (verdict.operations if check is check_resources else verdict.transactions)


@pytest.mark.parametrize("check", CHECKS)
def test_backend_that_loses_commits_is_caught(check, tmp_path):
    """A commit that was acknowledged and did not happen contradicts later reads."""
    assert not check(Forgetful(), "n", tmp_path, clients=4, seconds=60, operations=25).holds


def test_problem_of_a_thread_is_raised():
    """A client that fails stops the run."""
    with pytest.raises(ZeroDivisionError):
        run_in_threads([lambda: None, lambda: 1 / 0])
