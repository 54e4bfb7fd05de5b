"""Mails to tokens: who wrote to an address that only somebody else was given."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.reputation.model import Asset, AssetKind, Refresh
from mailvane.reputation.settings import ReputationSettings
from mailvane.reputation.sources.honeytokens import TRUSTED, make, of_watched

NOW = 1_795_262_400_000
MAIL = {"from_email": "Offers@Spam.example", "to_email": "Shop-7@us.example", "timestamp": "2026-11-21T11:00:00Z"}


def read(*lines: Any) -> list[Refresh]:
    raw = b"\n".join(msgspec.json.encode(line) for line in lines)
    return list(make(ReputationSettings()).read(io.BytesIO(raw), "mails.jsonl", NOW))


def token(name: str, **fields: Any) -> Asset:
    return Asset(id=name, workspace=1, kind=AssetKind.HONEYTOKEN, name=name, created_at=0, **fields)


def test_a_mail_is_told_with_the_domain_that_it_came_from() -> None:
    (refresh,) = read(MAIL)
    (hit,) = refresh.observations
    assert (refresh.asset, hit.asset, hit.at) == ("shop-7@us.example", "shop-7@us.example", NOW - 3_600_000)
    assert hit.data == {
        "from_email": "offers@spam.example",
        "to_email": "shop-7@us.example",
        "domain": "spam.example",
    }


def test_a_named_domain_and_id_are_taken_as_they_are() -> None:
    (hit,) = read({**MAIL, "domain": "Mailer.example", "id": "q1"})[0].observations
    assert (hit.key, hit.data["domain"]) == ("q1", "mailer.example")


def test_the_same_mail_has_the_same_key() -> None:
    one, same, other = (
        read(line)[0].observations[0].key for line in (MAIL, MAIL, {**MAIL, "from_email": "b@c.example"})
    )
    assert one == same != other


def test_mails_to_one_token_are_told_together() -> None:
    told = read(*({**MAIL, "id": str(number)} for number in range(1500)))
    assert [len(refresh.observations) for refresh in told] == [1000, 500]


def test_only_mails_to_watched_tokens_by_strangers_are_kept() -> None:
    def kept(*tokens: Asset) -> int:
        return sum(len(refresh.observations) for refresh in of_watched(read(MAIL), tokens, NOW))

    assert kept() == 0
    assert kept(token("other@us.example")) == 0
    assert kept(token("shop-7@us.example")) == 1
    assert kept(token("shop-7@us.example", verified=False)) == 0
    assert kept(token("shop-7@us.example", details={TRUSTED: ["spam.example"]})) == 0
    assert kept(token("shop-7@us.example", details={TRUSTED: ["shop.example"]})) == 1


@pytest.mark.parametrize("change", [{"to_email": "x"}, {"from_email": ""}, {"timestamp": "x"}, {"domain": 7}])
def test_a_line_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"mails\.jsonl, line 1"):
        read({**MAIL, **change})


@given(st.dictionaries(st.sampled_from([*MAIL, "domain", "id"]), st.one_of(st.text(max_size=20), st.integers())))
def test_any_line_is_read_or_refused(change: dict[str, Any]) -> None:
    try:
        read({**MAIL, **change})
    except InvalidInput:
        return


def test_a_refresh_asks_nobody_and_says_that_all_is_known() -> None:
    async def refreshed() -> list[Refresh]:
        return [refresh async for refresh in make(ReputationSettings()).refresh([token("a@b.example")], NOW)]

    (refresh,) = asyncio.run(refreshed())
    assert (refresh.asset, refresh.error, refresh.observations) == ("a@b.example", "", ())
