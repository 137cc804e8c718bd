"""What the errors of redis-py mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from redis import exceptions

from emco_store.backends.causes import cause_of
from emco_store.errors import Misconfigured, StoreError, Unavailable
from emco_store.ports import OutcomeLost, Unreachable


class Passing(Unreachable):
    """The server refuses for a while; nothing was executed, and the same may be sent again."""


class Outright(Unreachable):
    """The server refuses to be reached at all."""


@dataclass(frozen=True, slots=True)
class _Refused:
    """Why a request was not sent or not executed, or its script ended before the first write.

    Attributes:
        why: The reason.
        setting: What to change on the server; empty where waiting may help.
        hint: What to do about it.
        what: What was refused.
        passes: Whether the same may be sent again in a moment.
    """

    why: str
    setting: str = ""
    hint: str = "try again later; INFO on the server tells more."
    what: str = "Redis refused the request; nothing was written."
    passes: bool = True

    def told(self) -> Exception:
        """Build the error for the caller; waiting may help where no setting must change."""
        if self.setting:
            return Misconfigured(self.what, why=[self.why], hint=self.hint, setting=self.setting)
        return Passing(self.why) if self.passes else Unavailable(self.what, why=[self.why], hint=self.hint)


_FOREIGN = _Refused(
    "a key of this namespace holds what no store has written",
    "namespace",
    "see that nobody else writes to the keys of this namespace; `emco-store doctor` names them.",
)
_RIGHTS = _Refused(
    "the user may not do what a store does",
    "acl",
    "give it the rights that `emco-store doctor` shows, or another user.",
)
_IDENTITY = _Refused("the server does not accept the name or the password", "password", "check the URL or the client.")
_TOPOLOGY = _Refused(
    "the namespace lives on another node of a cluster",
    "cluster-enabled",
    "give connect() a redis.RedisCluster or a redis.asyncio.RedisCluster.",
)
_BY_CODE = {
    "LOADING": _Refused("it is still reading its data"),
    "BUSY": _Refused("a script keeps it busy"),
    "TRYAGAIN": _Refused("a slot is on its way to another node"),
    "CLUSTERDOWN": _Refused("its cluster is not complete"),
    "READONLY": _Refused("it is a replica"),
    "UNBLOCKED": _Refused("it has become a replica"),
    "MASTERDOWN": _Refused("it has lost its primary"),
    "NOREPLICAS": _Refused("too few of its replicas are there"),
    "OOM": _Refused(
        "its memory is full",
        "maxmemory",
        "give it more memory, or make room: a delete that changes no referrer still works.",
    ),
    "MISCONF": _Refused(
        "it cannot write to its disk", "stop-writes-on-bgsave-error", "see its log, its disk and its data folder."
    ),
    "EMCOTYPE": _FOREIGN,
    "EMCOVALUE": _FOREIGN,
    "WRONGTYPE": _FOREIGN,
    "NOPERM": _RIGHTS,
    "NOAUTH": _IDENTITY,
    "WRONGPASS": _IDENTITY,
    "MOVED": _TOPOLOGY,
    "ASK": _TOPOLOGY,
}
"""By the first word of the reply. The scripts meet none of these once they have begun to write."""
_BY_CLASS = {  # redis-py takes the first word away from some
    exceptions.BusyLoadingError: _BY_CODE["LOADING"],
    exceptions.AuthenticationError: _IDENTITY,
    exceptions.AuthenticationWrongNumberOfArgsError: _IDENTITY,
    exceptions.NoPermissionError: _RIGHTS,
    exceptions.ReadOnlyError: _BY_CODE["READONLY"],
    exceptions.OutOfMemoryError: _BY_CODE["OOM"],
    exceptions.TryAgainError: _BY_CODE["TRYAGAIN"],
    exceptions.MasterDownError: _BY_CODE["MASTERDOWN"],
    exceptions.ClusterDownError: _BY_CODE["CLUSTERDOWN"],
    exceptions.AskError: _TOPOLOGY,  # and so of MOVED
}
_UNTRUSTED = _Refused(
    "its certificate is for another name, or from an authority that is not trusted here",
    "ssl_ca_certs",
    "connect by a name in the certificate, and give the file of its authority: rediss://…?ssl_ca_certs=FILE.",
    "Cannot trust this Redis; nothing was sent to it.",
)
_KILLED = _Refused("somebody ended the script with SCRIPT KILL", passes=False)
_SCRIPT_PREFIX = re.compile(r"(?:ERR )?Error running script [^:]*: (?:@?user_script: ?\d+: )*-?")
"""What Redis 6.2 puts before an error in a script."""
_NOPERM_IN_SCRIPTS = ("The user executing the script can't", "ACL failure in script")
"""What Redis 6.2 and 7.0 say in place of NOPERM."""
_NOT_SENT = re.compile(
    r"Error (?!\S+ while ).*connecting to "
    r"|Timeout connecting to |Too many connections|No connection available|Connection not ready"
    r"|No master found|The previous master is now a slave|max number of clients reached"
)
"""Texts of redis-py that say that a request was never sent, or was refused whole.

It has one class for these and for a lost reply. A text that is not known here counts as a lost reply, which is safe.
"""
_NOT_TRUSTED = re.compile(r"connecting to .*CERTIFICATE_VERIFY_FAILED")
"""What it makes of Python's error for a certificate."""
DRIVER_ERRORS = (exceptions.RedisError, exceptions.RedisClusterException, OSError)
"""What redis-py raises."""
Judge = Callable[[Exception], Exception]
"""Says what an error of redis-py means."""


def meaning(problem: Exception) -> Exception:
    """Return what an error of the driver means where the request wrote nothing, with its cause."""
    refused = _refused(problem)
    if refused is not None:
        return _because(refused.told(), problem)
    if isinstance(problem, exceptions.ResponseError):
        return _because(_unforeseen(problem), problem)
    return _because(_unreachable(problem), _harmless(problem))


def meaning_in_commit(problem: Exception) -> Exception:
    """Return what an error means where the request may have been executed before its reply was lost, with its cause."""
    refused = _refused(problem)
    if refused is not None:
        return _because(refused.told(), problem)
    if _NOT_SENT.match(str(problem)):
        return _because(_unreachable(problem), problem)
    return _because(OutcomeLost(), _harmless(problem))


class translated:  # noqa: N801 - used like a function
    """Let no error of the driver out.

    Args:
        judge: Says what an error means; by default that of a request that wrote nothing.
    """

    def __init__(self, judge: Judge = meaning) -> None:
        self._judge = judge

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _: object, problem: BaseException | None, __: object) -> None:
        """Judge what was raised."""
        if isinstance(problem, DRIVER_ERRORS):
            raise self._judge(problem)


def _because(error: Exception, cause: Exception | None) -> Exception:
    error.__cause__ = cause
    return error


def _refused(problem: Exception) -> _Refused | None:
    for kind, refused in _BY_CLASS.items():
        if isinstance(problem, kind):
            return refused
    if not isinstance(problem, exceptions.ResponseError):
        return _UNTRUSTED if _NOT_TRUSTED.search(str(problem)) else None
    text = _SCRIPT_PREFIX.sub("", str(problem), count=1)
    if "Script killed by user" in text:  # possible only before its first write
        return _KILLED
    if text.startswith(_NOPERM_IN_SCRIPTS):
        return _RIGHTS
    return _BY_CODE.get(text.partition(" ")[0])


def _unreachable(problem: Exception) -> Unreachable:
    cause = cause_of(str(problem))
    return (Outright if cause.is_outright else Unreachable)(cause.text)


def _unforeseen(problem: Exception) -> StoreError:
    return Misconfigured(
        "Redis refused the request for a reason that is not foreseen; nothing was written.",
        why=[type(problem).__name__],
        hint="look at the server's log, and report it.",
        setting="server",
    )


def _harmless(problem: Exception) -> Exception | None:
    """Keep back an error whose text may hold the arguments of the request, and so a document."""
    return None if type(problem) is exceptions.RedisClusterException else problem
