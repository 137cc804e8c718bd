"""How commands and replies look on the wire; pure.

Source: the MongoDB manual, "MongoDB Wire Protocol", OP_MSG.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import bson
from pymongo.errors import NotPrimaryError, OperationFailure, ProtocolError, PyMongoError

from emco_store.backends.mongo.documents import OURS, Document
from emco_store.backends.mongo.sending import LISTS, Command

HEAD_BYTES = 16
"""How long the head of a message is."""
_HEAD = struct.Struct("<iiiiI")
_REPLY_HEAD = struct.Struct("<iiii")
_SIZE = struct.Struct("<i")
_OP_MSG = 2013
FLAGS_AT = HEAD_BYTES
"""Where the flags of a message begin."""
MORE_TO_COME = 2
"""The flag of a message after which the sender does not wait for a reply, so that the server sends none."""
_OK = b"\x01ok\0" + struct.pack("<d", 1.0)
_ONE_DOCUMENT = bytes(5)
"""No flags, and then the kind of the one section: a document."""
_PROBLEMS = (b"errmsg", b"writeErrors", b"writeConcernError")
_NOT_PRIMARY = frozenset({189, 10058, 10107, 11602, 13435, 13436})
"""Codes after which a client must look for the primary again.

Source: the specification "Server Discovery and Monitoring", error handling.
"""


def message(number: int, command: Document, items: Command | None = None, *, is_answered: bool = True) -> bytes:
    """Write a command as one message.

    Args:
        number: The number by which its reply names it.
        command: The command, with its database as ``$db``.
        items: Statements or documents that go along as they are.
        is_answered: Whether the server is to reply.
    """
    flags = 0 if is_answered else MORE_TO_COME
    parts = [b"\0", bson.encode(command)]
    if items is not None:
        name = LISTS[items.name].encode() + b"\0"
        parts += (b"\1", _SIZE.pack(_SIZE.size + len(name) + sum(map(len, items.items))), name, *items.items)
    return b"".join((_HEAD.pack(_HEAD.size + sum(map(len, parts)), number, 0, _OP_MSG, flags), *parts))


def milliseconds(seconds: float) -> int:
    """Write a time as the server takes it, 1 or more."""
    return max(1, int(1000 * seconds))


def size_of(head: memoryview, number: int, largest: int) -> int:
    """Return the size of a reply, its head included.

    Raises:
        ProtocolError: It is no reply to the message of this number.
    """
    size, _, answered, kind = _REPLY_HEAD.unpack_from(head)
    if answered != number or kind != _OP_MSG or not HEAD_BYTES < size <= largest:
        message = f"a reply of kind {kind} and {size} bytes to message {answered} came in the place of one to {number}"
        raise ProtocolError(message)
    return size  # type: ignore[no-any-return]  # as its format says


def document_in(body: memoryview) -> bytes:
    """Return the document of a reply without its head, as it came.

    Raises:
        ProtocolError: There is something else in it, which nobody has asked for.
    """
    if bytes(body[: len(_ONE_DOCUMENT)]) != _ONE_DOCUMENT:
        message = "a reply is not one document"
        raise ProtocolError(message)
    return bytes(body[len(_ONE_DOCUMENT) :])


def is_plain_success(raw: bytes) -> bool:
    """Tell quickly that a reply says that all is well and nothing more; False means that one must read it."""
    return _OK in raw and not any(name in raw for name in _PROBLEMS)


def decoded(raw: bytes) -> Document:
    """Read the document of a reply."""
    return bson.decode(raw, OURS)  # pyright: ignore[reportUnknownMemberType]  # its stub leaves a type of buffers open


def answer(raw: bytes) -> Document:
    """Read the document of a reply to a command that has succeeded.

    Raises:
        PyMongoError: The server has refused the command; the same error that PyMongo would raise.
    """
    reply = decoded(raw)
    if reply["ok"] != 1:
        raise _failure(reply)
    return reply


def _failure(reply: Mapping[str, Any]) -> PyMongoError:
    code, text = reply.get("code"), str(reply.get("errmsg"))
    return NotPrimaryError(text, reply) if code in _NOT_PRIMARY else OperationFailure(text, code, reply)
