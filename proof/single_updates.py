"""All orders of a protocol that was declined: an update as one statement, with its txid in a ring in the record.

A model of one record on one replica set: writers, each with one commit, resolvers, and one that deletes the record and
creates it anew. A message arrives at any later time, or never; a reply is received or lost; a writer sends again; the
primary may lose what a majority does not have. ``python -m proof.single_updates`` shows in how many states the protocol
keeps its promises, and which step each part of it is there for; see decision 67.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from time import perf_counter
from typing import Final, NamedTuple

RING: Final = 1
"""How many txids the record holds."""
SENDS: Final = 2
"""How often a writer sends each form of its commit at most."""
PARTS: Final = {
    "fence": "a resolver writes the txid into the record, and a statement finds no record that holds its txid",
    "key": "the txid names the record, so that a resolver knows where to write",
    "bound": "the txid is made after the record was read, and names its version",
    "ring first": "a resolver looks into the record before it writes an outcome",
    "archive": "a transaction that empties the ring writes outcomes for what it held",
    "archive on delete": "a delete does the same",
    "room": "a statement finds no record whose ring is full",
    "majority": "a resolver answers once a majority has what it has seen",
}
"""The parts of the protocol, each of which may be left out."""


class Record(NamedTuple):
    """What the server holds. The history stands for the feed: the change stream tells each write of the record.

    Attributes:
        uid: The uid of the record; 0 where there is none.
        version: Its version.
        ring: The txids of its last updates.
        fenced: The txids that can no longer be written at this version.
        outcomes: The documents of their own: txid, and whether it was committed.
        history: Each update that has happened: txid, uid and the version that it made.
    """

    uid: int = 1
    version: int = 1
    ring: tuple[int, ...] = ()
    fenced: frozenset[int] = frozenset()
    outcomes: frozenset[tuple[int, bool]] = frozenset()
    history: tuple[tuple[int, int, int], ...] = ()

    def archived(self) -> frozenset[tuple[int, bool]]:
        """Return the outcomes, with those of the ring."""
        return self.outcomes | {(txid, True) for txid in self.ring}

    def outcome(self, txid: int) -> bool | None:
        """Return the outcome of a commit that has a document of its own."""
        return next((found for one, found in self.outcomes if one == txid), None)


class Message(NamedTuple):
    """A request on its way: who waits for the reply, the form, the txid, and the state that it rests on."""

    who: int
    form: str
    txid: int
    uid: int = 0
    version: int = 0


class Client(NamedTuple):
    """A writer (with what it has read), a resolver or the deleter; ``step`` is what it waits for, or how it ended."""

    role: str
    txid: int
    step: str = "begin"
    sent: int = 0
    uid: int = 0
    version: int = 0


class State(NamedTuple):
    """One state of everything; ``said`` are the answers that somebody has, each txid with whether it happened."""

    now: Record
    safe: Record
    clients: tuple[Client, ...]
    messages: frozenset[tuple[Message, int]] = frozenset()
    waiting: frozenset[tuple[int, str, bool | None]] = frozenset()
    replies: frozenset[tuple[int, str, bool | None]] = frozenset()
    said: frozenset[tuple[int, bool]] = frozenset()
    failovers: int = 1


def execute(record: Record, sent: Message, parts: frozenset[str]) -> tuple[Record, bool | None]:
    """Carry out a request, and return its reply; None where the requester must go on asking."""
    return _FORMS[sent.form](record, sent, parts)


def _single(record: Record, sent: Message, parts: frozenset[str]) -> tuple[Record, bool | None]:
    is_fenced = "fence" in parts and sent.txid in record.fenced
    is_full = "room" in parts and len(record.ring) == RING
    if not _meets(record, sent) or is_fenced or is_full:
        return record, None
    return _written(record, sent.txid, ring=(*record.ring, sent.txid)[-RING:]), True


def _transaction(record: Record, sent: Message, parts: frozenset[str]) -> tuple[Record, bool | None]:
    known = True if sent.txid in record.ring else record.outcome(sent.txid)
    if known is not None or not _meets(record, sent):
        return record, known is True
    outcomes = record.archived() if "archive" in parts else record.outcomes
    return _written(record._replace(outcomes=outcomes | {(sent.txid, True)}), sent.txid, ring=()), True


def _fence(record: Record, sent: Message, _: frozenset[str]) -> tuple[Record, bool | None]:
    if sent.txid in record.ring:
        return record, True
    return record._replace(fenced=record.fenced | {sent.txid}) if record.uid else record, None


def _outcome(record: Record, sent: Message, _: frozenset[str]) -> tuple[Record, bool | None]:
    known = record.outcome(sent.txid)
    if known is None:
        return record._replace(outcomes=record.outcomes | {(sent.txid, False)}), False
    return record, known


def _delete(record: Record, sent: Message, parts: frozenset[str]) -> tuple[Record, bool | None]:
    if not _meets(record, sent):
        return record, False
    outcomes = record.archived() if "archive on delete" in parts else record.outcomes
    return Record(0, 0, outcomes=outcomes, history=record.history), True


def _create(record: Record, sent: Message, _: frozenset[str]) -> tuple[Record, bool | None]:
    return (record if record.uid else record._replace(uid=sent.uid, version=1)), True


_FORMS: Final = {
    "single": _single, "transaction": _transaction, "fence": _fence, "outcome": _outcome, "delete": _delete,
    "create": _create,
}  # fmt: skip


def _meets(record: Record, sent: Message) -> bool:
    return (record.uid, record.version) == (sent.uid, sent.version)


def _written(record: Record, txid: int, ring: tuple[int, ...]) -> Record:
    version = record.version + 1
    history = (*record.history, (txid, record.uid, version))
    return record._replace(version=version, ring=ring, fenced=frozenset(), history=history)


def following(state: State, parts: frozenset[str]) -> Iterator[State]:
    """Return all states that may be next."""
    for who, client in enumerate(state.clients):
        yield from _acts(state, who, client, parts)
    for entry in state.messages:
        sent, count = entry
        now, reply = execute(state.now, sent, parts)
        left = state.messages - {entry} | ({(sent, count - 1)} if count > 1 else set())
        answer = (sent.who, sent.form, reply)
        if sent.form in {"fence", "outcome"} and "majority" not in parts:
            yield state._replace(now=now, messages=left, replies=state.replies | {answer})
        else:
            yield state._replace(now=now, messages=left, waiting=state.waiting | {answer})
    for received in state.replies:
        yield _received(state, received, parts)
    if state.now != state.safe or state.waiting:
        yield state._replace(safe=state.now, replies=state.replies | state.waiting, waiting=frozenset())
        if state.failovers:
            yield state._replace(now=state.safe, waiting=frozenset(), failovers=state.failovers - 1)


def _acts(state: State, who: int, client: Client, parts: frozenset[str]) -> Iterator[State]:
    """Return what a client may do by itself: begin, or send again what it waits for."""
    if client.step == "begin":
        if client.role == "resolver":
            if "bound" in parts and Client("writer", client.txid) in state.clients:
                return  # there is no such txid yet
            first = "fence" if {"key", "ring first"} <= parts else "outcome"
            yield _sends(state, who, client._replace(step=first))
        elif state.safe.uid:  # what it rests on was read from a majority
            form = "single" if client.role == "writer" else "delete"
            yield _sends(state, who, client._replace(step=form, uid=state.safe.uid, version=state.safe.version))
    elif client.role == "writer" and client.step in {"single", "transaction"} and client.sent < SENDS:
        yield _sends(state, who, client)


def _sends(state: State, who: int, client: Client) -> State:
    client = client._replace(sent=client.sent + 1)
    sent = Message(who, client.step, client.txid, client.uid, client.version)
    count = next((count for one, count in state.messages if one == sent), 0)
    messages = state.messages - {(sent, count)} | {(sent, count + 1)}
    return state._replace(clients=_with(state.clients, who, client), messages=messages)


def _with(clients: tuple[Client, ...], who: int, client: Client) -> tuple[Client, ...]:
    return (*clients[:who], client, *clients[who + 1 :])


def _received(state: State, reply: tuple[int, str, bool | None], parts: frozenset[str]) -> State:
    """Let a client read a reply, which may be one to what it has sent earlier."""
    who, form, answer = reply
    client = state.clients[who]
    state = state._replace(replies=state.replies - {reply})
    if client.step != form:
        return state
    if form == "delete" and answer:
        return _sends(state, who, client._replace(step="create", uid=client.uid + 1))
    if answer is None and form == "single":
        return _sends(state, who, client._replace(step="transaction", sent=0))
    if form == "transaction" and answer is False:  # what was sent before may still be under way, so it settles
        first = "fence" if {"key", "ring first"} <= parts else "outcome"
        return _sends(state, who, client._replace(step=first))
    after = {"fence": "outcome"} if "ring first" in parts else {"outcome": "fence"}
    if form in after and answer is not True and "key" in parts:
        return _sends(state, who, client._replace(step=after[form]))
    ended = client._replace(step="ended", uid=0, version=0, sent=0)
    said = state.said if client.role == "deleter" else state.said | {(client.txid, answer is True)}
    return state._replace(clients=_with(state.clients, who, ended), said=said)


def broken(state: State) -> str:
    """Return what a state violates; empty for nothing."""
    done = [txid for txid, _, _ in state.safe.history]
    stamps = [(uid, version) for _, uid, version in state.safe.history]
    if len({*done}) < len(done):
        return "a commit has happened twice"
    if stamps != sorted({*stamps}):
        return "the feed does not ascend"
    for txid, happened in state.said:
        if happened != (txid in done):
            return f"it was said that a commit has {'' if happened else 'not '}happened"
    return ""


def explored(clients: Sequence[Client], parts: frozenset[str], failovers: int = 1) -> tuple[int, str]:
    """Go through all states; return how many, and what the first that violates something violates.

    Args:
        clients: Who takes part.
        parts: The parts of the protocol that are used.
        failovers: How often the primary may lose what a majority does not have.
    """
    first = State(Record(), Record(), tuple(clients), failovers=failovers)
    seen, left = {first}, deque([first])
    while left:
        for state in following(left.popleft(), parts):
            if state not in seen:
                if found := broken(state):
                    return len(seen), found
                seen.add(state)
                left.append(state)
    return len(seen), ""


def casts() -> dict[str, tuple[Client, ...]]:
    """Return who takes part in each exploration."""
    writer, resolver, deleter = Client("writer", 1), Client("resolver", 1), Client("deleter", 0)
    return {
        "a writer, two resolvers": (writer, resolver, resolver),
        "a writer, a resolver, a deleter": (writer, resolver, deleter),
        "two writers, a resolver": (writer, Client("writer", 2), resolver),
    }


def main() -> int:
    """Explore the whole protocol, and find what is violated without each part; return 1 if that is not so."""
    wrong = False
    for left_out in ("", *PARTS):
        found = ""
        for name, clients in casts().items():
            begun = perf_counter()
            states, found = explored(clients, frozenset(PARTS) - {left_out})
            took_s = perf_counter() - begun
            sys.stdout.write(f"{left_out or 'all parts':18} {name:32} {states:9,} states {took_s:6.1f} s  {found}\n")
            if found:
                break
        wrong |= bool(found) is not bool(left_out)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
