"""A stranger's project: the example backend passes from outside, a broken line turns it red, and nothing hides."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

import pytest
from _pytest.assertion.rewrite import AssertionRewritingHook

from emco_store import contracts
from emco_store.contracts.rules import names_by_rule
from emco_store.contracts.suite import Conformance

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/third_party_backend"
pytestmark = pytest.mark.timeout(360)  # the whole suite, in a process of its own
SLOW = ("test_every_schedule", "test_random_programs")
PASSES = "test_create_of_a_free_key_adds_the_resource"
PLAIN = """
from emco_store.backends.memory import MemoryBackend
from emco_store.contracts.suite import Conformance, Gap, Harness

class TestPlain(Conformance):
    harness = Harness("plain", MemoryBackend, gaps=(%s))
"""


class Run:
    """What came of one run of pytest."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--contracts-report=report.json"]
        done = subprocess.run(  # noqa: S603 - the example's own tests
            [*command, *arguments], check=False, cwd=folder, capture_output=True, text=True, timeout=300,
            env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
        )  # fmt: skip
        self.code = done.returncode
        self.output = done.stdout + done.stderr
        path = folder / "report.json"
        self.report = json.loads(path.read_text("utf-8")) if path.exists() else {}

    @property
    def verdict(self) -> str:
        """The verdict of the report."""
        return self.report["verdict"]

    def rules(self, verdict: str) -> set[str]:
        """The rules with this verdict, in any mode."""
        return {
            rule for column in self.report["columns"] for rule, found in column["rules"].items() if found == verdict
        }


@pytest.fixture
def project(tmp_path):
    """A copy of the example."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")))


def test_example_backend_passes_the_whole_suite_in_one_mode(project):
    """The example is a backend, by the contract: all rules, exit code 0; the other mode is one adapter more."""
    source = project / "test_map_backend.py"
    mode = (
        '    @pytest.fixture(scope="class", params=[Mode.BLOCKING], ids=str)\n    def contract_mode(self, request):\n'
    )
    text = source.read_text("utf-8").replace("import Conformance, Harness", "import Conformance, Harness, Mode")
    text = text.replace("from map_backend", "import pytest\nfrom map_backend").replace("stride=20", "stride=100")
    source.write_text(f"{text}\n{mode}        return request.param\n", "utf-8")

    run = Run(project)

    assert (0, "green") == (run.code, run.verdict), run.output
    assert [("blocking", {"passed"})] == [(one["mode"], set(one["rules"].values())) for one in run.report["columns"]]


@pytest.mark.parametrize(
    ("line", "broken", "rule"),
    [
        ("reverse=span.descending", "reverse=False", "ID-8"),
        ("entry.revision > revision]", "entry.revision >= revision]", "FEED-3"),
        ("for key in write.deletes", "for key in ()", "DEL-3"),
    ],
)
def test_broken_line_of_the_example_turns_it_red(project, line, broken, rule):
    """The example's proof notices when one line of the backend is wrong."""
    source = project / "map_backend.py"
    text = source.read_text("utf-8")
    assert 1 == text.count(line)
    source.write_text(text.replace(line, broken), "utf-8")

    names = names_by_rule(Conformance)
    run = Run(project, "-k", " or ".join(name for name in {*names[rule], *names["BAD-9"]} if not name.startswith(SLOW)))

    assert (1, "red") == (run.code, run.verdict)
    assert rule in run.rules("failed")
    assert "BAD-9" in run.rules("passed")


def test_run_of_nothing_is_red(project):
    """A project whose conformance class is gone fails, though all its other tests pass."""
    (project / "test_map_backend.py").write_text("def test_other(): pass\n", "utf-8")

    run = Run(project)

    assert (1, "red", 0) == (run.code, run.verdict, run.report["executed"])


def test_selection_is_partial(project):
    """Where tests were selected, what did not run is not held against the run, and the report says so."""
    run = Run(project, "-k", PASSES)

    assert (0, "partial", 2) == (run.code, run.verdict, run.report["executed"])


def test_test_that_never_ends_fails_and_names_the_method(project):
    """A request that does not return fails its test after a bound; the run goes on, and says where to look."""
    source = project / "map_backend.py"
    waits = "lambda self, hold: hold.holder == 'me' and threading.Event().wait()"  # not what a run begins with
    hangs = f"from emco_store.backends.keyvalue.port import KeyValuePort\n\nKeyValuePort.hold = {waits}\n"
    source.write_text(f"{source.read_text('utf-8')}\n\n{hangs}", "utf-8")
    quick = "test_hold_disturbs_no_reader"

    run = Run(project, "-p", "no:timeout", "--contracts-bound=0.2", "-k", f"blocking and ({PASSES} or {quick})")

    assert (1, "red", True, 2) == (run.code, run.verdict, run.report["partial"], run.report["executed"]), run.output
    assert {"OCC-11"} == run.rules("failed")
    assert "has not ended after 0.2 seconds" in run.output
    assert "PortBase.hold" in run.report["columns"][1]["reasons"]["OCC-11"]


def test_report_of_several_workers_is_that_of_one_process(project):
    """With pytest-xdist, the process that reports has the outcomes of all workers."""
    some = ("-k", "test_create")
    one, several = Run(project, *some), Run(project, *some, "-n", "2")

    assert (0, one.report) == (several.code, several.report), several.output


def test_worker_that_dies_leaves_its_rules_unproved(project):
    """What a worker was to show and did not is missing from the report, and the run is red."""
    source = project / "test_map_backend.py"
    end = "    @pytest.fixture\n    def lab(self, bench):\n        os._exit(1)\n"
    text = source.read_text("utf-8").replace("from map_backend", "import os\nimport pytest\nfrom map_backend")
    source.write_text(f"{text}\n{end}", "utf-8")

    run = Run(project, "-n", "1", "--max-worker-restart=0")

    assert (True, "red") == (run.code != 0, run.verdict), run.output


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("raise KeyboardInterrupt", 2),
        ("pytest.exit('no server')", 2),
        ("pytest.exit('no server', returncode=7)", 7),
        ("pytest.exit('enough', returncode=0)", 0),
    ],
)
def test_interrupted_run_is_partial(project, ending, code):
    """A run that was ended before its time is not red for what it did not come to."""
    source = project / "test_map_backend.py"
    end = f"\n\ndef test_end(): {ending}\n\n\nclass"
    text = source.read_text("utf-8").replace("class", end, 1)
    source.write_text(text.replace("from map_backend", "import pytest\nfrom map_backend"), "utf-8")

    run = Run(project)

    assert (code, "partial") == (run.code, run.verdict), run.output


def test_run_with_an_error_of_pytest_is_partial(project):
    """A run that ended because a plugin is broken has its own exit code, and shows nothing about the rules."""
    (project / "conftest.py").write_text(
        (project / "conftest.py").read_text("utf-8") + "\n\ndef pytest_runtestloop(session): raise KeyError\n", "utf-8"
    )

    run = Run(project)

    assert (pytest.ExitCode.INTERNAL_ERROR, "partial") == (run.code, run.verdict), run.output


def test_report_in_another_folder_is_written_again(project, tmp_path):
    """The report of an earlier run is no path to tests, wherever it lies."""
    (tmp_path / "reports").mkdir()
    option = f"--contracts-report={tmp_path / 'reports' / 'report.json'}"

    runs = [Run(project, option, "-k", PASSES) for _ in range(2)]

    assert [0, 0] == [run.code for run in runs], runs[1].output


def test_report_apart_from_its_option_is_refused(project):
    """What pytest would take for a path to tests in the second run is refused in the first."""
    run = Run(project, "--contracts-report", "other.json", "-k", PASSES)

    assert pytest.ExitCode.USAGE_ERROR == run.code
    assert "--contracts-report=FILE" in run.output
    assert not (project / "other.json").exists()


def test_every_module_of_the_suite_shows_the_values_of_a_failure():
    """Asserts of the suite are rewritten, in every module: a failure in another's project shows what was compared."""
    names = [f"emco_store.contracts.{module.name}" for module in iter_modules(contracts.__path__)]

    assert [] == [name for name in names if not isinstance(find_spec(name).loader, AssertionRewritingHook)]


def test_rules_that_were_skipped_turn_the_run_red(project):
    """A skip is no proof."""
    source = project / "test_map_backend.py"
    skip = "    @pytest.fixture\n    def lab(self, bench):\n        pytest.skip('no server')\n"
    text = source.read_text("utf-8").replace("from map_backend", "import pytest\nfrom map_backend")
    source.write_text(f"{text}\n{skip}", "utf-8")

    run = Run(project)

    assert (1, "red", 0) == (run.code, run.verdict, run.report["executed"])


def test_gap_that_does_not_fail_is_a_failure(project):
    """A declared gap is strict: when the rule is kept after all, the run is red."""
    _write_plain(project, 'Gap("ID-12", "notyet", AssertionError, "said so"),')

    run = Run(project, "-k", "test_values_do_not_lead_back_into_the_store")

    assert (1, {"ID-12"}) == (run.code, run.rules("failed"))


def test_gap_that_fails_as_declared_is_told(project):
    """A gap that is one passes, and stands in the report with its reason; another exception does not count."""
    broken = "class TestPlain(Conformance):\n    def test_values_do_not_lead_back_into_the_store(self, lab): raise {}\n"
    gap = 'Gap("ID-12", "never", NotImplementedError, "live objects"),'
    name = "test_values_do_not_lead_back_into_the_store"
    outcomes = []
    for problem in ("NotImplementedError", "KeyError"):
        text = (PLAIN % gap).replace("class TestPlain(Conformance):\n", broken.format(problem))
        marked = text.replace(f"    def {name}", f'    @rule("ID-12")\n    def {name}')
        (project / "test_map_backend.py").write_text(f"from emco_store.contracts.rules import rule\n{marked}", "utf-8")
        run = Run(project, "-k", name)
        outcomes.append((run.code, run.rules("gap"), run.rules("failed")))

    assert [(0, {"ID-12"}, set()), (1, set(), {"ID-12"})] == outcomes


@pytest.mark.parametrize(
    "gap",
    [
        'Gap("ID-99", "never", KeyError, "why"),',
        'Gap("ID-1", "never", KeyError, "why", tests=("test_no_such",)),',
        'Gap("ID-1", "never", KeyError, " "),',
        'Gap("ID-1", "never", Exception, "why"),',
        'Gap("ID-1", "never", (KeyError, BaseException), "why"),',
        'Gap("ID-1", "never", (), "why"),',
        'Gap("ID-1", "never", KeyError, "why", modes=()),',
    ],
)
def test_gap_that_says_nothing_is_refused(project, gap):
    """A gap in an unknown rule or test, without a reason, or that any failure would fit is an error of the run."""
    _write_plain(project, gap)

    assert pytest.ExitCode.USAGE_ERROR == Run(project, "-k", PASSES).code


def _write_plain(project: Path, gap: str) -> None:
    (project / "test_map_backend.py").write_text(PLAIN % gap, "utf-8")
