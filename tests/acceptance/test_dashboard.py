"""The dashboard in a real browser: from the link to the raw line, without a word in its console."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.installation import Installation
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
REPOSITORY = Path(__file__).resolve().parents[2]
SIZES = {"wide": (1440, 900), "phone": (390, 844)}
NARROWEST = 320
AWAY = ZoneInfo("America/New_York")  # from where the server is
Scheme = Literal["dark", "light"]
SCHEMES: dict[str, tuple[Scheme, ...]] = {"wide": ("dark", "light"), "phone": ("light",)}
AXE = REPOSITORY / ".cache" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
VIOLATIONS = "axe.run().then(found => found.violations.map(one => [one.id, one.nodes.map(node => node.target)]))"
KEYS = "keys"  # the window that tells them, over the last page of a walk
PATHS = (
    "1", "1?range=1h", "1?as=table&since=2025-11-20&until=2025-11-30", "1?since=2025-11-20&until=2025-11-30",
    "1/log?q=since:2025-11-01", "1/log?q=is:refused since:2025-11-01", "1/log?q=since:2025-11-01&live=1",
    "1/log?q=since:2025-11-01&columns=to,from,host,queue_id,at,size,delay,mx",
    "1/domains", "1/domains/shop.example", "1/domains/shop.example/what-if?daily=1", "1/domains/shop.example/bounces",
    "1/domains/shop.example/auth", "1/domains/shop.example/history", "1/reputation",
    "1/reputation/dmarc", "1/reputation/lookalikes", "1/alerts", "1/alerts/rules", "1/alerts/new",
    "1/alerts/new?type=IP_IN_RBL", "1/alerts/told", "1/alerts/maintenance", "1/inbound/quarantine",
    "1/inbound/messages", "1/inbound/contacts", "1/inbound/aliases", "1/inbound/filters", "1/inbound/health",
    "1/mailboxes", "1/mailboxes/replies", "1/settings/relays", "1/settings/keys", "1/settings/members",
    "1/settings/telling", "1/settings/retention", "server", "account", "workspaces",
)  # fmt: skip
LOG = """\
Nov 26 10:00:00 mx postfix/smtpd[1]: 4AAAAAA1: client=web.shop.example[192.0.2.1], sasl_username=shop
Nov 26 10:00:00 mx postfix/cleanup[2]: 4AAAAAA1: message-id=<1@shop.example>
Nov 26 10:00:00 mx postfix/qmgr[3]: 4AAAAAA1: from=<orders@shop.example>, size=1234, nrcpt=1 (queue active)
Nov 26 10:00:02 mx postfix/smtp[4]: 4AAAAAA1: to=<ann@inbox.example>, relay=in.inbox.example[192.0.2.9]:25, delay=2, \
delays=0/0/1/1, dsn=5.2.2, status=bounced (host in.inbox.example[192.0.2.9] said: 552 5.2.2 mailbox full (in reply to \
RCPT TO command))
Nov 26 10:00:02 mx postfix/qmgr[3]: 4AAAAAA1: removed
Nov 26 10:00:03 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.66]: 554 5.7.1 Service unavailable; \
Client host [192.0.2.66] blocked using bl.example; from=<spammer@bad.example> to=<info@shop.example> proto=ESMTP \
helo=<bad.example>
"""


class Watched:
    """A browser's page, with all that its console said."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.fits()

    def fits(self) -> None:
        over = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over <= 0, f"{self.page.url} is wider than the window by {over}"

    def fits_in(self, width: int) -> None:
        """Also in a window that is this narrow."""
        size = self.page.viewport_size
        assert size is not None
        self.page.set_viewport_size({**size, "width": width})
        self.fits()
        self.page.set_viewport_size(size)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("dashboard") / "data")
    installation.environment["MAILVANE_TIMEZONE"] = "Asia/Kolkata"
    log = tmp_path_factory.mktemp("log") / "mail.log"
    log.write_text(LOG)
    with installation.serving():
        installation.run("workspace", "create", "acme")
        installation.run("relay", "create", "--workspace", "acme")
        installation.run("import", "postfix", str(log), "--workspace", "acme", "--year", "2025")
        installation.run("domain", "create", "shop.example", "--workspace", "acme")
        yield installation


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    sync_api: Any = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


def logged_in(browser: Browser, site: Installation, size: str = "wide", **options: Any) -> Watched:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(PATIENCE * 1000)
    watched = Watched(context.new_page())
    watched.open(site.run("login-link").stdout.strip().splitlines()[0])
    watched.page.click("text=Open the dashboard")
    watched.page.wait_for_url("**/ui/workspaces")
    return watched


def test_from_the_link_to_the_raw_line(browser: Browser, site: Installation, tmp_path: Path) -> None:
    watched = logged_in(browser, site)
    page = watched.page
    page.click("text=acme")
    page.wait_for_selector("h1:has-text('Overview')")
    page.click("nav >> text=Mail log")
    page.fill("main input[name=q][type=search]", "is:failing since:2025-11-01 until:2025-12-01")
    page.press("main input[name=q][type=search]", "Enter")
    page.click("tbody >> text=ann@inbox.example")
    page.wait_for_selector("h1")
    assert "bounced" in page.inner_text("main")
    assert "mailbox full, " in page.inner_text("main")
    assert "status=bounced (host in.inbox.example" in (page.locator("pre").last.text_content() or "")
    with page.expect_download() as lines:
        page.click("text=Lines as a file")
    target = tmp_path / "lines.txt"
    lines.value.save_as(target)
    assert "4AAAAAA1" in target.read_text()
    assert watched.said == []


def test_a_domain_is_stopped_and_let_send_again(browser: Browser, site: Installation) -> None:
    watched = logged_in(browser, site)
    page = watched.page
    page.goto(f"{site.url}/ui/1/domains")
    page.locator("td a.course svg[aria-label*='shop.example in 30 days']").wait_for()  # loaded after the page
    page.click("td >> text=shop.example")
    page.locator("#differing >> text=Why these differ").wait_for()
    assert "weeks of its mail are known" in page.inner_text("#outlook")
    page.click("text=Stop it now")
    page.wait_for_selector("text=stopped")
    page.goto(f"{site.url}/ui/1")
    page.click("text=Evidence")
    page.click("text=Let 20 a day pass")
    page.wait_for_selector("text=20 mails a day pass as a probation")
    page.click("text=Let shop.example send again")
    page.wait_for_selector("text=Stop it now")
    assert "restored" in page.inner_text("main")
    assert watched.said == []


class Walk(NamedTuple):
    """What was seen on a walk through every page."""

    said: list[str]  # in the console
    headings: dict[str, str]
    violations: dict[tuple[str, str], Any]  # by path and colour scheme, as axe-core tells them; none without it

    def judge(self, page: Page, name: str, schemes: tuple[Scheme, ...]) -> None:
        """What is open now, in these looks; the first is the one that it has."""
        if not AXE.is_file():
            return
        page.evaluate(AXE.read_text())
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            self.violations[name, scheme] = page.evaluate(VIOLATIONS)
        page.emulate_media(color_scheme=schemes[0])


@pytest.fixture(scope="module")
def walk_of(browser: Browser, site: Installation) -> Callable[[str], Walk]:
    """The walk in a size, of which each page is loaded once: another colour scheme is another look of what is there."""

    @cache
    def walked(size: str) -> Walk:
        schemes = SCHEMES[size]
        watched = logged_in(browser, site, size, color_scheme=schemes[0])
        walk = Walk(watched.said, {}, {})
        for path in PATHS:
            watched.open(f"{site.url}/ui/{path}")
            walk.headings[path] = watched.page.inner_text("h1")
            watched.fits_in(NARROWEST if size == "phone" else SIZES[size][0] - 400)
            walk.judge(watched.page, path, schemes)
        watched.page.keyboard.press("?")
        walk.headings[KEYS] = watched.page.inner_text("dialog[open] h2")
        walk.judge(watched.page, KEYS, schemes)
        return walk

    return walked


@pytest.mark.parametrize("size", SIZES)
def test_every_page_fits_and_says_nothing_in_the_console(walk_of: Callable[[str], Walk], size: str) -> None:
    walk = walk_of(size)
    assert walk.headings.keys() == {*PATHS, KEYS}
    assert all(walk.headings.values())
    assert walk.said == []


@pytest.mark.skipif(not AXE.is_file(), reason="no axe-core: npm install --prefix .cache/axe axe-core@4.14.1")
@pytest.mark.parametrize("size", SIZES)
def test_no_page_keeps_anybody_out(walk_of: Callable[[str], Walk], size: str) -> None:
    """By axe-core: names, roles, contrast, order of headings."""
    walk = walk_of(size)
    assert walk.violations.keys() == set(product((*PATHS, KEYS), SCHEMES[size]))
    assert {page: found for page, found in walk.violations.items() if found} == {}


def test_an_alert_is_written_tried_and_kept(browser: Browser, site: Installation) -> None:
    watched = logged_in(browser, site)
    page = watched.page
    page.goto(f"{site.url}/ui/1/alerts")
    page.click("text=New alert")
    page.click("text=Mail marked as spam at Gmail")
    page.fill('input[name="rule.gp_user_reported_spam_ratio.value"]', "0.1")
    page.click("text=What it would have done")
    page.wait_for_selector("text=It would have fired")
    page.wait_for_selector("text=Firings in 30 days")  # asked for after the page
    assert "marked as spam above 0.1 %" in page.inner_text("main")
    page.click("text=Save and watch")
    page.wait_for_selector("table >> text=Mail marked as spam at Gmail")
    assert watched.said == []


def test_every_page_is_a_key_away_and_moments_are_told_in_utc(browser: Browser, site: Installation) -> None:
    watched = logged_in(browser, site, timezone_id=AWAY.key)
    page = watched.page
    page.goto(f"{site.url}/ui/1/log?q=since:2025-11-01")
    moment = page.locator("tbody time").first
    written = moment.inner_text()
    page.keyboard.press("u")
    at = datetime.fromisoformat(moment.get_attribute("datetime") or "")
    told = at.strftime("%d %b %H:%M:%S")
    assert (moment.inner_text(), moment.get_attribute("title")) == (told, written)
    assert written == at.astimezone(AWAY).strftime("%d %b %H:%M:%S"), "where the person is, not the server"
    page.goto(f"{site.url}/ui/1/log?q=since:2025-11-01")
    assert moment.inner_text() == told, "it is kept"
    page.keyboard.press("u")
    assert moment.inner_text() == written
    page.keyboard.press("f")
    assert page.evaluate("document.activeElement.closest('.facets') !== null")
    page.keyboard.press("?")
    keys = page.locator("dialog")
    keys.get_by_text("previous row").wait_for()
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.keyboard.press("Escape")
    assert page.url.endswith("since:2025-11-01"), "keys sleep while they are told"
    page.keyboard.press("g")
    page.keyboard.press("d")
    page.wait_for_url("**/ui/1/domains")
    page.keyboard.press("?")
    page.uncheck("text=Keys work in this browser")
    page.click("text=Close")
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.keyboard.press("?")
    assert keys.is_hidden()
    assert page.url.endswith("/domains")
    page.click("[data-help-button]")
    page.check("text=Keys work in this browser")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.wait_for_url("**/ui/1/log")
    assert watched.said == []


def test_a_stretch_of_time_that_is_drawn_across_the_chart_is_opened(browser: Browser, site: Installation) -> None:
    """The mail is of the 26th: in the last half of the month."""
    watched = logged_in(browser, site)
    page = watched.page
    for begins, ends, is_found in ((0.7, 0.98, True), (0.5, 0.1, False)):
        page.goto(f"{site.url}/ui/1/log?q=to:inbox.example since:2025-11-01 until:2025-12-01")
        box = page.locator("svg[data-brush]").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + begins * box["width"], box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + ends * box["width"], box["y"] + box["height"] / 2, steps=4)
        assert page.locator(".band").count() == 1
        page.mouse.up()
        page.wait_for_url("**/log?*Z*")
        asked = unquote(page.url).partition("?q=")[2]
        since, until = re.fullmatch(r"to:inbox.example since:(\S+Z) until:(\S+Z)", asked).groups()  # type: ignore[union-attr]
        assert "2025-11-01" <= since < until < "2025-12-02"
        assert page.locator("tbody >> text=ann@inbox.example").count() == is_found
    page.goto(f"{site.url}/ui/1/log?q=to:inbox.example since:2025-11-01 until:2025-12-01")
    page.locator("svg[data-brush] a").click()  # which stays a click
    page.locator("tbody >> text=ann@inbox.example").wait_for()
    assert "to:inbox.example since:2025-11-2" in unquote(page.url)
    assert watched.said == []


def test_who_is_bound_to_a_domain_sees_its_mail_alone(browser: Browser, site: Installation) -> None:
    owner = logged_in(browser, site)
    watched = Watched(browser.new_context(color_scheme="dark").new_page())
    page = watched.page
    for domain, is_seen in (("other.example", False), ("shop.example", True)):
        owner.open(f"{site.url}/ui/1/settings/members")
        form = owner.page.locator("form", has=owner.page.locator("input[name=name][required]"))
        form.locator("input[name=name]").fill("customer@x.example")
        form.locator("select[name=bound]").select_option("1")
        form.locator("input[name=domains]").fill(domain)
        form.get_by_role("button", name="Add").click()
        owner.page.locator(f"input[name=domains][value='{domain}']").wait_for()
        if not is_seen:  # the first time
            page.goto(site.run("login-link", "customer@x.example").stdout.strip().splitlines()[0])
            page.click("text=Open the dashboard")
            page.wait_for_url("**/ui/workspaces")
        watched.open(f"{site.url}/ui/1/log?q=since:2025-11-01")
        assert page.locator("tbody >> text=ann@inbox.example").count() == is_seen
        watched.open(f"{site.url}/ui/1?since=2025-11-20&until=2025-11-30")
        assert f"you may see only the mail of {domain}" in page.inner_text("main")
        assert ("of 1 finished deliveries" in page.inner_text("main")) is is_seen
        assert page.locator("nav[aria-label=Pages] a").all_inner_texts() == ["Overview", "Mail log", "Domains"]
        watched.open(f"{site.url}/ui/1/domains")
        assert page.locator("tbody td:first-child >> text=shop.example").count() == is_seen
        assert watched.said == []
    answer = watched.page.goto(f"{site.url}/ui/1/alerts")
    assert answer is not None
    assert answer.status == 403
    assert "you may see only the mail of shop.example" in watched.page.inner_text("main")
    assert owner.said == []


def test_everything_works_with_scripts_off(browser: Browser, site: Installation) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    page.goto(site.run("login-link").stdout.strip().splitlines()[0])
    page.click("text=Open the dashboard")
    page.goto(f"{site.url}/ui/1/log?q=since:2025-11-01")
    row = page.locator("tbody tr", has_text="ann@inbox.example").first
    assert row.locator("time").inner_text() == "26 Nov 10:00:00", "of the server"
    assert not page.locator("[data-script]").first.is_visible()
    page.click("summary:has-text('Columns')")
    page.check("label:has-text('Queue id') input")
    page.uncheck("label:has-text('Subject') input")
    page.click("text=Show these columns")
    assert row.get_by_text("4AAAAAA1").is_visible()
    assert "Subject" not in page.locator("main thead").inner_text()
    page.goto(f"{site.url}/ui/1")
    page.click("text=Pick…")
    page.fill("input[name=since]", "2025-11-26")
    page.fill("input[name=until]", "2025-11-26")
    page.click("text=Show these days")
    page.locator("text=finished deliveries arrived on 26 Nov 2025").wait_for()
    page.click("text=as a table")
    (hour,) = page.locator("tbody tr").all_inner_texts()  # which begins in the zone of the server
    assert hour.startswith("Wed 26 Nov ")
    assert hour.endswith("\t0\t0\t1")
    page.click("main >> text=Overview")
    page.click(".tile >> text=Bounced")
    assert page.input_value("main input[name=q][type=search]") == "is:bounced,expired since:2025-11-26 until:2025-11-26"
    page.click("text=mailbox full")
    assert "why:mailbox_full" in page.input_value("main input[name=q][type=search]")
    page.click("tbody >> text=ann@inbox.example")
    assert "status=bounced" in (page.locator("pre").last.text_content() or "")
