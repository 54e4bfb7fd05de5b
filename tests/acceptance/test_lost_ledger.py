"""A ledger that was lost, or put back from another day: nothing starts beside it, and nobody sees the mail."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.acceptance.installation import HTTP, Installation
from tests.contract import clickhouse_server
from tests.contract.clickhouse_server import engine_file
from tests.contract.ledgers import PostgresServer, postgres

__all__ = ["postgres"]

MAILS = 30
SENT = "delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)"
TOLD = "the mail log holds mail of workspaces that the ledger does not know: 1 (acme, made "


def write_log(path: Path) -> Path:
    lines = []
    for n in range(MAILS):
        head = f"2026-09-21T10:00:{n:02d}+00:00 mx postfix"
        queue_id = f"{0xABCDE00000 + n:010X}"
        lines += [
            f"{head}/smtpd[1]: {queue_id}: client=a.example[192.0.2.1]",
            f"{head}/qmgr[2]: {queue_id}: from=<a@example.com>, size=100, nrcpt=1 (queue active)",
            f"{head}/smtp[3]: {queue_id}: to=<b@example.org>, relay=mx.example.org[192.0.2.2]:25, {SENT}",
            f"{head}/qmgr[2]: {queue_id}: removed",
        ]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write_log(tmp_path / "mail.log")


@pytest.fixture
def filled(tmp_path: Path, log: Path) -> Installation:
    """With mail of one workspace, taken in by a server that was killed."""
    installation = Installation(tmp_path / "data")
    fill(installation, log)
    return installation


def fill(installation: Installation, log: Path) -> None:
    installation.tenant("acme")
    with installation.starting("serve"):
        installation.wait_until_ready()
        installation.run("import", "postfix", str(log), "--workspace", "acme")


def lose_ledger(installation: Installation) -> None:
    for path in installation.data.glob("ledger.sqlite*"):
        path.unlink()


def accepted(installation: Installation, workspace: str) -> int:
    return int(installation.answer("stats", "--workspace", workspace, "--window", "all")["windows"]["all"]["received"])


def assert_refused(installation: Installation, *commands: tuple[str, ...]) -> None:
    for words, done in zip(commands, installation.run_several(*commands), strict=True):
        assert done.returncode == 1, f"{words}: {done.stdout}"
        assert TOLD in done.stdout + done.stderr, words
        assert "Traceback" not in done.stderr


def assert_not_served(installation: Installation) -> None:
    done = installation.run("serve", succeeds=False)
    assert done.returncode == 1
    assert TOLD in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_starts_on_mail_that_the_ledger_does_not_know(filled: Installation, log: Path, tmp_path: Path) -> None:
    lose_ledger(filled)
    _, token = filled.tenant("new")
    assert_not_served(filled)
    assert_refused(
        filled,
        ("log", "--workspace", "new"),
        ("stats", "--workspace", "new", "--window", "all"),
        ("rebuild",),
        ("backup", str(tmp_path / "backup")),
        ("import", "postfix", str(log), "--workspace", "new"),
        ("workspace", "set", "new", "--keep-days", "1"),
    )
    findings = {one["name"]: one for one in _checks(filled)}
    assert findings["maillog"]["result"] == "bad"
    assert "`mailvane workspace adopt ID`" in findings["maillog"]["finding"]
    filled.run("workspace", "drop", "1")
    with filled.serving():
        assert filled.get("/mail/log", token)["total"] in {0, MAILS}, "what its refused import left in the journal"
        filled.run("import", "postfix", str(log), "--workspace", "new")
        assert accepted(filled, "new") == MAILS, "its own log is read, though one like it was read before"


def _checks(installation: Installation) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(installation.run("doctor", "--json", succeeds=False).stdout)
    return found


def test_adopted_mail_is_answered_as_before(filled: Installation) -> None:
    before = filled.everything("acme")
    lose_ledger(filled)
    assert_not_served(filled)
    assert filled.run("workspace", "create", "new").stdout == "2\n", "no id is given out that old mail bears"
    filled.run("workspace", "adopt", "1")
    with filled.serving():
        assert filled.everything("acme") == before
        filled.run("relay", "create", "--workspace", "new")
        assert accepted(filled, "new") == 0


def test_one_store_put_back_without_the_other_is_told(filled: Installation, log: Path, tmp_path: Path) -> None:
    filled.run("backup", str(tmp_path / "backup"))
    filled.tenant("later")
    filled.run("import", "postfix", str(log), "--workspace", "later")
    before = filled.everything("later")
    now = tmp_path / "now"
    shutil.copytree(filled.data, now)
    lose_ledger(filled)
    shutil.copy(tmp_path / "backup" / "ledger.sqlite", filled.data)
    done = filled.run("log", "--workspace", "acme", succeeds=False)
    assert done.returncode == 1
    assert "does not know: 2 (later, made " in done.stderr
    assert filled.answer("workspace", "create", "newest")["id"] == 3, "no id is given out twice"
    lose_ledger(filled)  # with its write-ahead log, which is of no other
    for path in now.glob("ledger.sqlite*"):
        shutil.copy(path, filled.data)
    assert filled.everything("later") == before

    other = Installation(tmp_path / "other")
    other.run("restore", str(tmp_path / "backup"))
    assert accepted(other, "acme") == MAILS


@pytest.fixture
def nodes(tmp_path: Path, postgres: PostgresServer) -> Iterator[tuple[Installation, Installation]]:
    """Two installations that share a mail log, each with a ledger of its own."""
    if engine_file() is None:
        pytest.skip("no ClickHouse library: python tests/contract/clickhouse_server.py --fetch")
    with clickhouse_server.servers(1, tmp_path / "clickhouse") as (port,):
        pair = (Installation(tmp_path / "one"), Installation(tmp_path / "two"))
        for node in pair:
            name = f"ledger_{uuid4().hex}"
            postgres.psql(f"CREATE DATABASE {name}")
            node.environment["MAILVANE_LEDGER"] = postgres.get_uri(name)
            node.environment["MAILVANE_MASTER_TOKEN"] = "the-one-token-of-all-nodes"
            node.environment["MAILVANE_MAILLOG"] = f"clickhouse://default@127.0.0.1:{port}/mailvane"
        yield pair


def test_a_node_with_an_empty_ledger_does_not_join(nodes: tuple[Installation, Installation], log: Path) -> None:
    one, two = nodes
    fill(one, log)
    _, token = two.tenant("new")
    with one.serving():
        assert_not_served(two)
        assert_refused(two, ("log", "--workspace", "new"), ("import", "postfix", str(log), "--workspace", "new"))
        assert accepted(one, "acme") == MAILS
    two.environment["MAILVANE_LEDGER"] = f"sqlite:///{two.data / 'ledger.sqlite'}"
    two.tenant("mixed")
    assert_not_served(two)
    two.environment["MAILVANE_LEDGER"] = one.environment["MAILVANE_LEDGER"]
    with two.serving():
        refused = HTTP.get(f"{two.url}/mail/log", headers={"X-API-KEY": token})
        assert refused.status_code == 401
        assert accepted(two, "acme") == MAILS
