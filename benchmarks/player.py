"""The process of one checkout in a comparison of two: see :mod:`benchmarks.against`.

It imports ``benchmarks`` and ``emco_store`` from the checkout that its environment names, and not from where it lies.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.bench import Bench
from benchmarks.items import every_item
from benchmarks.measure import Contender, Effort, steady_memory


def main(item: str, label: str, urls: dict[str, str], effort: Effort) -> None:
    """Prepare an item, print the names of its contenders, and do a round for each line of the input."""
    warm = Effort(1, max(3, effort.operations // 10), min(0.2, effort.seconds), effort.scale, effort.sizes)
    (wanted,) = [one for one in every_item() if one.name == item]
    with Bench(f"{item}-{label}", urls, effort, lambda *_, **__: None) as bench:
        bench.peers = lambda *_: iter(())  # type: ignore[method-assign]  # other mappers are the same in both checkouts
        contenders = {one.name: one for one in wanted.contenders(bench) if one.role == "ours"}
        _say(list(contenders))
        for line in sys.stdin:
            name, is_warming = json.loads(line)
            _say(_round(contenders[name], warm if is_warming else effort))


def _round(contender: Contender, effort: Effort) -> tuple[float, float]:
    """Return seconds and seconds of this process's processor time, both for one operation."""
    if contender.prepare is not None:
        contender.prepare()
    with steady_memory():
        sample = contender.run(effort)
    count = max(1, sample.operations)
    return sample.wall_s / count, sample.cpu_s / count


def _say(value: Any) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    item, label, urls, (rounds, operations, seconds, scale, sizes) = json.loads(sys.argv[1])
    main(item, label, urls, Effort(rounds, operations, seconds, scale, tuple(sizes)))
