"""The report: what is shown, and when it is red."""

from __future__ import annotations

from emco_store.contracts.report import Column, Report, Verdict

MEMORY = Column("memory", "blocking")
OTHER = Column("other", "blocking")


def test_report_of_nothing_is_red():
    """A run in which no test of the contract ran proves nothing."""
    assert Report(("ID-1",)).is_red


def test_report_of_all_rules_is_green():
    """Every rule shown, none failed."""
    report = Report(("ID-1", "ID-2"))
    report.add(MEMORY, ["ID-1", "ID-2"], Verdict.PASSED)

    assert (False, 1, []) == (report.is_red, report.executed, report.missing())


def test_report_with_a_rule_that_was_not_shown_is_red():
    """A rule without a test run is missing, and a test that was skipped shows nothing."""
    report = Report(("ID-1", "ID-2", "ID-3"))
    report.add(MEMORY, ["ID-1"], Verdict.PASSED)
    report.add(MEMORY, ["ID-2"], Verdict.NOT_RUN, reason="skipped")

    assert (True, [(MEMORY, "ID-2"), (MEMORY, "ID-3")]) == (report.is_red, report.missing())


def test_report_needs_every_rule_of_every_backend():
    """What one backend has shown counts for no other."""
    report = Report(("ID-1",))
    report.add(MEMORY, ["ID-1"], Verdict.PASSED)
    report.expect(OTHER)

    assert (True, [(OTHER, "ID-1")]) == (report.is_red, report.missing())


def test_partial_report_is_red_only_when_a_rule_failed():
    """Where tests were selected, what is missing is no fault."""
    report = Report(("ID-1", "ID-2"), is_partial=True)
    report.add(MEMORY, ["ID-1"], Verdict.PASSED)
    before = report.is_red
    report.add(MEMORY, ["ID-1"], Verdict.FAILED)

    assert (False, True) == (before, report.is_red)


def test_verdict_on_a_rule_is_the_worst_of_its_tests():
    """One failed test fails the rule; one that did not run leaves it open; a gap is told."""
    report = Report(("ID-1", "ID-2", "ID-3"))
    for verdict in Verdict:
        report.add(MEMORY, ["ID-1"], verdict)
    report.add(MEMORY, ["ID-2", "ID-3"], Verdict.PASSED)
    report.add(MEMORY, ["ID-2"], Verdict.NOT_RUN)
    report.add(MEMORY, ["ID-3"], Verdict.GAP)

    assert [Verdict.FAILED, Verdict.NOT_RUN, Verdict.GAP] == [report.verdict(MEMORY, rule) for rule in report.rules]


def test_report_can_be_read_by_programs_and_people():
    """The same facts as a dictionary and as a table."""
    report = Report(("ID-1", "ID-2"))
    report.add(MEMORY, ["ID-1"], Verdict.PASSED)
    report.add(MEMORY, ["ID-2"], Verdict.GAP, reason="never")

    assert {
        "verdict": "green",
        "partial": False,
        "executed": 2,
        "columns": [
            {
                "backend": "memory",
                "mode": "blocking",
                "tests": 2,
                "rules": {"ID-1": "passed", "ID-2": "gap"},
                "reasons": {"ID-2": "never"},
            }
        ],
    } == report.to_dict()
    assert ["rule", "ID-1", "ID-2", "ID-2", "green:"] == [line.split()[0] for line in str(report).splitlines()]
