"""What the `[reputation]` table of the settings file says of telling people. Values only."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mailvane.core.errors import InvalidInput, InvalidSetting
from mailvane.core.mailbox import read_mailbox
from mailvane.core.setting_tables import Part

_Port = Annotated[int, Meta(ge=1, le=65535)]
_Path = Annotated[str, Meta(pattern="^/")]


class OutgoingMail(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The SMTP server that alert mails leave by; better not the relay that is watched."""

    host: Annotated[str, Meta(description="SMTP server for alert mails and the daily report; none, no mail.")] = ""
    port: Annotated[_Port, Meta(description="Its port.")] = 587
    security: Annotated[Literal["starttls", "tls", "none"], Meta(description="How the connection is protected.")] = (
        "starttls"
    )
    user: Annotated[str, Meta(description="Login, if it wants one.")] = ""
    password_file: Annotated[_Path | None, Meta(description="File that holds the password.")] = None
    sender: Annotated[
        str, Meta(description="Whom alert mails come from, as `address` or `Name <address>`; the envelope, too.")
    ] = "mailvane@localhost"


class NotifySettings(msgspec.Struct, frozen=True, kw_only=True):
    """How notifications are sent."""

    allowed_targets: Annotated[
        tuple[str, ...],
        Meta(description="Private hosts or networks that webhooks may reach, such as `10.1.2.0/24`; else none."),
    ] = ()
    heartbeat_url: Annotated[
        str,
        Meta(description="Address that is asked (GET) while all is well, so that a monitor notices when it is not."),
    ] = ""
    heartbeat_seconds: Annotated[int, Meta(ge=10, le=86_400, description="How often.")] = 60
    mail: Annotated[OutgoingMail, Meta(description="How alert mails leave; its keys are below.")] = OutgoingMail()


def _check(read: NotifySettings, where: str) -> None:
    try:
        read_mailbox(read.mail.sender)
    except InvalidInput as error:
        raise InvalidSetting(f"{where}: mail: sender: {error.message}") from None
    for target in read.allowed_targets:
        if "/" not in target:
            continue
        try:
            ip_network(target)
        except ValueError:
            raise InvalidSetting(f"{where}: allowed_targets: {target!r} is no host and no network") from None


PART = Part(NotifySettings, ("mail",), _check)
