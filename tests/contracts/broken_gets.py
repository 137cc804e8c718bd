# ruff: noqa: D102 - what a method should promise is in emco_store.ports, and that it does not do so is in its class
"""Backends whose gets share requests that they must not share."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import Future

from emco_store.backends.adapters import ImmediatePort, ThreadedPort
from emco_store.backends.memory import MemoryBackend, MemoryPort
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import Commit, Get, Receipt, Refusal

_LONGEST_S = 0.05


class _OnItsWay:
    def __init__(self) -> None:
        self.reply: Future[Mapping[Key, Record]] = Future()
        self.is_old = False
        self.may_end = threading.Event()


class _Joining(MemoryPort):
    """Keeps a get on its way until another one has joined it that began after a commit, but not for long."""

    def __init__(self, backend: MemoryBackend, namespace: str) -> None:
        super().__init__(backend, namespace)
        self._joining = threading.Lock()
        self._on_its_way: dict[tuple[Key, ...], _OnItsWay] = {}

    def get(self, request: Get) -> Mapping[Key, Record]:
        with self._joining:
            sent = self._on_its_way.get(request.keys)
            mine = self._on_its_way.setdefault(request.keys, _OnItsWay())
            found = super().get(request)
        if sent is not None:
            if sent.is_old:
                sent.may_end.set()
            return sent.reply.result()
        mine.may_end.wait(_LONGEST_S)
        with self._joining:
            del self._on_its_way[request.keys]
        mine.reply.set_result(found)
        return found

    def commit(self, commit: Commit) -> Receipt | Refusal:
        reply = super().commit(commit)
        with self._joining:
            for sent in self._on_its_way.values():
                sent.is_old = True
        return reply


class JoinsWhatIsSent(MemoryBackend):
    """Gives a get the reply of one that is already on its way."""

    def port(self, namespace: str) -> MemoryPort:
        return _Joining(self, namespace)

    def async_port(self, namespace: str) -> ThreadedPort:  # type: ignore[override]  # not a port that ends at once
        return ThreadedPort(self.port(namespace))


class _Spoiled(MemoryPort):
    """Fails a get together with the one before it."""

    def __init__(self, backend: MemoryBackend, namespace: str) -> None:
        super().__init__(backend, namespace)
        self._was_found = True
        self._turn = threading.Lock()

    def get(self, request: Get) -> Mapping[Key, Record]:
        found = super().get(request)
        with self._turn:
            was_found, self._was_found = self._was_found, bool(found)
        return found if was_found else {}


class FailsWithAnotherGet(MemoryBackend):
    """Tells one more caller that nothing was found."""

    def port(self, namespace: str) -> MemoryPort:
        return _Spoiled(self, namespace)

    def async_port(self, namespace: str) -> ImmediatePort:
        return ImmediatePort(self.port(namespace))


BROKEN_GETS = {"JoinsWhatIsSent": (JoinsWhatIsSent, "OCC-18"), "FailsWithAnotherGet": (FailsWithAnotherGet, "OCC-18")}
"""Each broken backend, with the rule that must catch it."""
