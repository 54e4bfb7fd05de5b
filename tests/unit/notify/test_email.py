"""Mails as an SMTP server gets them, and what becomes of its answers."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mailvane.core.errors import InvalidInput
from mailvane.notify.email import Email
from mailvane.notify.model import Notification
from mailvane.notify.notifier import Delivered, NotDelivered, Refused
from mailvane.notify.settings import OutgoingMail
from mailvane.reputation.texts.email_templates import render_email
from tests.unit.notify.letters_sent import BUSY, NOW, entry, notification
from tests.unit.notify.post_office import PostOffice, certified, parted


def deliver(port: int, told: Notification, tls: ssl.SSLContext | None = None, **mail: Any) -> Delivered:
    given = {"host": "127.0.0.1", "security": "none", "sender": "alerts@mail.example", **mail}

    async def delivered() -> Delivered:
        try:
            return await Email(OutgoingMail(port=port, **given), render_email, tls).deliver(told, NOW)
        finally:
            await parted()

    return asyncio.run(delivered())


def test_an_alert_arrives_as_text_and_html_with_the_evidence() -> None:
    with PostOffice().running() as office:
        assert "queued as 4X" in deliver(office.port, notification(entry())).detail
    (mail,) = office.taken
    assert office.envelopes == [("alerts@mail.example", ["ops@example.org"])]
    assert mail["Subject"] == "[Mailvane] Addresses of the shop: 203.0.113.7 is on zen.spamhaus.org, and 2 more like it"
    assert (mail["To"], mail["Auto-Submitted"]) == ("ops@example.org", "auto-generated")
    assert mail["Date"] == "Mon, 21 Sep 2026 14:13:20 +0000"
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        assert "bl.spamcop.net" in part.get_content()


def test_a_mail_that_comes_twice_is_known_by_its_id() -> None:
    with PostOffice().running() as office:
        for _ in range(2):
            deliver(office.port, notification(entry()))
    assert {mail["Message-ID"] for mail in office.taken} == {"<msg_65f0c0ffee0123456789abcde@mail.example>"}
    assert {mail["References"] for mail in office.taken} == {"<alert_65f0decade0123456789abcd@mail.example>"}


@pytest.mark.parametrize(
    ("sender", "shown", "address"),
    [
        ("Mailvane <alerts@mail.example>", "Mailvane <alerts@mail.example>", "alerts@mail.example"),
        ('"Ops, Mail" <alerts@mail.example>', '"Ops, Mail" <alerts@mail.example>', "alerts@mail.example"),
        ("Jürgen, Ops <alerts@bücher.example>", None, None),
        ('"Jürgen, Ops" <a@bücher.example>', '"Jürgen, Ops" <a@xn--bcher-kva.example>', "a@xn--bcher-kva.example"),
        ("alerts@straße.example", "Mailvane <alerts@xn--strae-oqa.example>", "alerts@xn--strae-oqa.example"),
        ('"two words"@mail.example', 'Mailvane <"two words"@mail.example>', '"two words"@mail.example'),
    ],
)
def test_the_sender_may_have_a_name_and_its_address_alone_is_in_the_envelope_and_the_ids(
    sender: str, shown: str | None, address: str | None
) -> None:
    with PostOffice().running() as office:
        if shown is None:
            with pytest.raises(InvalidInput):
                deliver(office.port, notification(entry()), sender=sender)
            return
        deliver(office.port, notification(entry()), sender=sender)
    (mail,) = office.taken
    assert str(mail["From"]) == shown
    assert office.envelopes == [(address, ["ops@example.org"])]
    place = str(address).rpartition("@")[2]
    assert mail["Message-ID"] == f"<msg_65f0c0ffee0123456789abcde@{place}>"
    assert mail["References"] == f"<alert_65f0decade0123456789abcd@{place}>"


def test_a_daily_report_goes_the_same_way() -> None:
    with PostOffice().running() as office:
        deliver(office.port, notification(BUSY))
    assert office.taken[0]["Subject"].startswith("[Mailvane] default, 2026-09-20: 3 alerts fired 5 times")
    assert office.taken[0]["References"] is None


@pytest.mark.parametrize("name", ["two\r\nBcc: others@example.org", "Prüfung ☃ in Łódź", "x" * 300])
def test_a_name_changes_nothing_but_the_subject(name: str) -> None:
    with PostOffice().running() as office:
        deliver(office.port, notification(entry(name=name)))
    assert office.taken[0]["Bcc"] is None
    assert office.taken[0]["Subject"].startswith(f"[Mailvane] {name.split(maxsplit=1)[0][:50]}")


def test_a_recipient_may_have_letters_of_any_script_where_the_server_takes_them() -> None:
    with PostOffice().running(enable_SMTPUTF8=True) as office:
        deliver(office.port, notification(entry(), "jürgen@example.org"))
    assert office.envelopes[0][1] == ["jürgen@example.org"]
    with PostOffice().running() as office:
        deliver(office.port, notification(entry(), "ann@Straße.example"))
    assert office.envelopes[0][1] == ["ann@xn--strae-oqa.example"], "the domain alone needs no SMTPUTF8"
    with PostOffice().running() as office, pytest.raises(Refused, match="SMTPUTF8"):
        deliver(office.port, notification(entry(), "jürgen@example.org"))


@pytest.mark.parametrize(
    ("answers", "error", "said"),
    [
        ({"rcpt": "451 greylisted"}, NotDelivered, "451 greylisted"),
        ({"rcpt": "550 no such user"}, Refused, "550 no such user"),
        ({"data": "452 disk full"}, NotDelivered, "452 disk full"),
        ({"data": "554 looks like spam"}, Refused, "554 looks like spam"),
        # The settings may be mended: an alert is not lost over a sender that is not allowed yet.
        ({"mail": "553 sender not allowed"}, NotDelivered, "553 sender not allowed"),
    ],
)
def test_refusals_for_now_and_for_good_are_told_apart(
    answers: dict[str, str], error: type[Exception], said: str
) -> None:
    with PostOffice(**answers).running() as office, pytest.raises(error, match=said):
        deliver(office.port, notification(entry()))
    assert office.taken == []


def test_a_server_that_is_away_is_tried_again() -> None:
    with pytest.raises(NotDelivered):
        deliver(9, notification(entry()))


def test_the_connection_is_protected_and_the_certificate_checked(tmp_path: Path) -> None:
    shown, trusting = certified(tmp_path)
    password = tmp_path / "password"
    password.write_text("secret\n")
    login: dict[str, Any] = {
        "host": "localhost",
        "security": "starttls",
        "user": "mailvane",
        "password_file": str(password),
    }
    with PostOffice().running(tls_context=shown, require_starttls=True) as office:
        deliver(office.port, notification(entry()), trusting, **login)
        assert len(office.taken) == 1
        with pytest.raises(NotDelivered, match="certificate"):
            deliver(office.port, notification(entry()), **login)
        password.write_text("wrong")
        with pytest.raises(NotDelivered, match="535") as refused:
            deliver(office.port, notification(entry()), trusting, **login)
        assert "wrong" not in str(refused.value)
        password.unlink()
        with pytest.raises(NotDelivered, match="password file"):
            deliver(office.port, notification(entry()), trusting, **login)
    assert set(office.passwords) == {b"secret", b"wrong"}


def test_a_server_without_starttls_gets_no_mail_in_the_clear() -> None:
    with PostOffice().running() as office, pytest.raises(NotDelivered):
        deliver(office.port, notification(entry()), security="starttls")
    assert office.taken == []


def test_what_is_no_letter_is_refused() -> None:
    odd = msgspec.structs.replace(notification(entry()), body={"hello": 1})
    with pytest.raises(Refused, match="cannot be told by mail"):
        deliver(9, odd)
