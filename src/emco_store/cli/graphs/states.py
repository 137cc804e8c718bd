"""State diagrams: a lifecycle from its class, with the numbers of a store in its states; as a tree, Mermaid or DOT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from rich.tree import Tree

from emco_store import InvalidCall, Resource
from emco_store.cli.graphs.dot import quoted, text_of
from emco_store.cli.graphs.palette import LINE, QUIET
from emco_store.core.wording import count

OPEN = "#059669"
"""The colour of states in which a resource can be deleted."""
LOCKED = "#dc2626"
"""The colour of the other states."""
_MERMAID = frozenset('"#<>&`:;{}')
_DOT = f"""\
digraph lifecycle {{
    rankdir=LR;
    ranksep=0.8;
    node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica,Arial,sans-serif"];
    edge [fontname="Helvetica,Arial,sans-serif", fontsize=10, color="{LINE}", arrowsize=0.7];
    "" [shape=point, width=0.15, color=black];"""


@dataclass(frozen=True, slots=True)
class State:
    """One state of a lifecycle.

    Attributes:
        name: Its value.
        is_deletable: Whether the resource can be deleted in it.
        notes: What it holds and freezes, for people.
        number: How many resources are in it; None where no store was asked.
    """

    name: str
    is_deletable: bool
    notes: tuple[str, ...] = ()
    number: int | None = None

    @property
    def colour(self) -> str:
        """Its colour in drawings."""
        return OPEN if self.is_deletable else LOCKED


@dataclass(frozen=True, slots=True)
class Step:
    """One arrow: a transition from one of its states.

    Attributes:
        source: The state in which it begins.
        target: The state in which it ends.
        name: Its name.
        guards: What must be true besides.
        effects: What it does besides changing the state.
    """

    source: str
    target: str
    name: str
    guards: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()

    def __str__(self) -> str:
        guards = f" [{', '.join(self.guards)}]" if self.guards else ""
        effects = f" / {', '.join(self.effects)}" if self.effects else ""
        return f"{self.name}{guards}{effects}"


@dataclass(frozen=True, slots=True)
class StateDiagram:
    """A lifecycle to draw.

    Attributes:
        kind: The kind of the resources.
        initial: The state in which each resource begins.
        states: The states, in the order of their enum.
        steps: The arrows, in the order of the class.
    """

    kind: str
    initial: str
    states: tuple[State, ...]
    steps: tuple[Step, ...]


def lifecycle_of(model: type[Resource]) -> Any:
    """Return the compiled lifecycle of the resources of a model.

    Raises:
        InvalidCall: They have none.
    """
    spec = model.__emco__
    if spec.lifecycle is None:
        raise InvalidCall(
            f"{spec.kind} has no lifecycle.",
            why=["its class declares none"],
            hint="name a kind that is declared with Resource(…, lifecycle=…).",
        )
    return spec.lifecycle.spec


def diagram_of(model: type[Resource], numbers: Mapping[str, int] | None = None) -> StateDiagram:
    """Build the diagram of the lifecycle of a kind.

    Args:
        model: The model of the kind.
        numbers: How many resources are in each state; None where no store was asked.

    Raises:
        InvalidCall: The kind has no lifecycle.
    """
    spec = lifecycle_of(model)
    states = tuple(
        State(
            name=str(state.value),
            is_deletable=state in spec.deletable,
            notes=tuple(_notes(spec, state)),
            number=None if numbers is None else numbers.get(str(state.value), 0),
        )
        for state in spec.states
    )
    steps = tuple(
        Step(str(source.value), str(step.to.value), name, tuple(map(str, step.guards)), _effects(step))
        for name, step in spec.transitions.items()
        for source in sorted(step.sources, key=list(spec.states).index)
    )
    return StateDiagram(model.__emco__.kind, str(spec.initial.value), states, steps)


def _notes(spec: Any, state: Any) -> Iterator[str]:
    for one in spec.holds.get(state, ()):
        yield f"holds {one.place} in {' or '.join(str(need.value) for need in one.needs)}"
    if spec.frozen.get(state):
        yield f"freezes {', '.join(spec.frozen[state])}"


def _effects(step: Any) -> tuple[str, ...]:
    """Return what a transition does besides changing the state, for people."""
    said = {
        "approves": step.approves,
        "records a revision": step.records,
        "begins an operation": step.begins,
        "ends an operation": step.ends,
        f"by {', '.join(sorted(step.writers))} alone": bool(step.writers),
    }
    return tuple(text for text, holds in said.items() if holds)


# drawings


def draw_state_tree(diagram: StateDiagram) -> list[Tree]:
    """Build a tree: each state is a branch, and the transitions that leave it are its lines."""
    top = Tree(Text(diagram.kind, style="bold"), guide_style="dim")
    for state in diagram.states:
        mark = ("can be deleted", "green") if state.is_deletable else ("locked", "red")
        head = Text.assemble((state.name, "bold"), "  ", mark)
        if state.name == diagram.initial:
            head.append("  initial", style="dim")
        if state.number is not None:
            head.append(f"  {count(state.number, 'resource')}")
        branch = top.add(head)
        for note in state.notes:
            branch.add(Text(note, style="dim"))
        for step in diagram.steps:
            if step.source == state.name:
                branch.add(Text.assemble(str(step), (" → ", "dim"), step.target))
    return [top]


def draw_state_mermaid(diagram: StateDiagram) -> str:
    """Write a Mermaid state diagram; states in which nothing can be deleted have a thick frame."""
    return "\n".join(_mermaid_lines(diagram)) + "\n"


def _mermaid_lines(diagram: StateDiagram) -> Iterator[str]:
    ids = {state.name: f"s{number}" for number, state in enumerate(diagram.states)}
    yield "stateDiagram-v2"
    yield "    direction LR"
    for state in diagram.states:
        yield f'    state "{_escaped(" — ".join(_label(state)))}" as {ids[state.name]}'
    yield f"    [*] --> {ids[diagram.initial]}"
    for step in diagram.steps:
        yield f"    {ids[step.source]} --> {ids[step.target]} : {_escaped(str(step))}"
    yield f"    classDef open stroke:{OPEN}"
    yield f"    classDef locked stroke:{LOCKED},stroke-width:3px"
    for state in diagram.states:
        yield f"    class {ids[state.name]} {'open' if state.is_deletable else 'locked'}"


def _label(state: State) -> list[str]:
    number = [] if state.number is None else [f"{state.number:,}"]
    return [state.name, *number, *state.notes]


def _escaped(text: str) -> str:
    """Replace syntax characters by entity codes (Mermaid documentation, Flowcharts: "Entity codes")."""
    return "".join(f"#{ord(each)};" if each in _MERMAID or not each.isprintable() else each for each in text)


def draw_state_dot(diagram: StateDiagram) -> str:
    """Write the diagram in Graphviz' language; states in which nothing can be deleted have a thick red frame."""
    return "\n".join(_dot_lines(diagram)) + "\n"


def _dot_lines(diagram: StateDiagram) -> Iterator[str]:
    yield _DOT
    for state in diagram.states:
        width = 1.2 if state.is_deletable else 2.6
        yield f'    {quoted(state.name)} [label={_dot_label(state)}, color="{state.colour}", penwidth={width}];'
    yield f'    "" -> {quoted(diagram.initial)};'
    for step in diagram.steps:
        more = "".join(
            f'<br/><font color="{QUIET}">{text_of(line)}</font>'
            for line in (*(f"[{guard}]" for guard in step.guards), *step.effects)
        )
        yield f"    {quoted(step.source)} -> {quoted(step.target)} [label=<<b>{text_of(step.name)}</b>{more}>];"
    yield "}"


def _dot_label(state: State) -> str:
    number = "" if state.number is None else f" ({state.number:,})"
    notes = "".join(f'<br/><font color="{QUIET}">{text_of(note)}</font>' for note in state.notes)
    return f"<<b>{text_of(state.name)}</b>{number}{notes}>"
