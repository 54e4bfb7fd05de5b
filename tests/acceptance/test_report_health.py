"""`mailvane report health` as people, cron and monitoring run it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailvane.inbound.health.model import Metrics, Reading
from mailvane.server.ledger import open_ledger
from tests.acceptance.installation import Installation
from tests.cleanbox import KEY, Cleanbox, Received, cleanbox, message, receiver
from tests.ports import free_port
from tests.unit.notify.post_office import PostOffice


@pytest.fixture
def team() -> Iterator[Cleanbox]:
    with cleanbox() as found:
        yield found


@pytest.fixture
def slack() -> Iterator[Received]:
    with receiver() as found:
        yield found


@pytest.fixture
def installation(tmp_path: Path, team: Cleanbox) -> Installation:
    found = Installation(tmp_path / "data")
    (tmp_path / "key").write_text(f"{KEY}\n")
    settings = (
        f'[[health.teams]]\nname = "acme"\nurl = "{team.url}"\nkey_file = "{tmp_path / "key"}"\n'
        f'[[health.teams]]\nname = "dead"\nurl = "http://127.0.0.1:{free_port()}/v1"\nkey = "cb_x"\n'
    )
    (found.data / "mailvane.toml").write_text(settings)
    return found


def test_the_exit_status_says_how_the_team_is(installation: Installation, team: Cleanbox) -> None:
    healthy = installation.run("report", "health", "--team", "acme")
    assert "acme: healthy" in healthy.stdout
    team.messages = [message(1, "failed")]
    alerts = installation.run("report", "health", "--team", "acme", "--json", succeeds=False)
    (told,) = json.loads(alerts.stdout)["teams"]
    assert (alerts.returncode, told["alerts"]) == (
        1, [":x: 25+ delivery failures detected - check mailbox connectivity"],
    )  # fmt: skip
    unknown = installation.run("report", "health", "--team", "dead", "--json", succeeds=False)
    (told,) = json.loads(unknown.stdout)["teams"]
    assert (unknown.returncode, told["status"], told["metrics"]["failed_count"]) == (2, "unknown", None)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--team", "nobody"], "there is no team nobody"),
        (["--url", "http://127.0.0.1:1/v1"], "--url needs --key-file or --key"),
        (["--url", "ftp://x", "--key-file", "k"], "expected an address that begins with"),
        (["--url", "http://127.0.0.1:1/v1", "--key-file", "k", "--team", "acme"], "either --url or --team"),
    ],
)
def test_what_cannot_be_asked_for_is_no_alert(installation: Installation, words: list[str], told: str) -> None:
    done = installation.run("report", "health", *words, succeeds=False)
    assert done.returncode == 2
    assert told in done.stderr


def test_broken_settings_are_no_alert(installation: Installation) -> None:
    (installation.data / "mailvane.toml").write_text("[health]\nhour = 25\n")
    done = installation.run("report", "health", succeeds=False)
    assert (done.returncode, "hour" in done.stderr, done.stderr.count("\n")) == (2, True, 1)
    assert installation.run("workspace", "list", succeeds=False).returncode == 1


def test_any_server_can_be_asked_with_its_key(installation: Installation, team: Cleanbox, tmp_path: Path) -> None:
    words = ("report", "health", "--url", f"{team.url}/", "--key-file", str(tmp_path / "key"), "--json")
    found = json.loads(installation.run(*words).stdout)
    assert "acme: healthy" not in installation.run("report", "health", "--url", team.url, "--key", KEY).stdout
    assert (found["status"], found["teams"][0]["metrics"]["weekly_used"]) == ("healthy", 120)


def test_slack_gets_a_message_for_each_team_and_one_of_all(
    installation: Installation, slack: Received, team: Cleanbox
) -> None:
    done = installation.run("report", "health", "--slack-url", slack.url, succeeds=False)
    assert done.returncode == 2
    assert [each["text"].split()[0] for each in slack.messages] == ["2", "acme,", "dead,"]
    assert slack.messages[1]["blocks"][0]["text"]["text"] == ":mailbox_with_mail: Daily Email Health Report"


def test_a_report_that_slack_does_not_take_is_no_success(installation: Installation, slack: Received) -> None:
    slack.answer = type(slack.answer)(b"no_service", 404, "text/plain")
    words = ("report", "health", "--team", "acme", "--slack-url", slack.url)
    done = installation.run(*words, succeeds=False)
    assert done.returncode == 2
    assert "acme: healthy" in done.stdout
    assert "Slack: Slack has no such webhook (status 404)" in done.stderr
    assert slack.url not in done.stderr
    assert len(slack.requests) == 1


def test_keys_are_not_shown(installation: Installation) -> None:
    done = installation.run("report", "health", "--json", succeeds=False)
    assert KEY not in done.stdout + done.stderr


def test_the_report_is_mailed_with_its_chart(installation: Installation, team: Cleanbox) -> None:
    team.messages = [message(number, "failed") for number in range(2)]
    ledger = open_ledger(f"sqlite:///{installation.data / 'ledger.sqlite'}")
    today = datetime.now(UTC).date()
    for back in range(1, 5):
        metrics = Metrics(failed_count=25 * back)
        ledger.health.readings.keep((today - timedelta(back)).isoformat(), Reading(team="acme", at=1, metrics=metrics))
    ledger.close()
    office = PostOffice()
    with office.running():
        with (installation.data / "mailvane.toml").open("a") as file:
            file.write(f'[reputation.mail]\nhost = "127.0.0.1"\nport = {office.port}\nsecurity = "none"\n')
        words = ("report", "health", "--team", "acme", "--mail-to", "Ops <ops@example.net>")
        assert installation.run(*words, succeeds=False).returncode == 1
    (mail,) = office.taken
    assert mail["Subject"].startswith("[Mailvane] email health of acme, ")
    assert mail["To"] == "ops@example.net"
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    picture = list(mail.walk())[-1]
    assert f'src="cid:{picture["Content-ID"].strip("<>")}"' in list(mail.walk())[3].get_content()


def test_every_workspace_of_this_server_is_reported_on_where_no_team_is_set(tmp_path: Path) -> None:
    found = Installation(tmp_path / "own")
    found.tenant("acme")
    found.tenant("globex")
    told = found.answer("report", "health")
    assert [(one["team"], one["status"], one["metrics"]["quarantine_pending"]) for one in told["teams"]] == [
        ("acme", "healthy", 0), ("globex", "healthy", 0),
    ]  # fmt: skip
    assert told["rollup"] == {"teams": 2, "alerts": 0, "healthy": 2, "in_alert": 0, "unknown": 0}
