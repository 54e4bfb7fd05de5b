"""How many descriptors connections may take."""

from __future__ import annotations

import pytest

from mailvane.core.connections import ConnectionLimits
from mailvane.server.descriptors import connections_of_a_door


@pytest.mark.parametrize(
    ("descriptors", "total", "per_peer"),
    [(256, 76, 38), (1_024, 307, 153), (4_096, 1_228, 614), (65_536, 4_096, 2_048), (1, 1, 1)],
)
def test_each_door_gets_a_share_that_leaves_enough_for_the_stores(descriptors: int, total: int, per_peer: int) -> None:
    assert connections_of_a_door(descriptors) == ConnectionLimits(total, per_peer)
