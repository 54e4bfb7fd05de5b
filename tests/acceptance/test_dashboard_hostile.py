"""What strangers write, on every page in a real browser: it is shown as text, runs nothing and breaks no page."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pytest

from mailvane.reputation.questions import EntryQuestion
from mailvane.reputation.settings import ReputationSettings
from mailvane.server.alerting import MonitoringSettings
from mailvane.server.ledger import open_ledger
from mailvane.server.reputation import reputation_of
from tests.acceptance.installation import HTTP, Installation
from tests.acceptance.test_dashboard import CHROMIUM, SIZES, Watched, browser, logged_in
from tests.wire.dashboard.browsing import alerted, reported
from tests.wire.inbound import addresses, message, taken_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Response

__all__ = ["browser"]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

SCRIPT = "<script>alert(1)</script>"
IMAGE = '"><img src=x onerror=alert(2)>'
LINK = "javascript:alert(3)"
TURNED = "\u202etxt.exe\u2066\u200f"
LONG = "W" * 8192
COMBINED = "Z" + "\u0301" * 60
EMOJI = "\U0001f469\u200d\U0001f4bb\U0001f1e9\U0001f1ea"
NUL, LONE = "nul\0nul", "lone\udfff\ud800"
TEXTS = (SCRIPT, IMAGE, LINK, TURNED, LONG, COMBINED, EMOJI, NUL, LONE, "{{ 7 * 7 }}{% raw %}", "'; DROP TABLE x; --")
ALL = " ".join((SCRIPT, IMAGE, LINK, TURNED, COMBINED, EMOJI, NUL))
TYPED = f"{SCRIPT}{IMAGE}\U0001f469"  # into a form: what turns writing round is refused there
NAMED = "<b>acme</b>"
OWN = "shop1.example"  # as tests.wire.dashboard.browsing calls a domain of the first workspace
OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
FOUND = "document.querySelectorAll('main script, main img, main iframe, main [onerror], main [style]').length"
LINKS = "[...document.querySelectorAll('a[href]')].map(a => new URL(a.getAttribute('href'), location).protocol)"
PAGES = (
    "1", "1/log", "1/log?q=is:refused", "1/log?q=is:failing&live=1", "1/domains", f"1/domains/{OWN}",
    f"1/domains/{OWN}/bounces", f"1/domains/{OWN}/history", "1/reputation", "1/reputation/ip/192.0.2.1",
    "1/reputation/ip/192.0.2.1/evidence",
    f"1/reputation/domain/{OWN}", "1/reputation/dmarc", "1/reputation/lookalikes", "1/alerts", "1/alerts/rules",
    "1/alerts/told", "1/alerts/maintenance", "1/inbound/quarantine", "1/inbound/messages", "1/inbound/contacts",
    "1/inbound/aliases", "1/inbound/filters", "1/inbound/health", "1/mailboxes", "1/mailboxes/replies",
    "1/settings/relays", "1/settings/keys", "1/settings/members", "1/settings/telling", "workspaces", "server",
)  # fmt: skip


class Hostile(NamedTuple):
    """An installation into which strangers wrote what they could."""

    site: Installation
    pages: tuple[str, ...]  # below /ui


def lines() -> bytes:
    """A mail for each text, with it in each field that a log has room for; and mail that was refused."""
    now = datetime.now(UTC)
    at, said = now.isoformat(timespec="microseconds"), []
    for number, text in enumerate(TEXTS):
        short, queue_id = text[:200], f"4H{number:02d}B3C4D5E6F"
        local = re.sub(r"[\s<>\0]", "", short)
        said += [
            (
                f"{at} {short[:60].replace(' ', '')} postfix/smtpd[1]: {queue_id}: client={local}[192.0.2.1], "
                f"sasl_username={short}"
            ),
            f"{at} mx1 postfix/smtpd[1]: {queue_id}: client={local}[192.0.2.1], sasl_username={short}",
            (
                f"{at} mx1 postfix/cleanup[2]: {queue_id}: warning: header Subject: {text} from {local}[192.0.2.1]; "
                f"from=<{local}@shop1.example> to=<{local}@two.example> proto=ESMTP helo=<{short}>"
            ),
            f"{at} mx1 postfix/cleanup[2]: {queue_id}: message-id=<{number}{local}@shop1.example>",
            f"{at} mx1 postfix/qmgr[3]: {queue_id}: from=<{local}@shop1.example>, size=9, nrcpt=1 (queue active)",
            (
                f"{at} mx1 postfix/smtp[4]: {queue_id}: to=<{local}@two.example>, relay={local}[192.0.2.9]:25, "
                f"delay=2, delays=0/0/1/1, dsn=5.7.1, status=bounced (host {local}[192.0.2.9] said: 550 5.7.1 {text})"
            ),
            (
                f"{at} mx1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from {local}[192.0.2.66]: 554 5.7.1 {text}; "
                f"from=<{local}@bad.example> to=<{local}@shop1.example> proto=ESMTP helo=<{short}>"
            ),
        ]
    return "\n".join(said).encode("utf-8", "surrogatepass")


def events() -> bytes:
    """What a program told of such mail, as the intake takes it: no control characters, and only Unicode."""
    now, told = time.time(), []
    for number, text in enumerate(TEXTS):
        if text in {NUL, LONE}:
            continue
        named, field = text[:200], text[:4096]
        told.append(
            {
                "id": f"h{number}", "mail": f"m{number}", "type": "accepted", "time": now - 60, "sender": f"{named}@x",
                "recipient": f"{named}@two.example", "subject": field, "queue_id": named, "host": named,
                "client_name": named, "login": named, "campaign": named,
            }
        )  # fmt: skip
        told.append(
            {
                "id": f"b{number}", "mail": f"m{number}", "type": "bounced", "time": now, "accepted_at": now - 60,
                "recipient": f"{named}@two.example", "reply": f"550 {field}", "mx_host": named, "transport": named,
            }
        )  # fmt: skip
    return "\n".join(map(json.dumps, told)).encode()


def judged(site: Installation) -> tuple[str, ...]:
    """Alerts, reports, held mail, contacts and names, by the services behind the APIs; the pages of what was made."""
    now, made = time.time_ns() // 1_000_000, []
    address = site.environment.get("MAILVANE_LEDGER", f"sqlite:///{site.data / 'ledger.sqlite'}")
    with closing(open_ledger(address)) as ledger:
        settings = MonitoringSettings(ReputationSettings(resolvers=("127.0.0.1:9",)))
        reputation = reputation_of(settings, ledger, lambda: now).services
        (workspace, *_) = ledger.tenants.workspaces()
        world = cast("Any", SimpleNamespace(services=SimpleNamespace(reputation=reputation), ledger=ledger))
        tenant = cast("Any", SimpleNamespace(workspace=workspace))
        alerted(world, tenant, ALL)
        reported(world, tenant, ALL)
        (fired, *_) = reputation.alerting.entries(EntryQuestion(workspace=workspace.id)).entries
        made += [f"1/alerts/fired/{fired.id}", f"1/alerts/rules/{fired.alert_id}"]
        addresses(ledger.inbound, workspace.id, "in1.example", now)
        for number, text in enumerate(TEXTS):
            told = {"subject": text, "from_name": text, "reason": text, "sender": f"{number}@x.example"}
            told |= {"from_address": f"{text[:200]}@x.example", "client_name": text[:200]}
            one = message(workspace.id, now - number, number=number, status="quarantined", **clean(told))
            taken_in(ledger.inbound, workspace.id, now, one)
            made.append(f"1/inbound/quarantine?item={one.id}")
    return tuple(made)


def clean(told: dict[str, str]) -> dict[str, str]:
    """As the gateway hands it on: what is not Unicode was replaced when the mail was read."""
    return {name: text.encode("utf-8", "replace").decode() for name, text in told.items()}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hostile]:
    place = tmp_path_factory.mktemp("hostile")
    site, log = Installation(place / "data"), place / "mail.log"
    log.write_bytes(lines())
    relay, key = site.tenant(NAMED)
    with site.serving():
        site.run("import", "postfix", str(log), "--workspace", NAMED)
        header = {"X-API-KEY": key, "content-type": "application/x-ndjson"}
        answer = HTTP.post(f"{site.url}/mailvane/v1/events?relay={relay}", headers=header, content=events())
        assert answer.is_success, answer.text
        site.run("domain", "create", OWN, "--workspace", NAMED)
        site.run("relay", "create", "--workspace", NAMED, "--comment", TYPED)
        site.run("filter", "add", TYPED, "--action", "deny", "--if", f"subject contains {TYPED}", "--workspace", NAMED)
        yield Hostile(site, PAGES + judged(site))


class Judge:
    """Looks at pages, and keeps what is wrong with each of them."""

    def __init__(self, watched: Watched) -> None:
        self.page = watched.page
        self.said = watched.said
        self.faults: list[str] = []
        self.page.on("dialog", self._noticed)
        self.page.on("response", self._answered)

    def _noticed(self, dialog: Dialog) -> None:
        self.faults.append(f"{self.page.url}: a dialog says {dialog.message}")
        dialog.dismiss()

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self.faults.append(f"{response.url} is answered with {response.status}")

    def look(self, url: str) -> None:
        self.page.goto(url)
        over, markup, links = self.page.evaluate(f"[{OVER}, {FOUND}, {LINKS}]")
        if over > 0:
            self.faults.append(f"{url} is wider than the window by {over}")
        if markup or not set(links) <= {"http:"}:
            self.faults.append(f"{url} has markup of a stranger: {markup} elements, links {set(links)}")


@pytest.mark.parametrize("size", SIZES)
def test_what_strangers_write_is_text_on_every_page(browser: Browser, hostile: Hostile, size: str) -> None:
    site = hostile.site
    judge = Judge(logged_in(browser, site, size))
    page = judge.page
    saved: dict[str, str | float | bool] = {"name": TYPED[:60], "q": f'subject:"{SCRIPT}"', "for": "all"}
    assert page.request.post(f"{site.url}/ui/1/log/views", form=saved, headers={"sec-fetch-site": "same-origin"}).ok
    for path in hostile.pages:
        judge.look(f"{site.url}/ui/{path}")
    judge.look(f"{site.url}/ui/1/log?q=subject:alert")
    mails = [each.get_attribute("data-href") for each in page.locator("tr[data-href]").all()]
    assert len(mails) >= 4
    for mail in mails:
        judge.look(f"{site.url}{mail}")
    for path in ("1/log", "1/inbound/quarantine"):
        page.goto(f"{site.url}/ui/{path}")
        shown = page.inner_text("main")
        judge.faults += [f"{path} does not show {text}" for text in (SCRIPT, IMAGE, LINK) if text not in shown]
    page.goto(f"{site.url}/ui/1/inbound/messages")  # a browser needs seconds to break so long a word
    shown = page.inner_text("main")
    assert LONG[:300] in shown
    assert LONG[:301] not in shown
    assert (judge.faults, judge.said) == ([], [])


def test_a_subject_of_eight_thousand_letters_is_found(browser: Browser, hostile: Hostile) -> None:
    """The log's line of it is longer than what is read of a line; who sent it stands behind it."""
    watched = logged_in(browser, hostile.site)
    watched.open(f"{hostile.site.url}/ui/1/log?q=subject:{LONG[:500]}")
    assert "2 of 2" in watched.page.inner_text("main .keys")
    assert watched.said == []
