"""What an operator comes for, in a browser: an alert that fires and tells, a lost mail, held mail, a log that grows.

Each begins where a person begins, and ends at what proves it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from mailvane.inbound.model import MessageStatus
from mailvane.server.ledger import open_ledger
from tests.acceptance.installation import Installation
from tests.acceptance.test_dashboard import CHROMIUM, browser, logged_in
from tests.unit.notify.receiver import Receiver
from tests.waiting import PATIENCE
from tests.wire.inbound import addresses, message, taken_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["browser"]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
SOON = PATIENCE * 1000  # milliseconds
EARLIER = timedelta(minutes=20)
WAITING, LOST, LATER = "4WAIT0B3C4D5E", "4LOST0B3C4D5E", "4LATE0B3C4D5E"  # queue ids


class Flowing(NamedTuple):
    """A server, the log that it follows, and who is told of alerts."""

    site: Installation
    log: Path
    receiver: Receiver


def lines(queue_id: str, recipient: str, status: str, said: str, ago: timedelta = timedelta()) -> str:
    """A mail in a Postfix log, and its one try."""
    at = (datetime.now(UTC) - ago).isoformat(timespec="microseconds")
    host = recipient.partition("@")[2]
    return (
        f"{at} mx1 postfix/smtpd[11]: {queue_id}: client=web.shop.example[192.0.2.1], sasl_username=shop\n"
        f"{at} mx1 postfix/cleanup[12]: {queue_id}: message-id=<{queue_id}@shop.example>\n"
        f"{at} mx1 postfix/qmgr[13]: {queue_id}: from=<orders@shop.example>, size=900, nrcpt=1 (queue active)\n"
        f"{at} mx1 postfix/smtp[14]: {queue_id}: to=<{recipient}>, relay=mx.{host}[192.0.2.9]:25, delay=1,"
        f" delays=0/0/0/1, dsn={said[4:9]}, status={status} (host mx.{host}[192.0.2.9] said: {said})\n"
    )


def first_lines() -> str:
    """Of some time ago: rules about mail look at what was so a few minutes before."""
    return lines(WAITING, "ann@slow.example", "deferred", "451 4.7.1 try again later", EARLIER) + lines(
        LOST, "eve@lost.example", "bounced", "550 5.1.1 no such user", EARLIER
    )


def telling() -> str:
    """Settings of a server that may tell a receiver on this machine."""
    return '[reputation]\nown_rules_seconds = 1\nallowed_targets = ["127.0.0.1"]\nresolvers = ["127.0.0.1:9"]\n'


def following(log: Path) -> str:
    """Of one that reads the log, too."""
    return f'{telling()}\n[[postfix]]\npath = "{log}"\nworkspace = "acme"\n'


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver().running() as running:
        yield running


@pytest.fixture(scope="module")
def flowing(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Flowing]:
    place = tmp_path_factory.mktemp("flows")
    installation, log = Installation(place / "data"), place / "mail.log"
    log.write_text(first_lines())
    (installation.data / "mailvane.toml").write_text(following(log))
    installation.tenant("acme")
    with installation.serving():
        yield Flowing(installation, log, receiver)


def shown(page: Page, path: str, text: str) -> None:
    """A page, once there is what the server has yet to read."""
    while not page.locator(f"main >> text={text}").count():
        page.goto(path)


def test_a_lost_mail_is_found_by_its_recipient_and_by_its_queue_id(browser: Browser, flowing: Flowing) -> None:
    watched = logged_in(browser, flowing.site)
    page = watched.page
    shown(page, f"{flowing.site.url}/ui/1/log", "eve@lost.example")
    for asked in ("eve@lost.example", f"queue:{LOST}", LOST):  # a queue id as it stands in a log, too
        page.goto(f"{flowing.site.url}/ui/1")
        page.keyboard.press("/")
        page.keyboard.type(asked)
        page.keyboard.press("Enter")
        page.click("tbody >> text=eve@lost.example")
        page.locator("h1").wait_for()
        assert f"{LOST}: to=<eve@lost.example>" in (page.locator("pre").last.text_content() or "")
        page.locator("text=1 delivery to lost.example stopped at this answer").wait_for(timeout=SOON)
    assert watched.said == []


def test_an_alert_is_written_fires_and_tells(browser: Browser, flowing: Flowing) -> None:
    site, receiver = flowing.site, flowing.receiver
    site.run("channels", "add", "ops hook", receiver.url, "--workspace", "acme")
    watched = logged_in(browser, site)
    page = watched.page
    shown(page, f"{site.url}/ui/1/log", "ann@slow.example")
    page.click("nav >> text=Alerts")
    page.click("text=New alert")
    page.get_by_role("link", name="Mail waits", exact=True).click()
    page.fill("input[name=name]", "Too much waits")
    page.fill('input[name="rule.mails"]', "1")
    page.check("text=ops hook")
    page.click("text=What it would have done")
    page.locator("text=It would have fired").wait_for(timeout=SOON)
    assert "ops hook" in page.inner_text("main .lede >> nth=0")
    page.click("text=Save and watch")
    page.click("nav.tabs >> text=Fired")
    shown(page, page.url, "Too much waits")
    page.click("main >> text=Too much waits")
    shown(page, page.url, "delivered")
    assert "ops hook" in page.inner_text("section:has-text('Whom it told')")
    assert any(json.loads(each.body)["name"] == "Too much waits" for each in receiver.received)
    page.click("text=lines of the mail to ann@slow.example")
    assert WAITING in (page.locator("pre").last.text_content() or "")
    page.goto(f"{site.url}/ui/1/alerts")
    seen = page.locator("main >> text=acknowledged by admin")
    page.keyboard.press("e")  # of no row: none is chosen
    page.keyboard.press("j")
    page.keyboard.press("e")
    seen.wait_for()
    assert seen.count() == 1
    assert watched.said == []


def test_held_mail_is_let_through_and_taken_back(browser: Browser, flowing: Flowing) -> None:
    site = flowing.site
    address = site.environment.get("MAILVANE_LEDGER", f"sqlite:///{site.data / 'ledger.sqlite'}")
    with closing(open_ledger(address)) as ledger:
        at, name = time.time_ns() // 1_000_000, "held.example"
        addresses(ledger.inbound, 1, name, at)
        held = [
            message(
                1, at + number, status=MessageStatus.QUARANTINED, subject=f"Invoice {number}", sender="b@bulk.example"
            )
            for number in range(3)
        ]
        taken_in(ledger.inbound, 1, at, *held)
        watched = logged_in(browser, site)
        page = watched.page
        page.goto(f"{site.url}/ui/1")
        page.click("text=Decide")
        page.locator("text=The envelope is of another domain: bulk.example").wait_for()
        for one in held:  # ten seconds may be over on a machine that is busy: then with the next
            page.click(f"tbody >> text={one.subject}")
            page.locator(f".detail h2:has-text('{one.subject}')").wait_for()
            page.keyboard.press("a")
            page.locator("text=will be let through").wait_for()
            page.keyboard.press("z")
            page.locator("text=will be let through").wait_for(state="detached")
            found = ledger.inbound.messages.message(1, one.id)
            waiting = {each.message for each in ledger.decisions.waiting(1)}
            if found is not None and found.status is MessageStatus.QUARANTINED and one.id not in waiting:
                break
        else:
            raise AssertionError("it was never taken back")
        assert page.locator("text=will be let through").count() == 0
        assert watched.said == []


def test_a_line_of_a_followed_log_comes_into_the_open_page(browser: Browser, flowing: Flowing) -> None:
    watched = logged_in(browser, flowing.site)
    page = watched.page
    page.goto(f"{flowing.site.url}/ui/1/log?q=to:later.example&live=1")
    page.locator("#ticks[data-state=live]").wait_for(timeout=SOON)
    with flowing.log.open("a") as log:
        log.write(lines(LATER, "zoe@later.example", "sent", "250 2.0.0 ok"))
    page.locator("tbody >> text=zoe@later.example").wait_for(timeout=SOON)
    assert watched.said == []
