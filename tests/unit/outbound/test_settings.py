"""The `[outbound]` table: what it may say, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailvane.core.errors import InvalidSetting
from mailvane.outbound.model import WARMUPS, Guillotine, Reason, Warmup, WarmupProfile
from mailvane.outbound.settings import GUILLOTINE_HELP, OutboundSettings, declared_outbound
from mailvane.server.settings import load, shown


def written(directory: Path, text: str) -> OutboundSettings:
    file = directory / "mailvane.toml"
    file.write_text(text)
    return load({"config": str(file)}, {}).outbound


def test_without_the_table_everything_has_the_vendors_behaviour(tmp_path: Path) -> None:
    settings = written(tmp_path, "")
    assert settings == OutboundSettings()
    assert settings.guillotine == Guillotine()
    assert not settings.require_verification
    assert settings.warmup == dict(WARMUPS)


def test_the_table_and_the_tables_in_it_are_read(tmp_path: Path) -> None:
    text = """
        [outbound]
        require_verification = true
        domain_by = ["client", "sasl"]
        clients = { "192.0.2.0/24" = "news.example" }
        policy_actions = { daily_limit_exceeded = "REJECT" }
        [outbound.guillotine]
        minimum_volume = 50
        [outbound.warmup]
        fast = { first = 100, growth = 3 }
    """
    settings = written(tmp_path, text)
    assert settings.require_verification
    assert settings.domain_by == ("client", "sasl")
    assert settings.policy_actions == {Reason.DAILY: "REJECT"}
    assert settings.guillotine == Guillotine(minimum_volume=50)
    assert settings.warmup[WarmupProfile.FAST] == Warmup(100, 3.0)
    assert settings.warmup[WarmupProfile.STANDARD] == WARMUPS[WarmupProfile.STANDARD]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("outbound = 5", "expected a table"),
        ("[outbound]\nrequire_verificaton = true", "did you mean require_verification?"),
        ("[outbound]\nrequire_verification = 1", "require_verification: Expected `bool`"),
        ("[outbound]\ndomain_by = []", "domain_by: "),
        ('[outbound]\ndomain_by = ["recipient"]', "domain_by[0]: "),
        ('[outbound]\npolicy_actions = { rain = "REJECT" }', "policy_actions"),
        ('[outbound]\nclients = { "192.0.2.300" = "x.example" }', "'192.0.2.300' is no address"),
        ("[outbound.guillotine]\nbounce_percnt = 1", "did you mean bounce_percent?"),
        ("[outbound.guillotine]\nbounce_percent = 101", "guillotine.bounce_percent: Expected `float` <= 100"),
        ("[outbound.guillotine]\nminimum_volume = -1", "guillotine.minimum_volume: Expected `int` >= 0"),
        ("[outbound.warmup]\nfast = { first = 0, growth = 2 }", "warmup: fast"),
        ("[outbound.warmup]\nfast = { first = 10, growth = 0.5 }", "warmup: fast"),
        ("[outbound.warmup]\nslow = { first = 10, growth = 2 }", "slow: there is no such key"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        written(tmp_path, text)
    assert told in caught.value.message
    assert "mailvane.toml: outbound: " in caught.value.message
    assert "\n" not in caught.value.message


def test_what_differs_from_the_defaults_is_shown(tmp_path: Path) -> None:
    (tmp_path / "mailvane.toml").write_text("[outbound]\nrequire_verification = true\n")
    seen = shown(load({"data": str(tmp_path)}, {}))
    assert {name: value for name, value in seen.items() if name.startswith("outbound.")} == {
        "outbound.require_verification": "true"
    }


def test_every_key_has_its_help() -> None:
    assert all(key.help for key in declared_outbound())
    assert set(GUILLOTINE_HELP) == set(Guillotine.__struct_fields__)
