"""Answers of a moment ago: how old they may be, and how much memory they may take."""

from __future__ import annotations

from mailvane.web.recent import Recent


def test_an_answer_is_given_until_it_is_too_old() -> None:
    recent = Recent(seconds=3.0)
    recent.keep("question", b"answer", 100.0)
    assert recent.get("question", 103.0) == b"answer"
    assert recent.get("question", 103.1) is None
    assert recent.get("another", 100.0) is None


def test_an_answer_may_be_the_older_the_longer_one_would_wait_for_a_new_one_up_to_ten_seconds() -> None:
    recent = Recent(seconds=3.0)
    recent.keep("question", b"answer", 100.0)
    assert recent.get("question", 106.0, wait=2.0) == b"answer"
    assert recent.get("question", 106.1, wait=2.0) is None
    assert recent.get("question", 110.0, wait=60.0) == b"answer"
    assert recent.get("question", 110.1, wait=60.0) is None


def test_an_answer_ages_in_the_second_half_of_its_time() -> None:
    recent = Recent(seconds=3.0)
    recent.keep("question", b"answer", 100.0)
    assert not recent.is_ageing("question", 101.5)
    assert recent.is_ageing("question", 101.6)
    assert not recent.is_ageing("question", 103.0, wait=2.0)
    assert recent.is_ageing("question", 103.1, wait=2.0)
    assert not recent.is_ageing("another", 103.1)


def test_the_newest_answers_stay_within_the_bound() -> None:
    recent = Recent(most_bytes=10)
    for number in range(4):
        recent.keep(number, b"1234", float(number))
    assert [recent.get(number, 3.0) for number in range(4)] == [None, None, b"1234", b"1234"]


def test_the_same_answer_again_counts_once() -> None:
    recent = Recent(most_bytes=10)
    recent.keep("other", b"12345", 0.0)
    for number in range(5):
        recent.keep("same", b"12345", float(number))
    assert recent.get("other", 3.0) == b"12345"


def test_what_is_not_encoded_or_too_large_is_not_kept() -> None:
    recent = Recent()
    recent.keep("value", {"total": 1}, 0.0)
    recent.keep("large", bytes(2_000_000), 0.0)
    assert (recent.get("value", 0.0), recent.get("large", 0.0)) == (None, None)


def test_what_is_too_old_gives_its_memory_back() -> None:
    recent = Recent(seconds=3.0)
    recent.keep("question", b"answer", 0.0)
    recent.forget_old(11.0)
    assert recent.get("question", 0.0) is None
