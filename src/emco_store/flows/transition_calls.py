"""The calls of transitions: what is checked before anything is read, and what functions of guards may answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, TypeVar

from emco_store.core.digests import is_digest
from emco_store.core.keys import Key
from emco_store.core.lifecycle_parts import LifecycleSpec, Transition
from emco_store.core.objections import Objection, hint_of
from emco_store.core.origins import MAX_REASON, prose_problem
from emco_store.core.records import Record
from emco_store.core.sights import Guard
from emco_store.core.wording import count
from emco_store.errors import InvalidCall, TransitionRefused
from emco_store.flows.context import Context, uid_of
from emco_store.flows.lifecycles import lifecycle_of
from emco_store.flows.unit import Unit

S = TypeVar("S", bound=Enum)
NOTE_HINT = f"a note has at most {MAX_REASON:,} characters, without control characters but line breaks and tabs"


@dataclass(frozen=True, slots=True)
class Call(Generic[S]):
    """A transition that was asked for, as far as it can be checked without reading.

    Attributes:
        key: The key of the resource.
        uid: The uid that it must have; None where the caller gave no resource.
        step: The transition.
        spec: The lifecycle.
        digest: The digest of the content that the caller has looked at; None if none was given.
        operation: The id of the operation that has ended; None if none was given.
        note: What the caller says about it.
        version: The version that the lifecycle record must have, 0 for none; None where any will do.
    """

    key: Key
    uid: str | None
    step: Transition[S]
    spec: LifecycleSpec[S]
    digest: str | None = None
    operation: str | None = None
    note: str = ""
    version: int | None = None


def called(
    context: Context,
    target: Any,
    step: Transition[S],
    *,
    digest: Any = None,
    operation: Any = None,
    note: Any = "",
    is_plan: bool = False,
) -> Call[S]:
    """Check a call for a transition.

    Raises:
        InvalidCall: It is no transition of the lifecycle of the resource, or what it needs is missing or malformed.
    """
    key = context.address(target)
    lifecycle = lifecycle_of(context, key)
    wrong: list[Objection] = []
    if not isinstance(step, Transition):  # pyright: ignore[reportUnnecessaryIsInstance]  # what a caller may pass all the same
        wrong.append(Objection(f"{step!r:.80} is no transition", _such_as(lifecycle, step)))
    elif step.lifecycle is not lifecycle:
        reason = f"it is no transition of {lifecycle.__name__}, the lifecycle of {key.kind}"
        wrong.append(Objection(reason, _such_as(lifecycle, step.name)))
    else:
        if not is_plan:
            hint = "plan_transition() shows the content: give the digest of that plan, or apply() it"
            wrong += _wanted("digest", digest, needed=step.approves, what="approve", hint=hint)
        hint = "give operation= of the lifecycle record that the transition returned which began it"
        wrong += _wanted("operation", operation, needed=step.ends, what="end an operation", hint=hint)
    problem = prose_problem(note)
    if problem:
        wrong.append(Objection(f"note={note!r:.40}: {problem}", NOTE_HINT))
    if wrong:
        raise InvalidCall(
            f"Cannot make the transition {step!s:.80} of {key}.",
            why=[one.reason for one in wrong],
            hint=hint_of(wrong, ""),
        )
    return Call(key, uid_of(target), step, lifecycle.spec, digest, operation, note)


def _such_as(lifecycle: Any, given: Any) -> str:
    """Say which transitions could be meant."""
    names = [given] if given in lifecycle.spec.transitions else list(lifecycle.spec.transitions)
    return f"give {' or '.join([f'{lifecycle.__name__}.{name}' for name in names])}"


def _wanted(name: str, value: Any, *, needed: bool, what: str, hint: str) -> Iterator[Objection]:
    if value is None and needed:
        yield Objection(f"{name}= is missing, and only with it can the transition {what}", hint)
    elif value is not None and not needed:
        yield Objection(f"{name}= has no meaning: the transition does not {what}", f"leave {name}= out")
    elif value is not None and not _is_given(name, value):
        yield Objection(f"{name}={value!r:.80} is not a text that the store gave", hint)


def _is_given(name: str, value: Any) -> bool:
    return isinstance(value, str) and (is_digest(value) if name == "digest" else value.isprintable() and value != "")


def check_note(what: str, note: Any) -> None:
    """Refuse a note that cannot be stored.

    Raises:
        InvalidCall: It is no text, too long, or holds control characters.
    """
    problem = prose_problem(note)
    if problem:
        raise InvalidCall(f"Cannot {what} with note={note!r:.40}.", why=[problem], hint=f"{NOTE_HINT}.")


def planned(context: Context, plan: Any) -> Call[Any]:
    """Return the call that applies a plan; it is refused if the resource, its state or its content has changed."""
    lifecycle = lifecycle_of(context, plan.key)
    uid, version = plan.basis
    return Call(plan.key, uid, plan.step, lifecycle.spec, plan.digest, plan.operation, plan.note, version)


def refusal(key: Key, step: Transition[Any], state: Any, objections: Sequence[Objection]) -> TransitionRefused:
    """Build the error for a transition that something speaks against: each reason, and what can be done about it."""
    allowed = step.lifecycle.spec.leaving(state)
    reasons = [one.reason for one in objections]
    return TransitionRefused(
        f"Cannot {making(step)} {key}, which is {state.value}: {count(len(reasons), 'reason')}.",
        why=reasons,
        hint=hint_of(objections, f"transitions from {state.value}: {', '.join(allowed) or 'none'}"),
        key=key,
        transition=step.name,
        state=str(state.value),
        reasons=tuple(reasons),
        allowed=allowed,
    )


def making(step: Transition[Any]) -> str:
    """Return what a transition does, before the key of its resource: ``instantiate``, ``report started of``."""
    return f"report {step.name} of" if step.ends else step.name


def refused_by(guard: Guard, answer: Any) -> list[Objection]:
    """Return what a function has said against a transition.

    Raises:
        InvalidCall: It returned something else than a text or None.
    """
    if answer is None:
        return []
    if isinstance(answer, str) and answer:
        return [Objection(f"{guard}: {answer}")]
    raise InvalidCall(
        f"Cannot go on with what {guard} returned.",
        why=[f"{answer!r:.80} is neither None nor a text"],
        hint="return None where nothing speaks against the transition, or the reason as text.",
    )


def written(unit: Unit) -> tuple[dict[Key, Record], dict[Key, bool]]:
    """Return what a transaction would write, to compare it later."""
    return dict(unit.puts), dict(unit.gone)


def refuse_writes(guard: Guard, before: object, unit: Unit, *, has_ended: bool) -> None:
    """Refuse a function of a guard that has written something, or has ended the transaction.

    Raises:
        InvalidCall: It has.
    """
    if has_ended or before != written(unit):
        raise InvalidCall(
            f"Cannot go on after {guard}.",
            why=["it has ended the transaction" if has_ended else "it has written something through tx"],
            hint="a guard may read only; write before the transition or after it.",
        )
