"""Signing secrets: made when needed, replaced without a gap."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest
from standardwebhooks import Webhook

from mailvane.core.tenants.service import Tenancy
from mailvane.notify.signing import OVERLAP_MS, Signing
from tests.ledgers import fresh_ledger

NOW = 1_700_000_000_000


@pytest.fixture
def signing(tmp_path: Path) -> Signing:
    ledger = fresh_ledger(tmp_path / "ledger.sqlite")
    Tenancy(ledger.tenants, "master").create_workspace("acme", NOW)
    return Signing(ledger.channels)


def texts(secrets: Sequence[object]) -> list[str]:
    return [str(getattr(one, "secret", "")) for one in secrets]


def test_a_secret_is_made_once_and_signs(signing: Signing) -> None:
    (first,) = texts(signing.living(1, NOW))
    assert texts(signing.living(1, NOW + 1)) == [first]
    assert Webhook(first).sign("msg_1", datetime.fromtimestamp(NOW / 1000, UTC), "{}").startswith("v1,")


def test_the_former_secret_lives_for_a_day_beside_the_new_one(signing: Signing) -> None:
    (first,) = texts(signing.living(1, NOW))
    new, former = texts(signing.rotate(1, NOW))
    assert former == first
    assert texts(signing.living(1, NOW + OVERLAP_MS - 1)) == [new, first]
    assert texts(signing.living(1, NOW + OVERLAP_MS)) == [new]


def test_a_secret_that_ends_already_is_not_prolonged_by_another_change(signing: Signing) -> None:
    signing.living(1, NOW)
    signing.rotate(1, NOW)
    ends = [one.expires_at for one in signing.rotate(1, NOW + 1000)]
    assert ends == [0, NOW + 1000 + OVERLAP_MS, NOW + OVERLAP_MS]


def test_those_who_ask_at_once_get_the_same_secret(signing: Signing) -> None:
    ready = Barrier(8)

    def asked(_number: int) -> list[str]:
        ready.wait()
        return texts(signing.living(1, NOW))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(asked, range(8)))
    assert answers == [texts(signing.living(1, NOW))] * 8
