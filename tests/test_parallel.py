"""Tests are spread over workers in units that may run beside each other."""

from __future__ import annotations

from tests.parallel import SLOW, rank_of, unit_of, units_of

FILE = "tests/backends/mongo/test_faults.py"
DIVIDED = "tests/backends/test_mongo.py"


def test_file_stays_on_one_worker():
    """What the tests of a file share, such as servers of their own, is made once."""
    assert 1 == len({unit_of(f"{FILE}::test_{at}", at) for at in range(500)})


def test_file_whose_tests_share_nothing_is_divided():
    """A long file does not keep one worker busy while the others have nothing left to do."""
    units = units_of([f"{DIVIDED}::TestMongo::test_{at}" for at in range(500)])

    assert 1 < len(set(units.values()))
    assert units[f"{DIVIDED}::TestMongo::test_0"] == units[f"{DIVIDED}::TestMongo::test_1"]


def test_pages_that_clear_the_same_database_stay_on_one_worker():
    """The pages of how-to guides on servers drop what pages before them left behind."""
    assert 1 == len(set(units_of(["docs/how-to/a.md::line:1", "docs/how-to/b.md::line:1"]).values()))


def test_files_that_share_a_server_stay_on_one_worker():
    """A replica set of three is started once."""
    three = ["tests/backends/mongo/test_members.py::test_a", "tests/backends/mongo/test_connections.py::test_b"]

    assert 1 == len(set(units_of(three).values()))


def test_slow_tests_come_last():
    """A file that is not known to be slow comes before all that are, and the slowest is the last."""
    assert [0, 1, len(SLOW)] == [rank_of("tests/unit/test_keys.py::test"), rank_of(SLOW[0]), rank_of(SLOW[-1])]
