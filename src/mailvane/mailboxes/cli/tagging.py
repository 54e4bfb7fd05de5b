"""`mailvane mailbox-tag` and `mailbox-untag`: whether the reply to a mail is a wanted one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from mailvane.core.cli.selection import chosen_workspace
from mailvane.core.errors import InvalidInput, NotFound
from mailvane.mailboxes.cli.program import mailbox_program
from mailvane.mailboxes.tracking.links import read_message_id
from mailvane.mailboxes.tracking.tagging import Tagged
from mailvane.maillog.model import MailKind
from mailvane.maillog.queries import Delivery, LogQuestion, Match, Pattern, Term

if TYPE_CHECKING:
    from mailvane.maillog.interface import MailLog

_MAIL = "The mail that was answered: its id in `mailvane log`, or its Message-ID, which the reply has in In-Reply-To."
_WORKSPACE = "The workspace; by default the only one."
_RECIPIENT = "Who answered; may be left out when the mail had one recipient."


def register(app: typer.Typer) -> None:
    app.command(name="mailbox-tag")(tag)
    app.command(name="mailbox-untag")(untag)


def tag(
    context: typer.Context,
    mail: str = typer.Argument(help=_MAIL),
    recipient: str = typer.Option("", help=_RECIPIENT),
    workspace: str | None = typer.Option(None, help=_WORKSPACE),
) -> None:
    """Say that the reply to a mail is a positive one, whatever a classifier said."""
    _tag(context, workspace, mail, recipient, positive=True)


def untag(
    context: typer.Context,
    mail: str = typer.Argument(help=_MAIL),
    recipient: str = typer.Option("", help=_RECIPIENT),
    workspace: str | None = typer.Option(None, help=_WORKSPACE),
) -> None:
    """Say that the reply to a mail is not a positive one, whatever was said before."""
    _tag(context, workspace, mail, recipient, positive=False)


def _tag(context: typer.Context, workspace: str | None, mail: str, recipient: str, *, positive: bool) -> None:
    place = mailbox_program(context)
    tenancy = place.tenancy()
    chosen = chosen_workspace(tenancy, workspace)
    relays = tuple(relay.id for relay in tenancy.relays(chosen.id))
    with place.maillog() as maillog:
        found = _answered(maillog, chosen.id, relays, mail, recipient)
    place.tagging().tag(chosen.id, Tagged(found.mail_id, found.recipient, positive, found.relay), place.now())
    with place.maillog():  # what was told just now is in the mail log when this is over
        pass
    typer.echo(f"the reply of {found.recipient} to {found.mail_id} is {'positive' if positive else 'not positive'}")


def _answered(maillog: MailLog, workspace: int, relays: tuple[int, ...], mail: str, recipient: str) -> Delivery:
    """The mail to whoever answered. Raises InvalidInput, NotFound."""
    named: dict[str, Any] = {"mail_id": mail}
    if "@" in mail:
        named = {"terms": (Term("msgid", (Pattern(read_message_id(mail), Match.WHOLE),)),)}
    question = LogQuestion(workspace=workspace, relays=relays, kinds=(MailKind.MAIL,), limit=1000, **named)
    found = maillog.search(question).deliveries if relays else []
    if not found:
        raise NotFound(f"there is no mail {mail[:80]}")
    passing = [one for one in found if not recipient or one.recipient.lower() == recipient.lower()]
    if not passing:
        raise NotFound(f"that mail did not go to {recipient[:320]}")
    if len({one.mail_id for one in passing}) > 1:
        raise InvalidInput("several mails have that Message-ID: name one by its id")
    if len(passing) > 1:
        raise InvalidInput("the mail had several recipients: say who answered with --recipient")
    return passing[0]
