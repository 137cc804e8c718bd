"""What the refusals of etcd mean."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from emco_store.errors import Misconfigured, NotSupported
from emco_store.ports import OutcomeLost, Unreachable

UNKNOWN = 2
"""The code of gRPC for an error without one."""
_UNAUTHENTICATED = 16
_UNKNOWN_METHOD = 12
_DONE_FOR: Final = frozenset({3, 5, 7, 8, 9, 11, _UNKNOWN_METHOD, _UNAUTHENTICATED})
"""Codes of gRPC with which a member refuses a request before it hands it on to the others."""
_NOT_BEGUN: Final = ("etcdserver: no leader", "etcdserver: rpc not supported for learner")
"""What a member says before it hands a request on, with a code that may also mean that the answer was lost."""
_NOT_FOUND = 404


class Compacted(Unreachable):
    """The revision that a snapshot reads has been removed meanwhile; a new snapshot can be read."""


class Full(Misconfigured):
    """The database is at its quota. In a race, etcd says so of a write that has happened."""


class Answer(NamedTuple):
    """A refusal of etcd, as it came.

    Attributes:
        status: The status of HTTP.
        code: The code of gRPC; ``UNKNOWN`` where there is none.
        text: What it says.
    """

    status: int
    code: int
    text: str

    @property
    def passes(self) -> bool:
        """Whether nothing was done, and another member, or this one in a moment, may do it."""
        return self.text in _NOT_BEGUN or "too many requests" in self.text or "auth store is old" in self.text

    @property
    def is_lost(self) -> bool:
        """Whether a write that was answered like this may have happened, or may happen still."""
        return not self.passes and self.status != _NOT_FOUND and self.code not in _DONE_FOR

    @property
    def is_token(self) -> bool:
        """Whether the token has ended, which another one mends."""
        return self.code == _UNAUTHENTICATED


class _Refused(NamedTuple):
    why: str
    setting: str
    hint: str


_BY_TEXT: Final = (
    (
        re.compile("too many operations"),
        _Refused(
            "a write has more operations than it allows",
            "max_txn_ops",
            "put the server's --max-txn-ops into the URL as max_txn_ops, or start the server with a greater one.",
        ),
    ),
    (
        re.compile("request is too large|larger than max"),
        _Refused(
            "a write is larger than it allows",
            "max_request_bytes",
            "put the server's --max-request-bytes into the URL as max_request_bytes, or start it with a greater one.",
        ),
    ),
    (
        re.compile("permission denied"),
        _Refused(
            "the user may not do what a store does",
            "role",
            "grant it a role that may read and write the keys of the folder in the URL, by default emco_store/.",
        ),
    ),
    (
        re.compile("authentication failed|user name is empty|invalid auth token|authentication is not enabled"),
        _Refused("the server does not accept the name or the password", "password", "check the URL."),
    ),
    (
        re.compile("corrupt"),
        _Refused(
            "the members of the cluster do not agree about the data, and it has stopped (alarm CORRUPT)",
            "server",
            "see etcd's guide to data corruption: remove the member that differs, and add it anew.",
        ),
    ),
)
_FULL_HINT = (
    "compact, defragment and `etcdctl alarm disarm`, or give it a greater --quota-backend-bytes: etcd's guide to "
    "maintenance tells how."
)


def meaning(answer: Answer) -> Exception:
    """Return what a refusal means where the request wrote nothing."""
    if "required revision has been compacted" in answer.text:
        return Compacted("etcd has removed the revision that was read, since it was told to compact")
    if "database space exceeded" in answer.text:
        return Full(
            "etcd refused the request; nothing was written.",
            why=["its database is full (alarm NOSPACE)"],
            hint=_FULL_HINT,
            setting="quota-backend-bytes",
        )
    for pattern, refused in _BY_TEXT:
        if pattern.search(answer.text):
            return Misconfigured(
                "etcd refused the request; nothing was written.",
                why=[refused.why],
                hint=refused.hint,
                setting=refused.setting,
            )
    if answer.status == _NOT_FOUND or answer.code == _UNKNOWN_METHOD:
        return NotSupported(
            "There is no etcd with the API of version 3 here.",
            why=["it knows no /v3/kv"],
            hint="use etcd 3.4 or newer, with its gateway on (--enable-grpc-gateway), and the port for clients.",
        )
    if answer.code in _DONE_FOR and not answer.passes:
        return Misconfigured(
            "etcd refused the request for a reason that is not foreseen; nothing was written.",
            why=[f"code {answer.code} of gRPC"],
            hint="look at the server's log, and report it.",
            setting="server",
        )
    return Unreachable(_SPOKEN.get(answer.text, "it cannot answer at the moment"))


_SPOKEN: Final = {
    "etcdserver: no leader": "it knows no leader: too few members of the cluster are there",
    "etcdserver: rpc not supported for learner": "it is a learner",
    "etcdserver: too many requests": "it has too much to do",
    "etcdserver: request timed out": "it has not reached a majority of the cluster in time",
    "etcdserver: request timed out, possibly due to previous leader failure": "the leader of the cluster has failed",
    "etcdserver: request timed out, possibly due to connection lost": "it has lost other members of the cluster",
    "etcdserver: leader changed": "the leader of the cluster has changed",
}


def meaning_in_write(answer: Answer) -> Exception:
    """Return what a refusal means where the request may have been executed."""
    return OutcomeLost() if answer.is_lost else meaning(answer)
