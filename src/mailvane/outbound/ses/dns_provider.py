"""The DNS as the judge of domains, for servers without AWS: a `VerificationProvider` that looks for records.

The owner publishes a token of ours and three DKIM selectors; what is there is found out by look-ups. It signs nothing:
the keys behind the selectors are those of whatever mail server signs.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import dns.exception
import dns.nameserver
import dns.resolver
from dns.rdatatype import CNAME, TXT, RdataType

from mailvane.core.errors import InvalidSetting
from mailvane.core.names import mail_domain
from mailvane.outbound.model import Domain
from mailvane.outbound.verification import Challenge, DnsRecord, Progress, VerificationStatus

_LABEL = "_mailvane"
_SELECTORS = 3
_SECONDS = 4.0
_TOKEN_BYTES = 24
_SELECTOR_BYTES = 8
_PORT = 53
_WITH_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[0-9.]+):([0-9]{1,5})")

LookUp = Callable[[str, RdataType], list[str] | None]


class DnsProvider:
    """Judges by what the DNS shows. Safe to share between threads."""

    def __init__(self, look_up: LookUp, dkim_domain: str = "") -> None:
        """`dkim_domain`: where this installation publishes its keys; each domain's own `dkim` when not given."""
        self._look_up = look_up
        self._dkim_domain = mail_domain(dkim_domain)

    def begin(self, domain: Domain) -> Challenge:
        token, selectors = domain.verification_token, domain.dkim_tokens
        if not token or len(selectors) != _SELECTORS:
            token = secrets.token_urlsafe(_TOKEN_BYTES)
            selectors = tuple(f"mv{secrets.token_hex(_SELECTOR_BYTES)}" for _ in range(_SELECTORS))
        return Challenge(token=token, dkim_tokens=selectors, records=self._records(domain.name, token, selectors))

    def status(self, domain: Domain) -> Progress:
        if not domain.verification_token:
            return Progress(identity=VerificationStatus.NOT_STARTED, dkim=VerificationStatus.NOT_STARTED)
        proof, *signing = self._records(domain.name, domain.verification_token, domain.dkim_tokens)
        # All must succeed; what cannot be known is said first, then what is wrong, then what is missing.
        statuses = [self._found(record) for record in signing]
        order = (VerificationStatus.TEMPORARY_FAILURE, VerificationStatus.FAILED, VerificationStatus.PENDING)
        return Progress(
            identity=self._found(proof),
            dkim=next((each for each in order if each in statuses), VerificationStatus.SUCCESS),
        )

    def _records(self, name: str, token: str, selectors: Sequence[str]) -> tuple[DnsRecord, ...]:
        target = self._dkim_domain or f"dkim.{name}"
        signing = (DnsRecord("CNAME", f"{each}._domainkey.{name}", f"{each}.{target}") for each in selectors)
        return (DnsRecord("TXT", f"{_LABEL}.{name}", token), *signing)

    def _found(self, record: DnsRecord) -> VerificationStatus:
        there = self._look_up(record.name, TXT if record.type == "TXT" else CNAME)
        if there is None:
            return VerificationStatus.TEMPORARY_FAILURE
        wanted = record.value if record.type == "TXT" else record.value.lower()
        if wanted in there:
            return VerificationStatus.SUCCESS
        return VerificationStatus.FAILED if there else VerificationStatus.PENDING


def look_up_by(resolvers: Sequence[str]) -> LookUp:
    """Look-ups by these resolvers (`ADDRESS` or `ADDRESS:PORT`), or by the machine's own. Raises InvalidSetting."""
    resolver = _resolver(resolvers)

    def look_up(name: str, kind: RdataType) -> list[str] | None:
        """What stands there; None when that cannot be found out now."""
        if resolver is None:
            return None
        try:
            answer = resolver.resolve(name, kind, lifetime=_SECONDS, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException:
            return None
        if kind is TXT:
            return [b"".join(data.strings).decode("utf-8", "replace") for data in answer]
        return [data.target.to_text(omit_final_dot=True).lower() for data in answer]

    return look_up


def _resolver(addresses: Sequence[str]) -> dns.resolver.Resolver | None:
    """None on a machine that knows no resolver: a server must start there, too."""
    try:
        resolver = dns.resolver.Resolver(configure=not addresses)
        if addresses:
            resolver.nameservers = [_nameserver(address) for address in addresses]
    except dns.resolver.NoResolverConfiguration:
        return None
    except ValueError as error:
        raise InvalidSetting(f"dns_resolvers: {error}") from None
    return resolver


def _nameserver(text: str) -> dns.nameserver.Nameserver:
    """Raises ValueError."""
    match = _WITH_PORT.fullmatch(text)
    host, port = (match[1], int(match[2])) if match else (text, _PORT)
    if not 0 < port < 65_536:
        raise ValueError(f"{text} has no possible port")
    return dns.nameserver.Do53Nameserver(str(ip_address(host.strip("[]"))), port)
