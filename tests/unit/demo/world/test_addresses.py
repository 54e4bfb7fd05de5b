"""A mailing list: good addresses, and as many bad ones as its sender is careless."""

from __future__ import annotations

from random import Random

from mailvane_demo.world.addresses import mailing_list
from mailvane_demo.world.senders import CARELESS, NEWSLETTER


def test_the_same_seed_gives_the_same_people() -> None:
    assert mailing_list(NEWSLETTER, Random(3)) == mailing_list(NEWSLETTER, Random(3))
    assert mailing_list(NEWSLETTER, Random(3)) != mailing_list(NEWSLETTER, Random(4))


def test_a_careless_list_has_its_share_of_bad_addresses() -> None:
    people = mailing_list(CARELESS, Random(3))
    bad = sum(1 for one in people if one.flaw) / len(people)
    assert abs(bad - CARELESS.stale) < 0.03


def test_addresses_lie_in_domains_of_their_provider() -> None:
    for one in mailing_list(CARELESS, Random(5)):
        assert one.address.partition("@")[2] in one.provider.domains


def test_nobody_outside_the_reserved_names_is_written_to() -> None:
    assert all(one.address.endswith(".example") for one in mailing_list(NEWSLETTER, Random(9)))
