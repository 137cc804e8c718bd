"""The example, called with requests made from its own OpenAPI: it answers all of them as it says."""

from __future__ import annotations

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.service.conftest import calling

KNOWN = {"name": "web", "project": "shop"}
"""Half of the requests are about what is there."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
"""What is left out: that all data of the schema is accepted. A schema cannot say which references have a target."""
OPERATIONS = {
    "POST /clusters": {201, 422},
    "GET /clusters": {200},
    "GET /clusters/{name}": {200},
    "DELETE /clusters/{name}": {428},
    "POST /projects": {201, 422},
    "GET /projects/{project}/apps": {200},
    "PUT /projects/{project}/apps/{name}": {428},
    "GET /projects/{project}/apps/{name}": {200},
    "PATCH /projects/{project}/apps/{name}": {200},
    "DELETE /projects/{project}/apps/{name}": {428},
    "POST /projects/{project}/apps/{name}/release": {200, 409},
}
"""The operations, each with statuses that are among its answers."""


@pytest.fixture(scope="module")
def schema(service):
    """The service as it describes itself."""
    return schemathesis.openapi.from_dict(service.make_app("memory://").openapi())


@pytest.fixture
def call(service):
    """A client of the service, with something to find."""
    with calling(service.make_app("memory://")) as call:
        for path, body in (
            ("/clusters", {"name": "web", "region": "eu"}),
            ("/projects", {"name": "shop"}),
        ):
            assert 201 == call("POST", path, json=body).status_code
        app = {"parent": "Project/shop", "name": "web", "image": "i"}
        assert 201 == call("PUT", "/projects/shop/apps/web", json=app, headers={"If-None-Match": "*"}).status_code
        yield call


def test_every_operation_is_fuzzed(schema):
    """A new route needs a line above."""
    assert OPERATIONS.keys() == {found.ok().label for found in schema.get_all_operations()}


@pytest.mark.parametrize("label", OPERATIONS)
def test_answers_are_as_described(label, schema, call):
    """No request makes the service fail, and each answer has a status, a type and a body that its OpenAPI names."""
    method, _, path = label.partition(" ")
    answers = Counter()

    @settings(
        max_examples=20, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=schema[path][method].as_strategy())
    def fuzz(case):
        if answers.total() % 2:
            case.path_parameters = {name: KNOWN[name] for name in case.path_parameters or {}}
        options = case.as_transport_kwargs(base_url="http://service")
        reply = call(
            options["method"], options["url"],
            **{name: options[name] for name in ("headers", "params", "json", "data", "content") if name in options},
        )  # fmt: skip
        answers[reply.status_code] += 1
        case.validate_response(reply, checks=CHECKS)

    fuzz()

    assert OPERATIONS[label] <= answers.keys(), answers
