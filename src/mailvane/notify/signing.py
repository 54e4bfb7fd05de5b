"""What webhooks of a workspace are signed with: made when first needed, two at once while one replaces the other."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Sequence

import msgspec

from mailvane.core.moments import DAY_MS
from mailvane.notify.model import SigningSecret
from mailvane.notify.store.channels import ChannelStore

OVERLAP_MS = DAY_MS  # receivers have so long to learn the new one
_BYTES = 24  # Standard Webhooks: 24 to 64


class Signing:
    """For any number of threads."""

    def __init__(self, channels: ChannelStore) -> None:
        self._channels = channels

    def living(self, workspace: int, now: int) -> Sequence[SigningSecret]:
        """The current one first. A workspace that never had one gets it now."""
        known = self._channels.signing_secrets(workspace, now)
        if known:
            return known
        # Several threads find none when the first webhooks leave together: the first of them makes the one.
        made = _made(workspace, now)
        return self._channels.change_signing_secrets(workspace, now, lambda others: others or [made])

    def rotate(self, workspace: int, now: int) -> Sequence[SigningSecret]:
        """A new one; the former signs beside it for a day."""

        def rotated(living: Sequence[SigningSecret]) -> Sequence[SigningSecret]:
            former = [msgspec.structs.replace(one, expires_at=one.expires_at or now + OVERLAP_MS) for one in living]
            return [_made(workspace, now), *former]

        return self._channels.change_signing_secrets(workspace, now, rotated)


def _made(workspace: int, now: int) -> SigningSecret:
    text = f"whsec_{b64encode(secrets.token_bytes(_BYTES)).decode()}"
    return SigningSecret(workspace=workspace, secret=text, created_at=now)
