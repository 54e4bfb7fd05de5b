"""The `[outbound]` table of the settings file: what it may say, with defaults and help. Values only.

`config` reads the file; this reads the one table, and says in one line what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Annotated, Literal, get_type_hints

import msgspec
from msgspec import Meta

from mailvane.core.decoding import prepared
from mailvane.core.errors import InvalidSetting
from mailvane.core.setting_tables import TableKey, as_toml, check_names, choices_of, description_of, plain
from mailvane.outbound.model import WARMUPS, Guillotine, Reason, Warmup, WarmupProfile
from mailvane.outbound.suppression import SUPPRESSION_DAYS, SuppressionMode, SuppressionReason


class OutboundSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How outgoing mail is governed."""

    require_verification: Annotated[
        bool, Meta(description="Refuse mail of every domain that is not verified, also of one that nobody asked to.")
    ] = False
    client_may_change_limits: Annotated[
        bool, Meta(description="Whether a client key may change limits, enforcement and status of its own domains.")
    ] = False
    trust_new_domains: Annotated[
        bool,
        Meta(
            description="Whether a domain that a tenant's key makes holds for mail servers and feedback at once, "
            "neither proven nor approved; for servers of a single tenant."
        ),
    ] = False
    count_all_bounces: Annotated[
        bool, Meta(description="Count transient bounces against a domain, not only permanent ones.")
    ] = False
    domain_by: Annotated[
        tuple[Literal["sasl", "sender", "client"], ...],
        Meta(min_length=1, description="What tells for which domain a mail counts; the first that tells one."),
    ] = ("sasl", "sender")
    clients: Annotated[
        Mapping[str, str],
        Meta(
            description='For `client`: the domain of each address or network, such as `{ "192.0.2.0/24" = "x.org" }`.'
        ),
    ] = {}
    internal_domains: Annotated[
        tuple[str, ...], Meta(description="Mail to them is not outgoing; `.example.org` means all below it.")
    ] = ()
    count_null_sender: Annotated[
        bool, Meta(description="Count bounces and notifications, too, where a login or client tells whose they are.")
    ] = False
    ungoverned_domains: Annotated[
        Literal["pass", "refuse"],
        Meta(description="What the policy service does with mail of a domain that is not governed here, or of none."),
    ] = "pass"
    policy_actions: Annotated[
        Mapping[Reason, Literal["DEFER", "REJECT"]],
        Meta(description="How Postfix refuses, by reason; otherwise DEFER where waiting helps, REJECT elsewhere."),
    ] = {}
    quota_header: Annotated[
        bool,
        Meta(
            description="Add a header X-Mailvane-Quota to mail that passes beyond a soft limit. Its recipients see it;"
            " otherwise it stands in Postfix's log alone."
        ),
    ] = False
    count_postfix_bounces: Annotated[
        bool, Meta(description="Let bounces of the Postfix logs count against a domain, as notifications do.")
    ] = False
    count_abuse_reports: Annotated[
        bool,
        Meta(
            description="Let abuse reports (ARF) among the DMARC reports count as complaints against the domain of the"
            " mail, and late bounces that KumoMTA tells of as bounces. Whoever can send mail to that address can forge"
            " one."
        ),
    ] = True
    sns_topics: Annotated[
        tuple[str, ...], Meta(description="Topics whose notifications are taken in, by ARN; none, no notification.")
    ] = ()
    ses_provider: Annotated[
        Literal["aws", "dns", "off"],
        Meta(description="What verifies domains: Amazon SES, our own look at DNS, or nothing."),
    ] = "dns"
    ses_endpoint: Annotated[
        str | None, Meta(description="Address of the SES interface; the region's own when not given.")
    ] = None
    ses_region: Annotated[str, Meta(description="Region of the SES account.")] = "us-east-1"
    ses_dkim_domain: Annotated[
        str, Meta(description="Where SES publishes the keys behind DKIM tokens; some regions have their own.")
    ] = "dkim.amazonses.com"
    ses_relay: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Relay whose mail notifications tell of; else the workspace's first active one."),
    ] = None
    sns_trusted_roots: Annotated[
        Annotated[str, Meta(pattern="^/")] | None,
        Meta(description="PEM file of the roots that SNS certificates lead to; else this machine's."),
    ] = None
    sns_certificates: Annotated[
        Annotated[str, Meta(pattern="^/")] | None,
        Meta(description="Directory of SNS certificates by file name, for machines that cannot fetch."),
    ] = None
    dkim_domain: Annotated[
        str,
        Meta(description="For `dns`: where DKIM keys are published; `dkim.` of each domain itself when not given."),
    ] = ""
    dns_resolvers: Annotated[
        tuple[str, ...],
        Meta(description="For `dns`: resolvers to ask, as ADDRESS or ADDRESS:PORT; this machine's when none."),
    ] = ()
    suppression: Annotated[
        SuppressionMode,
        Meta(
            description="What becomes of mail to recipients on the suppression list: `off` passes it, `warn` passes and"
            " marks it, `refuse` refuses it."
        ),
    ] = SuppressionMode.OFF
    suppression_days: Annotated[
        Mapping[SuppressionReason, Annotated[int, Meta(ge=0, le=36_500)]],
        Meta(description="For how many days an address stays on the suppression list, by reason; 0: for ever."),
    ] = msgspec.field(default_factory=lambda: dict(SUPPRESSION_DAYS))
    guillotine: Annotated[
        Guillotine, Meta(description="When bounces or complaints suspend a domain; its keys are below.")
    ] = Guillotine()
    warmup: Annotated[
        Mapping[WarmupProfile, Warmup],
        Meta(description="Schedules of warm-up: mails of the first day, and how many times as many each day after."),
    ] = msgspec.field(default_factory=lambda: dict(WARMUPS))


GUILLOTINE_HELP: Mapping[str, str] = {
    "bounce_percent": "Bounces above so many percent of the month's mail suspend a domain; 0 turns it off.",
    "complaint_percent": "Likewise complaints.",
    "minimum_volume": "Mails of the month before the rule acts.",
    "confident": "Compare the lower bound of the rate (Wilson, 95 %) instead of the rate.",
    "warn_only": "An entry in the domain's audit instead of a suspension.",
    "probation_daily": "So many mails a day pass while a domain is suspended.",
}


def declared_outbound() -> list[TableKey]:
    """Every key, in the order in which people should read of them."""
    defaults = msgspec.to_builtins(OutboundSettings())
    hints = get_type_hints(OutboundSettings, include_extras=True)
    keys = [
        TableKey(
            name,
            "see below" if name == "guillotine" else as_toml(defaults[name]),
            description_of(hint),
            choices_of(hint),
        )
        for name, hint in hints.items()
    ]
    rule = defaults["guillotine"]
    return keys + [
        TableKey(f"guillotine.{name}", as_toml(rule[name]), help_text) for name, help_text in GUILLOTINE_HELP.items()
    ]


def read_outbound(table: object, where: str) -> OutboundSettings:
    """The table as it was written. Raises InvalidSetting with one line that says which key and what is expected."""
    if not isinstance(table, dict):
        raise InvalidSetting(f"{where}: expected a table")
    check_names(table, OutboundSettings.__struct_fields__, where)
    for name, kind in (
        ("guillotine", Guillotine.__struct_fields__),
        ("warmup", tuple(WarmupProfile)),
        ("suppression_days", tuple(SuppressionReason)),
    ):
        if isinstance(table.get(name), dict):
            check_names(table[name], kind, f"{where}: {name}")
    try:
        read = msgspec.convert(table, prepared(OutboundSettings))
    except msgspec.ValidationError as error:
        raise InvalidSetting(f"{where}: {plain(error, OutboundSettings)}") from None
    for profile, schedule in read.warmup.items():
        if schedule.first < 1 or not 1 <= schedule.growth <= 10:
            raise InvalidSetting(f"{where}: warmup: {profile}: begins with one mail at least, and grows 1 to 10 fold")
    for network in read.clients:
        try:
            ip_network(network)
        except ValueError:
            raise InvalidSetting(f"{where}: clients: {network!r} is no address and no network") from None
    days = {**SUPPRESSION_DAYS, **read.suppression_days}
    return msgspec.structs.replace(read, warmup={**WARMUPS, **read.warmup}, suppression_days=days)
