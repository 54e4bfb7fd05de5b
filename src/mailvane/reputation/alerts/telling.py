"""Whom an alert tells of a firing, and what becomes of a message that waited over quiet hours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from mailvane.core.errors import MailvaneError, NotFound, Transient
from mailvane.notify.channels import by_target, wants
from mailvane.notify.model import (
    Channel,
    NamedChannel,
    Notification,
    Released,
    named_notification_id,
    notification_id,
)
from mailvane.reputation.alerts.model import Alert, EntryState, FiredRule, LogEntry


def told_places(
    alert: Alert, entry: LogEntry, channels: Sequence[NamedChannel], is_test: bool
) -> Iterator[tuple[str, Channel, str]]:
    """Id, kind and target of each message; one that the entry is not grave enough for is left out, but for a test.

    The terms of a channel hold for its target, however the alert names it. A place is told once.
    """
    named = {each.id: each for each in channels}
    by_itself = (
        (Channel.WEBHOOK, alert.webhook_url),
        (Channel.EMAIL, alert.instant_alert_email if alert.is_instant_alert else None),
        (Channel.SLACK, alert.slack_integration_id),
    )
    told = set()
    for kind, target in by_itself:
        if not target:
            continue
        channel = by_target(channels, kind, target)
        told.add((kind, target if channel is None else channel.id))
        if is_test or wants(channel, entry.severity):
            yield notification_id(entry.id, kind), kind, target
    for channel in (named[each] for each in alert.channel_ids if each in named):
        if (channel.kind, channel.id) not in told and (is_test or wants(channel, entry.severity)):
            yield named_notification_id(entry.id, channel.id), channel.kind, channel.sent_to


def identities_of(rule: FiredRule) -> Iterator[tuple[str, ...]]:
    """What satisfied a rule, without the number that was compared."""
    for item in rule.matchings.get("items") or ():
        named = sorted((name, str(value)) for name, value in item.items() if name != "value")
        yield (rule.type, *(part for pair in named for part in pair))


class HeldNotices:
    """Whether what waited over quiet hours is told still. Safe to share between threads."""

    def __init__(
        self, entry_of: Callable[[int, str], LogEntry], still_holds: Callable[[LogEntry, int], bool | None]
    ) -> None:
        """`entry_of` gives a log entry, `still_holds` whether it matches still; both raise NotFound."""
        self._entry_of = entry_of
        self._still_holds = still_holds

    def released(self, notification: Notification, now: int) -> Released:
        """What somebody has seen to is not told; what is over says so. Raises Transient."""
        if notification.entry_id is None:
            return Released(notification)
        try:
            entry = self._entry_of(notification.workspace, notification.entry_id)
            if entry.state is not EntryState.OPEN:
                return Released(None, f"{entry.state.value} by {entry.state_by} within the quiet hours"[:500])
            holds = self._still_holds(entry, now)
        except NotFound:
            return Released(None, "the alert was removed within the quiet hours")
        except Transient:
            raise
        except MailvaneError:
            holds = None
        held = {"since": notification.held_since, "holds": holds}
        return Released(msgspec.structs.replace(notification, body={**notification.body, "held": held}))
