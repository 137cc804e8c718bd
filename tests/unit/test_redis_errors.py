"""What replies and failures of Redis mean, as redis-py tells them."""

from __future__ import annotations

import pytest
from redis import exceptions
from redis._parsers.base import BaseParser

from emco_store.backends.redis.errors import Passing, meaning, meaning_in_commit, translated
from emco_store.errors import Misconfigured, Unavailable
from emco_store.ports import OutcomeLost, Unreachable

IN_SCRIPT_62 = "ERR Error running script (call to f_0123456789abcdef): @user_script:50: @user_script: 50: "
NOT_EXECUTED = {
    "LOADING Redis is loading the dataset in memory": Passing,
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.": Passing,
    "TRYAGAIN Multiple keys request during rehashing of slot": Passing,
    "CLUSTERDOWN The cluster is down": Passing,
    "READONLY You can't write against a read only replica.": Passing,
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)": Passing,
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.": Passing,
    "NOREPLICAS Not enough good replicas to write.": Passing,
    "ERR Error running script: Script killed by user with SCRIPT KILL. script: 0, on @user_script:1.": Unavailable,
    "OOM command not allowed when used memory > 'maxmemory'.": Misconfigured,
    "MISCONF Redis is configured to save RDB snapshots": Misconfigured,
    "NOAUTH Authentication required.": Misconfigured,
    "WRONGPASS invalid username-password pair or user is disabled.": Misconfigured,
    "NOPERM this user has no permissions to run the 'evalsha' command": Misconfigured,
    "MOVED 866 127.0.0.1:7001": Misconfigured,
    "WRONGTYPE Operation against a key holding the wrong kind of value": Misconfigured,
    "EMCOTYPE {emco:BUSY}:records is a string": Misconfigured,
    f"{IN_SCRIPT_62}-OOM command not allowed when used memory > 'maxmemory'.": Misconfigured,
    f"{IN_SCRIPT_62}-READONLY You can't write against a read only replica.": Passing,
    f"{IN_SCRIPT_62}WRONGTYPE Operation against a key holding the wrong kind of value": Misconfigured,
    f"{IN_SCRIPT_62}The user executing the script can't run this command or subcommand": Misconfigured,
    "ERR ACL failure in script: User app has no permissions to run the 'type' command": Misconfigured,
}
NOT_SENT = [
    exceptions.ConnectionError("Error 111 connecting to 127.0.0.1:1. Connection refused."),
    exceptions.ConnectionError("Error Multiple exceptions: [Errno 111], [Errno 99] connecting to localhost:1."),
    exceptions.ConnectionError("Error connecting to localhost:1."),
    exceptions.TimeoutError("Timeout connecting to server"),
    exceptions.MaxConnectionsError("Too many connections"),
    exceptions.ConnectionError("No connection available."),
    exceptions.ConnectionError("The previous master is now a slave"),
    exceptions.ConnectionError("max number of clients reached"),
]
SENT = [
    exceptions.ConnectionError("Error 32 while writing to socket. Broken pipe."),
    exceptions.ConnectionError("Error while reading from connecting to:1 : (104, 'Connection reset by peer')"),
    exceptions.ConnectionError("Connection closed by server."),
    exceptions.TimeoutError("Timeout reading from 127.0.0.1:1"),
    exceptions.InvalidResponse("Protocol Error"),
    exceptions.ResponseError("something that nobody has foreseen"),
    exceptions.RedisClusterException("No targets were found to execute"),
    exceptions.ClusterError("TTL exhausted."),
    TimeoutError(),
    ConnectionResetError(104, "reset"),
]


@pytest.mark.parametrize("judge", [meaning, meaning_in_commit])
@pytest.mark.parametrize(("reply", "expected"), NOT_EXECUTED.items())
def test_reply_that_says_not_executed_is_never_unknown(judge, reply, expected):
    """ATM-4: a commit that the server has refused has certainly not happened."""
    with pytest.raises(expected), translated(judge):
        raise BaseParser.parse_error(reply)


@pytest.mark.parametrize("problem", NOT_SENT, ids=str)
def test_request_that_was_not_sent_had_no_effect(problem):
    """ATM-4: who could not connect has sent nothing."""
    with pytest.raises(Unreachable), translated(meaning_in_commit):
        raise problem


@pytest.mark.parametrize("problem", SENT, ids=repr)
def test_request_that_may_have_arrived_is_unknown(problem):
    """ATM-4: whatever is not known to be harmless counts as a lost reply."""
    with pytest.raises(OutcomeLost), translated(meaning_in_commit):
        raise problem


def test_failure_that_happened_while_another_was_handled_is_judged_by_itself():
    """ATM-4: that the caller was handling a refused connection makes no commit unsent."""
    problem = exceptions.ConnectionError("Connection closed by server.")
    problem.__context__ = ConnectionRefusedError()

    with pytest.raises(OutcomeLost), translated(meaning_in_commit):
        raise problem


def test_error_that_may_hold_a_document_is_kept_back():
    """Some texts of redis-py hold the arguments of the command."""
    with pytest.raises(Unreachable) as caught, translated():
        raise exceptions.RedisClusterException("No targets were found to execute ('EVALSHA', 'document') command on")

    assert caught.value.__suppress_context__
    assert caught.value.__cause__ is None
