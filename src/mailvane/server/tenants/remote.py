"""Removal of workspaces, by the server that has the mail log open or by the command itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidInput, MailvaneError, ServerUnreachable
from mailvane.server.asking import serving
from mailvane.server.settings import Settings, master_token
from mailvane.server.stores import stores_here
from mailvane.server.tenants.removal import Holdings, Removal
from mailvane.server.tenants.workspaces import WorkspaceObject
from mailvane.web.dialect import NATIVE_PREFIX, Problem

_PATIENCE = httpx.Timeout(None, connect=5.0)  # a large workspace takes minutes


class RemoteRemoval:
    """A client of one server."""

    def __init__(self, server: str, token: str) -> None:
        self._client = httpx.Client(base_url=server, headers={"X-API-KEY": token}, timeout=_PATIENCE)

    def holdings(self, name: str) -> Holdings:
        """Raises InvalidInput, ServerUnreachable."""
        held: Holdings = self._ask("GET", f"/workspaces/{self._number(name)}/holdings", Holdings)
        return held

    def remove(self, name: str, now: int) -> Holdings:  # noqa: ARG002 - the server has a clock
        """Raises InvalidInput, ServerUnreachable."""
        held: Holdings = self._ask("DELETE", f"/workspaces/{self._number(name)}", Holdings, {"name": name})
        return held

    def close(self) -> None:
        self._client.close()

    def _number(self, name: str) -> int:
        listed: list[WorkspaceObject] = self._ask("GET", "/workspaces", list[WorkspaceObject])
        for one in listed:
            if one.name == name:
                return one.id
        raise InvalidInput(f"there is no workspace named {name!r}")

    def _ask(self, method: str, path: str, kind: Any, params: dict[str, str] | None = None) -> Any:
        try:
            answer = self._client.request(method, NATIVE_PREFIX + path, params=params)
        except httpx.HTTPError as error:
            raise ServerUnreachable(f"the server at {self._client.base_url} does not answer: {error}") from None
        try:
            if answer.status_code != httpx.codes.OK:
                raise InvalidInput(msgspec.json.decode(answer.content, type=prepared(Problem)).detail)
            return msgspec.json.decode(answer.content, type=prepared(kind))
        except msgspec.MsgspecError as error:
            raise MailvaneError(f"the server speaks another version: {error}") from None


@contextmanager
def removal_anywhere(settings: Settings, purpose: str) -> Iterator[Removal]:
    """Removal of workspaces by the server that has the mail log open, or here when there is none."""
    server = serving(settings)
    if server:
        with closing(RemoteRemoval(server, master_token(settings))) as remote:
            yield remote
    else:
        with stores_here(settings, purpose) as stores:
            stores.recorder.drain()
            yield stores.removal
