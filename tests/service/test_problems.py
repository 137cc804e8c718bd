"""Each error of the store becomes one problem, with the right status, and tells clients nothing about the inside."""

from __future__ import annotations

import json
import logging

import pytest
from fastapi import FastAPI
from starlette.requests import Request

from emco_store import Blocker, BlockReason, Key, Rule, errors
from emco_store.fastapi import TABLE, Problem, add_problem_handlers
from tests.service.conftest import calling

ERRORS = sorted(
    (kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.StoreError)),
    key=lambda kind: kind.__name__,
)
SECRET = "redis://admin:hunter2@db.internal:6379"  # noqa: S105 - of no server
FIELDS = {
    "key": Key("App", "p", "a"),
    "keys": (Key("App", "p", "a"),),
    "missing": (("App/p/a uses", Key("Cluster", "c")),),
    "blockers": (Blocker(Key("App", "p", "a"), "parent", Rule.RESTRICT, Key("Project", "p"), BlockReason.RULE),),
    "blocker_count": 1,
    "holder": SECRET,
    "actor": SECRET,
    "writers": (SECRET,),
    "setting": SECRET,
    "model": SECRET,
    "problems": (SECRET,),
    "txid": "t1",
}


def answer_to(error, headers=None):
    """Return how an application answers a request that ends in an error."""
    app = FastAPI()
    add_problem_handlers(app)

    @app.get("/")
    async def fail(_: Request):
        raise error

    with calling(app) as call:
        return call("GET", "/", headers=headers)


def error_of(kind, text=SECRET):
    """Build an error with a secret in all that only the log may say, and in all texts if it is one of the inside."""
    row = TABLE[kind]
    said = text if row.status >= 500 else "Cannot do it."
    fields = {name: value for name, value in FIELDS.items() if hasattr(kind, name)}
    return kind(said, why=[said], hint=text, **fields)


@pytest.mark.parametrize("kind", ERRORS)
def test_error_has_a_row(kind):
    """No error is answered by the row of its base class alone."""
    assert kind in TABLE


@pytest.mark.parametrize("kind", ERRORS)
def test_problem_has_the_form_of_the_standard_and_no_secret(kind, caplog):
    """RFC 9457: the media type, the status twice, and nothing that is for the log."""
    reply = answer_to(error_of(kind))
    body = reply.json()

    assert (TABLE[kind].status, "application/problem+json") == (reply.status_code, reply.headers["content-type"])
    assert TABLE[kind].status == body["status"]
    assert {"type", "title", "code", "retryable"} <= body.keys()
    assert body["code"] == kind.code
    assert "hunter2" not in reply.text + str(reply.headers)
    assert (TABLE[kind].status >= 500) == ("hunter2" in caplog.text)


@pytest.mark.parametrize("kind", ERRORS)
def test_shown_field_is_one_of_the_error(kind):
    """The table names no field that is not there."""
    assert [] == [name for name in TABLE[kind].shown if not hasattr(kind, name)]


@pytest.mark.parametrize(
    ("error", "headers", "status"),
    [
        (errors.Conflict("c", pinned=True), {"If-Match": '"a-1"'}, 412),
        (errors.Conflict("c", pinned=True), {"If-None-Match": "*"}, 412),
        (errors.Conflict("c", pinned=True), {}, 409),
        (errors.Conflict("c"), {"If-Match": '"a-1"'}, 409),
        (errors.LeaseHeld("c", pinned=True), {"If-Match": '"a-1"'}, 409),
        (errors.AlreadyExists("c"), {"If-None-Match": "*"}, 412),
        (errors.NotFound("c"), {"If-Match": '"a-1"'}, 404),
        (errors.InvalidResource("c", stored=True), {}, 500),
        (errors.InvalidCall("c", argument="after"), {}, 400),
    ],
)
def test_status_depends_on_what_the_request_demands(error, headers, status):
    """RFC 9110, section 13: a state that the request names and that is not there fails its precondition."""
    assert status == answer_to(error, headers).status_code


def test_unavailable_says_when_to_repeat():
    """RFC 9110, section 10.2.3: 503 comes with Retry-After, in whole seconds."""
    reply = answer_to(errors.Unavailable(SECRET))

    assert ("1", True) == (reply.headers["retry-after"], reply.json()["retryable"])


def test_pinned_conflict_is_not_to_be_repeated():
    """The same request would fail again."""
    assert [True, False] == [
        answer_to(errors.Conflict("c", pinned=pinned)).json()["retryable"] for pinned in (False, True)
    ]


def test_fields_are_json():
    """Keys are texts, and blockers say where and why."""
    blocked = answer_to(error_of(errors.DeleteRestricted)).json()
    missing = answer_to(error_of(errors.MissingReference)).json()

    assert [{"referrer": "App/p/a", "place": "parent", "target": "Project/p", "reason": "rule"}] == blocked["blockers"]
    assert (["App/p/a"], 1) == (blocked["keys"], blocked["blocker_count"])
    assert [{"place": "App/p/a uses", "target": "Cluster/c"}] == missing["missing"]


def test_subclass_has_the_row_of_its_base():
    """A service may raise errors of its own."""

    class Gone(errors.NotFound):
        pass

    assert 404 == answer_to(Gone("g")).status_code


def test_problem_of_ones_own():
    """A service says what is wrong with a code of its own."""
    reply = answer_to(Problem(409, "Full.", code="FULL", detail="10 apps.", headers={"X-Most": "10"}, most=10))

    assert {
        "type": "urn:emco-store:full",
        "title": "Full.",
        "status": 409,
        "code": "FULL",
        "detail": "10 apps.",
        "most": 10,
    } == reply.json()
    assert "10" == reply.headers["x-most"]


def test_fastapi_and_http_errors_have_the_same_form():
    """Validation and unknown paths are problems, too, and do not repeat what was sent."""
    app = FastAPI()
    add_problem_handlers(app)

    @app.get("/{number}")
    async def read(number: int) -> int:
        return number

    with calling(app) as call:
        invalid, absent = call("GET", "/hunter2"), call("GET", "/a/b")

    assert (422, "INVALID-REQUEST") == (invalid.status_code, invalid.json()["code"])
    assert "path.number: " in invalid.json()["errors"][0]
    assert "hunter2" not in invalid.text
    assert {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "Not Found"} == absent.json()
    assert {"application/problem+json"} == {reply.headers["content-type"] for reply in (invalid, absent)}


def test_type_of_a_problem_can_be_a_page():
    """``types=`` is the beginning of each type."""
    app = FastAPI()
    add_problem_handlers(app, types="https://example.com/problems/")

    @app.get("/")
    async def fail():
        raise errors.NotFound("n")

    with calling(app) as call:
        assert "https://example.com/problems/not-found" == call("GET", "/").json()["type"]


def test_errors_of_clients_are_not_logged(caplog):
    """A log of errors is for what the service must mend."""
    with caplog.at_level(logging.DEBUG, "emco_store"):
        answer_to(errors.NotFound("n"))

    assert [] == [record for record in caplog.records if record.name == "emco_store"]
    assert json.loads(answer_to(errors.NotFound("n")).text)["detail"] == "n"
