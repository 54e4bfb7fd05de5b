"""A server indexes the texts of the messages that it holds, and finds them as before, over HTTP."""

from __future__ import annotations

from pathlib import Path

import httpx

from mailvane.core.identifiers import ordered_uuid
from mailvane.inbound.model import Message, MessageStatus
from mailvane.inbound.store.rows import NewMail
from mailvane.inbound.text_index import SIZE
from tests.acceptance.gateway_world import GatewayWorld, now
from tests.waiting import wait_for


def test_texts_are_indexed_while_the_server_runs(tmp_path: Path) -> None:
    world = GatewayWorld(tmp_path, 9)
    headers = {"Authorization": f"Bearer {world.key}"}
    with world.stores() as stores:
        stores.messages.take_in([_mail(number) for number in range(8)], now())
        assert stores.search_index.is_due()
        with (
            world.installation.serving(),
            httpx.Client(base_url=world.installation.url, headers=headers, trust_env=False) as client,
        ):
            wait_for(lambda: not stores.search_index.is_due())
            for text, total in (("order 17 of", 8), ("ORDER", SIZE + 8), ("17", None), ("news3@", SIZE // 8 + 1)):
                answer = client.get("/v1/messages", params={"q": text, "per_page": 1}).raise_for_status().json()
                assert total in (None, answer["total_pages"]), text
                assert text.lower() in str(answer["data"]).lower()


def _mail(sender: int) -> NewMail:
    messages = [
        Message(
            id=ordered_uuid(now()), workspace=1, number=number, received_at=now(), status=MessageStatus.DELIVERED,
            address=None, recipient=f"box{number}@office.example", recipient_number=1, target="", contact="", sender="",
            from_address=f"news{sender}@shop.example", from_name="", subject=f"Your order {number} of today",
            message_id="", client="", client_name="", size=1, protocol="ESMTP",
        )
        for number in range(SIZE // 8 + 1)
    ]  # fmt: skip
    return NewMail(workspace=1, messages=tuple(messages), events=(), week=0)
