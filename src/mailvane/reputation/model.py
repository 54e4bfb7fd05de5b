"""What is watched, and what outside sources say about it. Values only.

An *asset* is an address or domain that somebody watches. An *observation* is what one source said about it at one time.
A *refresh* is one attempt to ask a source about one asset: it brings observations, or says why nothing was learned.
Unknown is not no: what could not be asked keeps its former observations, and they grow old.
Times are milliseconds since the epoch, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec


class AssetKind(StrEnum):
    """What sort of thing is watched, and so which source is asked about it."""

    IP = "ip"  # blocklists and reverse names
    DOMAIN = "domain"  # blocklists, SPF, DKIM, DMARC records
    GP_DOMAIN = "gp_domain"  # Google Postmaster Tools
    SNDS = "snds"  # a Microsoft SNDS key; its data tell of addresses
    TRAP = "trap"  # an address or domain of ours whose appearance in trap data is of interest
    LOOKALIKE = "lookalike"  # a brand's domain that others imitate
    DMARC = "dmarc"  # a domain whose aggregate reports come here
    HONEYTOKEN = "honeytoken"  # an address that was given to one party only


# What Google says of a domain whose reputation it does not know.
NO_REPUTATION = "REPUTATION_CATEGORY_UNSPECIFIED"

# Of the data of what a key of SNDS brought: the name of that key.
TOLD_BY = "told_by"

# Of the data of a listing that ended: when it began.
LISTED_SINCE = "listed_since"

# Of the details of an asset that has to be approved: when that was done. Nothing from before is kept of it.
VERIFIED_AT = "verified_at"


class AssetStatus(StrEnum):
    """How the last attempt to ask about an asset ended."""

    WAITING = "WAITING"
    UPDATED = "UPDATED"
    FAILED = "FAILED"


class Source(StrEnum):
    """Who says something. Each is refreshed, and grows stale, by itself."""

    BLOCKLISTS = "blocklists"
    POSTMASTER = "postmaster"
    SNDS = "snds"
    LOOKALIKES = "lookalikes"
    DMARC = "dmarc"
    TRAPS = "traps"
    HONEYTOKENS = "honeytokens"
    SERVER = "server"  # this server itself: limits, logs, sources; nobody is asked
    MAIL_LOG = "mail_log"  # what the mail log answers, at the moment that it is asked


class ObservationKind(StrEnum):
    """The kind of an observation, with the meaning of its `asset`, `key` and fields of `data`."""

    IP_LISTING = "ip_listing"  # address, zone: {listed, codes, reason}; stored when it changes
    DOMAIN_LISTING = "domain_listing"  # domain, zone: likewise
    TRAFFIC = "traffic"  # domain, "": a day of Postmaster Tools in Google's v1 words; `at` is the day
    SNDS_DATA = "snds_data"  # address, "": a period of SNDS (see `sources.snds.tables`); `at` is its day
    SNDS_STATUS = "snds_status"  # address, "": {blocked, details}
    LOOKALIKE = "lookalike"  # brand, lookalike: {reg_created_date, reg_updated_date, registrar, ...}
    DMARC = "dmarc"  # policy domain, "organisation/report id": counts of one report; `at` is the end of its range
    TLS = "tls"  # policy domain, "organisation/report id": sessions that succeeded and failed
    SENDER = "sender"  # policy domain, sending service: that it was heard of for the first time; `at` is when
    FAILURE = "failure"  # domain, digest: one ARF complaint or DMARC failure report
    TRAP_HIT = "trap_hit"  # address or domain, id: one mail that a trap received
    HONEYTOKEN_HIT = "honeytoken_hit"  # token, id: one mail that a token received, {from_email, to_email, domain}
    QUOTA = "quota"  # mailbox, login or domain, "kind/window": {kind, window, percent, sent, most, until}
    # Of these there is one when it begins, {holds: true, since, ...}, and one when it is over, {holds: false}.
    STOPPED = "stopped"  # governed domain, "": it may not send
    LOG_SILENCE = "log_silence"  # path of a followed log, "": nothing is written to it
    SOURCE_STATE = "source_state"  # source or blocklist, "": it fails, {error}
    # Of it also, when it is over because it was called, {holds: false, since, called_at}.
    HEARTBEAT = "heartbeat"  # name of a heartbeat, "": it was not called in time; `since` is its last call
    MAIL = "mail"  # never stored: rules that read it ask the mail log


LISTINGS = frozenset({ObservationKind.IP_LISTING, ObservationKind.DOMAIN_LISTING})
# One mail each. One that concerns two watched names is one hit, kept under the name that it was first known by.
HITS = frozenset({ObservationKind.TRAP_HIT, ObservationKind.HONEYTOKEN_HIT})
# Of these a source may say something else later about the same day: the last word counts.
CORRECTED = frozenset({ObservationKind.TRAFFIC, ObservationKind.SNDS_DATA})


class Comes(StrEnum):
    """How what a source says comes here."""

    ASKED = "asked"  # when it is asked: where it has not answered for too long, nothing is known
    FETCHED = "fetched"  # the places are looked at where reports arrive; that none came tells nothing
    SENT = "sent"  # as files: nobody is asked, and that none came tells nothing
    FOUND_HERE = "found_here"  # this server looks every minute or so; alerts are evaluated then


class SourceTerms(NamedTuple):
    """What is to be known of a source, whatever speaks to it."""

    title: str  # for people
    comes: Comes
    says: Mapping[ObservationKind, AssetKind | None]  # and what has to be watched for it; None: nothing

    @property
    def asked_about(self) -> tuple[AssetKind, ...]:
        return tuple(dict.fromkeys(kind for kind in self.says.values() if kind is not None))


SOURCES: Mapping[Source, SourceTerms] = MappingProxyType(
    {
        Source.BLOCKLISTS: SourceTerms(
            "Blocklists",
            Comes.ASKED,
            {ObservationKind.IP_LISTING: AssetKind.IP, ObservationKind.DOMAIN_LISTING: AssetKind.DOMAIN},
        ),
        Source.POSTMASTER: SourceTerms(
            "Google Postmaster Tools", Comes.ASKED, {ObservationKind.TRAFFIC: AssetKind.GP_DOMAIN}
        ),
        Source.SNDS: SourceTerms(
            "Microsoft SNDS",
            Comes.ASKED,
            dict.fromkeys((ObservationKind.SNDS_DATA, ObservationKind.SNDS_STATUS), AssetKind.SNDS),
        ),
        Source.LOOKALIKES: SourceTerms(
            "Lookalike domains", Comes.ASKED, {ObservationKind.LOOKALIKE: AssetKind.LOOKALIKE}
        ),
        Source.DMARC: SourceTerms(
            "DMARC reports",
            Comes.FETCHED,
            dict.fromkeys(
                (ObservationKind.DMARC, ObservationKind.TLS, ObservationKind.SENDER, ObservationKind.FAILURE),
                AssetKind.DMARC,
            ),
        ),
        Source.TRAPS: SourceTerms("Spam traps", Comes.SENT, {ObservationKind.TRAP_HIT: AssetKind.TRAP}),
        Source.HONEYTOKENS: SourceTerms(
            "Honeytokens", Comes.SENT, {ObservationKind.HONEYTOKEN_HIT: AssetKind.HONEYTOKEN}
        ),
        Source.SERVER: SourceTerms(
            "This server",
            Comes.FOUND_HERE,
            dict.fromkeys(
                (
                    ObservationKind.QUOTA,
                    ObservationKind.STOPPED,
                    ObservationKind.LOG_SILENCE,
                    ObservationKind.SOURCE_STATE,
                    ObservationKind.HEARTBEAT,
                )
            ),
        ),
        Source.MAIL_LOG: SourceTerms("Mail log", Comes.FOUND_HERE, {ObservationKind.MAIL: None}),
    }
)
SOURCE_OF: Mapping[ObservationKind, Source] = MappingProxyType(
    {kind: source for source, terms in SOURCES.items() for kind in terms.says}
)
ASKED_ABOUT: Mapping[Source, tuple[AssetKind, ...]] = MappingProxyType(
    {source: terms.asked_about for source, terms in SOURCES.items()}
)
LOOKED_AT = frozenset(source for source, terms in SOURCES.items() if terms.comes is Comes.FOUND_HERE)
OUTSIDE = tuple(source for source in Source if source not in LOOKED_AT)
# Told by this server of itself: they hold until it says otherwise, however long that takes.
TOLD_HERE = frozenset(SOURCES[Source.SERVER].says)


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A label that groups alerts and assets of a workspace."""

    id: str
    workspace: int
    name: str
    created_at: int


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is watched. Unique by workspace, kind and name."""

    id: str
    workspace: int
    kind: AssetKind
    name: str  # address in canonical form, domain in lower case (IDNA), or a label for what has a secret
    created_at: int
    profile_id: str | None = None
    status: AssetStatus = AssetStatus.WAITING
    verified: bool = True  # trap data are collected for verified ones only
    asked_at: int = 0  # the last attempt
    updated_at: int = 0  # the last success; 0: never
    error: str = ""  # of the last attempt, when it failed
    details: Mapping[str, Any] = {}  # what the last success found besides observations, such as reverse names
    secret: str = ""  # what its source wants to see, such as an SNDS key; never shown


class Observation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a source said. Unique by workspace, kind, asset, key and `at`: the same one again only confirms it.

    What says that it was confirmed later corrects the data of `CORRECTED` kinds.
    """

    kind: ObservationKind
    asset: str
    key: str = ""
    at: int  # the time it tells of
    seen_at: int  # when it came to us first
    confirmed_at: int = 0  # when the source said so last; 0: when it was seen
    data: Mapping[str, Any]


class Refresh(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to ask a source about one asset."""

    source: Source
    kind: AssetKind
    asset: str  # its name
    at: int
    error: str = ""  # why nothing was learned; former observations then stay as they are
    observations: tuple[Observation, ...] = ()
    details: Mapping[str, Any] = {}


UNFETCHED = "what arrives cannot be fetched: "  # begins an error of a source whose reports arrive somewhere


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """How a source does for a workspace."""

    source: Source
    succeeded_at: int = 0
    failed_at: int = 0
    error: str = ""  # of the last failure
    failures: int = 0  # in a row
    next_at: int = 0  # when it is asked again, at the earliest; 0: about nothing
    leased_until: int = 0  # a process asks it now, for anybody, and no other does before then; 0: nobody
    all_asked_for_at: int = 0  # when somebody last had all sources asked at once
    refused: int = 0  # how many reports arrived so far that could not be read
    refused_at: int = 0  # when the last of them did
    refusals: tuple[str, ...] = ()  # which, and why: the last few, the newest first

    @property
    def is_unfetched(self) -> bool:
        """It fails because the place cannot be looked at where its reports arrive."""
        return self.failures > 0 and self.error.startswith(UNFETCHED)


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """A DNS blocklist, as the dictionary has it."""

    host: str
    lists: tuple[str, ...] = ("ips",)  # "ips", "ipv6", "domains"
    high_reputation: bool = False
    enabled: bool = True
    codes: Mapping[str, str] = {}  # answer, network, or "&8" for a bit of its last number -> what it means
    refusals: tuple[str, ...] = ()  # answers that mean "not for you", besides 127.255.255.0/24
    harmless: tuple[str, ...] = ()  # answers that are no listing, such as those of a white list
    removal: str = ""  # the page where its operator takes requests to be taken off; empty: not known
    note: str = ""


class ZoneHealth(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the answers of a zone can be trusted, as last probed."""

    host: str
    usable: bool
    reason: str = ""  # why not
    checked_at: int = 0
    proven: tuple[str, ...] = ()  # of its `lists`, those whose test point was there: their silence is "not listed"
