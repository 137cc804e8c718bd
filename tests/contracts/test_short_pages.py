"""A backend may end its pages early, and even return empty ones: nothing above it loses a record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emco_store.backends.memory import MemoryPort
from emco_store.contracts.harness import Harness, Mode
from emco_store.ports import PulsePage, Pulses, RecordPage, ReferrerPage, ReferrerQuery, Scan
from tests.contracts.mutants import mutant
from tests.contracts.test_contracts_bite import first_failing_test

LAST = "\U0010ffff"
RULES = (
    "ALL-3", "CHK-1", "DEL-3", "DEL-8", "EXP-1", "FEED-6", "HIS-11", "HIS-5", "ID-16", "ID-17", "ID-18", "ID-20",
    "ID-21", "ID-7", "ID-8", "ID-9", "LEA-1", "OCC-4", "PUL-6", "REF-13", "REF-15", "SUP-1", "WHO-6", "WHO-8",
)  # fmt: skip
"""A rule of each place that reads pages."""
COUNTS = (
    "test_client_that_dies_leaves_a_lifecycle",
    "test_entry_that_cannot_be_read",
    "test_export_of_what_never_rests",
    "test_index_is_read_and_nothing_else",
    "test_page_of_history_is_one_request",
)
"""Tests that count requests, or look at the first page themselves."""


class EndsPagesEarly(MemoryPort):
    """Returns two records or three pulses at most; the first page of each list is empty."""

    def scan(self, scan: Scan) -> RecordPage:
        """Return two records, or none at the beginning."""
        if scan.after is None:
            return RecordPage((), (LAST, LAST) if scan.descending else ("", ""))
        return super().scan(replace(scan, limit=min(scan.limit, 2)))

    def referrers(self, query: ReferrerQuery) -> ReferrerPage:
        """Return two referrers, or none at the beginning."""
        page = super().referrers(replace(query, limit=min(query.limit, 2)))
        return page if query.after else replace(page, referrers=(), next=" ")

    def pulses(self, pulses: Pulses) -> PulsePage:
        """Return three pulses."""
        return super().pulses(replace(pulses, limit=min(pulses.limit, 3)))


@pytest.mark.parametrize("rule", RULES)
def test_pages_that_end_early_break_no_rule(rule):
    """ID-16: whoever reads goes on where the page ended, however few records it holds."""
    harness = Harness("short", mutant(port=EndsPagesEarly))
    assert first_failing_test(harness, rule, Mode.BLOCKING, without=COUNTS) is None
