"""A workspace is removed with everything of it: first said, then done; in the ledger at once, in the mail log after it.

The ledger goes first, in one transaction, and with it every key and every right: nobody is let in any more, within a
second on every node. It remembers that the workspace was there, so that its mail in the mail log, and what another node
was just carrying there, is known for what it is and dropped: now, at the next start, or by the next sweep.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec

from mailvane.core.errors import InvalidInput, NotPossible
from mailvane.core.tenants.store import TenantStore
from mailvane.maillog.integrity import Integrity
from mailvane.maillog.ownership import Ownership
from mailvane.maillog.recording import Recorder

log = logging.getLogger(__name__)


class Holdings(msgspec.Struct, frozen=True):
    """What there is of a workspace, and goes with it."""

    workspace: int
    name: str
    events: int  # of mail, in the mail log
    rows: dict[str, int]  # of the ledger, by table


class Removal(Protocol):
    """Through the server that has the mail log open, or in this process."""

    def holdings(self, name: str) -> Holdings:
        """What is removed with it. Raises NotFound."""

    def remove(self, name: str, now: int) -> Holdings:
        """Remove it with all that. Raises NotFound, NotPossible."""


class WorkspaceRemoval:
    """In the process that has both stores open. Safe to share between threads."""

    def __init__(
        self,
        tenants: TenantStore,
        ownership: Ownership,
        recorder: Recorder,
        integrity: Integrity,
        named_in_settings: Sequence[tuple[str, str]],
    ) -> None:
        """`named_in_settings`: names of workspaces that settings put mail or reports into, and which setting."""
        self._tenants = tenants
        self._ownership = ownership
        self._recorder = recorder
        self._integrity = integrity
        self._named_in_settings = named_in_settings

    def holdings(self, name: str) -> Holdings:
        """Raises InvalidInput."""
        found = self._tenants.workspace_named(name)
        if found is None:
            raise InvalidInput(f"there is no workspace named {name!r}")
        events = self._ownership.holding(found.id).events
        return Holdings(found.id, found.name, events, self._tenants.rows_of(found.id))

    def remove(self, name: str, now: int) -> Holdings:
        """Raises InvalidInput, NotPossible."""
        held = self.holdings(name)
        for named, setting in self._named_in_settings:
            if named == held.name:
                raise NotPossible(f"{setting} puts data into {held.name!r}: take that out of the settings first")
        found = self._tenants.workspace(held.workspace)
        if found is not None:
            self._tenants.remove_workspace(found, now)
            log.info("removed workspace %d (%s)", found.id, found.name)
            self._drop(found.id)
        return held

    def sweep(self) -> None:
        """Drop what of removed workspaces reached the mail log later."""
        for found in self._ownership.removed_mail():
            log.info("dropping mail of the removed workspace %d (%s)", found.id, found.name)
            self._drop(found.id)

    def _drop(self, workspace: int) -> None:
        with self._recorder.paused(), self._changing():
            self._ownership.drop_removed(workspace)

    def _changing(self) -> AbstractContextManager[None]:
        return self._integrity.changing()
