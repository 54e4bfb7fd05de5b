"""The journal of systemd, followed over kills of the server and new files; nothing is lost or doubled."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import pytest

from mailvane_demo.world.postfix import PostfixWorld
from mailvane_demo.world.stamps import LogFormat
from tests.acceptance.installation import Installation
from tests.depth import rounds
from tests.waiting import PATIENCE

REMOTE = Path("/lib/systemd/systemd-journal-remote")  # writes journal files
START = 1_760_000_000_000
DAY = 86_400_000
ROUNDS = rounds(3, deep=20)
FILES = 3
TOLD = {"_HOSTNAME", "_PID", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "MESSAGE"}
BOOT = "0123456789abcdef0123456789abcdef"

pytestmark = [
    pytest.mark.skipif(not REMOTE.exists(), reason="systemd-journal-remote is not installed"),
    pytest.mark.skipif(shutil.which("journalctl") is None, reason="journalctl is not installed"),
]


def exported(records: Sequence[dict[str, str]]) -> bytes:
    """In the export format of journald."""
    entries = []
    for record in records:
        since = int(record["__REALTIME_TIMESTAMP"]) - START * 1000
        fields = {"__REALTIME_TIMESTAMP": record["__REALTIME_TIMESTAMP"], "__MONOTONIC_TIMESTAMP": str(since)}
        fields |= {"_BOOT_ID": BOOT, **{name: value for name, value in record.items() if name in TOLD}}
        entries.append("".join(f"{name}={value}\n" for name, value in fields.items()))
    return ("\n".join(entries) + "\n").encode()


@pytest.fixture(scope="module")
def records() -> list[dict[str, str]]:
    world = PostfixWorld(seed=11, start=START, mails_per_day=300, log_format=LogFormat.JOURNAL)
    return [json.loads(line) for line in world.lines(START, START + 2 * DAY)]


def test_the_journal_is_taken_in_once_however_often_the_server_is_killed(
    tmp_path: Path, records: list[dict[str, str]]
) -> None:
    plain = Installation(tmp_path / "undisturbed")
    plain.tenant("acme")
    text = "".join(f"{json.dumps(record)}\n" for record in records)
    plain.run("import", "postfix", "-", "--workspace", "acme", given=text.encode())
    wanted = plain.everything("acme")

    journal = tmp_path / "journal"
    journal.mkdir()
    installation = Installation(tmp_path / "killed")
    (installation.data / "mailvane.toml").write_text(
        f'[[postfix]]\njournal = "SYSLOG_FACILITY=2"\njournal_directory = "{journal}"\nworkspace = "acme"\n'
    )
    _, token = installation.tenant("acme")
    writer = Thread(target=write, args=(journal, records))
    writer.start()
    try:
        installation.kill_servers(ROUNDS, random.Random(3), 1.5)
    finally:
        writer.join()
    received = wanted["all"]["received"]
    with installation.serving():
        installation.wait_for(lambda: installation.get("/mail/stats", token, time="all")["received"] == received)
        installation.wait_for(lambda: installation.everything("acme") == wanted)
        found = {check["name"]: check for check in installation.answer("doctor")}
        assert found["postfix 1"]["result"] == "warning", "the newest entry is old"
        assert "days ago" in found["postfix 1"]["finding"], found["postfix 1"]


def write(journal: Path, records: list[dict[str, str]]) -> None:
    """A file after the other, as journald does when one is full; each is written piece by piece."""
    size = len(records) // FILES + 1
    for number in range(FILES):
        some = records[number * size : (number + 1) * size]
        command = [str(REMOTE), "--output", str(journal / f"remote-{number}.journal"), "--split-mode=none", "-"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as remote:
            assert remote.stdin is not None
            for at in range(0, len(some), 500):
                remote.stdin.write(exported(some[at : at + 500]))
                remote.stdin.flush()
                time.sleep(0.2)
            remote.stdin.close()
            assert remote.wait(PATIENCE) == 0
