"""Open an etcd cluster."""

from __future__ import annotations

from emco_store.backends.etcd.address import read_address
from emco_store.backends.etcd.etcd_map import EtcdMap
from emco_store.backends.etcd.report import look
from emco_store.backends.health import PROBE, Report
from emco_store.backends.keyvalue.backend import KeyValueBackend
from emco_store.backends.keyvalue.port import KeyValuePort
from emco_store.backends.schemes import OpenOptions
from emco_store.errors import InvalidCall
from emco_store.ports import Get


def open_target(target: object, options: OpenOptions) -> EtcdBackend:
    """Return the cluster that a URL names; see :data:`emco_store.backends.schemes.Opener`."""
    if options.transport != "auto":
        raise InvalidCall(
            f"Cannot open etcd with transport={options.transport!r}.",
            why=["there is just one way to it, and no driver"],
            hint="leave transport out.",
        )
    return EtcdBackend(str(target))


class EtcdBackend(KeyValueBackend):
    """One etcd cluster, for any number of namespaces.

    Args:
        url: ``etcd://HOST:PORT,HOST:PORT/FOLDER?OPTION=VALUE``; see the reference.

    Raises:
        InvalidCall: It is no such URL.
    """

    def __init__(self, url: str) -> None:
        self._address = read_address(url)
        self._map = EtcdMap(self._address)
        super().__init__(self._map)

    def report(self, namespace: str) -> Report:
        """Look at the cluster and at a namespace; writes nothing."""
        return self.opened(namespace, "server", lambda port: self._look(namespace, port))

    def _look(self, namespace: str, port: KeyValuePort) -> Report:
        return look(self._address, self._map, lambda: port.ask(Get((PROBE,))), lambda: self.kinds(namespace))
