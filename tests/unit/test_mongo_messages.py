"""What messages to MongoDB and their replies look like."""

from __future__ import annotations

import bson
import pytest
from pymongo.errors import NotPrimaryError, OperationFailure

from emco_store.backends.mongo.fast.messages import answer, is_plain_success, message
from emco_store.backends.mongo.sending import in_commands

REPLIES = {
    "done": ({"n": 2, "ok": 1.0}, True),
    "failed": ({"ok": 0.0, "errmsg": "no", "code": 1}, False),
    "failed, with something in it that is ok": ({"errInfo": {"ok": 1.0}, "ok": 0.0, "errmsg": "no"}, False),
    "a statement failed": ({"n": 0, "writeErrors": [{"index": 0, "code": 66}], "ok": 1.0}, False),
    "no majority yet": ({"n": 1, "writeConcernError": {"code": 64}, "ok": 1.0}, False),
    "another kind of number": ({"n": 1, "ok": 1}, False),
}


@pytest.mark.parametrize("name", list(REPLIES))
def test_reply_that_says_anything_more_than_success_is_read(name):
    """A quick look never takes for success what is none."""
    reply, expected = REPLIES[name]

    assert expected == is_plain_success(bson.encode(reply))


def test_refusal_is_the_error_that_pymongo_would_raise():
    """Codes that say that the primary has moved are told apart, because the client must look for it again."""
    with pytest.raises(NotPrimaryError):
        answer(bson.encode({"ok": 0.0, "errmsg": "moved", "code": 10107}))
    with pytest.raises(OperationFailure) as caught:
        answer(bson.encode({"ok": 0.0, "errmsg": "met", "code": 112, "errorLabels": ["TransientTransactionError"]}))

    assert 112 == caught.value.code
    assert caught.value.has_error_label("TransientTransactionError")


def test_statements_go_along_as_they_are():
    """A message has its length first, its number, and then the command and its statements, each written once."""
    (command,) = in_commands("update", [{"q": {"_id": "a"}, "u": {}}, {"q": {"_id": "b"}, "u": {}}])

    sent = message(7, {"update": "c", "$db": "d"}, command)

    assert len(sent) == int.from_bytes(sent[:4], "little")
    assert 7 == int.from_bytes(sent[4:8], "little")
    body = bson.encode({"update": "c", "$db": "d"})
    assert body == sent[21 : 21 + len(body)]
    assert b"".join((b"updates\0", *command.items)) == sent[21 + len(body) + 5 :]
