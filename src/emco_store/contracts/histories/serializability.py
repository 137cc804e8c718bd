"""Judge a history of list-append transactions: is there an order of them that explains all reads?

Transactions read lists and append unique values, so every read shows the order of all writes before it. Those orders
give edges between transactions: ``ww`` (wrote before), ``wr`` (was read by), ``rw`` (was read before the other wrote),
``rt`` (ended before the other began). A history is strictly serializable if the edges form no cycle. The kinds of edges
on a cycle name the anomaly.

Source: A. Adya, "Weak Consistency", 1999, for the anomalies; K. Kingsbury and P. Alvaro, "Elle", VLDB 2020, for lists.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from emco_store.contracts.histories.graph import Edge, Graph, cycle_through
from emco_store.contracts.histories.history import Operation, Result

EXAMPLES: Final = 3
"""Maximum number of counterexamples of each kind."""
_TAILS: Final = 20
"""Maximum number of unread appends of one list that get edges; a sound run has none."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """Something that no strictly serializable store could have answered.

    Attributes:
        kind: Its name: G0, G1a, G1b, G1c, G-single, G2-item (the cyclic ones also with ``-realtime``, if the cycle
            needs the order of real time), lost update, lost append, duplicate append, incompatible order, unwritten
            value, internal.
        text: A small counterexample, for people.
    """

    kind: str
    text: str


@dataclass(slots=True)
class Verdict:
    """The verdict of the checker.

    Attributes:
        transactions: Number of transactions: those that happened, and those with an unknown outcome that others saw.
        reads: Number of lists that they read.
        appends: Number of values that they appended.
        edges: Number of edges between them.
        counts: Number of anomalies of each kind.
        anomalies: At most :data:`EXAMPLES` of each kind.
    """

    transactions: int = 0
    reads: int = 0
    appends: int = 0
    edges: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    anomalies: list[Anomaly] = field(default_factory=list[Anomaly])

    def add(self, kind: str, text: str) -> None:
        """Add an anomaly."""
        self.counts[kind] += 1
        if self.counts[kind] <= EXAMPLES:
            self.anomalies.append(Anomaly(kind, text))

    @property
    def holds(self) -> bool:
        """Whether there is an order that explains everything."""
        return not self.counts


@dataclass(slots=True)
class _Transaction:
    """One transaction, taken apart.

    Attributes:
        operation: As it was recorded.
        reads: The contents of each list before the transaction's own appends.
        appends: The values that the transaction appended to each list, in order.
    """

    operation: Operation
    reads: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    appends: dict[str, list[int]] = field(default_factory=lambda: defaultdict[str, list[int]](list))


def check(operations: Iterable[Operation]) -> Verdict:
    """Find all anomalies, in time about linear in the number of operations.

    Args:
        operations: Their steps are ``("read", list, values)`` and ``("append", list, value)``. Each value is appended
            at most once in the whole history.

    Raises:
        ValueError: The workload appended a value twice, so the history cannot be judged.
    """
    verdict = Verdict()
    everyone = [_taken_apart(operation, verdict) for operation in operations]
    writers = _writers(everyone)
    taking_part = _that_happened(everyone, writers)
    verdict.transactions = len(taking_part)
    verdict.reads = sum(len(each.reads) for each in taking_part)
    verdict.appends = sum(len(values) for each in taking_part for values in each.appends.values())
    orders = _orders(taking_part)
    _check_reads(taking_part, orders, writers, verdict)
    _check_updates(taking_part, orders, verdict)
    graph = _graph(taking_part, orders)
    verdict.edges = len(graph.edges)
    _check_cycles(graph, taking_part, verdict)
    return verdict


def _taken_apart(operation: Operation, verdict: Verdict) -> _Transaction:
    """Separate what a transaction saw of others from what it saw of itself."""
    made = _Transaction(operation)
    seen: dict[str, tuple[int, ...]] = {}
    for kind, name, value in operation.steps:
        if kind == "append":
            made.appends[name].append(value)
            if name in seen:
                seen[name] = (*seen[name], value)
            continue
        if value is None:  # requested and never answered
            continue
        found, own = tuple(value), tuple(made.appends.get(name, ()))
        if found != seen.get(name, found) or (own and found[-len(own) :] != own):
            if operation.result is Result.OK:
                verdict.add("internal", f"{_shown(operation)}\n  {name} is not what it had read and appended itself")
            continue
        seen[name] = found
        made.reads.setdefault(name, found[: len(found) - len(own)])
    return made


def _writers(everyone: Sequence[_Transaction]) -> dict[tuple[str, int], _Transaction]:
    writers: dict[tuple[str, int], _Transaction] = {}
    for each in everyone:
        for name, values in each.appends.items():
            for value in values:
                if writers.setdefault((name, value), each) is not each or values.count(value) > 1:
                    message = f"the workload appends {value} to {name} twice"
                    raise ValueError(message)
    return writers


def _that_happened(
    everyone: Sequence[_Transaction], writers: Mapping[tuple[str, int], _Transaction]
) -> list[_Transaction]:
    """Return the transactions that happened: acknowledged ones, and unknown ones that any of these saw."""
    happened = [each for each in everyone if each.operation.result is Result.OK]
    known = set(map(id, happened))
    at = 0
    while at < len(happened):
        for name, values in happened[at].reads.items():
            for value in values:
                writer = writers.get((name, value))
                if writer and writer.operation.result is Result.UNKNOWN and id(writer) not in known:
                    known.add(id(writer))
                    happened.append(writer)
        at += 1
    return happened


def _orders(transactions: Iterable[_Transaction]) -> dict[str, tuple[int, ...]]:
    """Return the order of the values of each list: that of its longest read."""
    longest: dict[str, tuple[int, ...]] = {}
    for each in transactions:
        for name, values in each.reads.items():
            if len(values) > len(longest.setdefault(name, values)):
                longest[name] = values
    return longest


# anomalies of single reads and writes


def _check_reads(
    transactions: Iterable[_Transaction],
    orders: Mapping[str, tuple[int, ...]],
    writers: Mapping[tuple[str, int], _Transaction],
    verdict: Verdict,
) -> None:
    for name, values in orders.items():
        _check_origins(name, values, writers, verdict)
    for each in transactions:
        for name, values in each.reads.items():
            if orders[name][: len(values)] != values:
                verdict.add(
                    "incompatible order",
                    f"{_shown(each.operation)}\n  but somebody read {name} as {_list(orders[name])}",
                )
                _check_origins(name, values, writers, verdict)
            writer = writers.get((name, values[-1])) if values else None
            if writer is not None and writer is not each and writer.appends[name][-1] != values[-1]:
                verdict.add("G1b", f"{_shown(each.operation)}\n  saw the midst of {_shown(writer.operation)}")


def _check_origins(
    name: str, values: Sequence[int], writers: Mapping[tuple[str, int], _Transaction], verdict: Verdict
) -> None:
    if len(set(values)) < len(values):
        twice = next(value for value, times in Counter(values).items() if times > 1)
        verdict.add("duplicate append", f"{name} was read as {_list(values)}: {twice} is there twice")
    for value in values:
        writer = writers.get((name, value))
        if writer is None:
            verdict.add("unwritten value", f"{name} was read as {_list(values)}, and nobody appended {value}")
        elif writer.operation.result is Result.FAILED:
            verdict.add("G1a", f"{name} was read with {value}, of {_shown(writer.operation)}")


def _check_updates(
    transactions: Iterable[_Transaction], orders: Mapping[str, tuple[int, ...]], verdict: Verdict
) -> None:
    """Find two transactions that appended to the same state of a list, and acknowledged appends that are missing."""
    based: dict[tuple[str, tuple[int, ...]], _Transaction] = {}
    placed = {name: set(values) for name, values in orders.items()}
    last_read: dict[str, Operation] = {}
    everyone = list(transactions)
    for each in everyone:
        for name in each.reads:
            last_read[name] = max(last_read.get(name, each.operation), each.operation, key=_called)
        for name in each.appends.keys() & each.reads.keys():
            first = based.setdefault((name, each.reads[name]), each)
            if first is not each:
                text = f"{_shown(first.operation)}\n{_shown(each.operation)}\n  both appended to the same {name}"
                verdict.add("lost update", text)
    for each in everyone:
        ended_ns = each.operation.returned_ns
        if each.operation.result is not Result.OK or ended_ns is None:
            continue
        for name, values in each.appends.items():
            reader = last_read.get(name)
            if reader is not None and reader.called_ns > ended_ns and not placed[name].issuperset(values):
                verdict.add("lost append", f"{_shown(each.operation)}\n  is not in {_shown(reader)}")


# cycles


def _graph(transactions: Sequence[_Transaction], orders: Mapping[str, tuple[int, ...]]) -> Graph:
    """Build the graph: the first nodes are the transactions, in order, the others are moments."""
    graph = Graph(len(transactions))
    nodes: dict[tuple[str, int], int] = {}
    unseen: dict[str, list[int]] = defaultdict(list)
    placed = {name: set(values) for name, values in orders.items()}
    for node, each in enumerate(transactions):
        for name, made in each.appends.items():
            nodes |= {(name, value): node for value in made}
            if made[0] not in placed.get(name, ()) and len(unseen[name]) < _TAILS:
                unseen[name].append(node)
    _draw_writes(graph, orders, nodes, unseen)
    _draw_reads(graph, transactions, orders, nodes, unseen)
    _draw_time(graph, [each.operation for each in transactions])
    return graph


def _draw_writes(
    graph: Graph,
    orders: Mapping[str, tuple[int, ...]],
    nodes: Mapping[tuple[str, int], int],
    unseen: Mapping[str, list[int]],
) -> None:
    for name, order in orders.items():
        owners = [nodes[name, value] for value in order if (name, value) in nodes]
        for before, after in pairwise(owners):
            graph.add(before, after, "ww", name)
        for after in unseen.get(name, ()) if owners else ():
            graph.add(owners[-1], after, "ww", name)


def _draw_reads(
    graph: Graph,
    transactions: Sequence[_Transaction],
    orders: Mapping[str, tuple[int, ...]],
    nodes: Mapping[tuple[str, int], int],
    unseen: Mapping[str, list[int]],
) -> None:
    for node, each in enumerate(transactions):
        for name, values in each.reads.items():
            if values and (name, values[-1]) in nodes:
                graph.add(nodes[name, values[-1]], node, "wr", name)
            order = orders[name]
            if order[: len(values)] != values:
                continue  # it is in no order
            if len(values) == len(order):
                for after in unseen.get(name, ()):
                    graph.add(node, after, "rw", name)
            elif (name, order[len(values)]) in nodes:
                graph.add(node, nodes[name, order[len(values)]], "rw", name)


def _draw_time(graph: Graph, operations: Sequence[Operation]) -> None:
    """Order each transaction before those that began after its end, by a chain of moments: edges stay linear."""
    events = [(operation.called_ns, 0, node) for node, operation in enumerate(operations)]
    events += [
        (operation.returned_ns, 1, node)
        for node, operation in enumerate(operations)
        if operation.returned_ns is not None and operation.result is Result.OK
    ]
    moment: int | None = None
    ended: list[int] = []
    for _, is_end, node in sorted(events):
        if is_end:
            ended.append(node)
            continue
        if ended:
            new = graph.add_node()
            if moment is not None:
                graph.add(moment, new, "rt")
            for before in ended:
                graph.add(before, new, "rt")
            moment, ended = new, []
        if moment is not None:
            graph.add(moment, node, "rt")


def _check_cycles(graph: Graph, transactions: Sequence[_Transaction], verdict: Verdict) -> None:
    """Report cycles: for each component the worst kind, with one short example."""
    suspects = set[int]().union(*graph.components({"ww", "wr", "rw", "rt"}))
    if not suspects:
        return
    named: set[int] = set()
    for kinds in ({"ww"}, {"ww", "wr"}, {"ww", "wr", "rw"}, {"ww", "wr", "rw", "rt"}):
        for tangle in graph.components(kinds, suspects):
            if named.isdisjoint(tangle):
                named |= tangle
                found = _worst([edge for edge in graph.inside(tangle) if edge.kind in kinds])
                if found is not None:
                    verdict.add(_named(found), _told(found, transactions))


def _worst(edges: Sequence[Edge]) -> list[Edge] | None:
    """Find a short cycle with as few ``rw`` edges as possible: none, one, or more."""
    crossing = [edge for edge in edges if edge.kind == "rw"]
    others = [edge for edge in edges if edge.kind != "rw"]
    return cycle_through(others, others) or cycle_through(crossing, others) or cycle_through(crossing, edges)


def _named(cycle: Sequence[Edge]) -> str:
    kinds = Counter(edge.kind for edge in cycle)
    name = "G1c" if kinds["wr"] else "G0"
    if kinds["rw"]:
        name = "G-single" if kinds["rw"] == 1 else "G2-item"
    return f"{name}-realtime" if kinds["rt"] else name


def _told(cycle: Sequence[Edge], transactions: Sequence[_Transaction]) -> str:
    """Write a cycle, without its moments."""
    start = next(at for at, edge in enumerate(cycle) if edge.source < len(transactions))
    turned = [*cycle[start:], *cycle[:start]]
    visited = [edge.source for edge in turned if edge.source < len(transactions)]
    names = {node: f"T{number}" for number, node in enumerate(dict.fromkeys(visited), 1)}
    lines = [f"{name}: {_shown(transactions[node].operation)}" for node, name in names.items()]
    return "\n".join([*lines, *(f"  {line}" for line in _arrows(turned, names))])


def _arrows(cycle: Sequence[Edge], names: Mapping[int, str]) -> Iterator[str]:
    words = {"ww": "wrote {} before", "wr": "wrote what {} gave to", "rw": "read {} before it was written by"}
    source = ""
    for edge in cycle:
        source = names.get(edge.source, source)
        if edge.target in names:
            how = words[edge.kind].format(edge.about) if edge.kind in words else "had ended before the begin of"
            yield f"{source} {how} {names[edge.target]} ({edge.kind})"


def _shown(operation: Operation) -> str:
    steps = ", ".join(f"{kind} {name} {_list(value) if kind == 'read' else value}"
                      for kind, name, value in operation.steps)  # fmt: skip
    return f"{operation.process} at {operation.called_ns / 1e9:.6f} s ({operation.result}): {steps}"


def _list(values: Sequence[int] | None) -> str:
    if values is None:
        return "?"
    shown = ", ".join(map(str, values[-6:]))
    return f"[… {len(values) - 6} more, {shown}]" if len(values) > 6 else f"[{shown}]"


def _called(operation: Operation) -> int:
    return operation.called_ns
