"""No route shows one workspace's mail to another. Routes are read from the application, so a new one is judged too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from litestar.routes import HTTPRoute

from mailvane.core.tenants.model import KeyKind
from mailvane.dmarc.model import AggregateReport
from mailvane.inbound.filter_words import groups_of
from mailvane.inbound.model import Filter, FilterAction, MessageStatus
from mailvane.inbound.questions import AddressQuestion, ContactQuestion, MessageQuestion
from mailvane.mailboxes.model import Warmup, mailbox_id
from mailvane.maillog.api.questions import LifeQuestion, Retention, Upkeep
from mailvane.maillog.figure_questions import FigureQuestion
from mailvane.maillog.model import EventType, MailKey
from mailvane.maillog.queries import (
    DelayQuestion,
    EngagementQuestion,
    HourlyQuestion,
    LogQuestion,
    QueueIdQuestion,
    ReceivedQuestion,
    RefusedQuestion,
    ReplyQuestion,
    SenderQuestion,
    StatisticsQuestion,
    StatisticsQuestions,
    TallyQuestion,
    TimeTallyQuestion,
)
from mailvane.maillog.refused_questions import RefusedTallyQuestion, RefusedTimeQuestion
from mailvane.notify.model import SlackIntegration
from mailvane.outbound.clients import Terms
from mailvane.reputation.alerts.model import Alert, MaintenanceWindow
from mailvane.reputation.heartbeats import Heartbeat
from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Profile, Source
from mailvane.reputation.questions import EntryQuestion
from tests.wire.inbound import addresses, message, taken_in
from tests.wire.world import ACCEPTED_AT, MAIL_ID, MASTER, NOW, NUMBER, World, accepted, ended, opened, populate

THEIR_DOMAIN = "shop.theirs.example"
QUEUE_ID = "4A1B2C3D4E"
THEIR_CLIENT = "emb_of_another_customer"
FILTER = "0190a6c0-0000-7000-8000-000000000001"
SECRETS = (
    *("secret@theirs.example", "boss@theirs.example", "relay of theirs", "theirs", "whsec_dGhlaXJz"),
    *(THEIR_CLIENT, "198.51.100.77"),
)
OPEN = {
    "/webhooks/ses",
    "/mailvane/v1/heartbeats/call/{secret}",
    "/held-mail",
    "/ping",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
} | {f"/api/v1.0/doc{file}" for file in ("", "/openapi.json", "/page.js", "/swagger-ui.css", "/swagger-ui-bundle.js")}
MASTERS_ONLY = {f"/mailvane/v1/maillog/{name}" for name in ("health", "relays", "retain", "upkeep", "workspaces")} | {
    "/outbound/reset-daily",
    "/outbound/reset-monthly",
    "/api-keys",
    "/api-keys/{token}",
    "/api-keys/{token}/usage",
    "/domains/{name}/owner",
    "/domains/{name}/suspend",
    "/domains/{name}/activate",
    "/domains/{name}/approve",
}
CUSTOMERS = ("/domains", "/outbound", "/api-keys")  # a client key has business here

LISTED = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["HIGH_REPUTATION"]}
THEIR_ADDRESS = "198.51.100.77"
THEIR_ALERT, THEIR_PROFILE = "a1" * 12, "b2" * 12
THEIR_SLACK, THEIR_WINDOW, THEIR_HEARTBEAT = "c3" * 12, "d4" * 12, "f6" * 12
THEIR_SECRET = "whsec_dGhlaXJzdGhlaXJzdGhlaXJzdGhlaXJz"
THEIR_IDS = {
    "{alert_id}": THEIR_ALERT,
    "{profile_id}": THEIR_PROFILE,
    "{rule_type}": "IP_IN_RBL",
    "{integration_id}": THEIR_SLACK,
    "{filter_id}": FILTER,
    "{window_id}": THEIR_WINDOW,
    "{heartbeat_id}": THEIR_HEARTBEAT,
    "{secret}": "nobody-knows-it",
    "{lookalike_id}": "theirs.imitated.example",
    "{source}": "blocklists",
    "{host}": "bl.example",
    "{campaign_id}": "e5" * 12,
}
SPAN = {"period_from": "2024-01-10T00:00:00Z", "period_to": "2024-01-20T00:00:00Z"}

Request = tuple[str, str]


@pytest.fixture(scope="module")
def world(shared_world: World) -> World:
    populate(shared_world)
    outbound = shared_world.services.outbound
    outbound.governance.create(THEIR_DOMAIN, shared_world.theirs.workspace.id, NOW)
    outbound.governance.create("shop.ours.example", shared_world.ours.workspace.id, NOW)
    outbound.governance.change(THEIR_DOMAIN, {"daily_limit": 1000}, "key of theirs", NOW)
    outbound.governance.reset_monthly(NOW)
    outbound.clients.issue(shared_world.theirs.workspace.id, THEIR_CLIENT, Terms(), NOW)
    watch(shared_world)
    receive(shared_world)
    warmup = Warmup(started_at=NOW)
    shared_world.services.mailboxes.mailboxes.create(
        shared_world.theirs.workspace.id, "boss@theirs.example", {"tags": ("theirs",), "warmup": warmup}, NOW
    )
    boss = {"sender": "boss@theirs.example", "header_from": "boss@theirs.example"}
    written = msgspec.structs.replace(accepted(shared_world.theirs, "secret@theirs.example", number=10), **boss)
    shared_world.record(shared_world.theirs, written, ended(written))
    refused = ended(accepted(shared_world.theirs, "secret@theirs.example", number=9), EventType.REJECTED, 554)
    shared_world.record(shared_world.theirs, msgspec.structs.replace(refused, queue_id=QUEUE_ID))
    return shared_world


def receive(world: World) -> None:
    """Theirs: a domain with two addresses, a filter, and a message that is held."""
    theirs, stores = world.theirs.workspace.id, world.ledger.inbound
    addresses(stores, theirs, "in.theirs.example", NOW)
    held = message(
        theirs, NOW, status=MessageStatus.QUARANTINED, from_address="secret@theirs.example", content="ab" * 32,
        recipient="team@in.theirs.example",
    )  # fmt: skip
    taken_in(stores, theirs, NOW, held)
    groups = groups_of(["from equals secret@theirs.example"], [])
    stores.filters.put(
        Filter(id=FILTER, workspace=theirs, name="friends", action=FilterAction.ALLOW, groups=groups, created_at=NOW)
    )


OBSERVED: list[tuple[ObservationKind, str, str, dict[str, Any]]] = [
    (ObservationKind.IP_LISTING, THEIR_ADDRESS, "theirs.bl.example", {"listed": True}),
    (ObservationKind.DOMAIN_LISTING, THEIR_DOMAIN, "theirs.bl.example", {"listed": True}),
    (ObservationKind.TRAFFIC, THEIR_DOMAIN, "", {"deliveryErrors": [{"errorRatio": 1}]}),
    (ObservationKind.SNDS_DATA, THEIR_ADDRESS, "", {"trap_hits": 1}),
    (ObservationKind.SNDS_STATUS, THEIR_ADDRESS, "", {"blocked": "Yes"}),
    (ObservationKind.LOOKALIKE, THEIR_DOMAIN, "theirs.imitated.example", {}),
    (ObservationKind.DMARC, THEIR_DOMAIN, "1", {"messages": 1}),
    (ObservationKind.TRAP_HIT, THEIR_ADDRESS, "1", {"ip": THEIR_ADDRESS}),
    (ObservationKind.HONEYTOKEN_HIT, "boss@theirs.example", "1", {"to_email": "boss@theirs.example"}),
]
WATCHED = {
    "/ips": (AssetKind.IP, THEIR_ADDRESS),
    "/domains": (AssetKind.DOMAIN, THEIR_DOMAIN),
    "/gpdomains": (AssetKind.GP_DOMAIN, THEIR_DOMAIN),
    "/snds/creds": (AssetKind.SNDS, "secret@theirs.example"),
    "/traps": (AssetKind.TRAP, THEIR_ADDRESS),
    "/lookalike": (AssetKind.LOOKALIKE, THEIR_DOMAIN),
    "/dmarc": (AssetKind.DMARC, THEIR_DOMAIN),
    "/honeytoken": (AssetKind.HONEYTOKEN, "boss@theirs.example"),
}


def watch(world: World) -> None:
    """Theirs: one thing of each kind, something that was said of each, and an alert that fired and was told."""
    theirs = world.theirs.workspace.id
    watched_assets = world.services.reputation.watched_assets
    world.ledger.profiles.add_profile(
        Profile(id=THEIR_PROFILE, workspace=theirs, name="secret@theirs.example", created_at=NOW)
    )
    for kind, name in WATCHED.values():
        watched_assets.add(theirs, kind, [name], NOW)
    world.ledger.observations.observe(
        theirs,
        [
            Observation(kind=kind, asset=name, key=key, at=NOW, seen_at=NOW, data=data)
            for kind, name, key, data in OBSERVED
        ],
    )
    report = AggregateReport(
        id="r", organisation="isp", report_id="1", domain=THEIR_DOMAIN, begins=NOW, ends=NOW, received_at=NOW, head={},
        messages=1, rows=1,
    )  # fmt: skip
    world.ledger.reports.add_report(theirs, report, [{"source_ip": THEIR_ADDRESS, "count": 1}])
    world.ledger.channels.add_slack_integration(
        SlackIntegration(id=THEIR_SLACK, workspace=theirs, name="secret@theirs.example", url="", created_at=NOW)
    )
    world.ledger.heartbeats.add(
        Heartbeat(id=THEIR_HEARTBEAT, workspace=theirs, name="boss@theirs.example", period=60, grace=0, created_at=NOW),
        "ab" * 32,
        1,
    )
    world.ledger.alerts.add_window(
        MaintenanceWindow(id=THEIR_WINDOW, workspace=theirs, since=1, until=2, reason="secret@theirs.example")
    )
    (made,) = world.services.notify.signing.living(theirs, NOW)
    secret = msgspec.structs.replace(made, secret=THEIR_SECRET)
    world.ledger.channels.change_signing_secrets(theirs, NOW, lambda _: [secret])
    rule = {**LISTED, "rbls": ["theirs.bl.example"]}
    alert = Alert(
        id=THEIR_ALERT, workspace=theirs, name="boss@theirs.example", created_at=NOW, updated_at=NOW, rules=(rule,),
        webhook_url="https://theirs.example/hook",
    )  # fmt: skip
    world.ledger.alerts.add_alert(alert)
    world.services.reputation.alerting.evaluate(theirs, [Source.BLOCKLISTS], NOW)


def ident_of_asset(world: World, path: str) -> str:
    plural = next(plural for plural in sorted(WATCHED, key=len, reverse=True) if f"{plural}/" in path)
    kind, name = WATCHED[plural]
    found = world.services.reputation.watched_assets.assets(world.theirs.workspace.id, kind)
    return next((asset.id for asset in found if asset.name == name), "none")


def uuid_of(world: World, path: str) -> str:
    theirs, stores = world.theirs.workspace.id, world.ledger.inbound
    if "/contacts/" in path:
        contacts = stores.contacts.page(ContactQuestion(workspace=theirs)).contacts
        return contacts[0].id if contacts else "none"
    if "/addresses/" in path:
        found = stores.addresses.page(AddressQuestion(workspace=theirs)).addresses
        return found[0].id if found else "none"
    messages = stores.pages.page(MessageQuestion(workspace=theirs)).messages
    return messages[0].id if messages else "none"


def ident_of(world: World, path: str) -> dict[str, str]:
    theirs = world.theirs.workspace.id
    if "{uuid}" in path:
        return {"{uuid}": uuid_of(world, path)}
    if "{entry_id}" in path:
        entries = world.ledger.alert_log.entries(EntryQuestion(workspace=theirs, limit=1)).entries
        return {"{entry_id}": entries[0].id if entries else "none"}
    if "{notification_id}" in path:
        messages = world.ledger.outbox.notifications(theirs)
        return {"{notification_id}": messages[0].id if messages else "none"}
    if "{mailbox_id}" in path:
        return {"{mailbox_id}": mailbox_id(theirs, "boss@theirs.example")}
    if "{asset_id}" in path:
        return {"{asset_id}": ident_of_asset(world, path)}
    return {}


def routes(world: World) -> Iterator[Request]:
    for route in world.client.app.routes:
        assert isinstance(route, HTTPRoute), f"{route.path}: say here how its isolation is judged"
        for method in sorted(route.route_handler_map):
            if method != "OPTIONS":
                yield method, route.path_format


def of_domains(world: World) -> list[Request]:
    return [(method, path) for method, path in routes(world) if path.startswith("/domains/{name}")]


def bodies(world: World, workspace: int) -> dict[str, Any]:
    relays = (world.ours.relay.id, world.theirs.relay.id)
    told = {"id": "stolen", "type": "accepted", "time": 1, "mail": "q", "recipient": "a@b.example"}
    log = LogQuestion(workspace=workspace, relays=relays)
    refused = RefusedQuestion(workspace=workspace, relays=relays)
    return {
        "/mailvane/v1/events": told | {"relay": world.theirs.relay.id},
        "/mailvane/v1/maillog/search": log,
        "/mailvane/v1/maillog/tally": TallyQuestion(log, "recipient_domain"),
        "/mailvane/v1/maillog/delays": DelayQuestion(log, "recipient_domain"),
        "/mailvane/v1/maillog/over_time": TimeTallyQuestion(log, 3_600_000),
        "/mailvane/v1/maillog/figures": FigureQuestion(
            workspace=workspace, relays=relays, what="bounces", by="", first=NOW, last=NOW, step=60_000, window=60_000
        ),
        "/mailvane/v1/maillog/replies": ReplyQuestion(workspace=workspace, relays=relays),
        "/mailvane/v1/maillog/refused": refused,
        "/mailvane/v1/maillog/refused_tally": RefusedTallyQuestion(refused, "recipient_domain"),
        "/mailvane/v1/maillog/refused_over_time": RefusedTimeQuestion(refused, 3_600_000),
        "/mailvane/v1/maillog/senders": SenderQuestion(
            workspace=workspace, relays=relays, domains=("theirs.example",), beside=()
        ),
        "/mailvane/v1/inbound/snooze": {"uuids": [uuid_of(world, "/v1/quarantine")], "until": NOW + 1},
        "/mailvane/v1/inbound/filters": {"name": "mine", "action": "deny", "if": ["subject contains x"]},
        "/mailvane/v1/inbound/filters/{filter_id}": {"active": False},
        "/mailvane/v1/maillog/queue-id": QueueIdQuestion(workspace=workspace, relays=relays, queue_id=QUEUE_ID),
        "/mailvane/v1/maillog/statistics": StatisticsQuestion(workspace=workspace, relays=relays),
        "/mailvane/v1/maillog/statistics_of": StatisticsQuestions(
            (StatisticsQuestion(workspace=workspace, relays=relays),)
        ),
        "/mailvane/v1/maillog/hourly": HourlyQuestion(workspace=workspace, relays=relays, since=0, until=NOW),
        "/mailvane/v1/maillog/engagement": EngagementQuestion(workspace=workspace, relays=relays),
        "/mailvane/v1/maillog/received": ReceivedQuestion(
            workspace=workspace, relays=relays, addresses=("secret@theirs.example",)
        ),
        "/mailvane/v1/maillog/life": LifeQuestion(workspace, MailKey(world.theirs.relay.id, ACCEPTED_AT, NUMBER)),
        "/mailvane/v1/maillog/health": {},
        "/mailvane/v1/maillog/workspaces": {},
        "/mailvane/v1/maillog/relays": {"workspace": workspace},
        "/mailvane/v1/maillog/retain": Retention(workspace, 1),
        "/mailvane/v1/maillog/upkeep": Upkeep("rebuild"),
        "/domains": {"name": "new.ours.example", "partner_ref": "theirs"},
        "/domains/{name}/outbound": {"outbound_status": "suspended"},
        "/domains/{name}/owner": {"partner_ref": "ours"},
        "/domains/{name}/approve": {"partner_ref": "theirs"},
        "/api-keys": {"token": "emb_made_by_somebody", "partner_ref": "ours"},
        "/api-keys/{token}": {"active": False},
        "/api/v1.0/alerts": {"name": "mine", "rules": [LISTED]},
        "/api/v1.0/alerts/{alert_id}": {"name": "taken", "rules": [LISTED]},
        "/api/v1.0/ips": {"ip": "192.0.2.99"},
        "/api/v1.0/domains": {"domain": "mine.example"},
        "/api/v1.0/gpdomains": {"domain": "mine.example"},
        "/api/v1.0/snds/creds": {"key": "0b7c6a1e-1111-2222-3333-44445555abcd"},
        "/api/v1.0/snds/creds/{asset_id}": {"status": "TERMINATED"},
        "/api/v1.0/traps": {"ip": "192.0.2.99"},
        "/api/v1.0/lookalike": {"domain": "mine.example"},
        "/api/v1.0/lookalike/{asset_id}/lookalikes/{lookalike_id}": {"state": "THREAT"},
        "/api/v1.0/dmarc": {"domain": "mine.example"},
        "/api/v1.0/honeytoken": {"email": "me@mine.example"},
        "/api/v1.0/honeytoken/{asset_id}": {"trusted_domains": ["mine.example"]},
        "/mailvane/v1/alerts/backtest": {"alert": {"name": "x", "rules": [LISTED]}},
        "/mailvane/v1/alerts/test": {"name": "x", "rules": [LISTED]},
        "/mailvane/v1/alerts/{alert_id}/snooze": {"until": 1},
        "/mailvane/v1/maintenance-windows": {"since": 1, "until": 2},
        "/mailvane/v1/heartbeats": {"name": "mine", "period": 60},
        "/mailvane/v1/slack-integrations": {"name": "mine", "url": "https://hooks.example/"},
        "/mailvane/v1/blocklists/{host}": {"high_reputation": True},
        "/v1/quarantine/accept": {"uuid": uuid_of(world, "/v1/quarantine")},
        "/v1/quarantine/reject": {"uuid": uuid_of(world, "/v1/quarantine")},
        "/v1/contacts/{uuid}": {"state": "blocked"},
        "/v1/addresses": {"domain": "in.theirs.example"},
        "/v1/addresses/{uuid}": {"label": "taken"},
        "/api/v1.0/profiles": {"name": "mine"},
        "/mailvane/v1/mailboxes": {"address": "me@mine.example"},
        "/mailvane/v1/mailboxes/{mailbox_id}": {"display_name": "taken"},
        "/mailvane/v1/mailboxes/{mailbox_id}/warmup": {"action": "pause"},
        "/mailvane/v1/mailbox-rule": {"domains": ["mine.example"]},
        "/mailvane/v1/replies/tag": {
            "mail_id": MAIL_ID,
            "recipient": "secret@theirs.example",
            "positive": True,
            "relay": world.theirs.relay.id,
        },
        "/mailvane/v1/tracking/links": {"message_id": "<1@mine.example>", "recipient": "me@mine.example"},
        "/v1/mailboxes": {"email": "me@mine.example"},
        "/v1/mailboxes/{mailbox_id}": {"displayName": "taken"},
        "/api/v1.0/profiles/{profile_id}": {"name": "taken"},
    }


def asked(world: World, request: Request, key: str | None, **more: Any) -> httpx.Response:
    method, path = request
    headers = {"X-API-KEY": key} if key is not None else {}
    workspace = more.pop("workspace", world.theirs.workspace.id)
    given = more.pop("body", None) or bodies(world, workspace).get(path, {})
    body = msgspec.json.encode(given) if method in {"POST", "PUT", "PATCH"} else None
    filled = path.replace("{order_id}", str(world.theirs.relay.id)).replace("{token}", THEIR_CLIENT)
    filled = filled.replace("{name}", more.pop("domain", THEIR_DOMAIN))
    for name, ident in (THEIR_IDS | ident_of(world, path)).items():
        filled = filled.replace(name, ident)
    return world.client.request(
        method, filled, headers=headers | more.pop("headers", {}), content=body, params=more.pop("params", None)
    )


def leaked(answer: httpx.Response) -> list[str]:
    return [secret for secret in SECRETS if secret in answer.text or secret in str(answer.headers)]


PROBES: tuple[dict[str, str], ...] = (
    SPAN | {"group": "to_email"},
    {},
    {"id": "2"},
    {"mailid": MAIL_ID},
    {"to": "secret@theirs.example"},
    {"from": "boss@theirs.example"},
    {"time": "all", "groupby": "message"},
)


@pytest.mark.parametrize("params", PROBES, ids=str)
def test_a_key_of_another_workspace_sees_nothing_of_theirs(world: World, params: dict[str, str]) -> None:
    for request in routes(world):
        for headers in ({}, {"X-Workspace-Id": str(world.theirs.workspace.id)}):
            answer = asked(world, request, world.ours.token, params=params, headers=headers)
            assert answer.status_code < 500, request
            assert leaked(answer) == [], request


def test_asking_for_ones_own_workspace_with_their_relay_finds_nothing_of_theirs(world: World) -> None:
    for request in routes(world):
        answer = asked(world, request, world.ours.token, workspace=world.ours.workspace.id)
        assert leaked(answer) == [], request


def test_a_queue_id_of_theirs_is_known_to_them_alone(world: World) -> None:
    request = ("POST", "/mailvane/v1/maillog/queue-id")
    assert [one["relay"] for one in asked(world, request, world.theirs.token).json()] == [world.theirs.relay.id]
    assert asked(world, request, world.ours.token).status_code == 404
    assert asked(world, request, world.ours.token, workspace=world.ours.workspace.id).json() == []


def test_the_owner_does_see_it(world: World) -> None:
    looking = [request for request in routes(world) if request[0] in {"GET", "POST"}]
    groups = [SPAN | {"group": "to_email"}, SPAN | {"group": "ip"}, {}]
    seen = {
        request[1]
        for request in looking
        for params in groups
        if leaked(asked(world, request, world.theirs.token, params=params))
    }
    assert seen == {
        "/api/v1.0/alerts",
        "/api/v1.0/alerts/stats/aggregated",
        "/api/v1.0/alerts/stats/aggregated/{alert_id}/{rule_type}",
        "/api/v1.0/alerts/{alert_id}",
        "/api/v1.0/alerts/{alert_id}/log",
        "/api/v1.0/dmarc",
        "/api/v1.0/dmarc/reports",
        "/api/v1.0/dmarc/rows",
        "/api/v1.0/dmarc/{asset_id}",
        "/api/v1.0/dmarc/{asset_id}/refresh",
        "/api/v1.0/domains",
        "/api/v1.0/domains/{asset_id}",
        "/api/v1.0/domains/{asset_id}/rbl_changes_log",
        "/api/v1.0/domains/{asset_id}/refresh",
        "/api/v1.0/gpdomains",
        "/api/v1.0/gpdomains/aggregated/delivery_errors_ratio",
        "/api/v1.0/gpdomains/{asset_id}",
        "/api/v1.0/honeytoken",
        "/api/v1.0/honeytoken/log",
        "/api/v1.0/honeytoken/stats/aggregated",
        "/api/v1.0/honeytoken/{asset_id}",
        "/api/v1.0/ips",
        "/api/v1.0/ips/{asset_id}",
        "/api/v1.0/ips/{asset_id}/rbl_changes_log",
        "/api/v1.0/ips/{asset_id}/refresh",
        "/api/v1.0/lookalike",
        "/api/v1.0/lookalike/{asset_id}",
        "/api/v1.0/lookalike/{asset_id}/lookalikes",
        "/api/v1.0/lookalike/{asset_id}/refresh",
        "/api/v1.0/profiles",
        "/api/v1.0/snds/aggregated",
        "/api/v1.0/snds/aggregated_traps",
        "/api/v1.0/snds/creds",
        "/api/v1.0/snds/creds/{asset_id}",
        "/api/v1.0/snds/ip_data",
        "/api/v1.0/snds/ip_status",
        "/api/v1.0/traps",
        "/api/v1.0/traps/log",
        "/api/v1.0/traps/stats/aggregated",
        "/api/v1.0/traps/{asset_id}",
        "/domains",
        "/domains/{name}/outbound",
        "/domains/{name}/outbound/increment",
        "/domains/{name}/ses-status",
        "/domains/{name}/ses-verify",
        "/mail",
        "/mail/log",
        "/mail/stats",
        "/mail/{order_id}",
        "/mailvane/v1/alerts/log",
        "/mailvane/v1/alerts/log/{entry_id}/acknowledge",
        "/mailvane/v1/alerts/log/{entry_id}/resolve",
        "/mailvane/v1/alerts/{alert_id}/snooze",
        "/mailvane/v1/alerts/{alert_id}/test",
        "/mailvane/v1/billing/periods",
        "/mailvane/v1/channels",
        "/mailvane/v1/dmarc/senders",
        "/mailvane/v1/domains/{name}/audit",
        "/mailvane/v1/heartbeats",
        "/mailvane/v1/inbound",
        "/mailvane/v1/inbound/filters",
        "/mailvane/v1/mailboxes",
        "/mailvane/v1/mailboxes/{mailbox_id}",
        "/mailvane/v1/mailboxes/{mailbox_id}/health",
        "/mailvane/v1/mailboxes/{mailbox_id}/warmup",
        "/mailvane/v1/maillog/delays",
        "/mailvane/v1/maillog/engagement",
        "/mailvane/v1/maillog/life",
        "/mailvane/v1/maillog/received",
        "/mailvane/v1/maillog/refused",
        "/mailvane/v1/maillog/refused_tally",
        "/mailvane/v1/maillog/search",
        "/mailvane/v1/maillog/senders",
        "/mailvane/v1/maillog/statistics",
        "/mailvane/v1/maillog/statistics_of",
        "/mailvane/v1/maillog/tally",
        "/mailvane/v1/maintenance-windows",
        "/mailvane/v1/notifications",
        "/mailvane/v1/notifications/{notification_id}/resend",
        "/mailvane/v1/reputation/board",
        "/mailvane/v1/signing-secrets",
        "/mailvane/v1/signing-secrets/rotate",
        "/mailvane/v1/slack-integrations",
        "/mailvane/v1/targets",
        "/v1/addresses",
        "/v1/contacts",
        "/v1/domains",
        "/v1/messages",
        "/v1/messages/{uuid}",
        "/v1/quarantine",
        "/v1/quarantine/{uuid}",
        "/v1/team",
        "/v1/analytics/mailboxes",
        "/v1/analytics/mailboxes/{mailbox_id}",
        "/v1/mailboxes",
        "/v1/mailboxes/{mailbox_id}",
        "/v1/mailboxes/{mailbox_id}/health",
        "/v1/warmup/stats",
        "/v1/warmup/stats/{mailbox_id}",
        "/v1/workspaces",
    }


@pytest.mark.parametrize("key", [None, "", "sk_unknown", MASTER[:-1], MASTER + "x"])
def test_every_other_route_asks_for_a_key(world: World, key: str | None) -> None:
    for request in routes(world):
        status = asked(world, request, key).status_code
        refused = 403 if request[1].startswith(CUSTOMERS) else 401
        assert (status == refused) != (request[1] in OPEN), request


@pytest.mark.parametrize("kind", [KeyKind.WORKSPACE, KeyKind.PLATFORM, KeyKind.CLIENT])
def test_what_moves_the_whole_store_is_the_masters(world: World, kind: KeyKind) -> None:
    workspace = None if kind is KeyKind.PLATFORM else world.ours.workspace.id
    key = world.services.tenancy.create_key(kind, workspace, NOW).token
    for request in routes(world):
        if request[1] in MASTERS_ONLY:
            assert asked(world, request, key).status_code == 403, request


def test_a_client_key_reads_and_writes_no_mail(world: World) -> None:
    key = world.services.tenancy.create_key(KeyKind.CLIENT, world.theirs.workspace.id, NOW).token
    for request in routes(world):
        if request[1] not in OPEN and not request[1].startswith(CUSTOMERS):
            known = 401 if request[1].startswith("/mail/") or request[1] == "/mail" else 403  # MailBaby has no 403
            assert asked(world, request, key).status_code == known, request


@pytest.mark.parametrize("kind", [KeyKind.WORKSPACE, KeyKind.CLIENT])
def test_a_domain_of_another_workspace_looks_like_one_that_does_not_exist(world: World, kind: KeyKind) -> None:
    key = world.services.tenancy.create_key(kind, world.ours.workspace.id, NOW).token
    governance = world.services.outbound.governance
    before = governance.domain(THEIR_DOMAIN), governance.usage_today(THEIR_DOMAIN, NOW)
    for request in of_domains(world):
        theirs, nobodys = (asked(world, request, key, domain=name) for name in (THEIR_DOMAIN, "nobody.example"))
        assert theirs.status_code == (403 if request[1] in MASTERS_ONLY else 404), request
        assert (theirs.status_code, theirs.text) == (nobodys.status_code, nobodys.text)
    assert (governance.domain(THEIR_DOMAIN), governance.usage_today(THEIR_DOMAIN, NOW)) == before


@pytest.mark.parametrize("kind", [KeyKind.WORKSPACE, KeyKind.CLIENT])
def test_of_a_domain_that_two_claim_each_sees_its_own(world: World, kind: KeyKind) -> None:
    governance = world.services.outbound.governance
    name = f"claimed-by-{kind}.example"
    theirs = governance.create(name, world.theirs.workspace.id, NOW, approved=False)
    governance.change(name, {"daily_limit": 31337}, "key", NOW)
    key = world.services.tenancy.create_key(kind, world.ours.workspace.id, NOW).token
    created = asked(world, ("POST", "/domains"), key, body={"name": name})
    assert created.status_code == 201
    for request in of_domains(world):
        answer = asked(world, request, key, domain=name)
        assert answer.status_code < 500, request
        assert "31337" not in answer.text, request
    left = governance.domain(name, world.theirs.workspace.id)
    assert left == msgspec.structs.replace(theirs, daily_limit=31337)


def test_a_platform_key_opens_the_domains_of_the_workspace_that_it_names(world: World) -> None:
    for request in of_domains(world):
        headers = {"X-Workspace-Id": str(world.ours.workspace.id)}
        assert asked(world, request, world.platform, headers=headers).status_code in {403, 404}, request
        assert asked(world, request, world.platform).status_code in {403, 404, 422}, request


def test_an_order_of_another_workspace_looks_like_one_that_does_not_exist(world: World) -> None:
    headers = world.ours.headers
    theirs = world.client.get(f"/mail/{world.theirs.relay.id}", headers=headers)
    nobodys = world.client.get("/mail/999999", headers=headers)
    assert (theirs.status_code, theirs.json()) == (nobodys.status_code, nobodys.json())


def test_paths_written_oddly_need_the_key_too(world: World) -> None:
    for path in ("/mail/", "/mail//log", "/mail/log/", "/mail%2Flog", "/%6dail/log", "/mailvane/v1//maillog/search"):
        answer = world.client.get(path)
        assert answer.status_code in {401, 404}, path
        assert leaked(answer) == []


def test_a_stolen_event_changes_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    with opened(tmp_path_factory.mktemp("own")) as world:
        for request in routes(world):
            asked(world, request, world.ours.token)
        world.services.maillog.recorder.drain()
        assert json.dumps(sorted(world.maillog._events)) == "[]"
