"""The URL of etcd: which servers, how to reach them, who asks, and where the data of this project stand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from emco_store.errors import InvalidCall

PORT = 2379
MAX_TXN_OPS = 128
"""How many operations etcd allows in a transaction, unless it is told otherwise (``--max-txn-ops``)."""
MAX_REQUEST_BYTES = 1_572_864
"""How large etcd lets a write be, unless it is told otherwise (``--max-request-bytes``)."""
FOLDER = "emco_store"
_ENDPOINT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s\[\]:/,]+)(?::(?P<port>[0-9]{1,5}))?")
_LARGEST_PORT = 65_535
_LEAST_OPS, _LEAST_BYTES = 16, 65_536
_FILES = ("ca", "cert", "key")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One member of an etcd cluster."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """What the URL of an etcd cluster says.

    Attributes:
        endpoints: The members to ask, the first one first.
        is_tls: Whether to speak TLS.
        user: The name of the user; empty where etcd asks for none.
        password: Its password.
        folder: What the keys of this project begin with, without the slash after it.
        files: The files of TLS: ``ca`` of the authority, ``cert`` and ``key`` of the client.
        max_txn_ops: The ``--max-txn-ops`` of the servers.
        max_request_bytes: The ``--max-request-bytes`` of the servers.
    """

    endpoints: tuple[Endpoint, ...]
    is_tls: bool
    user: str
    password: str
    folder: str
    files: Mapping[str, str]
    max_txn_ops: int = MAX_TXN_OPS
    max_request_bytes: int = MAX_REQUEST_BYTES

    @property
    def prefix(self) -> bytes:
        """What each key of this project begins with."""
        return f"{self.folder}/".encode()


def read_address(url: str) -> Address:
    """Read a URL: ``etcd://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]…][/FOLDER][?OPTION=VALUE…]``.

    The scheme ``etcds`` speaks TLS. The options are ``ca``, ``cert`` and ``key``, which are files, ``max_txn_ops`` and
    ``max_request_bytes``.

    Raises:
        InvalidCall: It is not such a URL, or names a file that is not there. The error never shows the password.
    """
    parts = urlsplit(url)
    account, _, hosts = parts.netloc.rpartition("@")
    user, _, password = account.partition(":")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    folder = unquote(parts.path).strip("/") or FOLDER
    wrong = [
        *_wrong_hosts(hosts),
        *_wrong_options(options, is_tls=parts.scheme == "etcds"),
        *(["a user needs a password"] if user and not password else []),
        *(["nothing follows a #"] if parts.fragment else []),
    ]
    if parts.scheme not in {"etcd", "etcds"} or wrong:
        raise InvalidCall(
            "Cannot read this URL of etcd.",
            why=wrong or ["its scheme is neither etcd nor etcds"],
            hint="write etcd://HOST:PORT,HOST:PORT/FOLDER?max_txn_ops=128, etcds:// for TLS, and %XX for what is "
            "special in a password.",
        )
    return Address(
        tuple(map(_endpoint, hosts.split(","))),
        parts.scheme == "etcds",
        unquote(user),
        unquote(password),
        folder,
        {name: options[name] for name in _FILES if name in options},
        int(options.get("max_txn_ops", MAX_TXN_OPS)),
        int(options.get("max_request_bytes", MAX_REQUEST_BYTES)),
    )


def _endpoint(text: str) -> Endpoint:
    found = _ENDPOINT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return Endpoint(found["host"].strip("[]"), int(found["port"] or PORT))


def _wrong_hosts(hosts: str) -> list[str]:
    def is_wrong(text: str) -> bool:
        found = _ENDPOINT.fullmatch(text)
        return found is None or not 0 < int(found["port"] or PORT) <= _LARGEST_PORT

    return [f"{text!r:.80} is no HOST:PORT" for text in hosts.split(",") if is_wrong(text)]


def _wrong_options(options: Mapping[str, str], *, is_tls: bool) -> list[str]:
    checks: Mapping[str, Callable[[str], Any]] = {
        **dict.fromkeys(_FILES, lambda text: is_tls and Path(text).is_file()),
        "max_txn_ops": lambda text: _is_number(text, _LEAST_OPS),
        "max_request_bytes": lambda text: _is_number(text, _LEAST_BYTES),
    }
    meanings = {
        **dict.fromkeys(_FILES, "no file that is there, or the scheme is not etcds"),
        "max_txn_ops": f"no number of {_LEAST_OPS} or more",
        "max_request_bytes": f"no number of {_LEAST_BYTES} or more",
    }
    wrong = [f"there is no option {name!r:.40}" for name in options if name not in checks]
    wrong += [
        f"{name}={options[name]:.80}: {meanings[name]}" for name in checks if not _is_right(options, name, checks)
    ]
    if len({"cert", "key"} & options.keys()) == 1:
        wrong.append("cert and key go together")
    return wrong


def _is_right(options: Mapping[str, str], name: str, checks: Mapping[str, Callable[[str], Any]]) -> bool:
    return name not in options or bool(checks[name](options[name]))


def _is_number(text: str, least: int) -> bool:
    return text.isascii() and text.isdigit() and int(text) >= least
