"""The zone of the machine, however it is set."""

from __future__ import annotations

import zoneinfo
from pathlib import Path

import pytest

from mailvane.core.machine_zone import machine_zone


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("Europe/Berlin", "Europe/Berlin"),
        (":Europe/Berlin", "Europe/Berlin"),
        ("/usr/share/zoneinfo/Asia/Tokyo", "Asia/Tokyo"),
        (":/usr/share/zoneinfo/posix/Asia/Tokyo", "Asia/Tokyo"),
        ("America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        ("UTC", "UTC"),
        ("Etc/UTC", "UTC"),
        ("", "UTC"),  # POSIX: an empty TZ is UTC
    ],
)
def test_the_environment_names_it(variable: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "timezone").write_text("America/New_York\n")
    assert machine_zone({"TZ": variable}, tmp_path).key == expected


@pytest.mark.parametrize("variable", ["CET-1CEST,M3.5.0,M10.5.0/3", "Nowhere/At_All", "../../etc/passwd", "a\0b", "/"])
def test_what_names_no_zone_of_the_database_is_passed_over(variable: str, tmp_path: Path) -> None:
    (tmp_path / "timezone").write_text("America/New_York\n")
    assert machine_zone({"TZ": variable}, tmp_path).key == "America/New_York"


@pytest.mark.parametrize(
    "target",
    ["/usr/share/zoneinfo/Europe/Berlin", "../usr/share/zoneinfo/Europe/Berlin", "/var/db/zoneinfo/Europe/Berlin",
     "/usr/share/zoneinfo/posix/Europe/Berlin"],
)  # fmt: skip
def test_a_link_names_it(target: str, tmp_path: Path) -> None:
    (tmp_path / "localtime").symlink_to(target)
    (tmp_path / "timezone").write_text("America/New_York\n")  # an old one, that nothing reads any more
    assert machine_zone({}, tmp_path).key == "Europe/Berlin"


def test_a_link_to_a_link_names_it(tmp_path: Path) -> None:
    (tmp_path / "zoneinfo").mkdir()
    (tmp_path / "chosen").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    (tmp_path / "localtime").symlink_to("chosen")
    assert machine_zone({}, tmp_path).key == "Europe/Berlin"


def test_a_copied_file_is_known_by_its_content(tmp_path: Path) -> None:
    database = next((Path(each) for each in zoneinfo.TZPATH if (Path(each) / "Asia/Kathmandu").is_file()), None)
    if database is None:
        pytest.skip("no time zone database on this machine")
    (tmp_path / "localtime").write_bytes((database / "Asia/Kathmandu").read_bytes())
    assert machine_zone({}, tmp_path).key in {"Asia/Kathmandu", "Asia/Katmandu"}


def test_a_machine_that_says_nothing_is_read_as_utc(tmp_path: Path) -> None:
    assert machine_zone({}, tmp_path).key == "UTC"
    (tmp_path / "localtime").write_bytes(b"TZif is not what this is")
    (tmp_path / "timezone").write_bytes(b"\xff\xfe")
    assert machine_zone({}, tmp_path).key == "UTC"
