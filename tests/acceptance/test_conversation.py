"""A conversation through a real Postfix, counted: mails, answers, bounces, opens and clicks by a browser and a scanner.

Everything is known beforehand, so every figure is, too: while the server follows the log, and after a rebuild.
"""

from __future__ import annotations

import email
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.acceptance.installation import Installation
from tests.acceptance.mail_client import Note, hand_in
from tests.acceptance.postfix_instance import Peers, PostfixInstance, cannot_run
from tests.acceptance.smtp_sink import SmtpSink
from tests.contract import clickhouse_server
from tests.waiting import PATIENCE, wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
ANN, BOB = "ann@ours.example", "bob@ours.example"
PEOPLE = [f"ok.{number}@client.example" for number in range(18)]
NOBODY = ["unknown.1@client.example", "full.1@client.example"]
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
SCANNER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
SETTINGS = """\
[mailboxes]
click_wait_seconds = 3
[[postfix]]
path = "{log}"
workspace = "team"
"""
PAGE = '<p>Hello.</p><a id="offer" href="{}">An offer</a> <a id="more" href="{}">More</a><img src="{}" alt="">'
# Of Ann's twenty mails and of Bob's one. The machine's open and clicks are in the raw figures only; nobody has tagged
# a reply or complained yet, so neither is known.
ANNS = {
    "delivered": 18, "bounced": 2, "opened": 4, "opened_raw": 5, "clicked": 2, "clicked_raw": 3, "replied": 3,
    "auto_replied": 1, "positive": None, "unsubscribed": 1, "complained": None,
}  # fmt: skip
BOBS = {kind: None if count is None else 0 for kind, count in ANNS.items()} | {"delivered": 1}


class Team(NamedTuple):
    """A server that follows a Postfix, and where the mail of all others arrives."""

    installation: Installation
    client: httpx.Client
    postfix: PostfixInstance
    sink: SmtpSink
    targets: str  # a server that links lead to

    def counts(self) -> dict[str, tuple[int, dict[str, int | None]]]:
        """Of every mailbox: how many mails, and how many of each kind."""
        answer = self.client.get("/mailvane/v1/mailboxes").raise_for_status().json()["mailboxes"]
        return {
            one["mailbox"]["address"]: (one["sent"], {kind: rate["numerator"] for kind, rate in one["rates"].items()})
            for one in answer
        }

    def arrived(self, address: str) -> Message:
        """What was delivered to an address of the others, or to one of the team."""

        def looked() -> list[bytes]:
            return [one.data for one in self.sink.accepted if one.recipients == (address,)]

        return email.message_from_bytes(wait_for(looked)[0].replace(b"\r\n..", b"\r\n."))


@pytest.fixture(scope="module", params=["chdb", "server"])
def team(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    if reason := cannot_run():
        pytest.skip(reason)
    place = tmp_path_factory.mktemp("conversation")
    installation = Installation(place / "data")
    with ExitStack() as running:
        if request.param == "server":
            if clickhouse_server.engine_file() is None:
                pytest.skip("no ClickHouse library: python tests/contract/clickhouse_server.py --fetch")
            (port,) = running.enter_context(clickhouse_server.servers(1, place))
            installation.environment["MAILVANE_MAILLOG"] = f"clickhouse://default@127.0.0.1:{port}/mailvane"
        sink = SmtpSink().start()
        running.callback(sink.stop)
        postfix = running.enter_context(PostfixInstance(Peers(sink.port)))
        _, token = installation.tenant("team")
        (installation.data / "mailvane.toml").write_text(SETTINGS.format(log=postfix.log))
        running.enter_context(installation.serving())
        client = running.enter_context(
            httpx.Client(base_url=installation.url, headers={"X-API-KEY": token}, timeout=PATIENCE)
        )
        client.put("/mailvane/v1/mailbox-rule", json={"domains": ["ours.example"]}).raise_for_status()
        yield Team(installation, client, postfix, sink, f"{installation.url}/healthz")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api: Any = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


def written(team: Team, number: int, recipient: str) -> Note:
    """A mail of Ann's, with two links, a pixel and a link to unsubscribe."""
    message_id = f"<{number}.spring@ours.example>"
    given = {
        "message_id": message_id, "recipient": recipient, "links": [team.targets, f"{team.targets}?more"],
        "unsubscribe": True,
    }  # fmt: skip
    made = team.client.post("/mailvane/v1/tracking/links", json=given).raise_for_status().json()
    body = PAGE.format(*(link["url"] for link in made["links"]), made["pixel"])
    headers = {
        "From": f"Ann <{ANN}>", "To": recipient, "Subject": "An offer", "Message-ID": message_id,
        "MIME-Version": "1.0", "Content-Type": "text/html; charset=utf-8", "X-Mailvane-Campaign": "spring",
        **made["unsubscribe"]["headers"],
    }  # fmt: skip
    return Note((recipient,), headers, f"bounces+{number}@ours.example", body + "\r\n")


def answer(number: int, **headers: str) -> Note:
    """To the mail of that number, by whoever got it."""
    asked = f"<{number}.spring@ours.example>"
    told = {
        "From": f"Client <{PEOPLE[number]}>", "To": ANN, "Subject": "Re: An offer", "In-Reply-To": asked,
        "Message-ID": f"<answer.{number}@client.example>", "References": f"<earlier@elsewhere.example> {asked}",
    }  # fmt: skip
    return Note((ANN,), told | headers, PEOPLE[number])


def looked_at(browser: Any, mail: Message, place: Path, follow: str = "") -> None:
    """A person opens the mail as it arrived, and perhaps follows a link of it."""
    file = place / "mail.html"
    file.write_bytes(mail.get_payload(decode=True))  # type: ignore[arg-type]
    with browser.new_context(user_agent=DESKTOP) as context:
        page = context.new_page()
        with page.expect_response(lambda response: response.url.endswith(".gif")) as pixel:
            page.goto(file.as_uri())
        assert pixel.value.status == 200
        if follow:
            page.click(follow)
            page.wait_for_url("**/healthz**")


def scanned(mail: Message) -> None:
    """A program fetches everything that the mail names, under the name of a browser."""
    named = re.findall(r'(?:href|src)="([^"]+)"', str(mail.get_payload()))
    assert len(named) == 3
    with httpx.Client(headers={"User-Agent": SCANNER}, timeout=PATIENCE) as client:
        for url in named[:2]:
            assert client.get(url).status_code == 302
        assert client.get(named[2], headers={"User-Agent": "Barracuda Sentinel (EE)"}).status_code == 200
        unsubscribe = mail["List-Unsubscribe"].strip("<>")
        assert client.get(unsubscribe).status_code == 200
        assert client.head(unsubscribe).status_code == 200


def test_every_figure_is_right_and_right_again_after_a_rebuild(team: Team, browser: Any, tmp_path: Path) -> None:
    mails = [written(team, number, to) for number, to in enumerate([*PEOPLE, *NOBODY])]
    other = {"From": BOB, "To": PEOPLE[0], "Subject": "Hello", "Message-ID": "<other@ours.example>"}
    hand_in(team.postfix.smtp, *mails, Note((PEOPLE[0],), other, BOB))
    team.postfix.wait_for("status=bounced", times=2)
    arrived = {number: team.arrived(PEOPLE[number]) for number in range(6)}
    for number, follow in ((0, ""), (1, "#offer"), (2, "#more"), (3, "")):
        looked_at(browser, arrived[number], tmp_path, follow)
    looked_at(browser, arrived[0], tmp_path)
    scanned(arrived[4])
    posted = httpx.post(arrived[5]["List-Unsubscribe"].strip("<>"), data={"List-Unsubscribe": "One-Click"})
    assert posted.status_code == 200
    hand_in(
        team.postfix.smtp,
        *(answer(number) for number in (0, 1, 6)),
        answer(6),  # once more: each mail counts once
        answer(7, Subject="Out of office", **{"Auto-Submitted": "auto-replied"}),
        answer(8, **{"In-Reply-To": "<unknown@elsewhere.example>", "References": "<unknown@elsewhere.example>"}),
    )
    right = {ANN: (20, ANNS), BOB: (1, BOBS)}
    wait_for(lambda: team.counts() == right, team.counts)
    same_elsewhere(team)
    team.installation.run("rebuild")
    assert team.counts() == right
    same_elsewhere(team)


def same_elsewhere(team: Team) -> None:
    """In the compatible API and on the command line."""
    ann, bob = team.client.get("/v1/analytics/mailboxes").json()["data"]
    assert (ann["email"], ann["totalSent"], ann["sentToday"], ann["bounceRate"]) == (ANN, 20, 20, 0.1)
    assert ann["performance"] == {
        "sent": 20, "opened": 4, "clicked": 2, "bounced": 2, "replied": 3, "positiveReplied": 0,
    }  # fmt: skip
    assert ann["rates"] == {"open": "20.0", "click": "10.0", "bounce": "10.0", "reply": "15.0", "positiveReply": "0.0"}
    assert ann["totalReceived"] == 6
    assert (bob["email"], bob["performance"]["sent"], bob["performance"]["replied"]) == (BOB, 1, 0)
    (line, _) = team.installation.answer("mailboxes")
    assert (line["address"], line["sent"], line["rates"]["replied"]["numerator"]) == (ANN, 20, 3)
    (campaign,) = [one for one in team.client.get("/mailvane/v1/campaigns").json() if one["name"] == "spring"]
    assert (campaign["sent"], campaign["rates"]["replied"]["numerator"]) == (20, 3)
