"""kill -9 of a server that many ask at once, at both of its doors: no answer that was given is forgotten."""

from __future__ import annotations

import http.client
import random
import socket
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from threading import Thread

import httpx
import pytest

from tests.acceptance.installation import HTTP, Installation, kill
from tests.depth import rounds
from tests.waiting import PATIENCE

ROUNDS = rounds(3, deep=10)
ASKING = 16  # connections at once
NAME = "news.example"


class Asker(Thread):
    """Asks again and again on one connection until it breaks."""

    def __init__(self, questions: Generator[Callable[[], bool]]) -> None:
        super().__init__(daemon=True)
        self._questions = questions
        self.asked = self.answered = 0

    def run(self) -> None:
        with closing(self._questions), suppress(OSError, http.client.HTTPException):
            for question in self._questions:
                self.asked += 1
                assert question(), "every mail is to be allowed"
                self.answered += 1


def over_http(installation: Installation, token: str) -> Generator[Callable[[], bool]]:
    with closing(http.client.HTTPConnection("127.0.0.1", installation.port, timeout=PATIENCE)) as connection:

        def question() -> bool:
            headers = {"Authorization": f"Bearer {token}"}
            connection.request("POST", f"/domains/{NAME}/outbound/increment", headers=headers)
            return b'"allowed":true' in connection.getresponse().read()

        while True:
            yield question


def over_policy(installation: Installation, _token: str) -> Generator[Callable[[], bool]]:
    with socket.create_connection(("127.0.0.1", installation.policy_port), PATIENCE) as connection:
        for number in count():
            instance = f"{id(connection):x}.{time.monotonic_ns():x}.{number}"
            text = f"request=smtpd_access_policy\nprotocol_state=RCPT\nsender=a@{NAME}\ninstance={instance}\n\n"

            def question(asked: bytes = text.encode()) -> bool:
                connection.sendall(asked)
                answer = connection.recv(4096)
                if not answer:
                    raise ConnectionError
                return answer == b"action=DUNNO\n\n"

            yield question


@pytest.mark.parametrize("door", [over_http, over_policy])
def test_no_answer_is_forgotten_whenever_the_server_is_killed(
    door: Callable[[Installation, str], Generator[Callable[[], bool]]], tmp_path: Path
) -> None:
    installation = Installation(tmp_path / "data")
    dice = random.Random(door.__name__)
    asked = answered = 0
    for round_ in range(ROUNDS + 1):
        with installation.starting("serve") as process:
            installation.wait_until_ready()
            token = (installation.data / "master-token").read_text().strip()
            if round_:
                assert answered <= sent_today(installation, token) <= asked
            else:
                create(installation, token)
            if round_ == ROUNDS:
                break
            askers = [Asker(door(installation, token)) for _ in range(ASKING)]
            for asker in askers:
                asker.start()
            installation.wait_for(lambda: all(asker.answered for asker in askers))  # noqa: B023
            time.sleep(dice.uniform(0.05, 0.6))
            kill(process)
        for asker in askers:
            asker.join(PATIENCE)
        asked += sum(asker.asked for asker in askers)
        answered += sum(asker.answered for asker in askers)
    assert answered > ROUNDS * ASKING, "too few answers to prove anything"


def create(installation: Installation, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    made = HTTP.post(f"{installation.url}/domains/", headers=headers, json={"name": NAME})
    assert made.status_code == httpx.codes.CREATED, made.text


def sent_today(installation: Installation, token: str) -> int:
    sent: int = installation.get(f"/domains/{NAME}/outbound", token)["outbound_sent_today"]
    return sent
