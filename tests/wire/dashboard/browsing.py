"""A browser over HTTP, people of each role, and a workspace with something on every page."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx

from mailvane.dashboard.pages import PAGES
from mailvane.dashboard.people.model import Role
from mailvane.maillog.model import EventType, MailEvent, ReasonFamily
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.model import AssetKind, Observation, ObservationKind, Refresh, Source
from mailvane.reputation.questions import EntryQuestion
from tests.wire.inbound import addresses, message, taken_in
from tests.wire.world import ACCEPTED_AT, MAIL_ID, NOW, NUMBER, Tenant, World

HOSTILE = "<script>alert(1)</script>\"'\u202e\0"
PASSWORD = "correct horse battery"
SAME = {"sec-fetch-site": "same-origin"}


class Browser:
    """Keeps its cookie, follows nothing by itself."""

    def __init__(self, world: World) -> None:
        self._client = world.client
        self.cookie = ""

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self._asked("GET", path, {}, headers)

    def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> httpx.Response:
        return self._asked("POST", path, form or {}, {**SAME, **headers})

    def _asked(self, method: str, path: str, form: dict[str, str], headers: dict[str, str]) -> httpx.Response:
        self._client.cookies.clear()
        sent = {"host": "localhost", **headers} | ({"cookie": f"mailvane={self.cookie}"} if self.cookie else {})
        answer = self._client.request(method, path, data=form or None, headers=sent, follow_redirects=False)
        if found := re.match("mailvane=([^;]*)", answer.headers.get("set-cookie", "")):
            self.cookie = found[1]
        return answer


def logged_in(world: World, name: str) -> Browser:
    browser = Browser(world)
    token = world.services.dashboard.people.login_link(name, NOW)
    assert browser.post(f"/ui/login/{token}").status_code == 303
    return browser


def member(world: World, role: Role, tenant: Tenant | None = None) -> Browser:
    workspace = (tenant or world.ours).workspace.id
    world.services.dashboard.people.set_role(workspace, f"{role}@x.example", role, NOW)
    return logged_in(world, f"{role}@x.example")


def fill(world: World, tenant: Tenant, text: str) -> None:
    """Something on every page, with this text wherever a stranger can write."""
    workspace = tenant.workspace.id
    world.record(
        tenant,
        MailEvent(
            relay=tenant.relay.id, accepted_at=ACCEPTED_AT, number=NUMBER, type=EventType.BOUNCED, at=ACCEPTED_AT + 500,
            sender="shop@a.example", recipient=f"{text}@two.example", subject=text, reply=f"550 {text}",
            family=ReasonFamily.SPAM, hard=True, raw=f"1\t{text}", source="mail.log", client_name=text,
        ),
    )  # fmt: skip
    alerted(world, tenant, text)
    reported(world, tenant, text)
    world.services.outbound.governance.create(f"shop{workspace}.example", workspace, NOW)
    addresses(world.ledger.inbound, workspace, f"in{workspace}.example", NOW)
    held = {"subject": text, "from_name": text, "reason": text, "content": "ab" * 32, "status": "quarantined"}
    taken_in(world.ledger.inbound, workspace, NOW, message(workspace, NOW - 1000, **held))


def alerted(world: World, tenant: Tenant, text: str) -> None:
    """An alert of this name that fired, of a blocklist that gives this text as its reason, and told a webhook."""
    workspace, address = tenant.workspace.id, f"192.0.2.{tenant.workspace.id}"
    reputation = world.services.reputation
    reputation.watched_assets.add(workspace, AssetKind.IP, [address], NOW)
    draft = AlertDraft(
        name=text, rules=({"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["bl.example"]},),
        webhook_url="https://hooks.example.net/secret-of-the-hook",
    )  # fmt: skip
    reputation.alerting.create(workspace, draft, NOW)
    said = Observation(
        kind=ObservationKind.IP_LISTING, asset=address, key="bl.example", at=NOW, seen_at=NOW,
        data={"listed": True, "codes": ["127.0.0.2"], "reason": text},
    )  # fmt: skip
    refresh = Refresh(source=Source.BLOCKLISTS, kind=AssetKind.IP, asset=address, at=NOW, observations=(said,))
    reputation.watched_assets.record(workspace, [refresh], NOW)
    reputation.alerting.evaluate(workspace, [Source.BLOCKLISTS], NOW)


def reported(world: World, tenant: Tenant, text: str) -> None:
    """What sources said of a domain, in words that they took from strangers."""
    workspace, name, watched = tenant.workspace.id, f"shop{tenant.workspace.id}.example", world.services.reputation
    said = (
        (Source.BLOCKLISTS, AssetKind.DOMAIN, ObservationKind.DOMAIN_LISTING, "bl.example", {"listed": True}),
        (Source.POSTMASTER, AssetKind.GP_DOMAIN, ObservationKind.TRAFFIC, "", {"domainReputation": text}),
        (Source.LOOKALIKES, AssetKind.LOOKALIKE, ObservationKind.LOOKALIKE, "sh0p.example", {"registrar": text}),
        (Source.DMARC, AssetKind.DMARC, ObservationKind.DMARC, text, {"messages": 9, "dmarc_fail": 9}),
    )
    for source, kind, observed, key, data in said:
        watched.watched_assets.add(workspace, kind, [name], NOW)
        one = Observation(
            kind=observed, asset=name, key=key, at=NOW, seen_at=NOW, data={"reason": text, "codes": [text], **data}
        )
        refresh = Refresh(
            source=source, kind=kind, asset=name, at=NOW, observations=(one,), details={"spf": text, "dmarc": text}
        )
        watched.watched_assets.record(workspace, [refresh], NOW)


def entry_of(world: World, tenant: Tenant) -> str:
    """The id of what fired."""
    found = world.services.reputation.alerting.entries(EntryQuestion(workspace=tenant.workspace.id)).entries
    return found[0].id if found else "none"


def mailbox_of(world: World, tenant: Tenant) -> str:
    """The id of the mailbox that the log knew for a sender."""
    mailboxes = world.services.mailboxes.mailboxes
    mailboxes.notice(tenant.workspace.id, NOW)
    found = mailboxes.every(tenant.workspace.id)
    return found[0].id if found else "none"


def alert_of(world: World, tenant: Tenant) -> str:
    found = world.services.reputation.alerting.alerts(tenant.workspace.id)
    return found[0].id if found else "none"


def paths(world: World, tenant: Tenant) -> Iterator[tuple[str, str, str]]:
    """Method, path as declared, path as asked."""
    filled = {
        "{workspace:int}": str(tenant.workspace.id),
        "{mail:str}": MAIL_ID,
        "{entry:str}": entry_of(world, tenant),
        "{alert:str}": alert_of(world, tenant),
        "{message:str}": f"msg_{entry_of(world, tenant)}w",
        "{name:str}": f"shop{tenant.workspace.id}.example",
        "{kind:str}": "domain",
        "{mailbox:str}": mailbox_of(world, tenant),
        "{once:str}": "none",
    }
    for page in PAGES:
        path = page.path
        for name, value in filled.items():
            path = path.replace(name, value)
        yield page.method, page.path, f"/ui{path}"
