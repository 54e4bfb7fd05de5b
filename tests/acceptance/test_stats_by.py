"""`mailvane stats --by`: what became of mail by its features, beside the period before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.installation import Installation

GOOD = "dsn=2.0.0, status=sent (250 ok)"
BAD = "dsn=5.1.1, status=bounced (host mx1.big.example[192.0.2.2] said: 550 5.1.1 No such user)"
SOON = "dsn=4.2.0, status=deferred (host mx1.big.example[192.0.2.2] said: 450 4.2.0 later)"


def lines(first: int, days_ago: int, sender: str, ends: list[str]) -> Iterator[str]:
    """A mail for each end."""
    for number, end in enumerate(ends, first):
        at = datetime.now(UTC) - timedelta(days=days_ago, minutes=number)
        head, queue_id = f"{at.isoformat()} mx postfix", f"4{number:09X}"
        yield f"{head}/smtpd[1]: {queue_id}: client=a.example[192.0.2.1], sasl_method=PLAIN, sasl_username=shop"
        yield f"{head}/qmgr[2]: {queue_id}: from=<{sender}>, size=100, nrcpt=1 (queue active)"
        relay = f"mx{number % 2 + 1}.big.example[192.0.2.2]:25"
        yield f"{head}/smtp[3]: {queue_id}: to=<b@example.org>, relay={relay}, delay=1, delays=0/0/0/1, {end}"
        if end != SOON:
            yield f"{head}/qmgr[2]: {queue_id}: removed"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    directory = tmp_path_factory.mktemp("stats")
    found = Installation(directory / "data")
    found.tenant("acme")
    told = [*lines(0, 2, "a@one.example", [GOOD] * 20 + [BAD] * 20), *lines(100, 2, "c@two.example", [GOOD, SOON])]
    told += lines(200, 10, "a@one.example", [GOOD] * 40)
    path: Path = directory / "mail.log"
    path.write_text("\n".join(sorted(told, key=lambda line: line.partition(" ")[0])) + "\n")
    found.run("import", "postfix", str(path))
    return found


def rows(installation: Installation, by: str, window: str = "7d") -> dict[str, Any]:
    found = installation.answer("stats", "--by", by, "--window", window)
    return {row["value"]: row for row in found["rows"]}


def test_each_dimension_tells_what_became_of_mail(installation: Installation) -> None:
    expected = {
        "domain": {"one.example": 40, "two.example": 2},
        "mailbox": {"a@one.example": 40, "c@two.example": 2},
        "mx": {"mx1.big.example": 21, "mx2.big.example": 21},
        "provider": {"big.example": 42},
        "relay": {"1": 42},
        "login": {"shop": 42},
        "receiver": {"example.org": 42},
    }
    for by, counts in expected.items():
        assert {value: row["now"]["deliveries"] for value, row in rows(installation, by).items()} == counts, by


def test_the_share_of_bounces_has_its_n_its_interval_and_the_period_before(installation: Installation) -> None:
    row = rows(installation, "domain")["one.example"]
    assert row["now"] == {"deliveries": 40, "delivered": 20, "bounced": 20, "waiting": 0}
    assert row["before"] == {"deliveries": 40, "delivered": 40, "bounced": 0, "waiting": 0}
    share = row["bounces"]
    assert (share["count"], share["whole"], share["share"]) == (20, 40, 0.5)
    assert (round(share["low"], 4), round(share["high"], 4)) == (0.352, 0.648)
    assert row["changed"] is True
    other = rows(installation, "domain")["two.example"]
    assert (other["now"]["waiting"], other["bounces"]["whole"], other["changed"]) == (1, 1, False)
    endless = rows(installation, "domain", "all")["one.example"]
    assert (endless["now"]["deliveries"], endless["before"], endless["bounces_before"]) == (80, None, None)


def test_the_table_shows_it_in_80_columns(installation: Installation) -> None:
    installation.environment["COLUMNS"] = "80"
    told = installation.run("stats", "--by", "domain", "--window", "7d").stdout
    del installation.environment["COLUMNS"]
    assert "50.0 % of 40 (35.2-64.8)" in told
    assert max(map(len, told.splitlines())) <= 80
