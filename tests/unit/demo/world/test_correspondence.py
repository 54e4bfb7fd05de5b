"""What a sender writes, and what its readers answer."""

from __future__ import annotations

from random import Random

from mailvane_demo.world.correspondence import Correspondence, readers_client
from mailvane_demo.world.senders import NEWSLETTER, OFFICE, SAAS, Sender


def letters(sender: Sender, count: int = 200) -> list[tuple[str, dict[str, str]]]:
    writer = Correspondence(sender, Random(2))
    written = [writer.write(writer.client()) for _ in range(count)]
    return [(letter.sender, dict(letter.headers)) for letter in written]


def test_a_person_of_the_office_writes_under_the_own_name() -> None:
    writer = Correspondence(OFFICE, Random(2))
    for client in OFFICE.clients:
        letter = writer.write(client)
        assert letter.sender == client.login
        assert client.login in dict(letter.headers)["From"]


def test_message_ids_do_not_repeat() -> None:
    writer = Correspondence(NEWSLETTER, Random(2))
    ids = [writer.write(writer.client()).message_id for _ in range(500)]
    assert len(set(ids)) == 500


def test_some_letters_go_on_with_a_thread_that_was_begun() -> None:
    writer = Correspondence(SAAS, Random(2))
    seen: set[str] = set()
    threaded = 0
    for _ in range(300):
        letter = writer.write(writer.client())
        headers = dict(letter.headers)
        if "In-Reply-To" in headers:
            threaded += 1
            assert headers["In-Reply-To"] in seen
            assert headers["References"].endswith(headers["In-Reply-To"])
        seen.add(letter.message_id)
    assert 80 < threaded < 200


def test_a_newsletter_never_answers_and_says_where_to_answer() -> None:
    for _, headers in letters(NEWSLETTER):
        assert "In-Reply-To" not in headers
        assert headers["Reply-To"] == NEWSLETTER.reply_to


def test_an_answer_comes_from_the_reader_and_names_what_it_answers() -> None:
    writer = Correspondence(OFFICE, Random(2))
    letter = writer.write(writer.client())
    answer = writer.answer(letter)
    assert answer.sender == letter.recipients[0].address
    assert [one.address for one in answer.recipients] == [letter.sender]
    assert ("In-Reply-To", letter.message_id) in answer.headers
    assert readers_client(letter).ip == letter.recipients[0].provider.hosts[0][1]


def test_nobody_gets_two_copies_of_a_letter() -> None:
    writer = Correspondence(OFFICE, Random(2))
    for _ in range(500):
        addresses = [one.address for one in writer.write(writer.client()).recipients]
        assert len(set(addresses)) == len(addresses)
