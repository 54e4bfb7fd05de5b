"""The secrets that links are signed with, remembered: a request of a pixel asks no ledger. Any thread may use one."""

from __future__ import annotations

from collections.abc import Mapping

from mailvane.mailboxes.store.tracking import TrackingStore
from mailvane.mailboxes.tracking.links import Link, read_token, token_of

AGE_SECONDS = 1.0  # ours: how old the answer may be that a workspace has none


class Secrets:
    """A workspace has one, and keeps it."""

    def __init__(self, store: TrackingStore) -> None:
        self._store = store
        self._known: Mapping[int, bytes] = {}
        self._looked_at = float("-inf")

    def sign(self, link: Link, now: int) -> str:
        """The token of a link. Blocking. Raises StoreUnavailable."""
        secret = self._known.get(link.workspace)
        if secret is None:
            secret = self._store.secret(link.workspace, now)
            self._known = {**self._known, link.workspace: secret}
        return token_of(link, secret)

    def read(self, token: str) -> Link | None:
        """The link of a token. None: it is forged, cut or of a workspace without a secret, as far as is known."""
        signed = read_token(token)
        if signed is None:
            return None
        secret = self._known.get(signed.link.workspace)
        return signed.link if secret is not None and signed.is_of(secret) else None

    def is_unknown(self, token: str, moment: float) -> bool:
        """Whether it is worth while to `learn`: nothing is known of its workspace, and nobody just asked.

        The moment is of a clock that only goes forward, in seconds.
        """
        if moment < self._looked_at + AGE_SECONDS:
            return False
        signed = read_token(token)
        return signed is not None and signed.link.workspace not in self._known

    def learn(self, moment: float) -> None:
        """Look all of them up. Blocking. Raises StoreUnavailable."""
        self._looked_at = moment
        self._known = self._store.secrets()
