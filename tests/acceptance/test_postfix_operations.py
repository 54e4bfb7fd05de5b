"""What operators do to a running Postfix, and what the mail log beside it makes of that."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.acceptance.beside import Place, note, place
from tests.acceptance.mail_client import hand_in

REJECTS = {"X-Test-Reject": "yes"}
HOLDS = {"X-Test-Hold": "yes"}
DISCARDS = {"X-Test-Discard": "yes"}


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("operations") / "data", lifetime="8s") as running:
        yield running


def delivered(beside: Place, subject: str) -> list[int | None]:
    return [row["delivered"] for row in beside.rows(subject=subject)]


def queued(beside: Place) -> list[str]:
    listing = beside.postfix.command("postqueue", "-j").splitlines()
    return [json.loads(line)["queue_id"] for line in listing]


def test_a_held_mail_waits_and_is_delivered_when_released(beside: Place) -> None:
    (queue_id,) = hand_in(beside.postfix.smtp, note("ok.1@inbox.example", Subject="held", **HOLDS))
    beside.soon(f"{queue_id}: hold: header", then=lambda: delivered(beside, "held") == [None])
    beside.postfix.command("postsuper", "-H", queue_id)
    beside.postfix.command("postqueue", "-f")
    beside.soon(f"{queue_id}: removed", then=lambda: delivered(beside, "held") == [1])


def test_a_mail_that_a_header_check_refuses_was_never_accepted(beside: Place) -> None:
    (queue_id,) = hand_in(beside.postfix.smtp, note("ok.1@inbox.example", Subject="refused", **REJECTS))
    assert queue_id == ""
    beside.postfix.wait_for("reject: header X-Test-Reject")
    (after,) = hand_in(beside.postfix.smtp, note("ok.1@inbox.example", Subject="after the refused"))
    beside.soon(f"{after}: removed", then=lambda: delivered(beside, "after the refused") == [1])
    assert 1 not in delivered(beside, "refused")


def test_a_discarded_mail_is_not_delivered(beside: Place) -> None:
    headers = {"Message-ID": "<discarded.1@shop.example>", **DISCARDS}
    (queue_id,) = hand_in(beside.postfix.smtp, note("ok.1@inbox.example", Subject="discarded", **headers))
    beside.soon(f"{queue_id}: discard: header", then=lambda: delivered(beside, "discarded") == [0])


def test_a_discarded_mail_without_a_message_id_is_known_all_the_same(beside: Place) -> None:
    (queue_id,) = hand_in(beside.postfix.smtp, note("ok.1@inbox.example", Subject="discarded nameless", **DISCARDS))
    beside.soon(f"{queue_id}: discard: header", then=lambda: delivered(beside, "discarded nameless") == [0])


def test_a_mail_that_expires_is_undelivered_and_says_why(beside: Place) -> None:
    (queue_id,) = hand_in(beside.postfix.smtp, note("nobody@silent.example", Subject="expires"))
    beside.soon(f"{queue_id}: from=", "status=expired", then=lambda: delivered(beside, "expires") == [0])
    (row,) = beside.rows(subject="expires")
    assert "Connection refused" in row["response"]


def test_a_mail_that_is_queued_anew_is_still_one_mail(beside: Place) -> None:
    (queue_id,) = hand_in(beside.postfix.smtp, note("later.anew@inbox.example", Subject="anew"))
    beside.postfix.wait_for(queue_id, "status=deferred")
    beside.postfix.command("postsuper", "-r", queue_id)
    beside.postfix.command("sendmail", "ok.1@inbox.example", text="Subject: wake the pickup service\n\nx\n")
    beside.soon("later.anew@inbox.example", "status=sent", then=lambda: delivered(beside, "anew") == [1])


def test_a_deleted_mail_stays_undelivered(beside: Place) -> None:
    (queue_id,) = hand_in(beside.postfix.smtp, note("busy.deleted@inbox.example", Subject="deleted"))
    beside.soon(queue_id, "status=deferred", then=lambda: delivered(beside, "deleted") == [0])
    beside.postfix.command("postsuper", "-d", queue_id)
    beside.postfix.wait_for("postsuper", f"{queue_id}: removed")
    assert queue_id not in queued(beside)
    assert delivered(beside, "deleted") == [0]


def test_asking_whether_an_address_exists_is_no_mail(beside: Place) -> None:
    (queue_id,) = hand_in(beside.postfix.smtp, note("ok.asked@probe.example", Subject="asked"))
    beside.postfix.wait_for("status=deliverable")
    beside.soon(f"{queue_id}: removed", then=lambda: delivered(beside, "asked") == [1])
    assert len(beside.rows(to="ok.asked@probe.example")) == 1


def test_postfix_may_be_restarted_in_between(beside: Place) -> None:
    (queue_id,) = hand_in(beside.postfix.smtp, note("later.restart@inbox.example", Subject="restart"))
    beside.postfix.wait_for(queue_id, "status=deferred")
    beside.postfix.command("postfix", "stop")
    beside.postfix.command("postfix", "start")
    beside.soon(queue_id, "status=sent", then=lambda: delivered(beside, "restart") == [1])


def test_the_log_may_be_rotated_and_compressed_in_between(beside: Place) -> None:
    to = "later.rotated@inbox.example"
    (queue_id,) = hand_in(beside.postfix.smtp, note(to, Subject="rotated"))
    beside.postfix.wait_for(queue_id, "status=deferred")
    beside.postfix.command("postfix", "logrotate")
    assert list(beside.postfix.home.glob("mail.log.*.gz"))
    # Whether it was tried again before the log was rotated or after it.
    beside.installation.wait_for(lambda: delivered(beside, "rotated") == [1])
    (after,) = hand_in(beside.postfix.smtp, note("ok.1@inbox.example", Subject="after rotation"))
    beside.soon(f"{after}: removed", then=lambda: delivered(beside, "after rotation") == [1])
    assert delivered(beside, "held") == [1]
