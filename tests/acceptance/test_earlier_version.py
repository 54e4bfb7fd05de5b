"""A data directory of an earlier version: today's program opens it, answers the same, and goes on with what is pending.

`tests/fixtures/earlier_version/make.py` made it, and says how. The program runs with the clock of that moment, so that
"today" in an answer is the same day.
"""

from __future__ import annotations

import json
import re
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailvane.server.ledger import open_ledger
from tests.acceptance.installation import Installation
from tests.acceptance.smtp_sink import SmtpSink
from tests.acceptance.warm_commands import CLOCK_BEHIND
from tests.fixtures.earlier_version.questions import COMMANDS, CONTINUED, HTTP
from tests.waiting import PATIENCE

FIXTURE = Path(__file__).parents[1] / "fixtures" / "earlier_version"
THEN: dict[str, Any] = json.loads((FIXTURE / "answers.json").read_text())
SETTINGS = """\
[reputation]
resolvers = ["127.0.0.1:9"]
allowed_targets = ["127.0.0.1"]
[reputation.mail]
host = "127.0.0.1"
port = {port}
security = "none"
"""
MAILS = 18  # rows of acme: those that were stored, and the three of the pending batch
# What a source says of itself when it is asked again, and fails again, in the meantime.
ASKED_SINCE = {"addresses": {"status", "error", "updated_at"}}
# "off" is no word of the vendor's: a domain without warm-up has none.
SAID_OTHERWISE = {"limits and counters": {"warmup_profile"}, "suspended domain": {"warmup_profile"}}


@contextmanager
def a_copy(place: Path, smtp_port: int) -> Iterator[Installation]:
    """The directory as it was, and today's program with the clock of then."""
    found = Installation(place / "data")
    found.environment[CLOCK_BEHIND] = str(time.time_ns() - (THEN["made_at"] + 2000) * 1_000_000)
    found.environment["TZ"] = "UTC"
    with tarfile.open(FIXTURE / "data.tar.xz") as archive:
        archive.extractall(found.data, filter="data")
    (found.data / "mailvane.toml").write_text(SETTINGS.format(port=smtp_port))
    with closing(sqlite3.connect(found.data / "ledger.sqlite")) as ledger:
        ((batches,),) = ledger.execute("SELECT count(*) FROM journal")
        ((leases,),) = ledger.execute("SELECT count(*) FROM leases WHERE holder = 'killed-process'")
        ((messages,),) = ledger.execute("SELECT count(*) FROM notifications WHERE state = 'pending'")
    assert (batches, leases, messages) == (1, 1, 1), "the fixture holds what is to be gone on with"
    yield found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """It cannot deliver its message: nobody listens at that port."""
    with a_copy(tmp_path_factory.mktemp("earlier"), smtp_port=9) as installation, installation.serving():
        installation.wait_for(lambda: installation.answer("log", "--workspace", "acme")["total"] == MAILS)
        yield installation


def asked(installation: Installation, who: str, path: str, query: dict[str, Any]) -> Any:
    headers = {"X-API-KEY": THEN["tokens"][who]}
    if who in {"master", "platform"} and not path.startswith("/domains"):
        headers["X-Workspace-Id"] = "1"
    answer = httpx.get(installation.url + path.format(**THEN["ids"]), headers=headers, params=query, timeout=PATIENCE)
    assert answer.is_success, answer.text
    return answer.json()


def missing(then: Any, now: Any, but: set[str], place: str = "") -> list[str]:
    """Where an answer of today lacks what the earlier version said; more fields are no difference."""
    if isinstance(then, dict) and isinstance(now, dict):
        return [
            difference
            for name, value in then.items()
            if name not in but
            for difference in missing(value, now.get(name, "nothing"), but, f"{place}.{name}")
        ]
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        return [
            difference
            for number, (one, other) in enumerate(zip(then, now, strict=True))
            for difference in missing(one, other, but, f"{place}[{number}]")
        ]
    return [] if then in (now, _milliseconds(now)) else [f"{place}: {then!r} was {now!r}"]


def _milliseconds(now: Any) -> Any:
    """Of a time that a command tells as text since, and as null where there is none."""
    if now is None:
        return 0
    if isinstance(now, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", now):
        return round(datetime.fromisoformat(now).timestamp() * 1000)
    return now


@pytest.mark.parametrize("name", HTTP)
def test_the_server_answers_as_the_earlier_version_did(served: Installation, name: str) -> None:
    now = asked(served, *HTTP[name])
    assert not missing(THEN["http"][name], now, ASKED_SINCE.get(name, set()) | SAID_OTHERWISE.get(name, set()))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_commands_answer_as_the_earlier_version_did(served: Installation, name: str) -> None:
    now = served.answer(*(word.format(**THEN["ids"]) for word in COMMANDS[name]))
    assert not missing(THEN["commands"][name], now, set())


def test_views_that_it_did_not_have_are_filled_from_its_events(served: Installation) -> None:
    found = {one["address"]: one["sent"] for one in served.answer("mailboxes", "--workspace", "acme")}
    assert found == {"orders@shop.example": 15, "news@shop.example": 2}


def test_the_lease_of_the_killed_process_is_free(served: Installation) -> None:
    with closing(open_ledger(f"sqlite:///{served.data / 'ledger.sqlite'}")) as ledger:
        assert "killed-process" not in {lease.holder for lease in ledger.leases.leases(THEN["made_at"])}


def test_what_was_pending_goes_on_once(tmp_path: Path) -> None:
    """Also after another start: the batch is stored once, the message delivered once, the mail in flight completed."""
    sink = SmtpSink().start()
    with ExitStack() as running:
        running.callback(sink.stop)
        installation = running.enter_context(a_copy(tmp_path, sink.port))
        log = installation.data / "mail.log"
        log.write_text(THEN["log"] + THEN["rest"])
        for _ in range(2):
            with installation.serving():
                installation.wait_for(lambda: message(installation)["state"] == "delivered")
                installation.run("import", "postfix", str(log), "--workspace", "acme")
        assert [mail.recipients for mail in sink.accepted] == [("ops@shop.example",)]
        now = {name: installation.answer(*COMMANDS[name]) for name in CONTINUED}
    assert not missing(THEN["continued"], now, set())


def message(installation: Installation) -> dict[str, Any]:
    found: list[dict[str, Any]] = asked(installation, "acme", "/mailvane/v1/notifications", {})
    (one,) = found
    return one
