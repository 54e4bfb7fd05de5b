"""The commands of the README and the guides, run as they stand there against one server in a fresh data directory.

Blocks of settings and of what is printed are no commands. Later ones need what earlier ones made.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.acceptance.installation import Installation
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/how-to").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROGRAMS = ("curl ", "mailvane ", ".venv/bin/mailvane ", "make ", "apt-get ")

# What is not run here, by its beginning, and why.
NOT_HERE = {
    "make ": "builds this very checkout and runs its tests",
    "apt-get ": "installs software of the machine",
    "mailvane report health --url": "asks the vendor's server",
    "mailvane alerts test ALERT_ID --notify": "writes to a webhook of somebody else",
    "curl -s -X POST -H 'X-API-KEY: sk_…' http://127.0.0.1:8225/mailvane/v1/alerts/log/ENTRY_ID": "no alert has fired",
    "mailvane channels add pager": "reads an URL that is a secret",
    "mailvane channels test phone": "writes to a service of somebody else",
    "mailvane alerts edit ALERT_ID --channel": "names a channel that is not added here",
    "mailvane alerts acknowledge ENTRY_ID": "no alert has fired",
    "mailvane alerts resolve ENTRY_ID": "likewise",
    "mailvane report undo": "nothing was released",
    "mailvane mcp --listen": "runs until it is told to stop",
    "mailvane alerts edit ID": "whose id the reader knows from `alerts create`",
    "mailvane alerts delete ID": "likewise",
    "mailvane key set 7": "whose number the reader knows from `key list`",
    "mailvane key revoke 7": "likewise",
    "mailvane workspace remove acme": "takes away what the other pages need",
    "mailvane config apply shop.toml": "alerts of two pages have one name; an acceptance test of its own",
    "mailvane config diff shop.toml": "ends with 3 where something differs; an acceptance test of its own",
    "jq ": "another program",
}  # fmt: skip


class Block(NamedTuple):
    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text()
        for found in _BLOCK.finditer(text):
            if found[1] in ("", "sh", "bash") and found[2].startswith(_PROGRAMS):
                yield Block(str(page.relative_to(ROOT)), text[: found.start()].count("\n") + 1, found[2])


def commands(block: Block) -> Iterator[str]:
    """One by one: a line, or as many as its quotes, continuations and here-document take."""
    rest = block.text
    while rest.strip():
        lines = rest.splitlines(keepends=True)
        taken = 1
        while not _is_complete("".join(lines[:taken])) and taken < len(lines):
            taken += 1
        yield "".join(lines[:taken])
        rest = "".join(lines[taken:])


def _is_complete(text: str) -> bool:
    if text.endswith("\\\n"):
        return False
    if here := re.search(r"<<'(\w+)'", text):
        return text.endswith(f"\n{here[1]}\n")
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True


FIRST = next(block for block in blocks() if "workspace create" in block.text)
# Somebody whose mailbox the pages look at.
_LOG = """\
2026-11-20T10:00:00+00:00 mx postfix/smtpd[1]: 4AAAAAAAAAzz1: client=app.example.com[192.0.2.7]
2026-11-20T10:00:00+00:00 mx postfix/cleanup[2]: 4AAAAAAAAAzz1: message-id=<a1@example.com>
2026-11-20T10:00:00+00:00 mx postfix/qmgr[3]: 4AAAAAAAAAzz1: from=<ann@example.com>, size=700, nrcpt=1 (queue active)
2026-11-20T10:00:01+00:00 mx postfix/smtp[4]: 4AAAAAAAAAzz1: to=<bob@example.net>, \
relay=mx.example.net[192.0.2.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)
2026-11-20T10:00:01+00:00 mx postfix/qmgr[3]: 4AAAAAAAAAzz1: removed
"""


class Reader:
    """Somebody who follows the pages, with what they say is there already."""

    def __init__(self, installation: Installation, directory: Path) -> None:
        self._installation = installation
        self._directory = directory
        self.alert = self.key = ""
        (directory / "mail.log").write_text(_LOG)

    def follow(self, command: str) -> str:
        """What it prints; it must succeed."""
        text = command.replace("sk_…", self.key).replace(".venv/bin/mailvane", "mailvane")
        text = text.replace("http://127.0.0.1:8225", self._installation.url)
        text = text.replace("https://YOUR-SERVER", self._installation.url)
        text = text.replace("--workspace shop", "--workspace acme")
        text = text.replace("ALERT_ID", self.alert).replace("/var/log/mail.log*", "mail.log")
        printed = self._command(text) if text.startswith("mailvane ") else self._shell(text)
        if "/api/v1.0/alerts -d" in text:
            self.alert = json.loads(printed)["id"]
            body = re.search(r"-d '(.*)'", command, re.DOTALL)
            assert body is not None
            (self._directory / "alert.json").write_text(body[1])
        return printed

    def _command(self, text: str) -> str:
        """Without a shell and its start of Python: files are named in full, and what is written to one is printed."""
        words = shlex.split(text.partition(" > ")[0], comments=True)[1:]
        files = {name: str(self._directory / name) for name in ("alert.json", "mail.log", "shop.toml")}
        printed = self._installation.run(*(files.get(word, word) for word in words)).stdout
        if written := text.partition(" > ")[2].split():
            (self._directory / written[0]).write_text(printed)
        return printed

    def _master(self) -> str:
        return (self._installation.data / "master-token").read_text().strip()

    def _shell(self, text: str) -> str:
        done = subprocess.run(
            ["bash", "-c", re.sub(r"\bcurl ", "curl --fail-with-body -sS ", text)],
            cwd=self._directory,
            env={**self._installation.environment, "KEY": self.key, "TOKEN": self._master()},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    directory = tmp_path_factory.mktemp("followed")
    installation = Installation(directory / "data")
    reader = Reader(installation, directory)
    with installation.serving():
        for command in commands(FIRST):
            reader.follow(command)
        made = installation.run("key", "create", "--workspace", "acme", "--kind", "workspace").stdout
        found = re.search(r"sk_\S+", made)
        assert found is not None, made
        reader.key = found[0]
        yield reader


@pytest.mark.parametrize("block", [block for block in blocks() if block != FIRST], ids=str)
def test_a_block_does_what_its_page_says(reader: Reader, block: Block) -> None:
    expected = ""
    printed = ""
    for command in commands(block):
        if command.startswith("{"):  # what the command before it prints
            expected = command.strip()
            assert json.loads(printed) == json.loads(expected)
        elif not command.startswith(tuple(NOT_HERE)):
            printed = reader.follow(command)


def test_no_reason_is_kept_for_what_no_page_says() -> None:
    said = [command for block in blocks() for command in commands(block)]
    assert [begin for begin in NOT_HERE if not any(command.startswith(begin) for command in said)] == []
