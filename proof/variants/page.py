"""Write the page of the verdicts: ``python -m proof.variants.page`` after ``python -m proof.variants --out``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from proof.variants.catalogue import FAMILIES
from proof.variants.judging import Verdict, table

VERDICTS: Final = Path(__file__).parents[2] / "docs/proof/variants.json"
PAGE: Final = VERDICTS.with_suffix(".md")
HEAD: Final = """\
# Broken backends

A backend that loses data and passes the suite would be the worst that this project could ship. So {broken} backends
were broken on purpose, in ways in which databases, drivers and their users are wrong, and without a look at the suite;
and each was given to it. The table shows which rules the first test that failed proves; `variants.json` beside this
page names the test. {caught}

{sound} backends that are as they should be, some of them in an unusual way, were given to the suite too, and pass.

The suite ran in its shortest form, on blocking stores, first the tests of what a backend does itself, and stopped at
the first failure: `python -m proof.variants --quick`. That leaves out tests that take seconds, and those of what the
core does above a backend, such as lifecycles. Where no test fails, those of its ordered map follow (`MapConformance`).
It ran while the suite grew, so some were caught by an older suite: `suite` in `variants.json` is the number of tests
that it had by then, where that was noted. With `--only NAME` it judges one variant. They are in
`proof/variants`.{waiting}
"""
FAMILY: Final = {
    "memory": "Of the memory backend",
    "key-value": "Of the key-value base and of maps under it",
    "etcd": "Of the etcd backend",
}

REMARKS: Final = {
    "etcd": """\
ReadsFromAnyMember shows on a cluster only, and one server was judged. SendsCommitsAgain is against the contract of
maps, and does no harm to a commit, which compares its own outcome and what it rests on;
`tests/backends/etcd/test_answers.py` catches it."""
}


def page(verdicts: Mapping[str, Sequence[Verdict]]) -> Iterator[str]:
    """Yield the lines of the page."""
    sound = {name: {one.name for one in FAMILIES[name].sound} for name in verdicts}
    broken = {name: [one for one in found if one.name not in sound[name]] for name, found in verdicts.items()}
    every = [one for found in broken.values() for one in found]
    alive = [one for one in every if not one.caught_by]
    caught = f"**{len(alive)} survived**: they are marked, and each is a finding." if alive else "All were caught."
    judged = {one.name for one in every}
    left = [one.name for family in FAMILIES.values() for one in family.broken if one.name not in judged]
    waiting = f"\n\nNot judged yet: {', '.join(left)}." if left else ""
    yield HEAD.format(broken=len(every), caught=caught, sound=sum(map(len, sound.values())), waiting=waiting)
    for name, found in broken.items():
        yield f"## {FAMILY[name]}\n"
        yield from table(found)
        yield ""
        if name in REMARKS:
            yield f"{REMARKS[name]}\n"


def read() -> dict[str, list[Verdict]]:
    """Return the verdicts of the last run."""
    plain: dict[str, list[dict[str, Any]]] = json.loads(VERDICTS.read_text("utf-8"))
    return {name: list(map(_verdict, found)) for name, found in plain.items()}


def _verdict(plain: dict[str, Any]) -> Verdict:
    return replace(Verdict(**plain), rules=tuple(plain["rules"]))


if __name__ == "__main__":
    PAGE.write_text("\n".join(page(read())), "utf-8")
