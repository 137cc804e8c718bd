# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Backends that take namespaces for the same that are not."""

from __future__ import annotations

from emco_store.backends.adapters import ImmediatePort
from emco_store.backends.memory import MemoryBackend, MemoryPort


class _Renaming(MemoryBackend):
    def port(self, namespace: str) -> MemoryPort:
        return super().port(self.named(namespace))

    def async_port(self, namespace: str) -> ImmediatePort:
        return ImmediatePort(self.port(namespace))

    def named(self, namespace: str) -> str:
        raise NotImplementedError


class SharesNamespaces(_Renaming):
    """Takes every namespace for the same."""

    def named(self, namespace: str) -> str:  # noqa: ARG002 - it does not look
        return "all"


class TakesNamespacesOfAnyCase(_Renaming):
    """Takes namespaces for the same that differ by case."""

    def named(self, namespace: str) -> str:
        return namespace.lower()


class ShortensNamespaces(_Renaming):
    """Uses the first 62 characters of the name of a namespace."""

    def named(self, namespace: str) -> str:
        return namespace[:62]


class TakesDashesForUnderscores(_Renaming):
    """Writes a namespace as a name of its server, which knows no dashes."""

    def named(self, namespace: str) -> str:
        return namespace.replace("-", "_")


BROKEN_NAMESPACES: dict[str, tuple[type[MemoryBackend], str]] = {
    part.__name__: (part, "ID-14")
    for part in (SharesNamespaces, TakesNamespacesOfAnyCase, ShortensNamespaces, TakesDashesForUnderscores)
}
"""Each broken backend, with the rule that must catch it."""
