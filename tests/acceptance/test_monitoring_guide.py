"""The script of the vendor's monitoring guide runs unchanged but for its addresses and key, and posts what is held.

The server is a parameter: every `GuideServer` is judged alike.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec
import pytest

from mailvane.core.identifiers import ordered_uuid
from mailvane.inbound.model import Address, AddressType, Contact, ContactState, Message, MessageStatus, Team
from mailvane.inbound.store.rows import NewMail
from mailvane.inbound.weeks import week_start
from mailvane.server.ledger import open_ledger
from tests.acceptance.installation import Installation
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


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    found = Installation(tmp_path_factory.mktemp("guide"))
    with found.serving():
        yield found


@contextmanager
def mailvane(installation: Installation, held: Held) -> Iterator[Asked]:
    """A workspace of its own on a running server, whose ledger holds what the gateway would have taken in."""
    now = time.time_ns() // 1_000_000
    name = f"team-{now}"
    _, key = installation.tenant(name)
    with closing(open_ledger(f"sqlite:///{installation.data / 'ledger.sqlite'}")) as ledger:
        workspace = ledger.tenants.workspace_named(name)
        assert workspace is not None
        inbound = ledger.inbound
        inbound.teams.save_team(
            Team(workspace=workspace.id, weekly_limit=held.weekly_limit, aliases_limit=held.aliases_limit)
        )
        box = _address(workspace.id, now, f"box@{name}.example", AddressType.MAILBOX)
        inbound.addresses.add(box)
        for number in range(held.aliases_used):
            alias = _address(workspace.id, now, f"a{number}@{name}.example", AddressType.ALIAS)
            inbound.addresses.add(msgspec.structs.replace(alias, mailbox=box.id))
        assert not any(inbound.messages.take_in(_mails(workspace.id, now, held), now))
        for email, _, state in held.contacts:
            inbound.contacts.change(workspace.id, email, partial(_decided, ContactState(state)))
    yield Asked(f"{installation.url}/v1", key)


def _address(workspace: int, now: int, name: str, kind: AddressType) -> Address:
    return Address(id=ordered_uuid(now), workspace=workspace, type=kind, address=name, created_at=now)


def _decided(state: ContactState, contact: Contact) -> Contact:
    return msgspec.structs.replace(contact, state=state)


def _mails(workspace: int, now: int, held: Held) -> list[NewMail]:
    """As many as the week is to have, by the contacts first, and then by senders of one mail each."""
    senders = [email for email, count, _ in held.contacts for _ in range(count)]
    senders += [f"sender-{number}@example.org" for number in range(held.weekly_used - len(senders))]
    statuses = [MessageStatus.QUARANTINED] * held.quarantined
    statuses += [MessageStatus.FAILED] * held.failed + [MessageStatus.DENIED] * held.denied
    statuses += [MessageStatus.DELIVERED] * (len(senders) - len(statuses))
    return [
        NewMail(
            workspace=workspace,
            messages=(
                Message(
                    id=ordered_uuid(now), workspace=workspace, number=number, received_at=now, status=status,
                    address=None, recipient="box@x.example", recipient_number=1, target="box@x.example", contact="",
                    sender=sender, from_address=sender, from_name="", subject="hello", message_id=f"<{number}@x>",
                    client="192.0.2.1", client_name="", protocol="ESMTP", size=100,
                ),
            ),
            events=(),
            week=week_start(now),
        )
        for number, (sender, status) in enumerate(zip(senders, statuses, strict=True))
    ]  # fmt: skip


@pytest.fixture(params=["double", "mailvane"])
def server(request: pytest.FixtureRequest) -> GuideServer:
    if request.param == "double":
        return double
    return partial(mailvane, request.getfixturevalue("installation"))


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


def test_mailvane_reports_the_same_of_such_a_server(
    server: GuideServer, slack: Received, tmp_path: Path, installation: Installation
) -> None:
    """With the same thresholds, and the counts themselves where the server says them."""
    held = Held(weekly_used=60, aliases_used=1, quarantined=2, failed=6, contacts=(("a@b.c", 51, "unset"),))
    with server(held) as asked:
        (tmp_path / "key").write_text(asked.key)
        where = ("--url", asked.url, "--key-file", str(tmp_path / "key"), "--slack-url", slack.url)
        done = installation.run("report", "health", *where, "--json", succeeds=False)
    (team,) = msgspec.json.decode(done.stdout)["teams"]
    assert done.returncode == 1
    exact = not team["estimates"]
    assert team["metrics"]["quarantine_pending"] == (2 if exact else 100)
    assert [each.split()[0] for each in team["alerts"]] == ([":x:", ":mag:"] if exact else [":email:", ":x:", ":mag:"])
    assert fields(slack)[0] == "*Weekly Usage*\n60/1000 (6%)"
