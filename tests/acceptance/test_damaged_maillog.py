"""A mail log that lost files says so, whoever asks; one whose server was killed again and again does not."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.acceptance.installation import HTTP, Installation, stop
from tests.acceptance.test_lost_ledger import MAILS, accepted, write_log
from tests.depth import rounds
from tests.waiting import wait_for

ROUNDS = rounds(3, deep=6)


@pytest.fixture
def filled(tmp_path: Path) -> Installation:
    installation = Installation(tmp_path / "data")
    installation.tenant("acme")
    installation.run("import", "postfix", str(write_log(tmp_path / "mail.log")), "--workspace", "acme")
    return installation


@contextmanager
def alive(installation: Installation) -> Iterator[None]:
    """A server that runs, ready or not."""

    def answers() -> bool:
        try:
            return HTTP.get(f"{installation.url}/healthz").is_success
        except httpx.TransportError:
            return False

    with installation.starting("serve") as process:
        installation.wait_for(answers)
        yield
        stop(process)


def lose(installation: Installation, table: str) -> None:
    """The definition of a table: the engine then begins with an empty one."""
    (definition,) = (installation.data / "maillog" / "metadata").glob(f"*/{table}.sql")
    definition.unlink()


def findings(installation: Installation, *words: str) -> dict[str, tuple[str, str]]:
    told = json.loads(installation.run("doctor", *words, "--json", succeeds=False).stdout)
    return {one["name"]: (one["result"], one["finding"]) for one in told}


def readiness(installation: Installation) -> tuple[int, str]:
    answer = HTTP.get(f"{installation.url}/readyz")
    return answer.status_code, answer.text


def test_a_lost_view_is_told_and_rebuilt_while_the_server_runs(filled: Installation) -> None:
    before = filled.everything("acme")
    lose(filled, "deliveries")
    with alive(filled):
        status, text = readiness(filled)
        assert status == 503
        assert f"the mail log is damaged, it lacks what it had: {MAILS} rows of deliveries" in text
        assert "mailvane_maillog_damaged 1.0" in HTTP.get(f"{filled.url}/metrics").text
        found = findings(filled, "--deep")
        assert (found["server"][0], found["maillog"][0], found["contents"][0]) == ("bad", "bad", "bad")
        assert "`mailvane rebuild`" in found["maillog"][1]
        filled.run("rebuild")
        assert readiness(filled)[0] == 200
        assert findings(filled, "--deep")["contents"][0] == "good"
        assert filled.everything("acme") == before
    assert "the mail log is damaged" in filled.log.read_text()


def test_lost_events_are_told_until_a_backup_is_restored_or_the_loss_accepted(
    filled: Installation, tmp_path: Path
) -> None:
    filled.run("backup", str(tmp_path / "backup"))
    before = filled.everything("acme")
    shutil.rmtree(filled.data / "maillog")
    for _ in range(2):
        done = filled.run("stats", "--workspace", "acme", "--window", "all")
        assert "the mail log is damaged" in done.stderr
        assert "`mailvane restore`" in done.stderr
    assert filled.run("rebuild", succeeds=False).returncode == 1
    with alive(filled):
        assert readiness(filled)[0] == 503
    done = filled.run("doctor", "--accept-loss")
    assert "the mail log is damaged, it lacks" not in done.stdout
    with filled.serving():
        assert accepted(filled, "acme") == 0

    other = Installation(tmp_path / "other")
    other.run("restore", str(tmp_path / "backup"))
    assert other.everything("acme") == before
    assert findings(other, "--deep")["maillog"][0] == "good"


def test_no_kill_looks_like_damage(filled: Installation, tmp_path: Path) -> None:
    log = tmp_path / "followed.log"
    log.touch()
    (filled.data / "mailvane.toml").write_text(f'[[postfix]]\npath = "{log}"\nworkspace = "acme"\n')
    lines = write_log(tmp_path / "more.log").read_text().replace("ABCDE", "FEDCB").splitlines(keepends=True)
    dice = random.Random(7)
    for number in range(ROUNDS):
        with filled.starting("serve"), log.open("a") as file:
            filled.wait_for_progress()
            file.writelines(lines[number * 40 : (number + 1) * 40])
            file.flush()
            time.sleep(dice.uniform(0, 1.5))
    with filled.serving():
        wait_for(lambda: accepted(filled, "acme") == 2 * MAILS, filled.said)
        found = findings(filled, "--deep")
    assert (found["server"][0], found["maillog"][0], found["contents"][0]) == ("good", "good", "good")
    assert "damaged" not in filled.log.read_text()
