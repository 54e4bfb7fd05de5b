"""The tally counts what happened within a span, and nothing beside it."""

from __future__ import annotations

from mailvane.maillog.model import ReasonFamily
from mailvane_demo.world.truth import Happening, Tally


def test_a_span_has_its_begin_and_lacks_its_end() -> None:
    tally = Tally()
    for at in (99, 100, 199, 200):
        tally.add(at, Happening.ACCEPTED)
    assert tally.truth(100, 200).accepted == 2


def test_each_kind_of_happening_has_its_own_count() -> None:
    tally = Tally()
    for times, what in enumerate(Happening, 1):
        for _ in range(times):
            tally.add(7, what)
    truth = tally.truth(0, 10)
    counts = (truth.accepted, truth.delivered, truth.deferred, truth.bounced, truth.expired, truth.rejected)
    assert counts == (1, 2, 3, 4, 5, 6)
    assert (truth.screened, truth.notifications) == (7, 8)


def test_bounces_are_counted_by_family_and_deferrals_are_not() -> None:
    tally = Tally()
    tally.add(1, Happening.BOUNCED, ReasonFamily.SPAM)
    tally.add(1, Happening.BOUNCED, ReasonFamily.OTHER)
    tally.add(2, Happening.BOUNCED, ReasonFamily.SPAM)
    tally.add(2, Happening.DEFERRED)
    assert tally.truth(0, 10).families == {ReasonFamily.SPAM: 2, ReasonFamily.OTHER: 1}
