"""A log in local time on a machine that is not in UTC: read in the zone of the machine, and the doctor looks at it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.acceptance.installation import Installation

ZONE = "America/New_York"


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    found = Installation(tmp_path / "data")
    found.environment["TZ"] = ZONE
    return found


def write_log(path: Path, at: datetime) -> None:
    stamp = at.strftime("%b %e %H:%M:%S")
    path.write_text(
        f"{stamp} mx1 postfix/smtpd[10]: 4A0000A001: client=a.example.com[198.51.100.9]\n"
        f"{stamp} mx1 postfix/qmgr[12]: 4A0000A001: from=<a@example.com>, size=9, nrcpt=1 (queue active)\n"
    )


def test_a_log_in_local_time_is_read_in_the_zone_of_the_machine(installation: Installation, tmp_path: Path) -> None:
    written = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)
    write_log(tmp_path / "mail.log", written.astimezone(ZoneInfo(ZONE)))
    installation.tenant("acme")
    installation.run("import", "postfix", str(tmp_path / "mail.log"), "--workspace", "acme")
    assert installation.answer("log", "--since", "1 hour ago")["total"] == 1
    told = installation.answer("log")["deliveries"][0]
    assert told["accepted_at"][:19] == written.strftime("%Y-%m-%dT%H:%M:%S")


def followed(installation: Installation, path: Path, timezone: str = "") -> dict[str, Any]:
    """What the doctor says of a log that is followed."""
    zone = f'timezone = "{timezone}"\n' if timezone else ""
    config = f'[[postfix]]\npath = "{path}"\nworkspace = "acme"\n{zone}'
    (installation.data / "mailvane.toml").write_text(config)
    done = installation.run("doctor", "--json", succeeds=False)
    checks: list[dict[str, Any]] = json.loads(done.stdout)
    return next(check for check in checks if check["name"] == "postfix 1")


def test_the_doctor_compares_the_newest_stamp_with_the_clock(installation: Installation, tmp_path: Path) -> None:
    log, here = tmp_path / "mail.log", datetime.now(ZoneInfo(ZONE))
    write_log(log, here)
    assert followed(installation, log)["result"] == "good"
    behind = followed(installation, log, "Asia/Tokyo")
    assert behind["result"] == "warning"
    assert "before it was written" in behind["finding"]
    assert "Asia/Tokyo" in behind["advice"]
    write_log(log, datetime.now(ZoneInfo("Asia/Tokyo")))
    ahead = followed(installation, log)
    assert ahead["result"] == "warning"
    assert "ahead" in ahead["finding"]
    assert ZONE in ahead["advice"]
    log.write_text("this is no log\n" * 3)
    assert followed(installation, log)["result"] == "warning"
