"""A Redis server with TLS, and the certificate that it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import trustme

from tests.servers.process import HOST, ServerFailed, running
from tests.servers.redis import ServerTooOld, _command, find_modern

SETTINGS = {
    "port": "0",
    "tls-port": "6379",
    "tls-cert-file": "redis.crt",
    "tls-key-file": "redis.key",
    "tls-ca-cert-file": "ca.crt",
    "tls-auth-clients": "no",
}


@contextmanager
def redis_with_tls(authority: trustme.CA, settings: Mapping[str, str] = SETTINGS) -> Iterator[int]:
    """Run a server whose certificate is for the loopback address; yield its port.

    Args:
        authority: Who issues the certificate.
        settings: As in ``redis.conf``. The port and the files that they name are replaced by those of this server.

    Raises:
        ServerTooOld: There is no Redis 7.0 that was built with TLS; that of the wheel was not.
    """
    binary = find_modern()

    def command(port: int, folder: Path) -> list[str]:
        own = {"tls-port": str(port), **_files(authority, folder)}
        options = [part for name, text in settings.items() for part in (f"--{name}", own.get(name, text))]
        return [*_command(binary, port, folder), *options]

    with ExitStack() as stack:
        try:
            port, _ = stack.enter_context(running(command))
        except ServerFailed as problem:
            if "tls-port" in str(problem):
                raise ServerTooOld(f"it needs a redis-server that was built with TLS, and {binary} was not") from None
            raise
        yield port


def _files(authority: trustme.CA, folder: Path) -> dict[str, str]:
    """Write the certificate, its key and that of the authority; give the setting for each."""
    issued = authority.issue_cert(HOST)
    files = {
        "tls-cert-file": issued.cert_chain_pems[0],
        "tls-key-file": issued.private_key_pem,
        "tls-ca-cert-file": authority.cert_pem,
    }
    for name, blob in files.items():
        blob.write_to_path(str(folder / name))
    return {name: str(folder / name) for name in files}
