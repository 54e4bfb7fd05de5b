"""Google's answers, of which the collector's reader makes days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from mailvane.reputation.sources.postmaster.metrics import Page, Stat, metrics, question, records
from mailvane_demo.world.incidents import script
from mailvane_demo.world.postmaster import TOKEN_PATH, Postmaster, credentials
from mailvane_demo.world.web_server import Reply, Request

NOW = 1_790_000_000_000
DAY = 86_400_000
INCIDENTS = script(NOW, pause=60_000)
GOOGLE = Postmaster(7, ("shop.example", "news.example"), "news.example", INCIDENTS)


def ask(path: str, body: bytes, at: int = NOW, token: str = "") -> Reply:
    return GOOGLE(Request("POST", path, {}, {"authorization": f"Bearer {token}"}, body, at))


def access_token() -> str:
    told = msgspec.json.decode(credentials("http://127.0.0.1:1"))
    assert told["token_uri"] == "http://127.0.0.1:1/token"
    reply = ask(TOKEN_PATH, urlencode({"refresh_token": told["refresh_token"]}).encode())
    return str(msgspec.json.decode(reply.body)["access_token"])


def days_of(domain: str, at: int = NOW, days: int = 5) -> dict[int, dict[str, Any]]:
    newest = datetime.fromtimestamp(at / 1000, UTC).date() - timedelta(days=1)
    wanted: list[date] = [newest - timedelta(days=back) for back in range(days)]
    stats: list[Stat] = []
    page = ""
    while True:
        body = msgspec.json.encode({**question(wanted, metrics()), "pageToken": page})
        reply = ask(f"/v2/domains/{domain}/domainStats:query", body, at, access_token())
        told = msgspec.json.decode(reply.body, type=Page)
        stats += told.domain_stats
        page = told.next_page_token
        if not page:
            return records(domain, stats)


def test_each_day_has_every_ratio() -> None:
    found = days_of("shop.example")
    assert len(found) == 3  # yesterday's are not there yet, and the day before is told by the incident
    for day in found.values():
        assert day["spfSuccessRatio"] > 0.98
        assert {"dkimSuccessRatio", "userReportedSpamRatio", "inboundEncryptionRatio", "deliveryErrors"} <= set(day)


def test_the_spf_ratio_of_one_domain_falls_when_the_day_is_told() -> None:
    after = days_of("news.example", INCIDENTS.published_at)
    before = days_of("news.example", INCIDENTS.published_at - 1)
    assert max(after) == max(before) + DAY
    assert [after[at]["spfSuccessRatio"] for at in sorted(after)][-2:] == [0.86, 0.58]


def test_the_days_after_the_bad_one_are_good_again() -> None:
    later = days_of("news.example", INCIDENTS.published_at + DAY)
    assert later[max(later)]["spfSuccessRatio"] > 0.98
    assert later[max(later) - DAY]["spfSuccessRatio"] == 0.58


def test_the_same_seed_tells_the_same() -> None:
    assert days_of("shop.example") == days_of("shop.example")
    assert len(days_of("shop.example", days=60)) == 58


def test_pages_put_together_are_the_whole() -> None:
    wanted = [date(2026, 9, 1) + timedelta(days=day) for day in range(12)]
    asked = question(wanted, metrics())
    sizes = []
    for page in ("", "60"):
        body = msgspec.json.encode({**asked, "pageSize": 60, "pageToken": page})
        reply = ask("/v2/domains/shop.example/domainStats:query", body, token=access_token())
        sizes.append(len(msgspec.json.decode(reply.body, type=Page).domain_stats))
    assert sizes == [60, 36]


@pytest.mark.parametrize(
    ("path", "body", "token", "status"),
    [
        (TOKEN_PATH, b"refresh_token=other", "", 400),
        ("/v2/domains/shop.example/domainStats:query", b"{}", "stolen", 401),
        ("/v2/domains/other.example/domainStats:query", b"{}", "good", 403),
        ("/v2/domains/shop.example/domainStats:query", b"{}", "good", 400),
        ("/v2/domains/shop.example/domainStats:query", b"[1]", "good", 400),
    ],
)
def test_what_is_wrong_is_refused(path: str, body: bytes, token: str, status: int) -> None:
    assert ask(path, body, token=access_token() if token == "good" else token).status == status
