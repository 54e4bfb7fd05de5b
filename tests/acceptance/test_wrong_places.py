"""What is not where it belongs, or not what it should be, is said in one line, and never as a traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation


def a_file_where_the_data_belongs(place: Path) -> dict[str, str]:
    (place / "taken").write_text("x")
    return {"MAILVANE_DATA": str(place / "taken")}


def a_file_above_the_data(place: Path) -> dict[str, str]:
    (place / "taken").write_text("x")
    return {"MAILVANE_DATA": str(place / "taken" / "below")}


def a_directory_where_the_settings_belong(place: Path) -> dict[str, str]:
    (place / "data" / "mailvane.toml").mkdir(parents=True)
    return {}


def a_directory_where_the_token_belongs(place: Path) -> dict[str, str]:
    (place / "data" / "master-token").mkdir(parents=True)
    return {}


def a_directory_where_the_ledger_belongs(place: Path) -> dict[str, str]:
    (place / "data" / "ledger.sqlite").mkdir(parents=True)
    return {}


def a_file_where_the_mail_log_belongs(place: Path) -> dict[str, str]:
    (place / "data" / "maillog").write_text("x")
    return {}


def a_ledger_that_is_none(place: Path) -> dict[str, str]:
    (place / "data" / "ledger.sqlite").write_bytes(b"\xa5" * 40_000)
    return {}


def a_zone_that_is_none(_place: Path) -> dict[str, str]:
    return {"MAILVANE_TIMEZONE": "Mars/Olympus"}


def settings_that_are_none(place: Path) -> dict[str, str]:
    (place / "data" / "mailvane.toml").write_text("data = [")
    return {}


Wrong = Callable[[Path], dict[str, str]]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (a_file_where_the_data_belongs, "taken: File exists"),
        (a_file_above_the_data, "below: Not a directory"),
        (a_directory_where_the_settings_belong, "mailvane.toml: Is a directory"),
        (a_directory_where_the_token_belongs, "master-token: Is a directory"),
        (a_directory_where_the_ledger_belongs, "unable to open database file"),
        (a_file_where_the_mail_log_belongs, "maillog"),
        (a_ledger_that_is_none, "file is not a database"),
        (a_zone_that_is_none, "there is no time zone 'Mars/Olympus'"),
        (settings_that_are_none, "mailvane.toml: Invalid value"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_the_server_says_in_one_line_why_it_does_not_start(tmp_path: Path, wrong: Wrong, said: str) -> None:
    installation = Installation(tmp_path / "data")
    installation.environment |= wrong(tmp_path)
    done = installation.run("serve", succeeds=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("mailvane: ")
    assert said in last
