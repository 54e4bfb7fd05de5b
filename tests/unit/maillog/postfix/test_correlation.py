"""Small logs with the events they must give, and the promise that cutting a log anywhere changes nothing."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailvane.maillog.model import MailEvent, SourceCursor
from mailvane.maillog.postfix.position import Position
from mailvane.maillog.postfix.reading import LogReading, Origin
from tests.tables import read_table

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.yaml"))
NOVEMBER = 1_793_491_200_000  # 2026-11-01
ORIGIN = Origin(workspace=1, relay=7)
TIMES = ("at", "accepted_at")


def scenario(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = read_table(path)
    return loaded


def start() -> Position:
    return Position(SourceCursor(ORIGIN.stream, "file", "mail.log", 0, 0, b"", NOVEMBER))


def read_whole(log: str) -> tuple[list[MailEvent], LogReading]:
    reading = LogReading(ORIGIN)
    return reading.take(start(), log.encode()).batch.events, reading


def read_in_pieces(lines: list[str], cuts: list[int], *, restart: bool) -> list[MailEvent]:
    """Take the lines in pieces; with `restart`, every piece by a new reading that knows only what was written down."""
    events: list[MailEvent] = []
    state: dict[str, bytes] = {}
    position, reading = start(), LogReading(ORIGIN)
    for begin, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
        if restart:
            reading = LogReading(ORIGIN, (), reversed(state.items()))
        entry = reading.take(position, "".join(lines[begin:end]).encode())
        events += entry.batch.events
        state.update(entry.opened)
        for key in entry.closed:
            del state[key]
    return events


def as_written(value: Any, field: str) -> Any:
    if field in TIMES and isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    return value


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_log_gives_the_events_it_tells_of(path: Path) -> None:
    case = scenario(path)
    events, reading = read_whole(case["log"])
    assert [str(event.type) for event in events] == [expected["type"] for expected in case["events"]]
    for event, expected in zip(events, case["events"], strict=True):
        wanted = {field: as_written(value, field) for field, value in expected.items()}
        assert {field: getattr(event, field) for field in wanted} == wanted
    assert len({event.key for event in events}) == case["mails"]
    assert reading.take_summary().not_understood == {}


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_the_sum_of_waiting_is_never_other_than_zero_or_one(path: Path) -> None:
    sums: dict[str, int] = {}
    for event in read_whole(scenario(path)["log"])[0]:
        sums[event.mail_id] = sums.get(event.mail_id, 0) + event.waiting
        assert sums[event.mail_id] in (0, 1)


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_log_read_line_by_line_by_ever_new_readers_gives_the_same_events(path: Path) -> None:
    log = scenario(path)["log"]
    lines = log.splitlines(keepends=True)
    assert read_in_pieces(lines, list(range(1, len(lines))), restart=True) == read_whole(log)[0]


LOGS = [scenario(path)["log"].splitlines(keepends=True) for path in SCENARIOS]


def mixed(choose: random.Random) -> list[str]:
    """A few of the logs, interleaved, with some lines lost, some doubled and some swapped."""
    logs = [list(log) for log in choose.sample(LOGS, choose.choice([1, 2, 3]))]
    lines = []
    while logs:
        log = choose.choice(logs)
        lines += [log.pop(0)] * choose.choices([0, 1, 2], [2, 17, 1])[0]
        logs = [log for log in logs if log]
    for _ in range(choose.randrange(4)):
        at = choose.randrange(len(lines) - 1)
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    return lines


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=True), st.booleans())
def test_any_mix_of_logs_gives_the_same_events_wherever_it_is_cut(choose: random.Random, restart: bool) -> None:
    lines = mixed(choose)
    cuts = sorted(choose.sample(range(len(lines) + 1), min(len(lines), choose.randrange(9))))
    assert read_in_pieces(lines, cuts, restart=restart) == read_whole("".join(lines))[0]


def test_every_event_carries_the_lines_since_the_last_one() -> None:
    path = Path(__file__).parent / "scenarios" / "deferred_then_delivered.yaml"
    log = scenario(path)["log"].splitlines()
    accepted, deferred, delivered = read_whole(scenario(path)["log"])[0]
    assert accepted.raw.split("\n") == [f"{n}\t{log[n - 1]}" for n in (1, 2, 3)]
    assert deferred.raw.split("\n") == [f"{n}\t{log[n - 1]}" for n in (4, 5)]
    assert delivered.raw.split("\n") == [f"{n}\t{log[n - 1]}" for n in (6, 7)]
    assert (delivered.source, delivered.line) == ("mail.log", 7)
