"""What is common to commands: times in JSON, tables where there is little room, completion; and alerts by hand."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.installation import COMMAND, Installation
from tests.waiting import PATIENCE

LOG = """\
2026-09-21T10:00:00+00:00 mx postfix/smtpd[1]: 4ABCDE0001: client=a.example[192.0.2.1]
2026-09-21T10:00:00+00:00 mx postfix/qmgr[2]: 4ABCDE0001: from=<a@example.com>, size=100, nrcpt=1 (queue active)
2026-09-21T10:00:01+00:00 mx postfix/smtp[3]: 4ABCDE0001: to=<gone@example.org>, relay=mx.example.org[192.0.2.2]:25, \
delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (host mx.example.org[192.0.2.2] said: 550 5.1.1 No such user)
2026-09-21T10:00:01+00:00 mx postfix/qmgr[2]: 4ABCDE0001: removed
2026-09-21T10:00:02+00:00 mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from b.example[192.0.2.9]: \
554 5.7.1 <x@example.net>: Relay access denied; from=<b@example.net> to=<x@example.net> proto=ESMTP helo=<b.example>
"""


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    found = Installation(tmp_path / "data")
    found.tenant("acme")
    (tmp_path / "mail.log").write_text(LOG)
    return found


def test_an_import_goes_into_the_only_workspace(installation: Installation, tmp_path: Path) -> None:
    assert installation.answer("import", "postfix", str(tmp_path / "mail.log"))["messages"] == 1
    installation.tenant("other")
    refused = installation.run("import", "postfix", str(tmp_path / "mail.log"), succeeds=False)
    assert (refused.returncode, "acme, other" in refused.stderr) == (1, True)


def test_times_in_json_are_texts_with_a_zone(installation: Installation, tmp_path: Path) -> None:
    installation.run("import", "postfix", str(tmp_path / "mail.log"))
    row = installation.answer("log")["deliveries"][0]
    assert re.fullmatch(r"2026-09-21T10:00:00\.\d{3}Z", row["accepted_at"])
    assert row["at"] == "2026-09-21T10:00:01.000Z"
    assert (row["opened_at"], row["number"] > 0, row["size"]) == (None, True, 100)
    assert installation.answer("log", "--refused")["refused"][0]["at"] == "2026-09-21T10:00:02.000Z"
    life = installation.answer("explain", row["mail_id"])
    assert {event["accepted_at"] for event in life} == {row["accepted_at"]}
    assert re.fullmatch(r"20\d\d-.*Z", installation.answer("workspace", "list")[0]["created_at"])


def test_in_80_columns_a_table_keeps_what_tells_most(installation: Installation, tmp_path: Path) -> None:
    installation.run("import", "postfix", str(tmp_path / "mail.log"))
    installation.run("domain", "create", "a-brand-with-a-long-name.example")
    installation.run("domain", "set", "a-brand-with-a-long-name.example", "--daily-limit", "1000")
    installation.run("suppression", "add", "a.name.that.is.long@inbox.example")
    installation.run("watch", "add", "domain", "a-brand-with-a-long-name.example")
    installation.run("heartbeat", "create", "nightly backup", "--period", "86400", "--grace", "3600")
    installation.environment["COLUMNS"] = "80"
    for words, telling in (
        (("log",), ("gone@example", "bounced", "[unknown user]")),
        (("log", "--refused"), ("192.0.2.9", "x@example.net", "554 5.7.1")),
        (("key", "list"), ("sk_", "acme", "never")),
        (("workspace", "list"), ("acme", "for ever")),
        (("stats", "--window", "all"), ("gone@example.org", "delivered")),
        (("domain", "list"), ("a-brand-with-a-long-name.example", "active", "1,000")),
        (("suppression", "list"), ("a.name.that.is.long@inbox.example", "manual", "for ever")),
        (("watch", "list"), ("a-brand-with-a-long-name.example",)),
        (("heartbeat", "list"), ("nightly backup", "in time", "never", "1 d + 1 h")),
    ):
        told = installation.run(*words).stdout
        assert max(map(len, told.splitlines())) <= 80, words
        assert [each for each in telling if each not in told] == [], told


def test_a_mailbox_that_has_not_sent_is_made_when_that_is_said(installation: Installation) -> None:
    words = ("mailbox-set", "ann@example.com", "--daily-limit", "7")
    assert "--create" in installation.run(*words, succeeds=False).stderr
    assert "7 a day" in installation.run(*words, "--create").stdout


def test_a_list_of_nothing_says_so(installation: Installation) -> None:
    for words, told in (
        (("hold", "list"), "nothing is on hold"),
        (("limit", "list"), "mailvane limit set"),
        (("maintenance", "list"), "mailvane maintenance add"),
        (("heartbeat", "list"), "mailvane heartbeat create"),
        (("domain", "list"), "mailvane domain create"),
        (("suppression", "list"), "no address is suppressed"),
    ):
        assert told in installation.run(*words).stdout, words


def test_a_finding_of_the_doctor_is_set_beside_its_name(installation: Installation) -> None:
    installation.environment["COLUMNS"] = "60"
    told = installation.run("doctor").stdout.splitlines()
    assert max(map(len, told)) <= 60
    marks = [line[:1] for line in told]
    assert set(marks) == {"✓", "!", " "}
    column = next(line for line in told if line[2:].startswith("versions")).index("mailvane")
    assert {line[:column].strip() for line, mark in zip(told, marks, strict=True) if mark == " "} == {""}


def test_a_shell_completes_commands_and_options(installation: Installation) -> None:
    def completed(typed: str) -> list[str]:
        environment = {"_MAILVANE_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": typed}
        done = subprocess.run(
            [COMMAND], env=installation.environment | environment, capture_output=True, text=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip
        return re.findall(r'"(-*[a-z-]+)":', done.stdout)

    assert completed("mailvane work") == ["workspace"]
    assert "--expires" in completed("mailvane key create --")


def test_an_alert_is_created_edited_and_deleted(installation: Installation, tmp_path: Path) -> None:
    draft = tmp_path / "alert.json"
    rule = {"type": "IP_IN_RBL", "ips": ["ALL_IPS"], "rbls": ["HIGH_REPUTATION"]}
    draft.write_text(json.dumps({"name": "from a file", "rules": [rule]}))
    made = installation.answer("alerts", "create", str(draft), "--mail", "ops@example.com")
    assert (made["name"], made["rules"], made["is_instant_alert"]) == ("from a file", [rule], True)
    assert made["instant_alert_email"] == "ops@example.com"
    words = ("--name", "listed", "--webhook", "https://hooks.example.com/x", "--mail", "", "--off")
    changed = installation.answer("alerts", "edit", made["id"], *words)
    assert (changed["id"], changed["name"], changed["rules"]) == (made["id"], "listed", [rule])
    assert (changed["is_instant_alert"], changed["instant_alert_email"], changed["is_active"]) == (False, None, False)
    assert changed["webhook_url"] == "https://hooks.example.com/x"
    installation.run("channels", "add", "ops hook", "https://hooks.example.com/y")
    draft.write_text(json.dumps({**made, "name": "copied", "channels": ["ops hook"]}))
    copied = installation.answer("alerts", "create", str(draft))
    assert (copied["name"], len(copied["channel_ids"])) == ("copied", 1)
    assert "deleted" in installation.run("alerts", "delete", copied["id"]).stdout
    draft.write_text(json.dumps({"name": "x", "rules": [rule], "chanels": []}))
    for asked in (("create",), ("test",), ("backtest",), ("edit", made["id"])):
        told = installation.run("alerts", *asked, str(draft), succeeds=False).stderr
        assert "an alert has no 'chanels'; did you mean channels?" in told, asked
    assert "it tells nobody" in installation.run("alerts", "edit", made["id"], "--webhook", "").stdout
    by_options = installation.answer("alerts", "create", "--name", "options", "--rule", json.dumps(rule))
    assert [each["name"] for each in installation.answer("alerts", "list")] == ["listed", "options"]
    impossible: list[tuple[str, ...]] = [
        ("create", "--name", "no rules"), ("create", "--name", "x", "--rule", "NO_SUCH_TYPE"),
        ("edit", made["id"]), ("edit", "none", "--name", "x"), ("delete", "none", made["id"]),
        ("create", "--name", "x", "--rule", "{"), ("edit", made["id"], "--name", ""),
    ]  # fmt: skip
    for given in impossible:
        refused = installation.run("alerts", *given, succeeds=False)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1), given
    assert len(installation.answer("alerts", "list")) == 2
    told = installation.run("alerts", "delete", made["id"], by_options["id"]).stdout
    assert "listed" in told
    assert installation.answer("alerts", "list") == []
