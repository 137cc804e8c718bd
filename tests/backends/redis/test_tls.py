"""TLS on a real server: a trusted certificate is enough, and without one nothing is sent."""

from __future__ import annotations

import pytest
import trustme

from emco_store.errors import InvalidCall, Misconfigured
from tests.backends.redis.conftest import works
from tests.servers.process import HOST
from tests.servers.redis_tls import redis_with_tls

pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who issues the certificate of the server."""
    return trustme.CA()


@pytest.fixture(scope="module")
def port(started, authority) -> int:
    """A server that speaks nothing but TLS."""
    found: int = started.enter(redis_with_tls(authority))
    return found


@pytest.fixture
def trusted(authority, tmp_path):
    """The file of the authority that issued the certificate of the server."""
    return _written(authority, tmp_path / "trusted.pem")


@pytest.fixture
def another(tmp_path):
    """The file of an authority that did not."""
    return _written(trustme.CA(), tmp_path / "another.pem")


def _written(authority: trustme.CA, path) -> str:
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def test_store_works_through_tls(open_store, port, trusted):
    """A URL with the file of the authority is all that it takes."""
    works(open_store(f"rediss://{HOST}:{port}/0?ssl_ca_certs={trusted}"))


@pytest.mark.parametrize("host", [HOST, "localhost"])
def test_certificate_that_is_not_trusted_is_misconfigured(open_store, port, another, trusted, host):
    """A server with a certificate of somebody else, or for another name, is sent nothing, no password either."""
    authority = another if host == HOST else trusted

    with pytest.raises(Misconfigured) as caught:
        open_store(f"rediss://:hunter2@{host}:{port}/0?ssl_ca_certs={authority}")

    assert "ssl_ca_certs" == caught.value.setting
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("option", ["ssl_ca_certs", "ssl_certfile", "ssl_keyfile"])
def test_file_that_is_not_there_is_named_before_anything_is_sent(open_store, option):
    """A wrong path in the URL is not taken for a server that does not answer."""
    with pytest.raises(InvalidCall) as caught:
        open_store(f"rediss://:hunter2@{HOST}:1/0?{option}=/nowhere/file.pem")

    assert (f"{option}=/nowhere/file.pem",) == caught.value.why
    assert "hunter2" not in str(caught.value)
