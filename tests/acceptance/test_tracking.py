"""From tracking links to the figures of a mailbox: a whole server, a plain HTTP client, and a rebuild."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.installation import Installation
from tests.waiting import PATIENCE

PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOOGLE = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
APPLE = "Mozilla/5.0"  # Mail Privacy Protection, whether anybody opens it or not
SENDER = "ann@ours.example"


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[tuple[Installation, httpx.Client]]:
    found = Installation(tmp_path / "data")
    (found.data / "mailvane.toml").write_text("[mailboxes]\nclick_wait_seconds = 1\n")
    _, token = found.tenant("acme")
    with httpx.Client(base_url=found.url, headers={"X-API-KEY": token}, timeout=PATIENCE) as client:
        yield found, client


def events(now: int, mails: int) -> str:
    facts = {"sender": SENDER, "header_from": SENDER, "recipient": "client@isp.example", "time": now}
    lines = [
        {"id": f"{what}{number}", "type": what, "mail": str(number), "accepted_at": now, **facts}
        | ({"message_id": f"<{number}@ours.example>"} if what == "accepted" else {})
        for number in range(mails)
        for what in ("accepted", "delivered")
    ]
    return "\n".join(json.dumps(line) for line in lines)


def answers(now: int) -> str:
    """One of a person, one of a program, a bounce."""
    told: list[tuple[str, dict[str, Any]]] = [
        ("a", {}),
        ("b", {"automatic": True}),
        ("c", {"header_from": "mailer-daemon@isp.example"}),
    ]
    lines = [
        {"id": f"reply{name}", "type": "accepted", "mail": name, "time": now + 1_000, "recipient": SENDER}
        | {"sender": "client@isp.example", "header_from": "client@isp.example"}
        | {"in_reply_to": f"<{number}@ours.example>", "message_id": f"<{name}@isp.example>", **facts}
        for number, (name, facts) in enumerate(told)
    ]
    return "\n".join(json.dumps(line) for line in lines)


def counts(client: httpx.Client) -> dict[str, Any]:
    found = client.get("/mailvane/v1/mailboxes").raise_for_status().json()["mailboxes"]
    rates: dict[str, Any] = next((each["rates"] for each in found if each["mailbox"]["address"] == SENDER), {})
    return {kind: rate["numerator"] for kind, rate in rates.items()}


def test_links_become_figures_and_stay_after_a_rebuild(installation: tuple[Installation, httpx.Client]) -> None:
    found, client = installation
    with found.serving():
        now = time.time_ns() // 1_000_000
        made = [links(client, number) for number in range(5)]
        with httpx.Client(headers={"User-Agent": PERSON}, timeout=PATIENCE) as public:
            public.get(made[0]["pixel"])
            public.get(made[0]["links"][1]["url"])
            public.get(made[1]["pixel"], headers={"User-Agent": GOOGLE})  # for whoever opens it
            public.get(made[4]["pixel"], headers={"User-Agent": APPLE})
            for link in made[2]["links"]:
                public.get(link["url"])
            public.post(made[3]["unsubscribe"]["url"], data={"List-Unsubscribe": "One-Click"})
        sent = client.post(
            "/mailvane/v1/events", content=events(now, 5), headers={"Content-Type": "application/x-ndjson"}
        )
        assert sent.is_success, sent.text
        answered = client.post(
            "/mailvane/v1/events", content=answers(now), headers={"Content-Type": "application/x-ndjson"}
        )
        assert answered.is_success, answered.text
        right = {"opened": 2, "opened_raw": 3, "clicked": 1, "clicked_raw": 2, "unsubscribed": 1, "delivered": 5}
        right |= {"replied": 1, "auto_replied": 1}
        found.wait_for(lambda: right.items() <= counts(client).items())
        compatible = client.get("/v1/analytics/mailboxes").json()["data"][0]["performance"]
        assert (compatible["sent"], compatible["opened"], compatible["clicked"]) == (5, 2, 1), "people only"
        for asked in (b"/t/c/" + b"A" * 1_000_000, b"/t/o/x.gif?" + b"A" * 1_000_000):
            assert status(found.port, asked) in {0, *range(400, 500)}
        assert client.get("/readyz").is_success
        found.run("rebuild")
        assert right.items() <= counts(client).items()


def status(port: int, asked: bytes) -> int:
    """How a request is answered whose target no client would send; 0: the connection is closed before all was sent."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        try:
            connection.sendall(b"GET " + asked + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            return int(connection.recv(100).split()[1])
        except ConnectionError:
            return 0


def links(client: httpx.Client, number: int) -> Any:
    targets = ["https://shop.example/a", "https://shop.example/b"]
    mail = {"message_id": f"<{number}@ours.example>", "recipient": "client@isp.example"}
    answer = client.post("/mailvane/v1/tracking/links", json={**mail, "links": targets, "unsubscribe": True})
    assert answer.is_success, answer.text
    return answer.json()
