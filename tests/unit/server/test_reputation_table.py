"""The `[reputation]` table: what it may say, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailvane.core.errors import InvalidSetting
from mailvane.dmarc.settings import DmarcSettings
from mailvane.notify.settings import NotifySettings, OutgoingMail
from mailvane.reputation.settings import ReputationSettings
from mailvane.server.settings import Settings, declared_reputation, load, shown


def written(directory: Path, text: str) -> Settings:
    file = directory / "mailvane.toml"
    file.write_text(text)
    return load({"config": str(file)}, {})


def test_without_the_table_sources_are_asked_daily_and_no_private_host_is_told(tmp_path: Path) -> None:
    settings = written(tmp_path, "")
    assert settings.reputation == ReputationSettings()
    assert settings.dmarc == DmarcSettings()
    assert settings.notify == NotifySettings()
    assert settings.reputation.refresh_hours == 24
    assert settings.notify.allowed_targets == ()


def test_the_table_and_the_tables_in_it_are_read_and_shown(tmp_path: Path) -> None:
    text = """
        [reputation]
        resolvers = ["127.0.0.1:5300"]
        allowed_targets = ["10.0.0.0/8", "hooks.internal"]
        [reputation.mail]
        host = "smtp.example.net"
        security = "none"
        [reputation.daily_report]
        to = ["ops@example.org"]
        timezone = "Europe/Berlin"
    """
    settings = written(tmp_path, text)
    assert settings.reputation.resolvers == ("127.0.0.1:5300",)
    assert settings.notify.mail == OutgoingMail(host="smtp.example.net", security="none")
    assert settings.reputation.daily_report.to == ("ops@example.org",)
    seen = shown(load({"config": str(tmp_path / "mailvane.toml")}, {}))
    assert seen["reputation.resolvers"] == '["127.0.0.1:5300"]'
    assert "reputation.refresh_hours" not in seen


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("reputation = 5", "expected a table"),
        ("[reputation]\nresolver = []", "did you mean resolvers?"),
        ("[reputation]\nrefresh_hours = 0", "refresh_hours: "),
        ("[reputation]\nlookups_at_once = 0", "lookups_at_once: "),
        ('[reputation]\nallowed_targets = ["10.0.0.0/40"]', "'10.0.0.0/40' is no host and no network"),
        ('[reputation]\nsnds_timezone = "Mars/Olympus"', "there is no time zone 'Mars/Olympus'"),
        ("[reputation.mail]\nhots = 'x'", "did you mean host?"),
        ("[reputation.mail]\nport = 0", "mail.port: "),
        ("[reputation.daily_report]\nhour = 24", "daily_report.hour: "),
        ("[reputation.mail]\nsender = 'alerts'", "mail: sender: 'alerts' is no mail address"),
        ("[reputation.mail]\nsender = 'Ops, Mail <a@example.org>'", "stands in quotes"),
        ("[reputation.mail]\nsender = ''", "mail: sender: "),
        ("[reputation.daily_report]\nto = ['ops@example.org, dev@example.org']", "daily_report: to: "),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(text: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting) as refused:
        written(tmp_path, text)
    assert told in refused.value.message
    assert "\n" not in refused.value.message


def test_every_key_has_its_help() -> None:
    keys = declared_reputation()
    assert all(key.help for key in keys)
    names = {name for part in (ReputationSettings, DmarcSettings, NotifySettings) for name in part.__struct_fields__}
    assert {key.name for key in keys} >= {*names, "mail.host", "daily_report.to", "reports_mailbox.host"}
