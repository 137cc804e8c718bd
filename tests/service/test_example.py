"""The example over HTTP, on each backend."""

from __future__ import annotations

import pytest

from tests.backends.shared import ON_EACH
from tests.service.conftest import calling

APP = "/projects/shop/apps/web"
BODY = {"parent": "Project/shop", "name": "web", "image": "web:1"}


@pytest.fixture
def url(request):
    """The URL of a backend."""
    if request.param == "memory":
        return "memory://"
    return request.getfixturevalue({"redis": "redis_server", "mongodb": "mongo_server"}[request.param]).url


@pytest.fixture
def call(url, service, namespace):
    """A client of the service, with two clusters, a project and an app."""
    with calling(service.make_app(url, namespace)) as call:
        for name in ("c1", "c2"):
            assert 201 == call("POST", "/clusters", json={"name": name, "region": "eu"}).status_code
        assert 201 == call("POST", "/projects", json={"name": "shop"}).status_code
        made = call("PUT", APP, json={**BODY, "runs_on": ["c1"]}, headers={"If-None-Match": "*", "X-User": "ann"})
        assert (201, APP) == (made.status_code, made.headers["location"])
        yield call


@pytest.mark.parametrize("url", ON_EACH, indirect=True)
def test_service_keeps_its_promises_over_http(call):
    """One walk through the life of an app: each refusal has its status, and what is refused changes nothing."""
    first = call("GET", APP)
    tag = first.headers["etag"]
    assert ({"ann"}, ["Cluster/c1"]) == ({first.json()["meta"]["actor"]}, first.json()["runs_on"])
    assert tag == first.json()["meta"]["etag"]

    # a client that has it already
    again = call("GET", APP, headers={"If-None-Match": f'"other", {tag}'})
    assert (304, tag, b"") == (again.status_code, again.headers["etag"], again.content)

    # a change of what was read, and one that comes late
    changed = call("PUT", APP, json={**first.json(), "image": "web:2"}, headers={"If-Match": tag})
    assert (200, "web:2") == (changed.status_code, changed.json()["image"])
    late = call("PUT", APP, json={**BODY, "image": "late"}, headers={"If-Match": tag})
    assert (412, "CONFLICT", False) == (late.status_code, late.json()["code"], late.json()["retryable"])
    assert 412 == call("PUT", APP, json=BODY, headers={"If-None-Match": "*"}).status_code
    assert 428 == call("PUT", APP, json=BODY).status_code
    assert 428 == call("DELETE", APP).status_code
    assert 400 == call("DELETE", APP, headers={"If-Match": "web"}).status_code

    # a change of some fields, to what does not exist
    missing = call("PATCH", APP, json={"runs_on": ["c1", "c9"]})
    assert (422, "Cluster/c9") == (missing.status_code, missing.json()["missing"][0]["target"])
    assert 404 == call("PATCH", "/projects/shop/apps/api", json={"replicas": 2}).status_code
    assert 422 == call("PATCH", APP, json={"replicas": -1}).status_code

    # what a state forbids
    assert "released" == call("POST", f"{APP}/release").json()
    assert ["release", 409] == [
        (reply := call("POST", f"{APP}/release")).json()["transition"], reply.status_code
    ]  # fmt: skip
    frozen = call("PATCH", APP, json={"image": "web:3"})
    assert (409, "STATE", ["image"]) == (frozen.status_code, frozen.json()["code"], frozen.json()["frozen"])

    # the delete of a target, which leaves the list of references
    cluster = call("GET", "/clusters/c1").headers["etag"]
    assert 204 == call("DELETE", "/clusters/c1", headers={"If-Match": cluster}).status_code
    assert [] == call("GET", APP).json()["runs_on"]


@pytest.mark.parametrize("url", ON_EACH, indirect=True)
def test_pages_lead_to_the_next(call):
    """RFC 8288: a client that follows rel="next" reads everything, once."""
    path, names = "/clusters?region=eu&limit=1", []
    while path:
        reply = call("GET", path)
        names += [one["name"] for one in reply.json()["items"]]
        link = reply.headers.get("link", "")
        path = f"/clusters{link[1:].partition('>')[0]}" if link.endswith('>; rel="next"') else ""

    assert ["c1", "c2"] == names
    assert 400 == call("GET", "/clusters?after=nowhere").status_code
    assert 422 == call("GET", "/clusters?limit=0").status_code


@pytest.mark.parametrize("url", ["memory"], indirect=True)
def test_path_and_body_name_the_same_app(call):
    """A PUT of another app than the path says is refused."""
    reply = call("PUT", APP, json={**BODY, "name": "api"}, headers={"If-None-Match": "*"})

    assert (422, "OTHER-APP") == (reply.status_code, reply.json()["code"])


@pytest.mark.parametrize("url", ["memory"], indirect=True)
def test_location_is_the_path_of_any_name(call):
    """RFC 9110, section 10.2.2: what a path cannot hold is percent-encoded, and leads to the resource."""
    made = call("POST", "/clusters", json={"name": "süd? #1", "region": "eu"})

    assert "/clusters/s%C3%BCd%3F%20%231" == made.headers["location"]
    assert "süd? #1" == call("GET", made.headers["location"]).json()["name"]
