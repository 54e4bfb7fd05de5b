"""What Postfix keeps in its hold queue, and how it is let go: by `postqueue -j` and `postsuper -H`, run here or told.

Which of the held mails a hold of ours has kept is known from the mail log: Postfix's line has the reason in its text.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import NotPossible
from mailvane.core.mailbox import domain_of
from mailvane.core.moments import DAY_MS
from mailvane.core.names import mail_domain
from mailvane.maillog.interface import MailLog
from mailvane.maillog.model import DeliveryStatus, EventType, MailKey, MailKind
from mailvane.maillog.queries import Delivery, LogQuestion, Match, Pattern, Term
from mailvane.outbound.holds import HoldKind
from mailvane.outbound.model import Reason

_SECONDS = 60
_MOST = 10_000
_LONGEST_HELD_MS = 60 * DAY_MS  # ours
_MARK = f"({Reason.HELD.value})"  # in Postfix's line about a mail that it was told to hold
_HELD = Term("is", (Pattern(DeliveryStatus.HELD.value, Match.WHOLE),))


class QueuedMail(msgspec.Struct, frozen=True):
    """A line of `postqueue -j`, as far as it matters here."""

    queue_name: str
    queue_id: str
    sender: str = ""


class Whose(msgspec.Struct, frozen=True):
    """Whose mail is on hold."""

    kind: HoldKind
    name: str

    def sent(self, mail: Delivery) -> bool:
        login = mail.login.lower()
        if self.kind is HoldKind.LOGIN:
            return login == self.name
        return self.name in {mail_domain(domain_of(login)), mail_domain(domain_of(mail.sender))}


def how_to_release(kind: HoldKind, name: str) -> str:
    """A command for the mail server's machine, run by root."""
    if kind is HoldKind.LOGIN:
        return f"mailvane hold release login {name} --queue, or: postqueue -j, and postsuper -H QUEUE_ID for each mail"
    wanted = f'select(.queue_name=="hold" and (.sender|endswith("@{name}")))|.queue_id'
    return f"postqueue -j | jq -r '{wanted}' | postsuper -H -"


def can_release() -> bool:
    """Whether Postfix's commands are at hand."""
    return shutil.which("postqueue") is not None and shutil.which("postsuper") is not None


def held_mails() -> list[QueuedMail]:
    """Those in the hold queue. Raises NotPossible."""
    lines = _run(["postqueue", "-j"]).splitlines()
    found = [msgspec.json.decode(line, type=prepared(QueuedMail)) for line in lines if line.strip()]
    return [each for each in found if each.queue_name == "hold"]


def let_go(queue_ids: Sequence[str]) -> None:
    """Back to where they can be delivered from. Raises NotPossible."""
    if queue_ids:
        _run(["postsuper", "-H", "-"], "\n".join(queue_ids) + "\n")


def of_sender(mails: Iterable[QueuedMail], domain: str) -> list[str]:
    """Queue ids of what a domain's addresses sent."""
    return [each.queue_id for each in mails if mail_domain(domain_of(each.sender)) == domain]


def kept_by_hold(
    maillog: MailLog, relays: Mapping[int, tuple[int, ...]], waiting: Iterable[QueuedMail], whose: Whose, now: int
) -> list[str]:
    """Queue ids of the waiting mails that a hold of this domain or login kept, as the log has it.

    `relays`: of each workspace. What a rule of Postfix's own holds, or an operator, is none of them.
    """
    found: list[str] = []
    there = {each.queue_id for each in waiting}
    for workspace, own in relays.items():
        question = LogQuestion(
            workspace=workspace, relays=own, kinds=tuple(MailKind), terms=(_HELD,),
            since=now - _LONGEST_HELD_MS, limit=_MOST,
        )  # fmt: skip
        rows = maillog.search(question).deliveries if own and there else ()
        mails = {each.queue_id: each for each in rows if each.queue_id in there and whose.sent(each)}
        for queue_id, each in mails.items():
            # The row of a mail that was never tried has no reply.
            events = maillog.mail_events(workspace, MailKey(each.relay, each.accepted_at, each.number))
            if any(event.type is EventType.HELD and _MARK in event.reply for event in events):
                found.append(queue_id)
    return found


def _run(command: Sequence[str], text: str = "") -> str:
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotPossible(f"{command[0]} cannot be run: {error}") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise NotPossible(f"{command[0]} failed: {said[-1] if said else f'status {done.returncode}'}")
    return done.stdout
