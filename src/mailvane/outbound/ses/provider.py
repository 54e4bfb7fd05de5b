"""Amazon SES as the judge of domains: a `VerificationProvider` that asks it through boto3.

Credentials are found where boto3 looks for them (environment, shared files, the role of the machine), never in
Mailvane's settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from boto3.session import Session
from botocore import exceptions as boto
from botocore.config import Config
from botocore.parsers import ResponseParserError

from mailvane.core.errors import ProviderRefused, ProviderUnavailable
from mailvane.outbound.model import Domain
from mailvane.outbound.verification import Challenge, DnsRecord, Progress, VerificationStatus

if TYPE_CHECKING:
    from types_boto3_ses.client import SESClient

_Found = TypeVar("_Found")

DKIM_DOMAIN = "dkim.amazonses.com"  # of most regions; some newer ones have their own
_CONNECT_SECONDS = 3
_READ_SECONDS = 5
_ATTEMPTS = 3
# By these codes the client tries again, too; what is left of them when it gives up is still no answer about a domain.
_PASSING = frozenset(
    {
        "BandwidthLimitExceeded",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "LimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttled",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "TooManyRequestsException",
    }
)


class SesProvider:
    """Asks one region of SES. Safe to share between threads."""

    def __init__(self, region: str | None = None, endpoint: str | None = None, dkim_domain: str = DKIM_DOMAIN) -> None:
        """Without a region boto3's own configuration names it; the endpoint is SES's unless given."""
        self._region = region
        self._endpoint = endpoint
        self._dkim_domain = dkim_domain
        self._client: SESClient | None = None
        self._making = Lock()

    def begin(self, domain: Domain) -> Challenge:
        name = domain.name
        token = self._ask(lambda ses: ses.verify_domain_identity(Domain=name)["VerificationToken"])
        dkim_tokens = tuple(self._ask(lambda ses: ses.verify_domain_dkim(Domain=name)["DkimTokens"]))
        signing = (
            DnsRecord("CNAME", f"{each}._domainkey.{name}", f"{each}.{self._dkim_domain}") for each in dkim_tokens
        )
        return Challenge(
            token=token, dkim_tokens=dkim_tokens, records=(DnsRecord("TXT", f"_amazonses.{name}", token), *signing)
        )

    def status(self, domain: Domain) -> Progress:
        name = domain.name
        identity = self._ask(lambda ses: ses.get_identity_verification_attributes(Identities=[name]))
        dkim = self._ask(lambda ses: ses.get_identity_dkim_attributes(Identities=[name]))
        # What SES does not know is left out of its answer.
        verified = _named(identity["VerificationAttributes"], name)
        signing = _named(dkim["DkimAttributes"], name)
        return Progress(
            identity=_status(verified["VerificationStatus"] if verified else None),
            dkim=_status(signing["DkimVerificationStatus"] if signing else None),
        )

    def _ask(self, question: Callable[[SESClient], _Found]) -> _Found:
        try:
            return question(self._connected())
        except boto.ClientError as error:
            raise _translated(error) from None
        except (boto.ConnectionError, boto.HTTPClientError) as error:
            raise ProviderUnavailable(f"Amazon SES does not answer: {error}") from None
        except ResponseParserError:  # a page of a proxy, which is no answer of SES
            raise ProviderUnavailable("what answers in the place of Amazon SES is something else") from None
        except (boto.BotoCoreError, ValueError) as error:  # an impossible endpoint is a ValueError
            raise ProviderRefused(f"Amazon SES cannot be asked: {error}") from None

    def _connected(self) -> SESClient:
        with self._making:
            if self._client is None:
                config = Config(
                    connect_timeout=_CONNECT_SECONDS,
                    read_timeout=_READ_SECONDS,
                    retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
                )
                self._client = Session().client(
                    "ses", region_name=self._region, endpoint_url=self._endpoint, config=config
                )
            return self._client


def _named(attributes: Mapping[str, _Found], name: str) -> _Found | None:
    """Names of domains have no case, and whoever made the identity elsewhere may have written it in another."""
    return next((found for each, found in attributes.items() if each.lower() == name), None)


def _status(word: str | None) -> VerificationStatus:
    try:
        return VerificationStatus(word or "NotStarted")
    except ValueError:
        return VerificationStatus.PENDING  # ours: a word that SES may add is not yet a success


def _translated(error: boto.ClientError) -> ProviderUnavailable | ProviderRefused:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _PASSING or status >= 500 or status == 429:
        return ProviderUnavailable(f"Amazon SES cannot answer now ({code or status})")
    return ProviderRefused(f"Amazon SES refuses: {error.response.get('Error', {}).get('Message') or code}")
