"""The script of the vendor's monitoring guide runs unchanged but for its addresses and key, and posts what is held.

The server is a parameter: every `GuideServer` is judged alike.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from tests.cleanbox import KEY, Received, cleanbox, contact, message, receiver
from tests.waiting import PATIENCE

SCRIPT = Path(__file__).parents[1] / "fixtures" / "monitoring_guide" / "email_health.txt"


class Held(NamedTuple):
    """What a server is to hold. Counts are of messages; contacts are (address, mails, state)."""

    weekly_used: int = 0
    weekly_limit: int = 1000
    aliases_used: int = 0
    aliases_limit: int = 20
    quarantined: int = 0
    failed: int = 0
    denied: int = 0
    contacts: tuple[tuple[str, int, str], ...] = ()


class Asked(NamedTuple):
    """Where the script asks."""

    url: str
    key: str


class GuideServer(Protocol):
    """A server that holds what it is told to, for the length of a block."""

    def __call__(self, held: Held) -> AbstractContextManager[Asked]: ...


@contextmanager
def double(held: Held) -> Iterator[Asked]:
    with cleanbox() as team:
        team.usage = {"weekly_used": held.weekly_used, "weekly_limit": held.weekly_limit}
        team.limits["aliases"] = {"used": held.aliases_used, "limit": held.aliases_limit}
        team.quarantine = [message(number, "quarantined") for number in range(held.quarantined)]
        team.messages = [message(1000 + number, "failed") for number in range(held.failed)]
        team.messages += [message(2000 + number, "denied") for number in range(held.denied)]
        team.contacts = [contact(*each) for each in held.contacts]
        yield Asked(team.url, KEY)


@pytest.fixture(params=[double])
def server(request: pytest.FixtureRequest) -> GuideServer:
    found: GuideServer = request.param
    return found


@pytest.fixture
def slack() -> Iterator[Received]:
    with receiver() as found:
        yield found


def run(asked: Asked, slack: Received, tmp_path: Path) -> str:
    text = SCRIPT.read_text()
    for old, new in (
        ("https://api.cleanbox.app/v1", asked.url),
        ("your_api_key_here", asked.key),
        ("https://hooks.slack.com/services/YOUR/WEBHOOK/URL", slack.url),
    ):
        assert text.count(f'"{old}"') == 1
        text = text.replace(f'"{old}"', f'"{new}"')
    script = tmp_path / "email_health.py"
    script.write_text(text)
    words = [sys.executable, str(script)]
    done = subprocess.run(words, text=True, capture_output=True, timeout=PATIENCE, check=False, env={"NO_PROXY": "*"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def fields(slack: Received) -> list[str]:
    (posted,) = slack.messages
    return [each["text"] for each in posted["blocks"][1]["fields"]]


def test_an_empty_server_raises_no_alert(server: GuideServer, slack: Received, tmp_path: Path) -> None:
    with server(Held()) as asked:
        assert run(asked, slack, tmp_path) == "Report sent with 0 alerts\n"
    assert fields(slack) == [
        "*Weekly Usage*\n0/1000 (0%)", "*Aliases*\n0/20", "*Quarantine*\n0+ pending", "*Failed*\n0+ messages",
    ]  # fmt: skip
    assert slack.messages[0]["blocks"][2]["text"]["text"] == (":white_check_mark: No alerts - everything looks healthy")


def test_its_numbers_follow_from_what_the_server_holds(server: GuideServer, slack: Received, tmp_path: Path) -> None:
    held = Held(
        weekly_used=805, aliases_used=7, quarantined=2, failed=3, denied=4,
        contacts=(("offers@shop.example", 51, "unset"), ("a@b.c", 90, "whitelisted"), ("b@b.c", 50, "unset")),
    )  # fmt: skip
    with server(held) as asked:
        assert run(asked, slack, tmp_path) == "Report sent with 4 alerts\n"
    # With per_page=1 there are as many pages as messages, and the script multiplies them.
    assert fields(slack) == [
        "*Weekly Usage*\n805/1000 (80%)", "*Aliases*\n7/20", "*Quarantine*\n100+ pending", "*Failed*\n75+ messages",
    ]  # fmt: skip
    assert slack.messages[0]["blocks"][2]["text"]["text"].splitlines() == [
        "*Alerts*",
        ":warning: Weekly quota at 80% (805/1000)",
        ":email: 100+ messages in quarantine awaiting review",
        ":x: 75+ delivery failures detected - check mailbox connectivity",
        ":mag: High-volume unset contact: offers@shop.example (51 emails)",
    ]


def test_a_server_without_a_weekly_limit_is_not_divided_by(
    server: GuideServer, slack: Received, tmp_path: Path
) -> None:
    with server(Held(weekly_used=12, weekly_limit=0)) as asked:
        assert run(asked, slack, tmp_path) == "Report sent with 0 alerts\n"
    assert fields(slack)[0] == "*Weekly Usage*\n12/0 (0%)"
