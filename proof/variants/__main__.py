"""Judge the variants: ``python -m proof.variants [--family memory] [--only NAME] [--out FILE]``."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

from proof.variants.catalogue import FAMILIES
from proof.variants.judging import STRIDE, Verdict, in_order, judge_apart


def main() -> int:
    """Judge variants, one after the other; exit code 1 if a broken one survives, or a sound one does not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--family",
        action="append",
        choices=FAMILIES,
        help="all are judged if none is named; etcd needs a server, see proof.variants.etcd",
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="judge these only")
    parser.add_argument(
        "--stride", type=int, default=STRIDE, help="run every n-th pair of transactions; default: %(default)s"
    )
    parser.add_argument("--quick", action="store_true", help="only quick tests of what a backend does itself")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the verdicts, as JSON")
    given = parser.parse_args()
    tests = in_order(is_quick=given.quick)
    verdicts: dict[str, list[Verdict]] = {}
    wrong: list[str] = []
    for name in given.family or FAMILIES:
        family = FAMILIES[name]
        for variant in (*family.sound, *family.broken):
            if given.only and variant.name not in given.only:
                continue
            verdict = replace(judge_apart(variant, tests, stride=given.stride), suite=len(in_order()))
            verdicts.setdefault(name, []).append(verdict)
            _say(_line(verdict))
            if bool(verdict.caught_by) == (variant in family.sound):
                wrong.append(variant.name)
    if given.out:
        plain = {name: [asdict(one) for one in found] for name, found in verdicts.items()}
        given.out.write_text(json.dumps(plain, indent=1) + "\n", "utf-8")
    _say(f"{sum(map(len, verdicts.values()))} judged; not as they should be: {', '.join(wrong) or 'none'}")
    return 1 if wrong else 0


def _line(verdict: Verdict) -> str:
    by = f"{', '.join(verdict.rules)} {verdict.caught_by} ({verdict.problem})"
    return f"{verdict.name:32} {by if verdict.caught_by else 'passes'}  {verdict.tests} tests, {verdict.seconds:.1f} s"


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
