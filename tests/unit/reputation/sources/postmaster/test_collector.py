"""Postmaster Tools asked on a server that speaks Google's protocol, with Google's own library for the tokens."""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from mailvane.core.errors import CollectionFailed
from mailvane.reputation.model import Asset, AssetKind, ObservationKind, Refresh
from mailvane.reputation.settings import ReputationSettings
from mailvane.reputation.sources.postmaster import Postmaster, make
from mailvane.reputation.sources.postmaster.collector import MOST_DAYS
from tests.unit.reputation.sources.postmaster.google_server import CLIENT_SECRET, REFRESH_TOKEN, Google, authorized_user
from tests.unit.reputation.sources.vendor_server import Said

NOW = 1_795_262_400_000  # 2026-11-21T12:00Z
DAY_MS = 86_400_000
DAYS = {
    ("shop.example", "SPAM_RATE", "2026-11-19"): {"doubleValue": 0.004},
    ("shop.example", 'AUTH_SUCCESS_RATE auth_type = "dkim"', "2026-11-19"): {"doubleValue": 0.99},
    ("shop.example", "SPAM_RATE", "2026-11-16"): {"doubleValue": 0.001},
    ("shop.example", "FEEDBACK_LOOP_ID", "2026-11-19"): {"stringList": {"values": ["news"]}},
    ("shop.example", 'FEEDBACK_LOOP_SPAM_RATE feedback_loop_id = "news"', "2026-11-19"): {"doubleValue": 0.2},
    ("news.example", "SPAM_RATE", "2026-11-19"): {"doubleValue": 0.0},
}


@pytest.fixture
def google() -> Iterator[Google]:
    told = Google(DAYS)
    with told.server.running():
        yield told


@pytest.fixture
def collector(google: Google, tmp_path: Path) -> Postmaster:
    path = authorized_user(google.server.url, tmp_path / "google.json")
    return make(ReputationSettings(postmaster_url=google.server.url, postmaster_credentials=path))


def asset(name: str, updated_at: int = NOW - DAY_MS) -> Asset:
    return Asset(id=name, workspace=1, kind=AssetKind.GP_DOMAIN, name=name, created_at=0, updated_at=updated_at)


def refreshed(collector: Postmaster, *assets: Asset, now: int = NOW) -> list[Refresh]:
    async def collect() -> list[Refresh]:
        return [refresh async for refresh in collector.refresh(assets, now)]

    return asyncio.run(collect())


def test_days_are_told_as_records_of_the_first_interface(collector: Postmaster, google: Google) -> None:
    shop, news = refreshed(collector, asset("shop.example"), asset("news.example"))
    old, new = shop.observations
    assert (old.at, new.at) == (NOW - NOW % DAY_MS - 5 * DAY_MS, NOW - NOW % DAY_MS - 2 * DAY_MS)
    assert (new.kind, new.asset, new.key) == (ObservationKind.TRAFFIC, "shop.example", "")
    assert new.data == {
        "name": "domains/shop.example/trafficStats/20261119",
        "userReportedSpamRatio": 0.004,
        "dkimSuccessRatio": 0.99,
        "spammyFeedbackLoops": [{"id": "news", "spamRatio": 0.2}],
    }
    assert news.observations[0].data["userReportedSpamRatio"] == 0.0
    assert google.tokens == 1


def test_days_that_may_still_change_are_asked_for_again(collector: Postmaster, google: Google) -> None:
    refreshed(collector, asset("news.example"), asset("news.example", 0), asset("news.example", NOW - 10 * DAY_MS))
    dates = [query["timeQuery"]["dateList"]["dates"] for query in google.queries]
    assert dates[0][-1] == {"year": 2026, "month": 11, "day": 19}
    assert [len(asked) for asked in dates] == [6, MOST_DAYS, 15]


def test_pages_are_read_to_the_last(collector: Postmaster, google: Google) -> None:
    google.page_size = 1
    (refresh,) = refreshed(collector, asset("shop.example"))
    assert len(refresh.observations) == 2
    assert "dkimSuccessRatio" in refresh.observations[1].data


def test_a_domain_without_data_is_a_success_without_observations(collector: Postmaster) -> None:
    (refresh,) = refreshed(collector, asset("quiet.example"))
    assert (refresh.error, refresh.observations) == ("", ())


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_domain_that_google_tells_nothing_of_fails_alone(collector: Postmaster, google: Google, status: int) -> None:
    google.trouble["shop.example"] = google.error(status, "The caller does not have permission.")
    shop, news = refreshed(collector, asset("shop.example"), asset("news.example"))
    assert f"status {status}" in shop.error
    assert "does not have permission" in shop.error
    assert (shop.observations, news.error) == ((), "")


def test_a_token_that_was_withdrawn_is_renewed(collector: Postmaster, google: Google) -> None:
    refreshed(collector, asset("news.example"))
    google.good_tokens.clear()
    (refresh,) = refreshed(collector, asset("news.example"))
    assert (refresh.error, google.tokens) == ("", 2)


def test_credentials_that_are_refused_end_the_round(collector: Postmaster, google: Google) -> None:
    google.trouble["token"] = google.json({"error": "invalid_grant"}, 400)
    told = refreshed_until_failure(collector, *[asset(f"{number}.example") for number in range(9)])
    assert "invalid_grant" in told
    assert google.queries == []


def refreshed_until_failure(collector: Postmaster, *assets: Asset, now: int = NOW) -> str:
    with pytest.raises(CollectionFailed) as raised:
        refreshed(collector, *assets, now=now)
    return raised.value.message


def test_patience_that_google_asks_for_is_kept(collector: Postmaster, google: Google) -> None:
    google.trouble["news.example"] = Said(status=429, headers={"Retry-After": "600"})
    assert "429" in refreshed_until_failure(collector, asset("news.example"))
    asked = len(google.server.asked)
    google.trouble.clear()
    assert "patience" in refreshed_until_failure(collector, asset("news.example"), now=NOW + 599_000)
    assert len(google.server.asked) == asked
    assert refreshed(collector, asset("news.example"), now=NOW + 600_000)[0].error == ""


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"domainStats":7}', b'{"domainStats":[{"metric":1}]}', b"\xff"])
def test_an_answer_that_is_not_understood_is_a_failure(collector: Postmaster, google: Google, body: bytes) -> None:
    google.trouble["shop.example"] = Said(body)
    shop, news = refreshed(collector, asset("shop.example"), asset("news.example"))
    assert "not understood" in shop.error
    assert news.error == ""


def test_nothing_secret_is_logged(collector: Postmaster, google: Google, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        refreshed(collector, asset("shop.example"))
    for secret in ("token-1", REFRESH_TOKEN, CLIENT_SECRET):
        assert secret not in caplog.text


def test_without_credentials_files_are_read_and_nobody_is_asked() -> None:
    collector = make(ReputationSettings())
    (refresh,) = refreshed(collector, asset("shop.example"))
    assert "postmaster_credentials" in refresh.error
    record = {"name": "domains/shop.example/trafficStats/20250310", "domainReputation": "BAD"}
    (read,) = collector.read(io.BytesIO(msgspec.json.encode(record)), "v1.json", NOW)
    assert (read.asset, read.observations[0].at, read.observations[0].seen_at) == (
        "shop.example",
        1_741_564_800_000,
        NOW,
    )
    assert read.observations[0].data == record
