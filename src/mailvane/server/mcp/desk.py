"""What a language model may ask about one workspace: the mail log, figures, limits, reputation, alerts. Blocking.

Every question is put together here, with the workspace that the caller's key proved; no argument names another. Answers
are plain values, and bounded (`answers`). Knows nothing of the protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.errors import InvalidInput, NotFound
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.core.tenants.model import INBOUND_RELAY
from mailvane.core.tenants.service import Tenancy
from mailvane.maillog import query_language
from mailvane.maillog.history import WINDOWS, window_start
from mailvane.maillog.interface import MailLog
from mailvane.maillog.model import DeliveryStatus, MailEvent, MailKey, parse_mail_id
from mailvane.maillog.queries import (
    Delivery,
    HourlyQuestion,
    LogQuestion,
    QueueIdQuestion,
    StatisticsQuestion,
    TallyQuestion,
)
from mailvane.outbound.admission.counters import day_start, month_start
from mailvane.outbound.admission.replay import Limits
from mailvane.outbound.governance import Governance
from mailvane.outbound.logged_mail import logged_mail
from mailvane.outbound.model import Domain, Usage
from mailvane.reputation.alerts.model import Alert, LogEntry
from mailvane.reputation.alerts.service import Alerting
from mailvane.reputation.model import LISTINGS, AssetKind
from mailvane.reputation.questions import EntryQuestion
from mailvane.reputation.source_schedule import SourceSchedule
from mailvane.reputation.store.assets import AssetStore
from mailvane.reputation.store.observations import ObservationStore
from mailvane.server.mcp.answers import fitting
from mailvane.server.mcp.settings import McpSettings

CountBy = Literal["status", "family", "sender_domain", "recipient_domain", "mx", "host"]
_MOST_MAILS = 3  # that one queue id may mean, told whole
_MOST_SKIP = 1_000_000
_LONGEST_NAME = 300
_LONGEST_SNOOZE_MS = 90 * DAY_MS  # ours


@dataclass(frozen=True)
class DeskServices:
    """What the desk asks. The composition root fills it in."""

    tenancy: Tenancy
    maillog: Callable[[], AbstractContextManager[MailLog]]  # open for one question
    governance: Governance
    alerting: Alerting
    observed: ObservationStore
    assets: AssetStore
    sources: SourceSchedule
    settings: McpSettings
    zone: ZoneInfo
    clock: Callable[[], int]


@dataclass(frozen=True)
class Desk:
    """One workspace's. `by` is written down of what is changed."""

    services: DeskServices
    workspace: int
    by: str

    def search(self, query: str, limit: int, skip: int) -> dict[str, Any]:
        """Raises InvalidInput."""
        if not 0 <= skip <= _MOST_SKIP:
            raise InvalidInput(f"skip is from 0 to {_MOST_SKIP:,}")
        asked = msgspec.structs.replace(self._question(query), limit=self._rows(limit), skip=skip)
        beside = {"query": query, "since": self._time(asked.since), "now": self._time(self._now)}
        if not asked.relays:
            return fitting({**beside, "total": 0}, (), self._size)
        with self.services.maillog() as maillog:
            page = maillog.search(asked)
        return fitting({**beside, "total": page.total}, map(self._delivery, page.deliveries), self._size)

    def count(self, query: str, by: CountBy, limit: int) -> dict[str, Any]:
        """Raises InvalidInput."""
        asked = self._question(query)
        beside = {"query": query, "by": by, "since": self._time(asked.since), "now": self._time(self._now)}
        if not asked.relays:
            return fitting(beside, (), self._size)
        with self.services.maillog() as maillog:
            found = maillog.tally(TallyQuestion(asked, by, self._rows(limit)))
        return fitting(beside, ({"value": each.value, "count": each.count} for each in found), self._size)

    def explain(self, mail: str) -> dict[str, Any]:
        """By a mail's id, or a queue id that it had. Raises InvalidInput, NotFound."""
        name = mail.strip()
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise InvalidInput("name a mail id of 18 hexadecimal digits, as search_mail tells it, or a queue id")
        relays = (INBOUND_RELAY, *self._relays())
        with self.services.maillog() as maillog:
            asked = QueueIdQuestion(workspace=self.workspace, relays=relays, queue_id=name, limit=_MOST_MAILS)
            keys = list(dict.fromkeys([*_keys_of_id(name, relays), *maillog.with_queue_id(asked)]))
            lives = [maillog.mail_events(self.workspace, key) for key in keys]
        events = [event for life in [each for each in lives if each][:_MOST_MAILS] for event in life]
        if not events:
            raise NotFound("this workspace has no such mail")
        return fitting({"mail": name}, map(self._event, events[: self._rows(1000)]), self._size)

    def figures(self, window: str, top: int) -> dict[str, Any]:
        """Raises InvalidInput."""
        since, now, relays = window_start(window, self._now, self.services.zone), self._now, self._relays()
        beside: dict[str, Any] = {"window": window, "since": self._time(since), "now": self._time(now)}
        if not relays:
            return fitting(beside, (), self._size)
        chosen = StatisticsQuestion(
            workspace=self.workspace, relays=relays, since=since, until=now, top=min(self._rows(top), 20)
        )
        # Hour by hour for two days at most: a longer window is told by its sums.
        first = max(since or 0, now - 48 * HOUR_MS)
        with self.services.maillog() as maillog:
            found = maillog.statistics(chosen)
            hours = maillog.hourly(HourlyQuestion(workspace=self.workspace, relays=relays, since=first, until=now))
        beside |= {"accepted": found.received, "deliveries": found.sent}
        beside |= {"senders": found.senders, "recipients": found.recipients, "origins": found.origins}
        rows = ({**msgspec.structs.asdict(each), "hour": self._time(each.hour)} for each in reversed(hours))
        return fitting(beside, rows, self._size)

    # -- limits ----------------------------------------------------------------------------------------------------

    def domains(self) -> dict[str, Any]:
        """Sending domains with limits and counters."""
        found = self.services.governance.domains(self.workspace)
        kept = found[: self._rows(1000)]
        used = self.services.governance.usages_today(kept, self._now)
        rows = (_domain(each, used.get(each.id)) for each in kept)
        return fitting({"total": len(found)}, rows, self._size)

    def what_if(self, domain: str, limits: Limits, days: int) -> dict[str, Any]:
        """What other limits would have stopped. Raises NotFound, InvalidInput."""
        if not 1 <= days <= 100:
            raise InvalidInput("days are from 1 to 100")
        for name, value in (("daily", limits.daily), ("monthly", limits.monthly)):
            if value is not None and value < 0:
                raise InvalidInput(f"{name} is a number of mails; 0 is no limit")
        if limits.hourly_fraction is not None and not 0 <= limits.hourly_fraction <= 1:
            raise InvalidInput("hourly_fraction is from 0 to 1")
        now, governance = self._now, self.services.governance
        known = governance.domain(domain, self.workspace)
        since = day_start(now) - (days - 1) * DAY_MS
        with self.services.maillog() as maillog:
            logged = logged_mail(maillog, known, self._relays(), month_start(since), now)
        found = governance.what_if(known.name, since, now + 1, limits, logged, self.workspace)
        told = msgspec.structs.asdict(found)
        rows = (
            {**msgspec.structs.asdict(each), "day": self._time(each.day), "first": self._time(each.first)}
            for each in told.pop("days")
        )
        return fitting(told, rows, self._size)

    def set_domain_limits(self, domain: str, daily: int | None, monthly: int | None) -> dict[str, Any]:
        """Raises NotFound, InvalidInput."""
        changes = {"daily_limit": daily, "monthly_limit": monthly}
        given = {name: value for name, value in changes.items() if value is not None}
        if not given:
            raise InvalidInput("say daily or monthly; 0 is no limit")
        changed = self.services.governance.change(domain, given, self.by, self._now, self.workspace)
        return _domain(changed, None)

    # -- reputation ------------------------------------------------------------------------------------------------

    def reputation(self) -> dict[str, Any]:
        """What is listed now, how sources do, and how many things of each kind are watched."""
        services = self.services
        listed = [each for each in services.observed.latest(self.workspace, LISTINGS) if each.data.get("listed")]
        listed.sort(key=lambda each: -each.at)
        watched = {kind.value: services.assets.asset_count(self.workspace, kind) for kind in AssetKind}
        sources = [
            {
                "source": each.source.value,
                "succeeded": self._time(each.succeeded_at),
                "failures_in_a_row": each.failures,
                "error": each.error if each.failures else "",
            }
            for each in services.sources.health(self.workspace, self._now)
        ]
        beside = {"listings": len(listed), "watched": {name: n for name, n in watched.items() if n}, "sources": sources}
        rows = (
            {
                "asset": each.asset,
                "blocklist": each.key,
                "listed_since": self._time(each.at),
                "confirmed": self._time(each.confirmed_at or each.seen_at),
                "codes": each.data.get("codes", ()),
                "reason": each.data.get("reason", ""),
            }
            for each in listed
        )
        return fitting(beside, rows, self._size)

    # -- alerts ----------------------------------------------------------------------------------------------------

    def alerts(self) -> dict[str, Any]:
        """What is watched for, and what cannot be evaluated."""
        found = self.services.alerting.alerts(self.workspace)
        failures = self.services.alerting.failures([each.id for each in found])
        rows = (self._alert(each, failures.get(each.id, {})) for each in found[: self._rows(1000)])
        return fitting({"total": len(found)}, rows, self._size)

    def alert_log(self, alert_id: str, limit: int) -> dict[str, Any]:
        """What fired, with its evidence. Raises NotFound."""
        question = EntryQuestion(workspace=self.workspace, alert_id=alert_id.strip() or None, limit=self._rows(limit))
        page = self.services.alerting.entries(question)
        return fitting({"total": page.total}, map(self._entry, page.entries), self._size)

    def acknowledge(self, entry_id: str) -> dict[str, Any]:
        """Raises NotFound."""
        return self._marked(self.services.alerting.acknowledge(self.workspace, entry_id, self.by, self._now))

    def resolve(self, entry_id: str) -> dict[str, Any]:
        """Raises NotFound."""
        return self._marked(self.services.alerting.resolve(self.workspace, entry_id, self.by, self._now))

    def snooze(self, alert_id: str, hours: float) -> dict[str, Any]:
        """Raises NotFound, InvalidInput."""
        if not 0 <= hours * HOUR_MS <= _LONGEST_SNOOZE_MS:
            raise InvalidInput(f"hours are from 0, which ends it, to {_LONGEST_SNOOZE_MS // HOUR_MS:,}")
        until = self._now + int(hours * HOUR_MS) if hours else 0
        return self._alert(self.services.alerting.snooze(self.workspace, alert_id, until), {})

    # -- as it is told ---------------------------------------------------------------------------------------------

    @property
    def _now(self) -> int:
        return self.services.clock()

    @property
    def _size(self) -> int:
        return self.services.settings.most_characters

    def _rows(self, limit: int) -> int:
        if limit < 1:
            raise InvalidInput("limit is at least 1")
        return min(limit, self.services.settings.most_rows)

    def _relays(self) -> tuple[int, ...]:
        return tuple(relay.id for relay in self.services.tenancy.relays(self.workspace))

    def _question(self, query: str) -> LogQuestion:
        asked = query_language.question(query, self.workspace, self._relays(), self._now, self.services.zone)
        return query_language.bounded(asked, query, self._now)

    def _time(self, ms: int | None) -> str | None:
        """ISO 8601 in the settings' time zone; None: never, or no bound."""
        if not ms:
            return None
        return datetime.fromtimestamp(ms / 1000, UTC).astimezone(self.services.zone).isoformat(timespec="seconds")

    def _delivery(self, one: Delivery) -> dict[str, Any]:
        told = {
            "mail_id": one.mail_id,
            "accepted": self._time(one.accepted_at),
            "state": one.status.value,
            "from": one.sender or "<>",
            "to": one.recipient,
            "subject": one.subject,
            "tries": one.attempts,
            "last_try": self._time(one.at),
            "by": one.mx_host,
            "why": one.family.value,
            "answer": one.reply if one.status is not DeliveryStatus.DELIVERED else "",
            "queue_id": one.queue_id,
        }
        return {name: value for name, value in told.items() if value}

    def _event(self, event: MailEvent) -> dict[str, Any]:
        told = {
            "mail_id": event.mail_id,
            "at": self._time(event.at),
            "event": event.type.value,
            "from": event.sender,
            "to": event.recipient,
            "subject": event.subject,
            "by": " ".join(filter(None, (event.mx_host, event.mx_ip))),
            "why": event.family.value,
            "hard": event.hard if event.family.value else None,
            "answer": event.reply,
            "delay_seconds": event.delay / 1000 if event.delay else None,
            "queue_id": event.queue_id,
            "log": event.source,
            "lines": [line.partition("\t")[2] for line in event.raw.split("\n") if line],
        }
        return {name: value for name, value in told.items() if value not in ("", None, [])}

    def _alert(self, alert: Alert, failing: Mapping[str, str]) -> dict[str, Any]:
        return {
            "alert_id": alert.id,
            "name": alert.name,
            "active": alert.is_active,
            "snoozed_until": self._time(alert.snoozed_until) if alert.snoozed_until > self._now else None,
            "formula": alert.formula,
            "rules": alert.rules,
            "cannot_be_evaluated": failing,
        }

    def _entry(self, entry: LogEntry) -> dict[str, Any]:
        return {
            **self._marked(entry),
            "evidence": [
                {"rule": each.type, "matches": each.matchings.get("count"), "items": each.matchings.get("items", ())}
                for each in entry.rules
            ],
        }

    def _marked(self, entry: LogEntry) -> dict[str, Any]:
        return {
            "entry_id": entry.id,
            "alert_id": entry.alert_id,
            "name": entry.name,
            "at": self._time(entry.at),
            "state": entry.state.value,
            "by": entry.state_by,
        }


def _keys_of_id(name: str, relays: Sequence[int]) -> list[MailKey]:
    with suppress(InvalidInput):  # it is a queue id
        accepted_at, number = parse_mail_id(name)
        return [MailKey(relay, accepted_at, number) for relay in relays]
    return []


def _domain(domain: Domain, used: Usage | None) -> dict[str, Any]:
    told = {
        "domain": domain.name,
        "status": domain.status.value,
        "stopped": domain.stopped,
        "enforcement": domain.enforcement.value,
        "verification": domain.verification.value,
        "daily_limit": domain.daily_limit,
        "monthly_limit": domain.monthly_limit,
        "hourly_fraction": domain.hourly_fraction,
    }
    if used is not None:
        told |= {
            "sent_today": used.sent_today,
            "sent_this_month": used.sent_month,
            "bounces_this_month": used.bounces,
            "complaints_this_month": used.complaints,
        }
    return told


__all__ = ["WINDOWS", "CountBy", "Desk", "DeskServices"]
