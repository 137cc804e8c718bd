"""Requests over HTTP to the members of an etcd cluster: connections, tokens, and which member is asked."""

from __future__ import annotations

import json
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from itertools import chain
from typing import Any, TypeVar

from emco_store.backends.causes import Cause, cause_of
from emco_store.backends.etcd.address import Address, Endpoint
from emco_store.backends.etcd.clock import Bounds, date_us, narrowed, own_us
from emco_store.backends.etcd.errors import UNKNOWN, Answer, meaning, meaning_in_write
from emco_store.backends.etcd.messages import AUTHENTICATE, WATCH, Message, encoded, read_line
from emco_store.backends.etcd.replies import Reply, read_reply
from emco_store.backends.keyvalue.ordered_map import Outright
from emco_store.backends.patience import Patience
from emco_store.errors import InvalidCall
from emco_store.ports import OutcomeLost, Unreachable

CONNECT_S = 2.0
"""How long one member is waited for until it accepts a connection, in seconds."""
ANSWER_S = 5.0
"""How long one member is waited for until it answers, in seconds; after that the outcome of a write is unknown."""
_OK = 200
_HEADERS = "Content-Type: application/json\r\nGrpc-Metadata-hasleader: true\r\n"
"""With the second of them, a member that knows no leader says so at once, instead of keeping the request."""
_CANNOT = (OSError, HTTPException, ValueError)
"""What is raised where a connection breaks, or where what comes over it is no answer of etcd's."""
T = TypeVar("T")


class _Passed(Exception):
    """One member has certainly not done what it was asked; another one may do it."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.text)
        self.cause = cause


class Wire:
    """The connections to a cluster; any number of threads may use it at once.

    It keeps as many connections as there have been requests at the same time. Requests go to the first member of the
    URL until it fails, then to the next one.

    Args:
        address: The cluster.

    Raises:
        InvalidCall: A certificate or a key cannot be read.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._context = _context(address) if address.is_tls else None
        self._turn = 0
        self._token = ""
        self._clocks: dict[Endpoint, Bounds] = {}
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._idle: dict[Endpoint, list[socket.socket]] = {each: [] for each in self._address.endpoints}
        self._waiting: set[socket.socket] = set()

    @property
    def clock(self) -> Bounds | None:
        """What is known of the clock of the member that answered the last time; None if it has told nothing yet."""
        return self._clocks.get(self._address.endpoints[self._turn])

    def ask(self, path: str, message: Message) -> Message:
        """Send a request that changes nothing, to one member after the other until one answers.

        Raises:
            Unreachable: None has answered in time.
            StoreError: etcd refuses it.
        """
        return self._from_any(lambda member, patience: self._call(member, path, message, patience, writes=False))

    def write(self, path: str, message: Message) -> Message:
        """Send a request that may write; send it again only where it certainly was not executed.

        Raises:
            OutcomeLost: It was sent, and what became of it is not known.
            Unreachable: It was not executed.
            StoreError: etcd refuses it; nothing was written, apart from what :class:`.errors.Full` says.
        """
        return self._from_any(lambda member, patience: self._call(member, path, message, patience, writes=True))

    def look(self, path: str) -> Reply:
        """Ask one member for a page of its own.

        Raises:
            Unreachable: None has answered in time.
        """
        return self._from_any(lambda member, patience: self._exchange(member, "GET", path, None, patience))

    def watch(self, message: Message, within_s: float) -> bool:
        """Wait until a watch tells something, until it ends, or for some time.

        Returns:
            Whether etcd has removed the revisions from which it was to begin.

        Raises:
            Unreachable: No member takes the request.
        """
        end_s = time.monotonic() + within_s
        member, connection = self._from_any(lambda member, patience: (member, self._connect(member, patience)))
        with self._lock:
            self._waiting.add(connection)
        try:
            connection.settimeout(max(end_s - time.monotonic(), 0.001))
            connection.sendall(self._request(member, "POST", WATCH, encoded(message)))
            with HTTPResponse(connection, method="POST") as response:
                response.begin()
                return _first_news(connection, response, end_s)
        except _CANNOT:  # the time is over, or the member is gone: whoever asks it next learns which
            return False
        finally:
            with self._lock:
                self._waiting.discard(connection)
            connection.close()

    def close(self) -> None:
        """Close every connection, and end every wait."""
        if self._process != os.getpid():
            return
        with self._lock:
            idle = list(chain.from_iterable(self._idle.values()))
            self._idle = {each: [] for each in self._idle}
            waiting = tuple(self._waiting)
        for connection in idle:
            connection.close()
        for connection in waiting:
            with suppress(OSError):  # it has ended already
                connection.shutdown(socket.SHUT_RDWR)

    def _from_any(self, attempt: Callable[[Endpoint, Patience], T]) -> T:
        """Try each member once, the one that answered the last time first.

        Raises:
            Unreachable: No member has done what it was asked.
        """
        if self._process != os.getpid():  # before the lock, which another thread may have held when it forked
            idle = self._idle
            self._begin()
            for connection in chain.from_iterable(idle.values()):
                connection.close()
        patience = Patience()
        failed: dict[Endpoint, _Passed] = {}
        members = self._address.endpoints
        for at in range(self._turn, self._turn + len(members)):
            member = members[at % len(members)]
            try:
                answer = attempt(member, patience)
            except _Passed as problem:
                failed[member] = problem
            else:
                self._turn = at % len(members)
                return answer
            if not patience.has_time:
                break
        is_outright = all(problem.cause.is_outright for problem in failed.values())
        reasons = (f"{each}: {problem.cause.text}" for each, problem in failed.items())
        raise (Outright if is_outright else Unreachable)(*reasons) from [*failed.values()][-1]

    def _call(self, member: Endpoint, path: str, message: Message, patience: Patience, *, writes: bool) -> Message:
        body = encoded(message)
        token = self._token or self._login(member, patience)
        reply = self._exchange(member, "POST", path, body, patience, writes=writes)
        if reply.status != _OK and _answer(reply).is_token and self._address.user:
            self._login(member, patience, instead_of=token)
            reply = self._exchange(member, "POST", path, body, patience, writes=writes)
        return _judged(reply, writes=writes)

    def _login(self, member: Endpoint, patience: Patience, *, instead_of: str = "") -> str:
        """Get a token, unless there is another one than this."""
        if not self._address.user or self._token != instead_of:
            return self._token
        asked = encoded({"name": self._address.user, "password": self._address.password})
        self._token = str(_judged(self._exchange(member, "POST", AUTHENTICATE, asked, patience))["token"])
        return self._token

    def _exchange(
        self, member: Endpoint, method: str, path: str, body: bytes | None, patience: Patience, *, writes: bool = False
    ) -> Reply:
        """Send a request to a member, and read its answer.

        Raises:
            _Passed: It has not got the whole request; or it gave no answer to one that changes nothing.
            OutcomeLost: It gave no answer to one that writes.
        """
        connection = self._taken(member) or self._connect(member, patience)
        is_sent = False
        sent_us = own_us()
        try:
            connection.settimeout(min(patience.left_s, ANSWER_S))
            connection.sendall(self._request(member, method, path, body))
            is_sent = True
            reply = read_reply(connection)
        except _CANNOT as problem:
            connection.close()
            if is_sent and writes:
                raise OutcomeLost from problem
            raise _Passed(cause_of(_said(problem))) from problem
        except BaseException:
            connection.close()
            raise
        self._time(member, reply.date, sent_us)
        if reply.is_last:
            connection.close()
        else:
            with self._lock:
                self._idle[member].append(connection)
        return reply

    def _time(self, member: Endpoint, date: str, sent_us: int) -> None:
        """Learn from the date of an answer."""
        received_us = own_us()
        with suppress(ValueError), self._lock:
            known = self._clocks.get(member)
            self._clocks[member] = narrowed(known, date_us(date), sent_us=sent_us, received_us=received_us)

    def _request(self, member: Endpoint, method: str, path: str, body: bytes | None) -> bytes:
        """Return a whole request. Of one that is sent in part nothing is executed."""
        token = f"Authorization: {self._token}\r\n" if self._token else ""
        length = "" if body is None else f"Content-Length: {len(body)}\r\n"
        head = f"{method} {path} HTTP/1.1\r\nHost: {member}\r\n{_HEADERS}{token}{length}\r\n"
        return head.encode("ascii") + (body or b"")

    def _taken(self, member: Endpoint) -> socket.socket | None:
        """Take a connection that nobody uses and that is still open; the one that was used last."""
        while True:
            with self._lock:
                if not self._idle[member]:
                    return None
                connection = self._idle[member].pop()
            if not _has_ended(connection):
                return connection
            connection.close()

    def _connect(self, member: Endpoint, patience: Patience) -> socket.socket:
        try:
            connection = socket.create_connection((member.host, member.port), min(patience.left_s, CONNECT_S))
        except OSError as problem:
            raise _Passed(cause_of(_said(problem))) from problem
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                return connection
            return self._context.wrap_socket(connection, server_hostname=member.host)
        except _CANNOT as problem:
            connection.close()
            raise _Passed(cause_of(_said(problem))) from problem


def _first_news(connection: socket.socket, response: HTTPResponse, end_s: float) -> bool:
    while (left_s := end_s - time.monotonic()) > 0:
        connection.settimeout(left_s)
        told = read_line(response.readline())
        if told.has_news:
            return told.is_compacted
    return False


def _judged(reply: Reply, *, writes: bool = False) -> Message:
    """Read an answer.

    Raises:
        _Passed: It is a refusal, and another member may do what was asked.
        OutcomeLost: It says nothing certain about a write.
        StoreError: It is a refusal.
    """
    if reply.status == _OK:
        try:
            message: Message = json.loads(reply.body)
        except ValueError as problem:
            if writes:
                raise OutcomeLost from problem
            raise _Passed(cause_of("")) from problem
        return message
    answer = _answer(reply)
    refusal = meaning_in_write(answer) if writes else meaning(answer)
    if type(refusal) is Unreachable:
        raise _Passed(Cause(str(refusal), is_outright=False))
    raise refusal


def _answer(reply: Reply) -> Answer:
    try:
        found: Any = json.loads(reply.body)
        return Answer(reply.status, int(found["code"]), str(found.get("message") or found.get("error")))
    except (ValueError, KeyError, TypeError, AttributeError):  # of something that stands before etcd
        return Answer(reply.status, UNKNOWN, "")


def _said(problem: Exception) -> str:
    return "EOF" if isinstance(problem, HTTPException) else f"{type(problem).__name__}: {problem}"


def _has_ended(sock: socket.socket) -> bool:
    """Return whether the other side has closed a connection on which nothing was asked."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])


def _context(address: Address) -> ssl.SSLContext:
    files = address.files
    try:
        context = ssl.create_default_context(cafile=files.get("ca"))
        if "cert" in files:
            context.load_cert_chain(files["cert"], files["key"])
    except (OSError, ValueError) as problem:
        raise InvalidCall(
            "Cannot use the files of this URL of etcd.",
            why=["Python cannot read a certificate or a key of them"],
            hint="give files in the PEM format.",
        ) from problem
    return context
