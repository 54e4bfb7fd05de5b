"""Microsoft's tables, as the collector's reader understands them."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from mailvane.reputation.sources.snds.tables import Period, blocked_ranges, periods, rows
from mailvane_demo.world.incidents import script
from mailvane_demo.world.snds import Snds, newest_day
from mailvane_demo.world.web_server import Reply, Request

NOW = 1_790_000_000_000
PACIFIC = ZoneInfo("America/Los_Angeles")
INCIDENTS = script(NOW, pause=60_000)
HOSTS = (("192.0.2.25", "mx1.hub.example"), ("192.0.2.26", "mx2.hub.example"))
SNDS = Snds(7, "key", HOSTS, INCIDENTS)


def ask(table: str, at: int = NOW, **query: str) -> Reply:
    return SNDS(Request("GET", f"/snds/{table}", {"key": "key", **query}, {}, b"", at))


def read(text: str) -> list[Period]:
    return periods(rows(text), PACIFIC)


def test_a_day_has_a_row_for_each_address() -> None:
    day = newest_day(NOW)
    told = read(ask("data.aspx", date=f"{day:%m%d%y}").body.decode())
    assert [each.address for each in told] == [address for address, _ in HOSTS]
    assert {each.data["filter_result"] for each in told} <= {"GREEN", "YELLOW"}
    assert all(each.data["bounce_rate"] < 3 for each in told)


def test_the_last_address_turns_red_and_is_blocked() -> None:
    told = read(ask("data.aspx", INCIDENTS.published_at).body.decode())[-1]
    assert (told.address, told.data["filter_result"], told.data["trap_hits"]) == ("192.0.2.26", "RED", 7)
    assert (told.data["complaint_rate"], told.data["complaint_rate_upper_bound"]) == (2.1, False)
    assert ask("ipStatus.aspx", INCIDENTS.published_at - 1).body == b""
    (blocked,) = blocked_ranges(rows(ask("ipStatus.aspx", INCIDENTS.published_at).body.decode()))
    assert (blocked.first, blocked.blocked) == ("192.0.2.26", "Yes")


def test_former_days_stay_as_they_were() -> None:
    day = newest_day(NOW) - timedelta(days=1)
    assert SNDS.data(day, NOW) == SNDS.data(day, INCIDENTS.published_at) != ""
    assert SNDS.data(newest_day(NOW) + timedelta(days=1), NOW) == ""


def test_the_day_after_the_bad_one_is_a_good_one() -> None:
    later = INCIDENTS.published_at + 86_400_000
    assert read(ask("data.aspx", later).body.decode())[-1].data["filter_result"] != "RED"
    assert "RED" in SNDS.data(newest_day(INCIDENTS.published_at), later)


def test_another_key_gets_a_page_for_people() -> None:
    reply = ask("data.aspx", key="other")
    assert (reply.status, reply.kind) == (400, "text/html")
    assert ask("other.aspx").status == 404
