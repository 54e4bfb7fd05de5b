"""A log that is not read any more is said to be so, by name."""

from __future__ import annotations

import pytest

from mailvane.core.errors import StoreUnavailable
from mailvane.core.moments import HOUR_MS
from mailvane.maillog.followed_logs import BEHIND_MS, FAILING_MS, STALLED_MS, FollowedLog, FollowedLogs, Standing

START = 1_793_491_200_000
LOG = "/var/log/mail.log"


def standing(log: FollowedLog, now: int) -> Standing:
    return FollowedLogs(lambda: now, [log]).states()[0].standing


def test_a_log_that_is_read_to_its_end_is_followed() -> None:
    log = FollowedLog(LOG, START)
    log.reached_end(START + 5000)
    assert standing(log, START + 5100) is Standing.FOLLOWING
    log.reached_end(START + 6000, there=False)
    assert standing(log, START + 6000) is Standing.NO_FILE


def test_a_log_that_is_read_but_not_to_its_end_is_behind() -> None:
    log = FollowedLog(LOG, START)
    log.read_on(START + BEHIND_MS)
    assert standing(log, START + BEHIND_MS) is Standing.BEHIND
    log.reached_end(START + BEHIND_MS + 1)
    assert standing(log, START + BEHIND_MS + 1) is Standing.FOLLOWING


def test_lines_of_a_day_are_counted_with_examples_of_those_that_were_not_understood() -> None:
    log = FollowedLog(LOG, START, "acme", lambda: 9.0)
    logs = FollowedLogs(lambda: START + 25 * HOUR_MS, [log])
    log.understood(START, 100, 7, ["mail.log:1: long ago"])
    log.understood(START + 3 * HOUR_MS, 10, 1, ["mail.log:101: what is this"])
    log.understood(START + 25 * HOUR_MS, 10, 1, [f"mail.log:{number}: and this" for number in range(111, 130)])
    (found,) = logs.readings("acme")
    assert (found.lines, found.not_understood, found.silent_ms) == (20, 2, 9000)
    assert found.since == START + 2 * HOUR_MS
    assert (found.samples[0], len(found.samples)) == ("mail.log:101: what is this", 20)
    assert logs.readings("other") == []
    young = FollowedLog(LOG, START + 1)
    assert FollowedLogs(lambda: START + 9, [young]).readings("")[0].since == START + 1, "since it began"


def test_a_log_of_which_nothing_is_read_is_stalled() -> None:
    log = FollowedLog(LOG, START)
    with pytest.raises(StoreUnavailable, match=r"mail\.log is not followed \(stalled for 300 s\)"):
        standing(log, START + STALLED_MS)


def test_a_log_that_fails_is_failing_at_once_and_not_followed_after_a_while() -> None:
    log = FollowedLog(LOG, START)
    for past in (0, 5000):
        log.failed(START + past, "Permission denied")
    state = FollowedLogs(lambda: START + 5000, [log]).states()[0]
    assert (state.standing, state.failures, state.error) == (Standing.FAILING, 2, "Permission denied")
    with pytest.raises(StoreUnavailable, match=r"failing for 10 s\): Permission denied"):
        standing(log, START + FAILING_MS)
    log.read_on(START + FAILING_MS)
    assert standing(log, START + FAILING_MS) is Standing.FOLLOWING


def test_a_log_that_nobody_follows_any_more_is_told() -> None:
    log = FollowedLog(LOG, START)
    log.stopped()
    with pytest.raises(StoreUnavailable, match="stopped"):
        standing(log, START)
