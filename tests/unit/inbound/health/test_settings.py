"""The `[health]` table of the settings file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailvane.core.errors import InvalidSetting
from mailvane.inbound.health.settings import Remediation, Thresholds
from mailvane.server.settings import Settings, declared_health, load, shown

TEAM = '[[health.teams]]\nname = "acme"\n'
REMOTE = f'{TEAM}url = "https://api.cleanbox.app/v1"\n'


def read(place: Path, text: str) -> Settings:
    (place / "mailvane.toml").write_text(text)
    return load({"data": str(place)}, {})


def test_the_defaults_are_those_of_the_guide_and_do_nothing_by_themselves(tmp_path: Path) -> None:
    health = read(tmp_path, "").health
    assert health.thresholds == Thresholds(usage_pct=80, quarantine=10, failed=5, sender=50)
    assert (health.schedule, health.hour, health.prometheus_minutes) == (False, 8, 0)
    assert health.remediation == Remediation(mode="off", backlog=10, per_hour=20)
    assert (health.teams, health.mail_to, health.slack_url_file, health.influx_url) == ((), (), None, "")


def test_teams_have_keys_of_their_own(tmp_path: Path) -> None:
    text = f'{REMOTE}key = "cb_one"\n[[health.teams]]\nname = "office"\nworkspace = "office"\n'
    first, second = read(tmp_path, text).health.teams
    assert (first.name, first.key, second.workspace) == ("acme", "cb_one", "office")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TEAM, "expected either url or workspace"),
        (f'{REMOTE}workspace = "acme"\n', "expected either url or workspace"),
        (REMOTE, "expected either key or key_file"),
        (f'{REMOTE}key = "a"\nkey_file = "/b"\n', "expected either key or key_file"),
        (f'{REMOTE}key_file = "relative"\n', "key_file"),
        (f'{TEAM}workspace = "acme"\nkey = "a"\n', "needs no key"),
        (f'{TEAM}url = "ftp://x/v1"\nkey = "a"\n', "begins with https:// or http://"),
        (f'{TEAM}url = "https://"\nkey = "a"\n', "begins with https:// or http://"),
        (f'{TEAM}url = "https://u:p@x/v1"\nkey = "a"\n', "scheme, host, port and path only"),
        (f'{TEAM}url = "https://x/v1?key=a"\nkey = "a"\n', "scheme, host, port and path only"),
        (f'{TEAM}url = "https://x:port/v1"\nkey = "a"\n', "cannot be understood"),
        (f'{REMOTE}key = "a"\n{REMOTE}key = "b"\n', "acme is there twice"),
        (f'{REMOTE}key = "a"\ntoken = "b"\n', "there is no token; there are name, workspace"),
        ('[health]\ntimezone = "Mars/Base"\n', "no time zone 'Mars/Base'"),
        ('[health]\nmail_to = ["nobody"]\n', "mail_to"),
        ("[health]\nhour = 24\n", "hour"),
        ("[health]\nhours = 8\n", "did you mean hour?"),
        ("[health.thresholds]\nquarantaine = 8\n", "did you mean quarantine?"),
        ('[health.remediation]\nmode = "on"\n', "mode"),
        ('[health]\ninflux_url = "influx:8086"\n', "influx_url"),
    ],
)
def test_what_cannot_be_is_refused_with_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        read(tmp_path, text)
    assert told in refused.value.message
    assert "\n" not in refused.value.message


def test_no_secret_of_it_is_shown(tmp_path: Path) -> None:
    text = (
        '[health]\ninflux_url = "http://user:geheim1@influx.example:8086/write?u=me&p=geheim2"\n'
        f'{REMOTE}key = "geheim3"\n'
    )
    told = shown(read(tmp_path, text))
    assert "geheim" not in str(told)
    assert told["health.teams"] == "acme"
    assert told["health.influx_url"] == "••• at influx.example"


def test_every_key_says_what_it_is() -> None:
    assert all(key.help for key in declared_health())
