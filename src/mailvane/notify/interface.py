"""The ledger's part in telling people: the outbox, and what notifications need besides a target. Protocols.

Every method is one transaction. Whatever carries a workspace is never read or changed without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from mailvane.notify.model import Attempt, Notification, NotificationState, SigningSecret, SlackIntegration, Target


class Outbox(Protocol):
    def post(self, notifications: Sequence[Notification]) -> None:
        """Keep messages that no alert caused, such as a daily report. An id that is known changes nothing."""

    def take(self, now: int, limit: int, hold_ms: int) -> list[Notification]:
        """Pending ones that are due, the oldest first; nobody else takes them within `hold_ms`."""

    def let_go(self, now: int, hold_ms: int, ids: Collection[str] | None = None) -> int:
        """End the holds of those taken within `hold_ms` and not settled, of all when None; how many are due again."""

    def settle_notification(self, notification: Notification, attempt: Attempt) -> None:
        """Keep state, attempts and next_at as they now are, and add to its delivery log."""

    def notifications(
        self, workspace: int, state: NotificationState | None = None, limit: int = 100
    ) -> list[Notification]:
        """The newest first."""

    def attempts(self, workspace: int, notification_id: str) -> list[Attempt]:
        """Oldest first. Raises NotFound."""

    def resend(self, workspace: int, notification_id: str, now: int) -> Notification:
        """Make it pending and due again, whatever became of it. Raises NotFound."""

    def targets(self, workspace: int) -> list[Target]: ...

    def save_target(self, target: Target) -> None: ...


class Channels(Protocol):
    """What notifications need besides a target."""

    def signing_secrets(self, workspace: int, now: int) -> list[SigningSecret]:
        """Those that live, the current one first."""

    def change_signing_secrets(
        self, workspace: int, now: int, change: Callable[[Sequence[SigningSecret]], Sequence[SigningSecret]]
    ) -> list[SigningSecret]:
        """Replace those that live; what lives then, the current one first. Two changes at once follow one another."""

    def slack_integrations(self, workspace: int) -> list[SlackIntegration]: ...

    def add_slack_integration(self, integration: SlackIntegration) -> None: ...

    def remove_slack_integration(self, workspace: int, integration_id: str) -> None:
        """Raises NotFound."""
