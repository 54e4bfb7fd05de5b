"""Names of domains, and what may be set."""

from __future__ import annotations

import pytest

from mailvane.core.errors import InvalidInput
from mailvane.core.names import checked_name
from mailvane.outbound.domain_changes import action_of, changed, read_changes
from mailvane.outbound.model import Domain, Guillotine, OutboundStatus, Tier, Verification


@pytest.mark.parametrize("written", ["localhost", "192.0.2.1"])
def test_mail_is_not_sent_from_hosts_and_addresses(written: str) -> None:
    with pytest.raises(InvalidInput):
        checked_name(written)


def test_changes_are_read_with_their_types() -> None:
    told = {"daily_limit": 5, "tier": "dedicated", "status": OutboundStatus.SUSPENDED, "hourly_fraction": 1}
    given = read_changes(told | {"guillotine": {"bounce_percent": 5}})
    assert given == {
        "daily_limit": 5,
        "tier": Tier.DEDICATED,
        "status": OutboundStatus.SUSPENDED,
        "hourly_fraction": 1.0,
        "guillotine": Guillotine(bounce_percent=5.0),
    }
    assert read_changes({"guillotine": None}) == {"guillotine": None}
    assert read_changes({"verification": "none"}) == {"verification": Verification.NONE}
    assert read_changes({"verification": "verified"}) == {"verification": Verification.VERIFIED}
    assert read_changes({}) == {}


@pytest.mark.parametrize(
    "told",
    [
        {"daily_limit": -1},
        {"daily_limit": 10**16},
        {"daily_limit": 1.5},
        {"daily_limit": "5"},
        {"daily_limit": True},
        {"daily_limit": None},
        {"monthly_limit": -1},
        {"tier": "gold"},
        {"status": "closed"},
        {"enforcement": ""},
        {"hourly_fraction": 1.1},
        {"hourly_fraction": float("nan")},
        {"spike_max_multiplier": -1},
        {"spike_max_multiplier": float("inf")},
        {"warmup_profile": "slow"},
        {"name": "b.example"},
        {"verification": "pending"},
        {"verification": "proved"},
        {"id": 9},
        {"guillotine": {"bounce_percent": 101}},
        {"guillotine": {"bounce_percent": float("nan")}},
        {"guillotine": {"minimum_volume": -1}},
        {"guillotine": {"minimum_volum": 1}},
        {"guillotine": {"probation_daily": 10**30}},
        {"workspace": 0},
        {"rain": object()},
    ],
)
def test_what_cannot_be_set_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        read_changes(told)


@pytest.mark.parametrize(
    ("told", "action"),
    [
        ({"status": "suspended", "daily_limit": 4}, "suspended"),
        ({"daily_limit": 4}, "limits_changed"),
        ({"closed": True, "status": "suspended"}, "closed"),
        ({"workspace": 2}, "moved"),
        ({"verification": "verified", "daily_limit": 4}, "verification_set"),
    ],
)
def test_a_change_is_called_by_its_most_telling_field(told: dict[str, object], action: str) -> None:
    given = read_changes(told)
    new = changed(Domain(id=1, workspace=1, name="a.example", created_at=0), given)
    assert action_of(list(given), new) == action


def test_lifting_is_called_otherwise_than_stopping() -> None:
    one = Domain(id=1, workspace=1, name="a.example", created_at=0)
    assert action_of(["status"], one) == "restored"
    assert action_of(["closed"], one) == "reopened"


@pytest.mark.parametrize("written", ["", "a..b", "a b.example", "localhost", "192.0.2.1"])
def test_mail_is_sent_from_a_name_below_another(written: str) -> None:
    with pytest.raises(InvalidInput, match="not the name of a domain"):
        checked_name(written)
