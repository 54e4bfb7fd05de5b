"""Who has to go when there are too many connections."""

from __future__ import annotations

import pytest

from mailvane.core.connections import ConnectionLimits, Connections, peer_of


class Crowd:
    """Connections that are names; those that are busy are in a set."""

    def __init__(self, total: int, per_peer: int, spare: int = 64) -> None:
        self.busy: set[str] = set()
        self.ended: list[str] = []
        limits = ConnectionLimits(total=total, per_peer=per_peer)
        self.open: Connections[str] = Connections(limits, lambda name: name not in self.busy, self.ended.append, spare)

    def enter(self, names: str, peer: str = "192.0.2.1", proven: bool = False) -> None:
        for name in names.split():
            self.open.enter(name, peer)
            if proven:
                self.open.prove(name)


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        (("192.0.2.7", 4711), "192.0.2.7"),
        (("2001:db8:1:2:3::9", 4711, 0, 0), "2001:db8:1:2::"),
        (("fe80::1%eth0", 1, 0, 2), "fe80::"),
        (("::ffff:192.0.2.7", 1, 0, 0), "192.0.2.7"),
        ("/run/policy", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_a_peer_is_an_address_or_the_network_of_one(address: object, peer: str) -> None:
    assert peer_of(address) == peer


def test_the_oldest_that_proved_nothing_goes_first() -> None:
    crowd = Crowd(total=4, per_peer=4, spare=0)
    crowd.enter("known", proven=True)
    crowd.enter("a b c")
    assert crowd.ended == []
    crowd.enter("d e")
    assert (crowd.ended, len(crowd.open)) == (["a", "b"], 4)


def test_one_peer_cannot_take_the_places_of_another() -> None:
    crowd = Crowd(total=10, per_peer=3, spare=0)
    crowd.enter("a", peer="192.0.2.1")
    crowd.enter("m n o p q r s t", peer="192.0.2.2")
    assert crowd.ended == ["m", "n", "o", "p", "q"]
    assert (crowd.open.of_peer("192.0.2.1"), crowd.open.of_peer("192.0.2.2")) == (1, 3)


def test_where_all_are_known_the_one_that_was_idle_for_longest_goes() -> None:
    crowd = Crowd(total=4, per_peer=4)
    crowd.enter("a b c d", proven=True)
    crowd.open.prove("a")  # is heard again
    crowd.busy.add("b")
    crowd.enter("new")
    assert crowd.ended == ["c"]


def test_where_all_are_known_and_busy_a_few_more_are_taken_and_then_the_oldest_of_those_goes() -> None:
    crowd = Crowd(total=8, per_peer=8)
    crowd.enter("a b c d e f g h", proven=True)
    crowd.busy.update("abcdefgh")
    crowd.enter("u v w x")
    assert (crowd.ended, len(crowd.open)) == (["u", "v"], 10)


def test_known_ones_do_not_grow_without_end_either() -> None:
    crowd = Crowd(total=8, per_peer=8)
    for number in range(100):
        crowd.busy.add(str(number))
        crowd.enter(str(number), proven=True)
    assert len(crowd.open) == 10


def test_who_has_left_is_not_ended() -> None:
    crowd = Crowd(total=2, per_peer=2, spare=0)
    crowd.enter("a b")
    crowd.open.leave("a")
    crowd.open.leave("a")
    crowd.open.prove("a")
    crowd.enter("c d")
    assert (crowd.ended, sorted(crowd.open)) == (["b"], ["c", "d"])
    for name in "cd":
        crowd.open.leave(name)
    assert crowd.open.of_peer("192.0.2.1") == 0
