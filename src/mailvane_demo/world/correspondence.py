"""What a simulated sender writes, and to whom."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import TypeVar

from mailvane_demo.world.addresses import Recipient, mailing_list
from mailvane_demo.world.mail import Letter
from mailvane_demo.world.providers import OWN_MAILBOXES
from mailvane_demo.world.senders import WORDS, Client, Sender

Choice = TypeVar("Choice")

_REMEMBERED = 60  # mails that somebody may still answer


class Correspondence:
    """Everything that one sender writes, mail by mail."""

    def __init__(self, sender: Sender, random: Random) -> None:
        self.sender = sender
        self.recent: deque[Letter] = deque(maxlen=_REMEMBERED)
        self._random = random
        self._list = mailing_list(sender, random)

    def client(self) -> Client:
        """The machine from which the next connection comes."""
        return self._pick(self.sender.clients)

    def somebody(self) -> Recipient:
        """One of those it writes to, some of them more often than others."""
        return self._list[int(self._random.random() ** 1.6 * len(self._list))]

    def write(self, client: Client) -> Letter:
        sender, random = self.sender, self._random
        who = (
            sender.clients.index(client) if len(sender.clients) == len(sender.header_from) else int(random.random() * 9)
        )
        number = random.randrange(1000, 99_999)
        message_id = f"<{random.getrandbits(64):016x}.{number}@{sender.domain}>"
        subject = self._pick(sender.subjects).format(number=number, word=self._pick(WORDS))
        headers = [("From", sender.header_from[who % len(sender.header_from)]), ("Subject", subject)]
        if sender.reply_to:
            headers.insert(1, ("Reply-To", sender.reply_to.format(number=number)))
        if sender.threads and self.recent and random.random() < sender.threads:
            headers += _thread(self._pick(self.recent))
        letter = Letter(
            sender.envelope[who % len(sender.envelope)],
            self._recipients(),
            tuple(headers),
            message_id,
            int(sender.size * (0.6 + random.random() ** 4 * 8)),
            sender.strange,
            sender.spammy,
            sender.filtered,
        )
        self.recent.append(letter)
        return letter

    def answer(self, letter: Letter) -> Letter:
        """What one of its readers writes back."""
        random = self._random
        reader = letter.recipients[0].address
        number = random.randrange(1000, 99_999)
        domain = reader.rpartition("@")[2]
        return Letter(
            reader,
            [Recipient(letter.sender, OWN_MAILBOXES)],
            (
                ("From", f"{reader.partition('.')[0].title()} <{reader}>"),
                ("Subject", f"Re: {number}"),
                *_thread(letter),
            ),
            f"<{random.getrandbits(80):020x}@mail.{domain}>",
            3000 + int(random.random() ** 3 * 90_000),
        )

    def _recipients(self) -> list[Recipient]:
        random = self._random
        first = self.somebody()
        if random.random() >= self.sender.crowd:
            return [first]
        # an address that stands there twice gets one copy, as Postfix sees to
        return list({one.address: one for one in (first, *random.sample(self._list, random.randrange(1, 7)))}.values())

    def _pick(self, choices: deque[Choice] | tuple[Choice, ...]) -> Choice:
        return choices[int(self._random.random() * len(choices))]


def _thread(letter: Letter) -> list[tuple[str, str]]:
    earlier = next((text for name, text in letter.headers if name == "References"), "")
    references = f"{earlier}? {letter.message_id}" if earlier else letter.message_id
    return [("In-Reply-To", letter.message_id), ("References", references)]


def readers_client(letter: Letter) -> Client:
    """The machine that brings an answer: the outgoing server of the reader's provider."""
    provider = letter.recipients[0].provider
    name, ip = provider.hosts[0]
    outgoing = f"out{len(ip)}.{name.partition('.')[2]}"
    return Client(outgoing, ip, outgoing, tls=True)
