"""Identity and addresses."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.core.mailbox import canonical_address, domain_of
from mailvane.maillog.model import NUMBER_BITS, EventType, MailEvent, MailKey, mail_id, mail_number, parse_mail_id

MOMENTS = st.integers(0, 16**11 - 1)
NUMBERS = st.integers(0, 2**NUMBER_BITS - 1)


@given(MOMENTS, NUMBERS)
def test_a_mail_id_tells_when_and_which(accepted_at: int, number: int) -> None:
    text = mail_id(accepted_at, number)
    assert len(text) == 18
    assert parse_mail_id(text) == (accepted_at, number)


@given(MOMENTS, MOMENTS, NUMBERS, NUMBERS)
def test_mail_ids_sort_by_time(one: int, other: int, first: int, second: int) -> None:
    assert (mail_id(one, first) < mail_id(other, second)) == ((one, first) < (other, second))


@pytest.mark.parametrize(
    "text", ["", "17c7eda538e0005d0", "17c7eda538e0005d033", "17c7eda538e0005d0g", "1_c7eda538e0005d03"]
)
def test_what_is_not_18_hexadecimal_digits_is_no_mail_id(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_mail_id(text)


@given(st.lists(st.text(), min_size=1))
def test_a_mail_number_is_stable_and_fits(parts: list[str]) -> None:
    assert 0 <= mail_number(*parts) < 2**NUMBER_BITS
    assert mail_number(*parts) == mail_number(*parts)


def test_where_one_part_ends_matters_to_the_number() -> None:
    assert mail_number("ab", "c") != mail_number("a", "bc")


@pytest.mark.parametrize(
    ("address", "canonical", "domain"),
    [
        ("Ann@Example.COM", "Ann@example.com", "example.com"),
        ('"odd@local"@Example.com', '"odd@local"@example.com', "example.com"),
        ("MAILER-DAEMON", "MAILER-DAEMON", ""),
        ("", "", ""),
    ],
)
def test_only_the_domain_of_an_address_loses_its_case(address: str, canonical: str, domain: str) -> None:
    assert canonical_address(address) == canonical
    assert domain_of(canonical) == domain


def test_an_address_is_one_in_both_spellings_of_its_domain() -> None:
    assert canonical_address("Jürg@Straße.Example") == "Jürg@xn--strae-oqa.example"
    assert canonical_address("Jürg@XN--strae-OQA.example") == "Jürg@xn--strae-oqa.example"
    assert canonical_address("a@\udcff.Example") == "a@\udcff.example"


def test_an_event_survives_being_written_down() -> None:
    event = MailEvent(relay=1, accepted_at=1000, number=7, type=EventType.DELIVERED, at=1500, recipient="a@b.example")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=MailEvent) == event
    assert event.key == MailKey(1, 1000, 7)
    assert event.mail_id == event.key.mail_id
