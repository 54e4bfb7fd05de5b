"""The whole world: the same for one seed, in whatever portions it is asked for, and true to its own log."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from mailvane.core.errors import InvalidInput
from mailvane_demo.world.postfix import PostfixWorld, Rush
from mailvane_demo.world.stamps import LogFormat

HOUR = 3_600_000
DAY = 24 * HOUR
MONDAY = 1_760_313_600_000  # 2025-10-13, 00:00 UTC
WEEKLY = 7000  # mails of the week that is looked at as a whole
BUSY_HOURS = (MONDAY + 8 * HOUR, MONDAY + 12 * HOUR)


def world(seed: int = 1, mails_per_day: float = 3000) -> PostfixWorld:
    return PostfixWorld(seed, MONDAY, mails_per_day)


@pytest.fixture(scope="module")
def week() -> list[str]:
    return list(world(mails_per_day=WEEKLY / 7).lines(MONDAY, MONDAY + 7 * DAY))


@pytest.fixture(scope="module")
def morning() -> list[str]:
    return list(world().lines(MONDAY, MONDAY + 12 * HOUR))


def test_the_same_seed_makes_the_same_world_and_another_one_another(morning: list[str]) -> None:
    assert list(world().lines(MONDAY, MONDAY + 12 * HOUR)) == morning
    assert list(world(seed=2).lines(MONDAY, MONDAY + 12 * HOUR)) != morning


@settings(max_examples=5)
@given(some.lists(some.integers(min_value=1, max_value=12 * HOUR - 1), max_size=12))
def test_portions_make_up_the_whole(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), 12 * HOUR]
    pieces = world(mails_per_day=600)
    portions = [list(pieces.lines(MONDAY + since, MONDAY + until)) for since, until in pairwise(places)]
    whole = list(world(mails_per_day=600).lines(MONDAY, MONDAY + 12 * HOUR))
    assert [line for portion in portions for line in portion] == whole


def test_a_time_that_is_over_can_be_asked_for_again(morning: list[str]) -> None:
    asked = world()
    list(asked.lines(*BUSY_HOURS))
    assert list(asked.lines(MONDAY, MONDAY + 12 * HOUR)) == morning


def test_there_was_nothing_before_the_world() -> None:
    with pytest.raises(InvalidInput):
        list(world().lines(MONDAY - 1, MONDAY))


def test_time_never_runs_back() -> None:
    lines = list(PostfixWorld(1, MONDAY, log_format=LogFormat.RFC3339).lines(*BUSY_HOURS))
    stamps = [line[:32] for line in lines]
    assert stamps == sorted(stamps)
    assert stamps[0] >= "2025-10-13T08:00:00.000000+00:00"
    assert stamps[-1] < "2025-10-13T12:00:00.000000+00:00"


def test_all_daemons_speak_and_their_lines_interleave(week: list[str]) -> None:
    speakers = Counter(line.split()[4].partition("[")[0] for line in week)
    assert {
        f"postfix/{name}" for name in ("smtpd", "submission/smtpd", "cleanup", "qmgr", "smtp", "lmtp", "error")
    } <= set(speakers)
    assert {f"postfix/{name}" for name in ("local", "bounce", "pickup", "postscreen", "anvil")} <= set(speakers)
    assert {"amavis", "dovecot:"} <= set(speakers)


def test_a_queue_id_is_used_by_one_mail_at_a_time(week: list[str]) -> None:
    alive: set[str] = set()
    used: Counter[str] = Counter()
    for line in week:
        host = line.split()[3]
        if begun := re.search(r": (\w+): (?:client=|uid=)", line):
            assert f"{host} {begun.group(1)}" not in alive
            alive.add(f"{host} {begun.group(1)}")
            used[f"{host} {begun.group(1)}"] += 1
        elif ended := re.search(r": (\w+): removed$", line):
            alive.discard(f"{host} {ended.group(1)}")
    again = [queue_id for queue_id, times in used.items() if times > 1]
    assert len(again) > 10
    assert all(queue_id.startswith("mx2 ") for queue_id in again), "long ones never come back"


def test_the_truth_is_what_the_log_says(week: list[str]) -> None:
    truth = world(mails_per_day=WEEKLY / 7).truth(MONDAY, MONDAY + 7 * DAY)
    own: set[str] = set()  # notifications and probes
    counts: Counter[str] = Counter()
    for line in week:
        queue_id = re.search(r"\]: (\w+): (.*)", line)
        if "NOQUEUE: reject:" in line:
            counts["screened" if "postscreen" in line else "rejected"] += 1
        elif queue_id is None:
            continue
        elif re.match(r"(client=(?!localhost)|uid=)", queue_id.group(2)):
            counts["accepted"] += 1
        elif re.match(r"from=<(double-bounce@.*)?>, size", queue_id.group(2)):
            counts["notifications"] += "from=<>" in line and queue_id.group(1) not in own
            own.add(queue_id.group(1))
        elif queue_id.group(2) == "removed":
            own.discard(queue_id.group(1))
        elif (status := re.search(r"to=.* status=(\w+) ", line)) and queue_id.group(1) not in own:
            counts[status.group(1)] += ":10024," not in line
    assert truth.accepted == counts["accepted"] > WEEKLY / 2
    assert truth.delivered == counts["sent"]
    assert truth.deferred == counts["deferred"] > 100
    assert truth.bounced == counts["bounced"] == sum(truth.families.values()) > 50
    assert truth.rejected == counts["rejected"]
    assert truth.screened == counts["screened"]
    assert truth.notifications == counts["notifications"]


def test_expired_mails_are_given_back(week: list[str]) -> None:
    expired = [line for line in week if "status=expired, returned to sender" in line]
    assert len(expired) > 3
    assert world(mails_per_day=WEEKLY / 7).truth(MONDAY, MONDAY + 7 * DAY).expired >= len(expired)


def test_asking_for_the_truth_does_not_disturb_the_log(morning: list[str]) -> None:
    asked = world()
    first = list(asked.lines(MONDAY, MONDAY + HOUR))
    ahead = asked.truth(MONDAY, MONDAY + 12 * HOUR)
    rest = list(asked.lines(MONDAY + HOUR, MONDAY + 12 * HOUR))
    assert first + rest == morning
    assert asked.truth(MONDAY, MONDAY + 12 * HOUR) == ahead


def test_nights_are_quiet() -> None:
    asked = world()
    day = asked.truth(MONDAY + 8 * HOUR, MONDAY + 12 * HOUR).accepted
    night = asked.truth(MONDAY, MONDAY + 4 * HOUR).accepted
    assert day > 2 * night > 0


def test_volume_is_about_as_asked() -> None:
    for mails_per_day in (300, 2000):
        accepted = world(mails_per_day=mails_per_day).truth(MONDAY, MONDAY + 7 * DAY).accepted
        assert 0.6 < accepted / 7 / mails_per_day < 1.4


def test_a_rush_makes_it_busier_from_its_time_on(morning: list[str]) -> None:
    rushed = PostfixWorld(1, MONDAY, rush=Rush(MONDAY + 8 * HOUR, 5.0))
    before = list(rushed.lines(MONDAY, MONDAY + 8 * HOUR))
    assert before == morning[: len(before)]
    assert len(list(rushed.lines(*BUSY_HOURS))) > 3 * (len(morning) - len(before))


def test_a_rush_begins_on_the_second(morning: list[str]) -> None:
    since = MONDAY + 10 * HOUR + 100_001
    rushed = PostfixWorld(1, MONDAY, rush=Rush(since, 40.0))
    usual = world().truth(since, since + 60_000).accepted
    assert rushed.truth(since, since + 60_000).accepted > 10 * max(1, usual)
    day = PostfixWorld(1, MONDAY, 30, rush=Rush(MONDAY + 3 * HOUR + 60_000, 1.0))
    assert sum("uid=0" in line for line in day.lines(MONDAY, MONDAY + DAY)) == 2


def test_one_night_a_stolen_password_sends_thousands() -> None:
    asked = world(mails_per_day=600)
    night = MONDAY + 19 * DAY + 2 * HOUR
    lines = [
        line for line in asked.lines(night, night + HOUR) if "sasl_username=k.wolff@" in line and "client=" in line
    ]
    assert len(lines) > 400
    assert all("unknown[192.0.2.199]" in line for line in lines)
