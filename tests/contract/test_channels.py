"""Channels that have names: what is kept, what is shown, what severity and quiet hours do to a message on its way."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import text

from mailvane.core.errors import InvalidFields, InvalidInput, NotFound
from mailvane.core.ledger.database import connect
from mailvane.core.ledger.migration import MIGRATIONS
from mailvane.notify.channels import ChannelDraft, Channels, ChannelTerms, Terms
from mailvane.notify.model import Channel, NamedChannel, Notification, NotificationState, Severity
from mailvane.notify.notifier import Delivered
from mailvane.notify.store.channels import ChannelStore
from mailvane.notify.worker import Worker
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.alerts.service import Alerting
from mailvane.reputation.alerts.telling import HeldNotices
from mailvane.reputation.assets import WatchedAssets
from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Source
from mailvane.reputation.texts.email_templates import render_email
from mailvane.reputation.texts.plain_message import plain_message
from mailvane.server.ledger import Ledger

HOUR = 3_600_000
NIGHT = int(datetime(2026, 11, 10, 23, 30, tzinfo=UTC).timestamp() * 1000)
MORNING = int(datetime(2026, 11, 11, 7, 0, tzinfo=UTC).timestamp() * 1000)
QUIET = ChannelTerms(quiet_from="22:00", quiet_until="07:00")
LISTED = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["bl.example"]}


class Said:
    """A notifier that takes everything."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.taken: list[Notification] = []

    async def deliver(self, notification: Notification, now: int) -> Delivered:
        self.taken.append(notification)
        return Delivered("taken")


class Place:
    """A workspace with an alert that fires when an address is listed."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.workspace = ledger.tenants.add_workspace("one", NIGHT).id
        self.channels = Channels(ledger.channels)
        self.alerting = Alerting(ledger.alerting, frozenset)
        self.hook, self.mail = Said(Channel.WEBHOOK), Said(Channel.EMAIL)
        self.now = NIGHT
        watched = WatchedAssets(ledger.assets, ledger.observations)
        watched.add(self.workspace, AssetKind.IP, ["192.0.2.9"], NIGHT)

    def add(self, kind: Channel, name: str, target: str, terms: ChannelTerms = QUIET) -> NamedChannel:
        draft = ChannelDraft(kind=kind, name=name, target=target, terms=terms)
        return self.channels.add(self.workspace, draft, NIGHT)

    def alert(self, **fields: object) -> None:
        self.alerting.create(self.workspace, AlertDraft(name="listed", rules=[LISTED], **fields), NIGHT)  # type: ignore[arg-type]

    def listed(self, is_listed: bool) -> None:
        said = Observation(
            kind=ObservationKind.IP_LISTING, asset="192.0.2.9", key="bl.example", at=self.now, seen_at=self.now,
            data={"listed": is_listed},
        )  # fmt: skip
        self.ledger.observations.observe(self.workspace, [said])
        self.alerting.evaluate(self.workspace, [Source.BLOCKLISTS], self.now)

    def round(self) -> None:
        async def once() -> None:
            terms = Terms(self.ledger.channels, ZoneInfo("UTC"))
            held = HeldNotices(self.alerting.entry, self.alerting.still_holds)
            notifiers = [self.hook, self.mail]
            worker = Worker(self.ledger.outbox, notifiers, lambda: self.now, terms.quiet_until, held.released)
            await worker.round()
            await worker.settled()

        asyncio.run(once())

    def states(self) -> list[NotificationState]:
        return [each.state for each in self.ledger.outbox.notifications(self.workspace)]


@pytest.fixture
def place(ledger: Ledger) -> Place:
    return Place(ledger)


def test_a_channel_is_kept_by_name_and_never_shows_its_address(place: Place) -> None:
    hook = place.add(Channel.WEBHOOK, "ops", "https://user:pw@hooks.example/S3CRET?key=S3CRET")
    mail = place.add(Channel.EMAIL, "desk", "Ops@Example.org")
    assert place.channels.all(place.workspace) == [mail, hook]
    assert (hook.shown_target, mail.shown_target) == ("https://hooks.example/…", "Ops@example.org")
    assert place.channels.named(place.workspace, "ops") == place.channels.named(place.workspace, hook.id) == hook
    changed = place.channels.put(
        place.workspace, hook, ChannelDraft(kind=Channel.EMAIL, name="ops 2", target=hook.target)
    )
    assert (changed.id, changed.kind, changed.quiet_from) == (hook.id, Channel.WEBHOOK, "")
    with pytest.raises(InvalidFields, match="already"):
        place.add(Channel.WEBHOOK, "desk", "https://h.example/")
    other = place.ledger.tenants.add_workspace("two", NIGHT).id
    with pytest.raises(NotFound):
        place.channels.named(other, hook.id)
    with pytest.raises(NotFound):
        place.channels.remove(other, hook.id)
    place.channels.remove(place.workspace, hook.id)
    assert place.channels.all(place.workspace) == [mail]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quiet_zone", "Europe/Atlantis"), ("quiet_from", "25:00"), ("quiet_until", ""), ("quiet_until", "22:00"),
        ("quiet_zone", "../etc/passwd"),
    ],
)  # fmt: skip
def test_terms_that_cannot_be_kept_are_refused(place: Place, field: str, value: str) -> None:
    with pytest.raises(InvalidFields):
        place.add(Channel.EMAIL, "desk", "ops@example.org", msgspec.structs.replace(QUIET, **{field: value}))
    with pytest.raises(InvalidInput):
        place.add(Channel.WEBHOOK, "hook", "ftp://h.example/")


def test_slack_integrations_are_channels(place: Place) -> None:
    slack = place.add(Channel.SLACK, "chat", "https://hooks.slack.example/x", ChannelTerms())
    (found,) = place.ledger.channels.slack_integrations(place.workspace)
    assert (found.id, found.name, found.url) == (slack.id, "chat", slack.target)


def test_a_message_under_the_severity_of_its_channel_is_not_sent(place: Place) -> None:
    grave = ChannelTerms(min_severity=Severity.CRITICAL)
    channels = [
        place.add(Channel.WEBHOOK, "grave", "https://grave.example/", grave),
        place.add(Channel.WEBHOOK, "all", "https://all.example/", ChannelTerms()),
    ]
    place.add(Channel.EMAIL, "desk", "ops@example.org", grave)
    place.alert(
        channel_ids=[each.id for each in channels], is_instant_alert=True, instant_alert_email="ops@example.org"
    )
    place.listed(True)
    place.round()
    # The terms hold for an address that the alert names by itself, too.
    assert ([each.target for each in place.hook.taken], place.mail.taken) == ([channels[1].id], [])
    place.alert(channel_ids=[channels[0].id], webhook_url="https://grave.example/", severity=Severity.CRITICAL)
    place.round()
    assert [each.target for each in place.hook.taken[1:]] == ["https://grave.example/"], "a place is told once"


def test_what_fires_in_quiet_hours_waits_for_their_end_and_says_that_it_still_holds(place: Place) -> None:
    hook, mail = place.add(Channel.WEBHOOK, "ops", "https://h.example/"), "ops@example.org"
    place.add(Channel.EMAIL, "desk", mail, msgspec.structs.replace(QUIET, quiet_zone="Asia/Tokyo"))
    place.alert(channel_ids=[hook.id], is_instant_alert=True, instant_alert_email=mail)
    place.listed(True)
    place.round()
    assert (place.hook.taken, len(place.mail.taken)) == ([], 1), "in Tokyo it is 08:30"
    (waiting,) = place.ledger.outbox.notifications(place.workspace, NotificationState.PENDING)
    assert (waiting.next_at, waiting.attempts, waiting.held_since) == (MORNING, 0, NIGHT)
    place.now = MORNING - 1
    place.round()
    assert place.hook.taken == []
    place.now = MORNING
    place.round()
    (told,) = place.hook.taken
    assert told.body["held"] == {"since": NIGHT, "holds": True}
    said = "waited for the end of quiet hours since 2026-11-10 23:30 UTC. It still holds."
    assert said in plain_message(told).body
    assert said in " ".join(render_email(told).text.split())


def test_what_is_over_before_the_end_says_so(place: Place) -> None:
    place.alert(channel_ids=[place.add(Channel.WEBHOOK, "ops", "https://h.example/").id])
    place.listed(True)
    place.round()
    place.now += HOUR
    place.listed(False)
    place.now = MORNING
    place.round()
    (told,) = place.hook.taken
    assert plain_message(told).title.startswith("[over] listed")
    assert "It is over" in render_email(told).html


def test_what_somebody_has_seen_or_an_alert_that_is_gone_is_withdrawn(place: Place) -> None:
    place.alert(channel_ids=[place.add(Channel.WEBHOOK, "ops", "https://h.example/").id])
    place.listed(True)
    place.round()
    (waiting,) = place.ledger.outbox.notifications(place.workspace)
    place.alerting.acknowledge(place.workspace, waiting.entry_id or "", "ann", NIGHT + HOUR)
    place.now = MORNING
    place.round()
    assert (place.hook.taken, place.states()) == ([], [NotificationState.WITHDRAWN])
    (attempt,) = place.ledger.outbox.attempts(place.workspace, waiting.id)
    assert (attempt.outcome, attempt.detail) == ("withdrawn", "acknowledged by ann within the quiet hours")
    assert [each.id for each in place.ledger.outbox.of_entry(place.workspace, waiting.entry_id or "")] == [waiting.id]


def test_a_test_waits_for_nothing(place: Place) -> None:
    terms = msgspec.structs.replace(QUIET, min_severity=Severity.CRITICAL)
    hook = place.add(Channel.WEBHOOK, "ops", "https://h.example/", terms)
    sent = place.alerting.test_channel(place.workspace, hook, NIGHT)
    place.round()
    assert [each.id for each in place.hook.taken] == [sent.id]
    assert plain_message(place.hook.taken[0]).title == "[test] This is how Mailvane tells ops"
    assert place.alerting.attempts(place.workspace, sent.id)[0].detail == "taken"


def test_quiet_hours_that_are_taken_away_let_go(place: Place) -> None:
    hook = place.add(Channel.WEBHOOK, "ops", "https://h.example/")
    place.alert(channel_ids=[hook.id])
    place.listed(True)
    place.round()
    place.channels.remove(place.workspace, hook.id)
    place.now = MORNING
    place.round()
    assert place.hook.taken[0].body["held"]["holds"] is True


def test_slack_integrations_of_an_earlier_version_become_channels(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    with closing(database):
        for revision in ("0026", "head"):
            with database.engine.begin() as connection:
                config = Config()
                config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
                if revision == "0026":
                    named = "(id, name, created_at, retention_days) VALUES (1, 'one', 1, 0)"
                    connection.execute(text(f"INSERT INTO workspaces {named}"))
                    given = "('s1', 1, 'ops', 'https://hooks.slack.example/x', 5)"
                    columns = "(id, workspace, name, url, created_at)"
                    connection.execute(text(f"INSERT INTO slack_integrations {columns} VALUES {given}"))
        store = ChannelStore(database)
        (found,) = store.channels(1)
        assert (found.id, found.kind, found.target) == ("s1", Channel.SLACK, "https://hooks.slack.example/x")
        assert (found.min_severity, found.quiet_from) == (Severity.INFO, "")
        assert [each.id for each in store.slack_integrations(1)] == ["s1"]
