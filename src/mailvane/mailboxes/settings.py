"""What the `[mailboxes]` table of the settings file says. Values only."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated

import msgspec
from msgspec import Meta

from mailvane.core.errors import InvalidSetting
from mailvane.core.setting_tables import Part

_Count = Annotated[int, Meta(ge=0, le=1_000_000)]
_Path = Annotated[str, Meta(pattern="^/")]
_Label = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", max_length=100)]


class MailboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How mailboxes appear and what is asked about them."""

    most_noticed: Annotated[
        _Count,
        Meta(description="How many senders of a workspace become mailboxes by themselves at most; the busiest do."),
    ] = 10_000
    dkim_selectors: Annotated[
        tuple[_Label, ...],
        Meta(description="Selectors that DKIM keys of a mailbox's domain are looked for under, in this order."),
    ] = ("default", "mailvane", "mail", "dkim", "google", "selector1", "selector2", "s1", "k1")
    tracking_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^/?#\s]+(/[^?#\s]*)?)?$",
            description="Where recipients reach this server: tracking links begin with it; empty: `http`.",
        ),
    ] = ""
    tracking_per_second: Annotated[
        _Count, Meta(description="How many tracking links one address may ask for in a second; 0: any number.")
    ] = 500
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="Networks of reverse proxies whose X-Forwarded-For says who asks for tracking links."),
    ] = ()
    click_wait_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=3600,
            description="How long a click waits for those on the other links of its mail before it is judged.",
        ),
    ] = 15
    classifier_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^/?#\s]+(/[^?#\s]*)?)?$",
            description="Base URL of an OpenAI-compatible API that says which replies are positive, such as"
            " `http://127.0.0.1:11434/v1`; it gets subject and text of replies that the gateway takes in. Empty: none.",
        ),
    ] = ""
    classifier_model: Annotated[str, Meta(description="Name of the model that it is asked for.")] = ""
    classifier_key_file: Annotated[_Path | None, Meta(description="File that holds its key, if it wants one.")] = None
    warmup_pause_percent: Annotated[
        float,
        Meta(
            ge=0,
            le=100,
            description="A warm-up is paused when more of its mails of today and yesterday bounced; 0: never.",
        ),
    ] = 5.0
    warmup_pause_least: Annotated[
        int, Meta(ge=1, le=1_000_000, description="So many bounces of these two days at least pause a warm-up.")
    ] = 3
    not_machines: Annotated[
        tuple[str, ...],
        Meta(description="Rows of the table of machines that count as people: proxies, which fetch for a reader."),
    ] = ("google-image-proxy", "yahoo-mail-proxy")


def _check(settings: MailboxSettings, where: str) -> None:
    if settings.classifier_url and not settings.classifier_model:
        raise InvalidSetting(f"{where}: classifier_url: say which model is asked for with classifier_model")
    for text in settings.trusted_proxies:
        try:
            ip_network(text)
        except ValueError:
            raise InvalidSetting(f"{where}: trusted_proxies: {text!r} is no network such as 10.0.0.0/8") from None


PART = Part(MailboxSettings, check=_check)
