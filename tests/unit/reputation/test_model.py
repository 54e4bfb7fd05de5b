"""What is watched and what is said of it: every value has its place in the tables."""

from __future__ import annotations

from contextlib import suppress

from mailvane.core.errors import InvalidInput
from mailvane.reputation.asset_names import NOUNS, normalized
from mailvane.reputation.model import ASKED_ABOUT, OUTSIDE, SOURCES, AssetKind, ObservationKind, Source


def test_every_observation_is_said_by_one_source_and_every_asset_asked_of_one() -> None:
    assert set(SOURCES) == set(Source)
    assert sorted(kind for terms in SOURCES.values() for kind in terms.says) == sorted(ObservationKind)
    assert sorted(kind for kinds in ASKED_ABOUT.values() for kind in kinds) == sorted(AssetKind)
    assert [source for source in Source if ASKED_ABOUT[source]] == list(OUTSIDE)


def test_every_kind_of_asset_has_its_noun_and_its_spelling() -> None:
    assert set(NOUNS) == set(AssetKind)
    for kind in AssetKind:
        with suppress(InvalidInput):
            assert normalized(kind, "192.0.2.1") == ["192.0.2.1"]
