"""The asyncio port to Redis; the blocking one is made from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis import exceptions

from emco_store.backends.redis import commands
from emco_store.backends.redis.commands import SCRIPTS, SCRIPTS_7, Names, Script
from emco_store.backends.redis.errors import lost, translated
from emco_store.backends.redis.server import judge
from emco_store.core.keys import Key
from emco_store.core.records import Record
from emco_store.ports import (
    Commit,
    Follow,
    Followed,
    Guarantees,
    Outcome,
    Receipt,
    Refusal,
    Scan,
    Unreachable,
    not_open,
)


class AsyncRedisPort:
    """One namespace on one Redis primary; see :class:`emco_store.ports.Port`.

    Args:
        client: A client of redis-py that repeats nothing by itself, of one server or of a cluster.
        namespace: The namespace.
        owned: Whether to close the client along with the port.
    """

    def __init__(self, client: Any, namespace: str, *, owned: bool) -> None:
        self._client = client
        self._names = Names(namespace)
        self._owned = owned
        self._scripts = SCRIPTS
        self._guarantees: Guarantees | None = None

    @property
    def guarantees(self) -> Guarantees:
        """See :attr:`emco_store.ports.Port.guarantees`."""
        if self._guarantees is None:
            raise not_open()
        return self._guarantees

    async def open(self) -> None:
        """See :meth:`emco_store.ports.Port.open`."""
        if self._guarantees is not None:
            return
        with translated():
            primaries = await self._primaries()
            reports = [(await self._client.info("all", **node), await self._fsync(node)) for node in primaries]
            found, is_modern = judge(reports, in_cluster=primaries != [{}])
            self._scripts = SCRIPTS_7 if is_modern else SCRIPTS
            for node in primaries:
                await self._load(node)
        self._guarantees = found

    async def _primaries(self) -> list[dict[str, Any]]:
        """Give what a command needs to reach each primary: the node, where the client is one of a cluster."""
        if not hasattr(self._client, "get_primaries"):
            return [{}]
        await self._client.info("server")  # an asyncio client learns the nodes at its first command
        return [{"target_nodes": node} for node in self._client.get_primaries()]

    async def _fsync(self, node: dict[str, Any]) -> str | None:
        try:
            found: str | None = (await self._client.config_get("appendfsync", **node)).get("appendfsync")
        except exceptions.ResponseError:  # a managed server may forbid CONFIG
            return None
        return found

    async def _load(self, node: dict[str, Any]) -> None:
        """Spare the first calls the texts of the scripts, where the user may do so."""
        with suppress(exceptions.NoPermissionError):
            for script in self._scripts.all:
                await self._client.execute_command("SCRIPT LOAD", script.text, **node)

    async def get(self, keys: tuple[Key, ...]) -> Mapping[Key, Record]:
        """See :meth:`emco_store.ports.Port.get`."""
        return commands.get_reply(keys, await self._read(commands.get_args(keys)))

    async def scan(self, scan: Scan) -> tuple[Record, ...]:
        """See :meth:`emco_store.ports.Port.scan`."""
        return commands.found_reply(await self._read(commands.scan_args(scan)))

    async def referrers(self, follow: Follow) -> Followed:
        """See :meth:`emco_store.ports.Port.referrers`."""
        return commands.follow_reply(follow, await self._read(commands.follow_args(follow)))

    async def commit(self, commit: Commit) -> Receipt | Refusal:
        """See :meth:`emco_store.ports.Port.commit`."""
        keys = self._names.commit_keys(commit.txid)
        with lost():
            reply = await self._call(self._scripts.commit(commit), keys, commands.commit_args(commit))
        return commands.commit_reply(commit, reply)

    async def settle(self, txid: str) -> Outcome:
        """See :meth:`emco_store.ports.Port.settle`."""
        reply = await self._ask(self._scripts.settle, [self._names.outcome(txid)], [commands.OUTCOME_TTL_S])
        return commands.settle_reply(reply)

    async def close(self) -> None:
        """See :meth:`emco_store.ports.Port.close`."""
        if self._owned:
            with suppress(Unreachable), translated():  # what cannot be closed is gone
                await self._client.aclose()

    async def _read(self, args: Sequence[Any]) -> Any:
        return await self._ask(self._scripts.read, self._names.read_keys, args)

    async def _ask(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Call a script that may be called twice, and do so where the connection had died in the pool."""
        with translated():
            try:
                return await self._call(script, keys, args)
            except exceptions.ConnectionError:
                return await self._call(script, keys, args)

    async def _call(self, script: Script, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Call a script; where the server does not know it, nothing was executed, and its text goes along."""
        try:
            return await self._client.evalsha(script.sha, len(keys), *keys, *args)
        except exceptions.NoScriptError:
            return await self._client.eval(script.text, len(keys), *keys, *args)
