"""What DNS says of a domain, as a mark: known, wrong, and unknown, which is neither."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from mailvane.dashboard.pages.proofs import proofs
from mailvane.outbound.model import Domain, Verification
from mailvane.reputation.model import Asset, AssetKind

NAME = "shop.example"
DOMAIN = Domain(id=1, workspace=1, name=NAME, created_at=0)


def watched(kind: AssetKind, details: Mapping[str, Any]) -> Asset:
    return Asset(id="a", workspace=1, kind=kind, name=NAME, created_at=0, updated_at=1, details=details)


def marks(*assets: Asset, domain: Domain = DOMAIN) -> tuple[str, ...]:
    return tuple(each.mark for each in proofs(domain, assets))


def test_of_what_nobody_asked_nothing_is_known() -> None:
    assert marks() == ("unknown", "unknown", "unknown")
    assert marks(watched(AssetKind.DOMAIN, {})) == ("unknown", "unknown", "unknown"), "DNS did not answer"
    assert marks(watched(AssetKind.TRAP, {"spf": "v=spf1 -all"})) == ("unknown", "unknown", "unknown")
    told = [each.told for each in proofs(DOMAIN, (watched(AssetKind.DOMAIN, {}),))]
    assert "has not answered" in told[0]


@pytest.mark.parametrize(
    ("record", "mark"),
    [
        ("", "warn"),
        ("v=spf1 include:_spf.example -all", "ok"),
        ("v=spf1 mx ~ALL", "ok"),
        ("v=spf1 redirect=_spf.example", "ok"),
        ("v=spf1 mx ?all", "warn"),
        ("v=spf1 a:mail.example", "warn"),
        ("v=spf1 +all", "bad"),
        ("v=spf1 a all", "bad"),
        ("v=spf1 include:all -all", "ok"),
    ],
)
def test_spf(record: str, mark: str) -> None:
    assert marks(watched(AssetKind.DOMAIN, {"spf": record, "dmarc": ""}))[0] == mark


@pytest.mark.parametrize(
    ("details", "mark"),
    [
        ({"dmarc": ""}, "warn"),
        ({"dmarc": "v=DMARC1; p=reject; rua=mailto:a@b.example"}, "ok"),
        ({"dmarc": "v=DMARC1;p=Quarantine"}, "ok"),
        ({"dmarc": "v=DMARC1; p=none"}, "warn"),
        ({"dmarc": "v=DMARC1"}, "warn"),
        ({"dmarc": "v=DMARC1; p=reject; sp=none", "found_at": NAME}, "ok"),
        ({"dmarc": "v=DMARC1; p=reject; sp=none", "found_at": "example"}, "warn"),
        ({"dmarc": "v=DMARC1; p=none; sp=reject", "found_at": "example"}, "ok"),
    ],
)
def test_dmarc(details: Mapping[str, Any], mark: str) -> None:
    assert marks(watched(AssetKind.DMARC, details))[2] == mark
    assert marks(watched(AssetKind.DMARC, details))[0] == "unknown", "of SPF that says nothing"


def test_a_policy_of_a_name_above_counts_where_there_is_none_of_its_own() -> None:
    own = watched(AssetKind.DOMAIN, {"spf": "", "dmarc": ""})
    above = watched(AssetKind.DMARC, {"dmarc": "v=DMARC1; p=reject", "found_at": "example"})
    assert marks(own, above)[2] == marks(above, own)[2] == "ok"


def test_dkim_is_known_of_keys_that_were_given_out() -> None:
    given = msgspec.structs.replace(DOMAIN, dkim_tokens=("a", "b"), verification=Verification.PENDING)
    assert marks(domain=given)[1] == "unknown"
    assert marks(domain=msgspec.structs.replace(given, verification=Verification.VERIFIED))[1] == "ok"
    assert marks(domain=msgspec.structs.replace(DOMAIN, verification=Verification.VERIFIED))[1] == "unknown"
