"""What `mailvane doctor` finds, and that each finding says what to do."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailvane.core.moments import HOUR_MS, iso_text
from tests.acceptance.installation import HTTP, Installation

NOBODY = 54_321  # the number of no user


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    found = Installation(tmp_path / "data")
    found.tenant("acme")
    return found


def examined(installation: Installation, *words: str) -> dict[str, dict[str, Any]]:
    done = installation.run(*words, "doctor", "--json", succeeds=False)
    checks = json.loads(done.stdout)
    silent = [check for check in checks if check["result"] != "good" and not check["advice"]]
    assert not silent, "a finding that does not say what to do"
    assert done.returncode == any(check["result"] == "bad" for check in checks)
    return {check["name"]: check for check in checks}


def settings(installation: Installation, text: str) -> Path:
    path = installation.data / "mailvane.toml"
    path.write_text(text)
    return path


def test_a_setting_that_the_running_server_has_not_read_is_named(installation: Installation) -> None:
    with installation.serving():
        assert examined(installation)["unread"]["result"] == "good"
        settings(installation, '[reputation.mail]\nhost = "127.0.0.1"\n')
        found = examined(installation)["unread"]
        assert (found["result"], "mail" in found["finding"]) == ("warning", True)
        assert "restart" in found["advice"]
        installation.environment["MAILVANE_TIMEZONE"] = "Asia/Tokyo"
        assert "timezone" in examined(installation)["unread"]["finding"]


def test_a_settings_file_that_nobody_reads_is_named(installation: Installation, tmp_path: Path) -> None:
    unread = settings(installation, "")
    other = tmp_path / "other.toml"
    other.write_text("")
    assert examined(installation)["unread"]["result"] == "good"
    found = examined(installation, "--config", str(other))["unread"]
    assert (found["result"], str(unread) in found["finding"]) == ("warning", True)


@pytest.mark.parametrize(
    ("table", "lacks"),
    [
        ('[reputation.reports_mailbox]\nuser = "a"', "host"),
        ('[reputation.reports_directory]\nworkspace = "acme"', "path"),
        ("[reputation.mail]\nport = 25", "host"),
    ],
)
def test_a_setting_without_effect_is_named(installation: Installation, table: str, lacks: str) -> None:
    settings(installation, table + "\n")
    found = examined(installation)["unread"]
    assert (found["result"], f"has no `{lacks}`" in found["finding"]) == ("warning", True)


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """One that every user may enter, unlike those of the tests."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_a_secret_of_the_report_mailbox_that_others_can_read_is_named(open_directory: Path) -> None:
    installation = Installation(open_directory / "data")
    installation.tenant("acme")
    secret = open_directory / "oauth.json"
    secret.write_text(json.dumps({"tenant": "t", "client_id": "c", "client_secret": "s"}))
    secret.chmod(0o644)
    mailbox = f'via = "graph"\nuser = "a@shop.example"\noauth_file = "{secret}"\nworkspace = "acme"\n'
    settings(installation, f"[reputation.reports_mailbox]\n{mailbox}")
    found = examined(installation)["report mailbox"]
    assert (found["result"], found["advice"]) == ("warning", f"chmod o-r {secret}")
    secret.chmod(0o600)
    assert examined(installation)["report mailbox"]["result"] == "good"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may ask as another user")
def test_it_judges_as_the_user_that_the_server_runs_as(open_directory: Path) -> None:
    """Root may read every log; the server, whose the data directory is, may not."""
    installation = Installation(open_directory / "data")
    installation.tenant("acme")
    log = open_directory / "mail.log"
    log.write_text("")
    log.chmod(0o600)
    settings(installation, f'[[postfix]]\npath = "{log}"\nworkspace = "acme"\n')
    assert examined(installation)["postfix 1"]["result"] == "good"
    for path in (installation.data, *installation.data.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    found = examined(installation)["postfix 1"]
    assert (found["result"], f"user {NOBODY}" in found["finding"]) == ("bad", True)
    log.chmod(0o644)
    assert examined(installation)["postfix 1"]["result"] == "good"
    made_by_root = installation.data / "ledger.sqlite"
    os.chown(made_by_root, 0, 0)
    made_by_root.chmod(0o600)
    found = examined(installation)["data"]
    assert (found["result"], str(made_by_root) in found["finding"]) == ("bad", True)
    assert f"chown -R {NOBODY}" in found["advice"]


def test_a_log_that_nobody_writes_to_any_more_is_named(installation: Installation, tmp_path: Path) -> None:
    log = tmp_path / "mail.log"
    log.write_text("2026-09-21T14:13:20+00:00 mx postfix/qmgr[2]: 4TF: removed\n")
    settings(installation, f'[[postfix]]\npath = "{log}"\nworkspace = "acme"\n')
    stamp = 1_790_000_000
    os.utime(log, (stamp, stamp))
    found = examined(installation)["postfix 1"]
    assert (found["result"], "rotation" in found["advice"]) == ("warning", True)


def test_a_ledger_that_is_none_is_told_once_and_where_to_get_another(installation: Installation) -> None:
    (installation.data / "ledger.sqlite").write_bytes(b"no database at all" * 1000)
    found = examined(installation)
    assert "file is not a database" in found["ledger"]["finding"]
    assert "recover.md" in found["ledger"]["advice"]
    assert {found[name]["advice"] for name in ("nodes", "alerts")} == {"see ledger"}


def test_a_server_that_was_started_with_another_token_is_named(installation: Installation) -> None:
    with installation.serving():
        (installation.data / "master-token").write_text("another-token-of-so-many-characters-that-it-is-taken")
        found = examined(installation)["maillog"]
        assert (found["result"], "another master token" in found["finding"]) == ("bad", True)
        assert "restart it" in found["advice"]
        assert "another master token" in installation.run("log", succeeds=False).stderr


def test_mail_from_the_future_is_named(installation: Installation) -> None:
    with installation.serving():
        token = (installation.data / "master-token").read_text().strip()
        assert examined(installation)["stamps"]["finding"] == "there is no mail yet"
        send(installation, token, iso_text(time.time_ns() // 1_000_000 + 2 * HOUR_MS))
        installation.wait_for(lambda: examined(installation)["stamps"]["result"] == "warning")
        assert "acme" in examined(installation)["stamps"]["finding"]


def send(installation: Installation, token: str, at: str) -> None:
    event = {
        "id": "e", "type": "delivered", "mail": "m", "accepted_at": at, "time": at, "sender": "a@example.com",
        "recipient": "b@example.org",
    }  # fmt: skip
    headers = {"X-API-KEY": token, "X-Workspace-Id": "1"}
    assert HTTP.post(f"{installation.url}/mailvane/v1/events", content=json.dumps(event), headers=headers).is_success


def test_a_guillotine_without_a_minimum_volume_is_named(installation: Installation) -> None:
    for domains in (0, 1):
        if domains:
            installation.run("domain", "create", "acme.example", "--workspace", "acme")
        settings(installation, "[outbound.guillotine]\nbounce_percent = 2.0\n")
        found = examined(installation)["outbound"]
        assert (found["result"], f"{domains} sending" in found["finding"]) == ("warning", True)
        assert "minimum_volume" in found["advice"]
        settings(installation, "[outbound.guillotine]\nminimum_volume = 1000\n")
        assert examined(installation)["outbound"]["result"] == "good"


def test_stores_elsewhere_are_looked_at_where_they_are(installation: Installation) -> None:
    installation.environment["MAILVANE_LEDGER"] = "postgresql://nobody@127.0.0.1:9/none"
    installation.environment["MAILVANE_MAILLOG"] = "clickhouse://127.0.0.1:9/none"
    found = examined(installation)
    assert (found["ledger"]["result"], found["maillog"]["result"]) == ("bad", "bad")
    assert "elsewhere" in found["disk"]["finding"]
    assert installation.url in found["server"]["finding"]
