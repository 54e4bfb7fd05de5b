"""Quarantined mail of whitelisted contacts is let out: first in words only, within a budget, and with a way back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from mailvane.inbound.health.model import Release, ReleaseState, Remedied
from mailvane.inbound.health.remediation import Remediator
from mailvane.inbound.health.reporting import AskedTeam, remote_team
from mailvane.inbound.health.settings import Remediation, Team
from mailvane.server.ledger import Ledger
from mailvane_demo.world.web_server import Reply, json
from tests.cleanbox import KEY, Cleanbox, cleanbox, contact, message
from tests.ledgers import fresh_ledger

NOW = 1_795_766_400_000
HOUR = 3_600_000
FRIEND, STRANGER = "friend@example.org", "stranger@example.net"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(fresh_ledger(tmp_path / "ledger.sqlite")) as found:
        yield found


@pytest.fixture
def team() -> Iterator[Cleanbox]:
    with cleanbox() as found:
        found.quarantine = [message(number, "quarantined", FRIEND, "whitelisted") for number in range(4)]
        found.quarantine += [message(10 + number, "quarantined", STRANGER) for number in range(4)]
        yield found


def asked(team: Cleanbox) -> AskedTeam:
    return remote_team(Team(name="acme", url=team.url, key=KEY), 60.0, pauses=())


def remedy(ledger: Ledger, team: Cleanbox, now: int = NOW, *, applies: bool = True, budget: int = 3) -> Remedied:
    rule = Remediation(mode="apply", backlog=5, per_hour=budget)
    return asyncio.run(Remediator(rule, ledger.health.releases, lambda: now).remedy(asked(team), applies=applies))


def posts(team: Cleanbox) -> list[str]:
    return [each.path for each in team.requests if each.method == "POST"]


def states(releases: Sequence[Release]) -> list[str]:
    return [each.state.value for each in releases]


def test_a_dry_run_says_what_would_be_done_and_does_nothing(ledger: Ledger, team: Cleanbox) -> None:
    found = remedy(ledger, team, applies=False)
    assert (found.held, [one.sender for one in found.wanted], found.releases) == (8, [FRIEND] * 4, ())
    assert not posts(team)
    assert ledger.health.releases.releases() == []


def test_only_mail_of_whitelisted_contacts_is_let_out_and_no_more_than_the_budget(
    ledger: Ledger, team: Cleanbox
) -> None:
    found = remedy(ledger, team)
    assert (states(found.releases), found.told) == (["accepted"] * 3, "the budget is 3 an hour")
    assert [each["contact"]["email"] for each in team.messages] == [FRIEND] * 3
    assert remedy(ledger, team, NOW + HOUR - 1).releases == ()
    team.quarantine += [message(30, "quarantined")]
    assert states(remedy(ledger, team, NOW + HOUR).releases) == ["accepted"]
    assert {each["contact"]["email"] for each in team.quarantine} == {STRANGER, "someone@example.org"}
    assert states(ledger.health.releases.releases()) == ["accepted"] * 4


def test_a_small_backlog_is_left_to_people(ledger: Ledger, team: Cleanbox) -> None:
    team.quarantine = team.quarantine[:5]
    found = remedy(ledger, team)
    assert (found.held, found.releases, found.told) == (5, (), "no more than 5 are in quarantine")
    assert not posts(team)


def test_a_server_that_does_not_name_the_state_is_asked_for_its_contacts(ledger: Ledger, team: Cleanbox) -> None:
    for each in team.quarantine:
        del each["contact"]
    team.contacts = [contact(f"c{number}@example.org", 1, "whitelisted") for number in range(150)]
    team.contacts += [contact(FRIEND.upper(), 9, "whitelisted"), contact(STRANGER, 9, "unset")]
    found = remedy(ledger, team, applies=False)
    assert [one.sender for one in found.wanted] == [FRIEND] * 4  # this server ignores `state` in the question


def test_what_was_undone_is_rejected_if_it_can_be_and_its_sender_is_held_back(ledger: Ledger, team: Cleanbox) -> None:
    release = remedy(ledger, team, budget=1).releases[0]
    remediator = Remediator(Remediation(), ledger.health.releases, lambda: NOW)
    undone = asyncio.run(remediator.undo(asked(team), release))
    assert (undone.state, undone.detail) == (ReleaseState.UNDONE, "not rejected: Message is not in quarantine.")
    assert ledger.health.releases.release(release.id) == undone
    assert remedy(ledger, team, NOW + 2 * HOUR).wanted == ()
    team.quarantine.append(message(0, "quarantined", FRIEND, "whitelisted"))  # it came back
    assert asyncio.run(remediator.undo(asked(team), release)).detail == "rejected"


@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        (json({"data": [], "failed": []}), "asked", "the server did not say"),
        (
            json({"failed": [{"uuid": message(0, "")["uuid"], "message": "Mailbox is full."}]}),
            "failed",
            "Mailbox is full.",
        ),
    ],
)
def test_how_it_ended_is_kept(ledger: Ledger, team: Cleanbox, answer: Reply, state: str, told: str) -> None:
    team.faults["/quarantine/accept"] = lambda _: answer
    (release,) = remedy(ledger, team, budget=1).releases
    assert (release.state, release.detail) == (state, told)
    assert states(ledger.health.releases.releases("acme")) == [state]


def test_a_server_that_dies_meanwhile_counts_against_the_budget_until_it_is_known(
    ledger: Ledger, team: Cleanbox
) -> None:
    team.faults["/quarantine/accept"] = lambda _: Reply(b"", 500)
    found = remedy(ledger, team)
    assert (found.releases, posts(team)) == ((), ["/v1/quarantine/accept"])  # asked once, as it may have been done
    assert "trouble of its own" in found.told
    assert states(ledger.health.releases.releases()) == ["asked"] * 3
    del team.faults["/quarantine/accept"]
    again = remedy(ledger, team, NOW + 1)
    assert states(again.releases) == ["accepted"] * 3
    assert {one.message for one in again.releases} == {one.message for one in ledger.health.releases.releases()}


def test_a_server_that_cannot_be_asked_changes_nothing(ledger: Ledger, team: Cleanbox) -> None:
    team.faults["/quarantine"] = lambda _: Reply(b"{}")
    found = remedy(ledger, team)
    assert (found.held, found.told, posts(team)) == (None, "the answer has no list `data`", [])
