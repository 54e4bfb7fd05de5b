"""Configuration as a file, on both ledgers: what is exported can be applied, twice is once, nothing goes untold."""

from __future__ import annotations

import pytest

from mailvane.core.errors import InvalidInput, NotPossible
from mailvane.core.tenants.service import Tenancy
from mailvane.notify.channels import Channels
from mailvane.outbound.send_limits import SendLimits
from mailvane.outbound.settings import OutboundSettings
from mailvane.reputation.heartbeats import CALLS_PATH, Heartbeats
from mailvane.reputation.model import AssetKind
from mailvane.server.alerting import MonitoringSettings, alerting_of, watched_assets_of
from mailvane.server.configuration.parts import Rooms
from mailvane.server.configuration.service import Configuration
from mailvane.server.governance import governance_of
from mailvane.server.ledger import Ledger

NOW = 1_760_000_000_000
FILE = """\
[channels.slack.ops]
url = "https://hooks.slack.example/services/T/B/secret"

[domains."shop.example"]
daily_limit = 1000
enforcement = "soft"
[domains."shop.example".guillotine]
bounce_percent = 5.0
minimum_volume = 200

[domains."news.example"]

[limits.mailbox."*"]
hourly = 100
[limits.domain."shop.example"]
daily = 9000

[watched]
ip = ["192.0.2.0/30", "2001:DB8::1"]
domain = ["shop.example"]
[profiles."Brand A".watched]
domain = ["brand.example"]

[[alerts]]
name = "listed"
profile = "Brand A"
slack = "ops"
rules = [{ type = "IP_IN_RBL", ips = ["ALL_IPS"], rbls = ["HIGH_REPUTATION"] }]
"""


SLACK_OF_NOBODY = """
[[alerts]]
name = "x"
slack = "nobody"
rules = [{ type = "IP_IN_RBL", ips = ["ALL_IPS"], rbls = ["x.example"] }]
"""


@pytest.fixture
def configuration(ledger: Ledger) -> Configuration:
    tenancy = Tenancy(ledger.tenants, "")
    for name in ("ours", "theirs"):
        tenancy.create_workspace(name, NOW)
    alerting = alerting_of(MonitoringSettings(), ledger)
    watched = watched_assets_of(ledger, alerting.evaluate)
    rooms = Rooms(
        governance=governance_of(OutboundSettings(), ledger), send_limits=SendLimits(ledger.send_limits),
        alerting=alerting, watched_assets=watched, profiles=ledger.profiles, channels=Channels(ledger.channels),
        heartbeats=Heartbeats(ledger.heartbeats),
    )  # fmt: skip
    return Configuration(rooms)


def told(configuration: Configuration, text: str, delete: bool = False) -> list[str]:
    return [change.text for change in configuration.apply(1, text, delete, "test", NOW).changes]


def test_a_file_is_made_true_and_twice_is_once(configuration: Configuration, ledger: Ledger) -> None:
    planned = [change.text for change in configuration.diff(1, FILE, NOW).changes]
    assert not ledger.domains.domains(1), "a comparison changes nothing"
    assert told(configuration, FILE) == planned
    assert "add domain news.example" in planned
    assert 'add watched domain brand.example: profile null -> "Brand A"' in planned
    assert "secret" not in "".join(planned).replace("(secret)", "")
    assert told(configuration, FILE) == []
    assert len(ledger.assets.assets(1, (AssetKind.IP,))) == 5
    (alert,) = ledger.alerts.alerts(1)
    (profile,) = ledger.profiles.profiles(1)
    (slack,) = ledger.channels.slack_integrations(1)
    assert (alert.profile_id, alert.slack_integration_id) == (profile.id, slack.id)


def test_an_export_applies_to_nothing_here_and_to_everything_elsewhere(configuration: Configuration) -> None:
    told(configuration, FILE)
    exported = configuration.export(1, NOW, secrets=True)
    assert told(configuration, exported, delete=True) == []
    assert "hooks.slack.example" in exported
    assert "hooks.slack.example" not in configuration.export(1, NOW)
    assert told(configuration, configuration.export(1, NOW), delete=True) == [], "a secret that is left out stays"
    elsewhere = exported.replace("shop.example", "shop2.example").replace("news.example", "news2.example")
    configuration.apply(2, elsewhere, False, "test", NOW)
    again = configuration.export(2, NOW, secrets=True)
    assert [line for line in again.splitlines() if line not in elsewhere.splitlines()] == [
        '[limits.domain."shop.example"]'
    ]


def test_only_what_differs_is_changed_and_a_part_that_is_left_out_is_left_alone(configuration: Configuration) -> None:
    told(configuration, FILE)
    assert told(configuration, '[domains."shop.example"]\ndaily_limit = 7\n') == [
        "change domain shop.example: daily_limit 1000 -> 7"
    ]
    assert told(configuration, '[domains."shop.example"]\nguillotine = "settings"\n')[0].endswith('-> "settings"')
    moved = FILE.replace('[profiles."Brand A".watched]\n', '[profiles."Brand A".watched]\nip = ["192.0.2.1"]\n')
    moved = moved.replace("192.0.2.0/30", "192.0.2.2/31").replace('enforcement = "soft"', "daily_limit = 7")
    moved = moved.replace("daily_limit = 1000\n", "")
    assert 'change watched ip 192.0.2.1: profile null -> "Brand A"' in told(configuration, moved)
    assert "[[alerts]]" in configuration.export(1, NOW)


def test_what_the_file_does_not_list_goes_only_when_told(configuration: Configuration, ledger: Ledger) -> None:
    told(configuration, FILE)
    rest = '[domains."shop.example"]\n[watched]\n[limits]\n[profiles]\n[channels]\n'
    plan = configuration.apply(1, rest, False, "test", NOW)
    assert plan.changes == ()
    assert {change.what for change in plan.unlisted} == {
        *("domain", "watched ip", "watched domain", "limit of the mailbox", "limit of the domain", "profile", "slack")
    }
    assert "remove domain news.example" in told(configuration, rest, delete=True)
    assert [each.name for each in ledger.domains.domains(1)] == ["shop.example"]
    assert ledger.send_limits.all() == []
    assert len(ledger.alerts.alerts(1)) == 1, "the file says nothing of alerts"
    assert told(configuration, "alerts = []", delete=True) == ["remove alert listed"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[domains", "no TOML"),
        ("[colours]", "there is no colours; there are channels, domains, limits,"),
        ('[[alerts]]\nname = "x"\nsevere = true\nrules = []', "alerts[0]: there is no severe; there are name,"),
        ('[[alerts]]\nname = "x"\nseverity = "bad"\nrules = []', "expected one of info, warning, critical"),
        ('[domains."shop.example"]\nstatus = "suspended"', "there is no status"),
        ('[domains."shop.example"]\ndaily_limit = -1', "domains.shop.example: daily_limit: Expected `int` >= 0"),
        ('[domains."shop.example"]\nenforcement = "no"', "enforcement: Invalid enum value 'no'; expected one of soft"),
        ('[domains."not a domain"]', "domain"),
        ('[watched]\nip = ["192.0.2.300"]', "watched.ip"),
        ('[watched]\nsnds = ["key"]', "snds"),
        ('[limits.mailbox."a@b.example"]', "an hour, a day or a month"),
        ('[[alerts]]\nname = "x"\nrules = [{ type = "NO_SUCH" }]', "alerts: x: rules[0].type"),
        (SLACK_OF_NOBODY, "no slack nobody"),
        ('[channels.slack.new]', "needs its url"),
        ('[heartbeats.backup]', "period"),
        ('[heartbeats.backup]\nperiod = 0', "heartbeats.backup: period"),
        ('[heartbeats." "]\nperiod = 60', "heartbeats. : name"),
        ('[heartbeats.backup]\nperiod = 60\nsecret_hash = "x"', "secret_hash"),
        ('[heartbeats.backup]\nperiod = 60\n[heartbeats."backup "]\nperiod = 60', "stands there twice"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_changed(
    configuration: Configuration, ledger: Ledger, text: str, complaint: str
) -> None:
    good = '\n[domains."first.example"]\n' if "[domains" not in text and "[[" not in text else ""
    with pytest.raises(InvalidInput, match=complaint.replace("[", r"\[").replace(".", r"\.")):
        configuration.apply(1, text + good, False, "test", NOW)
    assert ledger.domains.domains(1) == []


def test_a_change_that_fails_says_which_and_how_many_were_made(configuration: Configuration) -> None:
    configuration.apply(2, '[domains."b.example"]\n', False, "test", NOW)
    with pytest.raises(NotPossible, match=r"add domain b\.example.* \(1 of 2 changes"):
        configuration.apply(1, '[domains."a.example"]\n[domains."b.example"]\n', False, "test", NOW)


HEARTBEATS = """
[heartbeats."nightly backup"]
period = 86400
grace = 3600
[heartbeats.poll]
period = 60
"""


def test_heartbeats_are_declared_and_the_address_of_a_new_one_is_told_once(
    configuration: Configuration, ledger: Ledger
) -> None:
    heartbeats = Heartbeats(ledger.heartbeats)
    assert configuration.diff(1, HEARTBEATS, NOW).addresses == {}
    done = configuration.apply(1, HEARTBEATS, False, "test", NOW)
    assert [change.text for change in done.changes] == [
        "add heartbeat nightly backup: period null -> 86400, grace null -> 3600",
        "add heartbeat poll: period null -> 60, grace null -> 60",
    ]
    heartbeats.call(done.addresses["poll"].removeprefix(f"{CALLS_PATH}/"), NOW + 5000)
    assert configuration.apply(1, HEARTBEATS, True, "test", NOW).changes == ()
    longer = HEARTBEATS.replace("period = 60", "period = 120")
    assert told(configuration, longer) == ["change heartbeat poll: period 60 -> 120"]
    poll = heartbeats.named(1, "poll")
    assert (poll.period, poll.called_at) == (120, NOW + 5000), "what was called stays known"
    secret = done.addresses["poll"].rpartition("/")[2]
    assert secret not in configuration.export(1, NOW, secrets=True)
    assert told(configuration, "[heartbeats]", delete=True) == [
        "remove heartbeat poll", "remove heartbeat nightly backup"
    ]  # fmt: skip


def test_a_heartbeat_keeps_its_address_on_another_installation(configuration: Configuration, ledger: Ledger) -> None:
    path = configuration.apply(1, HEARTBEATS, False, "test", NOW).addresses["poll"]
    exported = configuration.export(1, NOW, secrets=True)
    assert told(configuration, exported, delete=True) == []
    assert "secret_hash" not in configuration.export(1, NOW)
    with pytest.raises(NotPossible, match="one with its address"):
        configuration.apply(2, exported, False, "test", NOW)
    assert told(configuration, "[heartbeats]", delete=True)
    assert configuration.apply(2, exported, False, "test", NOW).addresses == {}, "nothing new is told"
    heartbeats = Heartbeats(ledger.heartbeats)
    heartbeats.call(path.rpartition("/")[2], NOW + 5000)
    assert heartbeats.named(2, "poll").called_at == NOW + 5000
    other = exported.replace(heartbeats.secret_hashes(2)[heartbeats.named(2, "poll").id], "0" * 64)
    plan = configuration.apply(2, other, False, "test", NOW)
    assert [each.text for each in plan.changes] == [
        'change heartbeat poll: secret_hash "(secret)" -> "(secret)"'
    ]  # fmt: skip
