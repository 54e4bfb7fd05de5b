"""The `[inbound]` table of the settings file: how mail is taken in, judged and handed on. Values only."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from mailvane.core.errors import InvalidSetting
from mailvane.core.setting_tables import Part, TableKey, declared_parts, read_parts

_Path = Annotated[str, Meta(pattern="^/")]
_Count = Annotated[int, Meta(ge=1)]


class InboundSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How mail comes in."""

    hostname: Annotated[
        str, Meta(description="Name of the gateway in its greeting and in Received; this machine's when not given.")
    ] = ""
    tls_certificate: Annotated[
        _Path | None, Meta(description="PEM file of the certificate chain for STARTTLS; none, no STARTTLS.")
    ] = None
    tls_key: Annotated[_Path | None, Meta(description="PEM file of its key, if that is another file.")] = None
    message_bytes: Annotated[_Count, Meta(description="Size of the largest mail that is taken.")] = 50 * 1024 * 1024
    memory_bytes: Annotated[
        _Count, Meta(description="Mail that may be on its way in at once, in all; more is asked to come later.")
    ] = 256 * 1024 * 1024
    recipients: Annotated[_Count, Meta(description="Recipients of one mail; more are asked to come in another.")] = 1000
    connections: Annotated[_Count, Meta(description="Connections that are open at once.")] = 1000
    connections_per_client: Annotated[_Count, Meta(description="Likewise, of one address.")] = 100
    mails_per_minute: Annotated[
        Annotated[int, Meta(ge=0)],
        Meta(description="Mails of one address in a minute, except of trusted relays; 0: as many as there are."),
    ] = 0
    greeting_delay: Annotated[
        Annotated[float, Meta(ge=0, le=30)],
        Meta(description="Seconds before the greeting; whoever does not wait for it is refused."),
    ] = 0.0
    trusted_relays: Annotated[
        tuple[str, ...],
        Meta(description="Addresses or networks of the relays in front, whose headers about a mail are believed."),
    ] = ()
    authserv_id: Annotated[
        str,
        Meta(description="Name under which a relay in front writes Authentication-Results; none, they do not count."),
    ] = ""
    recipient_delimiter: Annotated[
        Annotated[str, Meta(max_length=1)],
        Meta(description="What separates a tag from the local part of an address; empty, nothing does."),
    ] = "+"
    score_from: Annotated[
        Literal["none", "headers", "rspamd"],
        Meta(description="Who tells the spam score: nobody, headers of a trusted relay, or Rspamd over HTTP."),
    ] = "none"
    rspamd_url: Annotated[str, Meta(description="Rspamd's normal worker.")] = "http://127.0.0.1:11333"
    rspamd_controller_url: Annotated[
        str, Meta(description="Rspamd's controller, which learns from what people decide; none, nothing is learned.")
    ] = ""
    rspamd_password_file: Annotated[_Path | None, Meta(description="File that holds the controller's password.")] = None
    score_unknown: Annotated[
        Literal["tempfail", "deliver"],
        Meta(description="What happens to mail while Rspamd does not answer: it comes later, or passes as unknown."),
    ] = "tempfail"
    quarantine_at: Annotated[
        float, Meta(description="Spam score from which mail is held, where an address has no threshold of its own.")
    ] = 6.0
    reject_at: Annotated[float, Meta(description="Likewise, from which it is refused.")] = 15.0
    whitelist_needs_pass: Annotated[
        bool,
        Meta(
            description="Whether a whitelisted contact skips spam checks only if DMARC, or SPF or DKIM for its domain,"
            " says pass; otherwise it does unless they say fail."
        ),
    ] = False
    digest_schedule: Annotated[
        bool,
        Meta(description="Whether `mailvane serve` mails to each address what is held for it, each day (role worker)."),
    ] = False
    digest_hour: Annotated[
        Annotated[int, Meta(ge=0, le=23)],
        Meta(description="Hour of the day at which it is due; also for `mailvane quarantine digest --scheduled`."),
    ] = 7
    digest_timezone: Annotated[str, Meta(description="Time zone of that hour.")] = "UTC"
    digest_url: Annotated[
        str, Meta(description="How people reach this server, for the links of digests; the setting `http` otherwise.")
    ] = ""
    quarantine_days: Annotated[_Count, Meta(description="How long held mail is kept.")] = 30
    message_days: Annotated[_Count, Meta(description="How long the list of messages goes back.")] = 365
    connections_per_hop: Annotated[_Count, Meta(description="Connections at once to one mail server behind.")] = 8
    retry_minutes: Annotated[
        tuple[Annotated[float, Meta(gt=0)], ...],
        Meta(description="Pauses between tries to hand a mail on; after the last one it has failed."),
    ] = (5, 10, 15, 30, 60, 120, 240, 480, 960, 1440, 2880)
    hop_timeout: Annotated[
        Annotated[float, Meta(gt=0)], Meta(description="Seconds that a mail server behind may take for an answer.")
    ] = 60.0


def _check(read: InboundSettings, where: str) -> None:
    for network in read.trusted_relays:
        try:
            ip_network(network)
        except ValueError:
            raise InvalidSetting(f"{where}: trusted_relays: {network!r} is no address and no network") from None
    if read.reject_at < read.quarantine_at:
        raise InvalidSetting(f"{where}: reject_at: lies below quarantine_at")
    try:
        ZoneInfo(read.digest_timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidSetting(f"{where}: digest_timezone: there is no time zone {read.digest_timezone[:60]!r}") from None
    if read.digest_url and not read.digest_url.startswith(("http://", "https://")):
        raise InvalidSetting(f"{where}: digest_url: expected an address such as https://mail.example.org")
    if read.tls_key is not None and read.tls_certificate is None:
        raise InvalidSetting(f"{where}: tls_key: there is no tls_certificate")


PART = Part(InboundSettings, (), _check)


def declared_inbound() -> list[TableKey]:
    """Every key, in the order in which people should read of them."""
    return declared_parts([PART])


def read_inbound(table: object, where: str) -> InboundSettings:
    """The table as it was written. Raises InvalidSetting with one line that says which key and what is expected."""
    (read,) = read_parts(table, where, [PART])
    found: InboundSettings = read
    return found
