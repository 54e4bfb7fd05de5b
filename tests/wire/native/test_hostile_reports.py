"""Whatever is handed in as a report over HTTP gets a clear answer."""

from __future__ import annotations

import pytest

from tests.unit.dmarc.readers.test_mails import HOSTILE
from tests.wire.world import World


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_mail_is_taken_or_refused_with_the_reason(shared_world: World, name: str) -> None:
    content = HOSTILE[name][0](5000)
    answer = shared_world.client.post(
        "/mailvane/v1/sources/dmarc/import?name=r.eml", headers=shared_world.ours.headers, content=content
    )
    if answer.status_code == 200:
        assert answer.json()["count"] in (0, 1)
        return
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("r.eml: ")
