"""Open pages in a real browser while mail goes on: they follow, keep what a person is doing, and survive a restart."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.acceptance.installation import HTTP, Installation, kill
from tests.acceptance.test_dashboard import CHROMIUM, Watched, browser, logged_in
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

__all__ = ["browser"]
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
SOON = PATIENCE * 1000  # milliseconds


class Site:
    """An installation, and mail that comes in while pages are open."""

    def __init__(self, installation: Installation, token: str) -> None:
        self.installation = installation
        self._token = token
        self._mails = 0

    def mail(self, recipient: str) -> None:
        """One that is accepted and bounces."""
        self._mails += 1
        about = {"mail": f"m{self._mails}", "recipient": recipient, "sender": "orders@shop.example"}
        about |= {"subject": f"Order {self._mails}"}
        now = int(time.time())
        bounced = {"type": "bounced", "code": 550, "reply": "550 5.1.1 unknown user", "family": "unknown_user"}
        told = [
            {**about, "id": f"a{self._mails}", "type": "accepted", "time": now, "accepted_at": now},
            {**about, "id": f"b{self._mails}", "time": now, "accepted_at": now, **bounced},
        ]
        headers = {"X-API-KEY": self._token, "Content-Type": "application/x-ndjson"}
        content = "\n".join(map(json.dumps, told))
        HTTP.post(f"{self.installation.url}/mailvane/v1/events", content=content, headers=headers).raise_for_status()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    installation = Installation(tmp_path_factory.mktemp("live") / "data")
    _, token = installation.tenant("acme")
    with installation.serving():
        yield Site(installation, token)


def opened(browser: Browser, site: Site, path: str) -> tuple[Watched, Page]:
    watched = logged_in(browser, site.installation)
    watched.open(f"{site.installation.url}/ui/{path}")
    watched.page.locator("#ticks[data-state=live]").wait_for(timeout=SOON)
    return watched, watched.page


def test_the_overview_follows_and_nothing_jumps(browser: Browser, site: Site) -> None:
    site.mail("first@one.example")
    watched, page = opened(browser, site, "1")
    page.locator("td >> text=one.example").first.wait_for(timeout=SOON)
    page.evaluate("window.kept = document.querySelector('.tile')")
    page.fill("input[name=q]", "half a word")
    site.mail("second@two.example")
    page.locator("td >> text=two.example").first.wait_for(timeout=SOON)
    assert page.evaluate("window.kept.isConnected"), "it is changed in its place, not drawn anew"
    assert page.evaluate("document.activeElement.name") == "q"
    assert page.input_value("input[name=q]") == "half a word"
    assert watched.said == []


def test_the_log_tells_of_newer_mail_and_stays_where_it_is(browser: Browser, site: Site) -> None:
    site.mail("before@four.example")
    watched, page = opened(browser, site, "1/log?q=to:four.example")
    site.mail("after@four.example")
    page.locator("text=1 newer mail matches").wait_for(timeout=SOON)
    assert page.locator("tbody tr").count() == 1
    page.keyboard.press("n")
    page.locator("tbody >> text=after@four.example").wait_for(timeout=SOON)
    assert page.locator("tbody tr").count() == 2
    assert watched.said == []


def test_a_live_tail_follows_its_query_and_keeps_what_is_chosen(browser: Browser, site: Site) -> None:
    site.mail("before@five.example")
    watched, page = opened(browser, site, "1/log?q=to:five.example")
    page.keyboard.press("l")
    page.wait_for_url("**live=1*")
    page.locator("#ticks[data-state=live]").wait_for(timeout=SOON)
    page.keyboard.press("j")
    site.mail("elsewhere@six.example")
    site.mail("after@five.example")
    page.locator("tbody >> text=after@five.example").wait_for(timeout=SOON)
    assert page.locator("tbody tr").count() == 2, "live, and narrowed as before"
    assert "before@five.example" in page.locator('tr[aria-selected="true"]').inner_text()
    assert watched.said == []


def test_a_view_that_one_saves_another_opens(browser: Browser, site: Site) -> None:
    _, page = opened(browser, site, "1/log?q=to:five.example")
    page.click("text=Save or remove a view")
    page.fill("input[name=name]", "Five")
    page.select_option("select[name=for]", "all")
    page.click("text=Save this view")
    page.locator("nav >> text=Five").wait_for(timeout=SOON)
    _, second = opened(browser, site, "1/log")
    second.click("nav >> text=Five")
    assert second.input_value("main input[name=q][type=search]") == "to:five.example"


def test_a_stream_that_is_refused_at_first_is_asked_for_again(browser: Browser, site: Site) -> None:
    """And scripts that come in late, in any order, change nothing."""
    watched = logged_in(browser, site.installation)
    page = watched.page
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(route.request.url)
        route.fulfill(status=503)

    def late(route: Route) -> None:
        page.wait_for_timeout(300)
        route.continue_()

    page.route("**/ticks?*", refuse_once)
    page.route("**/hx-sse.min.js*", late)
    page.goto(f"{site.installation.url}/ui/1")
    page.locator("#ticks[data-state=live]").wait_for(timeout=SOON)
    assert len(refused) == 1


def test_a_page_outlives_its_server(browser: Browser, tmp_path: Path) -> None:
    """Killed, not asked: the page says so, and is right again when another server answers on the port."""
    installation = Installation(tmp_path / "data")
    site = Site(installation, installation.tenant("acme")[1])
    with installation.starting("serve") as first:
        installation.wait_until_ready()
        watched, page = opened(browser, site, "1")
        kill(first)
        page.locator("#ticks[data-state=lost]").wait_for(timeout=SOON)
    with installation.serving():
        site.mail("third@three.example")
        page.locator("td >> text=three.example").first.wait_for(timeout=SOON)
        page.locator("#ticks[data-state=live]").wait_for(timeout=SOON)
    assert all("ERR_" in each or "Failed to fetch" in each or "network" in each for each in watched.said), watched.said
