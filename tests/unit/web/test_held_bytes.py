"""Whose bytes are given up when too many are in hand."""

from __future__ import annotations

from mailvane.web.held_bytes import HeldBytes, HeldLimits

LIMITS = HeldLimits(total=1000, per_peer=600, unproven=300, unproven_per_peer=200)


class Hands:
    def __init__(self) -> None:
        self.given_up: list[str] = []
        self.bytes: HeldBytes[str] = HeldBytes(LIMITS, self.given_up.append)


def test_what_is_held_changes_and_ends() -> None:
    hands = Hands()
    for count in (100, 200, 50):
        hands.bytes.hold("a", "p", False, count)
        assert hands.bytes.total == count
    hands.bytes.release("a")
    hands.bytes.release("a")
    assert (hands.bytes.total, hands.given_up) == (0, [])


def test_strangers_of_one_peer_and_of_all_have_bounds_of_their_own_and_the_first_goes_first() -> None:
    hands = Hands()
    hands.bytes.hold("a", "p", False, 150)
    hands.bytes.hold("b", "p", False, 100)
    assert hands.given_up == ["a"]
    hands.bytes.hold("c", "q", False, 150)
    hands.bytes.hold("d", "r", False, 100)
    assert (hands.given_up, hands.bytes.total) == (["a", "b"], 250)


def test_whoever_proves_a_key_is_counted_with_the_others() -> None:
    hands = Hands()
    hands.bytes.hold("a", "p", False, 190)
    hands.bytes.hold("a", "p", True, 500)
    hands.bytes.hold("b", "p", False, 90)
    assert (hands.given_up, hands.bytes.total) == ([], 590)


def test_strangers_go_before_those_that_are_known() -> None:
    hands = Hands()
    hands.bytes.hold("known", "p", True, 500)
    hands.bytes.hold("stranger", "p", False, 100)
    hands.bytes.hold("other", "p", True, 50)
    assert hands.given_up == ["stranger"]
    hands.bytes.hold("third", "q", True, 460)
    assert (hands.given_up, hands.bytes.total) == (["stranger", "known"], 510)


def test_one_alone_that_is_too_much_goes_itself() -> None:
    hands = Hands()
    hands.bytes.hold("a", "p", True, 601)
    assert (hands.given_up, hands.bytes.total) == (["a"], 0)
