"""Where the simulated mail goes: made-up mailbox providers, and how their servers answer.

Names are reserved ones, addresses are from documentation ranges; the wording is what senders meet every day.
"""

from __future__ import annotations

import msgspec

from mailvane.maillog.model import ReasonFamily


class Refusal(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How an attempt fails. In `text`, {rcpt}, {ip}, {mx} and {token} are filled in."""

    text: str
    enhanced: str
    family: ReasonFamily
    phase: str = "RCPT TO"  # the SMTP command that got the answer; "connect" and "greeting": it never came that far
    recovery: float = 0.5  # how likely the next attempt gets through, for temporary ones

    @property
    def temporary(self) -> bool:
        return self.enhanced.startswith("4")


class Provider(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One mailbox provider or company with mail servers of its own."""

    domains: tuple[str, ...]
    hosts: tuple[tuple[str, str], ...]  # name and address of each MX
    share: float  # of a consumer list
    accepts: tuple[str, str]  # reply to an accepted message, before and after its id
    unknown: Refusal
    full: Refusal
    spam: Refusal
    putting_off: Refusal | None = None  # greylisting or a rate limit
    puts_off: float = 0.0  # how often, for a sender of good name
    tls: str = "Trusted"
    latency: int = 400  # milliseconds to answer a message
    transport: str = "smtp"  # "lmtp" for mailboxes of the server's own


def _refusal(enhanced: str, text: str, family: ReasonFamily, phase: str = "RCPT TO", recovery: float = 0.5) -> Refusal:
    return Refusal(enhanced=enhanced, text=text, family=family, phase=phase, recovery=recovery)


_F = ReasonFamily
_DATA = "end of DATA"

GREYLISTED = _refusal(
    "4.2.0",
    "450 4.2.0 <{rcpt}>: Recipient address rejected: Greylisted, please try again in 300 seconds",
    _F.RATE_LIMIT,
    recovery=0.9,
)
TIMED_OUT = _refusal("4.4.1", "connect to {mx}[{ip}]:25: Connection timed out", _F.NETWORK, "connect", 0.4)
DEAD_SERVER = _refusal("4.4.1", "connect to {mx}[{ip}]:25: Connection refused", _F.NETWORK, "connect", 0.0)
LOST = _refusal("4.4.2", "lost connection with {mx}[{ip}] while sending RCPT TO", _F.NETWORK, "connect", 0.8)
DNS_TROUBLE = _refusal(
    "4.4.3",
    "Host or domain name not found. Name service error for name={domain} type=MX: Host not found, try again",
    _F.NETWORK,
    "connect",
    0.6,
)
NO_SUCH_DOMAIN = _refusal(
    "5.4.4",
    "Host or domain name not found. Name service error for name={domain} type=A: Host not found",
    _F.NETWORK,
    "connect",
)
LISTED = _refusal(
    "5.7.1",
    "554 5.7.1 Service unavailable; Client host [192.0.2.25] blocked using bl.spamwatch.example;"
    " https://check.spamwatch.example/ip/192.0.2.25",
    _F.REPUTATION,
)
UNAUTHENTICATED = _refusal(
    "5.7.26",
    "550-5.7.26 This mail has been blocked because the sender is unauthenticated. 550-5.7.26 Authentication results:"
    " 550-5.7.26 DKIM = did not pass 550-5.7.26 SPF with ip: [192.0.2.25] = did not pass"
    " 550 5.7.26 See https://help.mailbox.example/answer/81126 {token}",
    _F.AUTH,
    _DATA,
)
ATTACHMENT = _refusal(
    "5.7.0",
    "552-5.7.0 This message was blocked because its content presents a potential 552-5.7.0 security issue."
    " 552 5.7.0 See https://help.mailbox.example/answer/6590 {token}",
    _F.CONTENT,
    _DATA,
)
RELAY_DENIED = _refusal("5.7.1", "554 5.7.1 <{rcpt}>: Relay access denied", _F.POLICY)
DISABLED = _refusal("5.2.1", "550 5.2.1 <{rcpt}>: The account that you tried to reach is disabled", _F.UNKNOWN_USER)

PROVIDERS: tuple[Provider, ...] = (
    Provider(
        domains=("gemail.example",),
        hosts=(
            ("gemail-smtp-in.l.gemail.example", "203.0.113.26"),
            ("alt1.gemail-smtp-in.l.gemail.example", "2001:db8:4003:c08::1a"),
        ),
        share=0.38,
        accepts=("250 2.0.0 OK  ", " - gsmtp"),
        unknown=_refusal(
            "5.1.1",
            "550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking"
            " the recipient's email address for typos or 550-5.1.1 unnecessary spaces. For more information, go to"
            " 550 5.1.1  https://support.gemail.example/mail/?p=NoSuchUser {token} - gsmtp",
            _F.UNKNOWN_USER,
        ),
        full=_refusal(
            "4.2.2",
            "452-4.2.2 The recipient's inbox is out of storage space. 452-4.2.2 Please direct the recipient to"
            " 452 4.2.2  https://support.gemail.example/mail/?p=OverQuotaTemp {token} - gsmtp",
            _F.MAILBOX_FULL,
            recovery=0.05,
        ),
        spam=_refusal(
            "5.7.1",
            "550-5.7.1 [192.0.2.25      18] Gemail has detected that this message is likely 550-5.7.1 unsolicited mail."
            " To reduce the amount of spam sent to Gemail, 550-5.7.1 this message has been blocked. 550 5.7.1 "
            " https://support.gemail.example/mail/?p=UnsolicitedMessageError {token} - gsmtp",
            _F.SPAM,
            _DATA,
        ),
        putting_off=_refusal(
            "4.7.28",
            "421-4.7.28 Gemail has detected an unusual rate of unsolicited mail originating 421-4.7.28 from your SPF"
            " domain. To protect our users from spam, mail sent 421-4.7.28 from your domain has been temporarily rate"
            " limited. 421 4.7.28  https://support.gemail.example/mail/?p=UnsolicitedRateLimitError {token} - gsmtp",
            _F.RATE_LIMIT,
            _DATA,
            0.6,
        ),
        puts_off=0.006,
        latency=620,
    ),
    Provider(
        domains=("outlock.example", "hotmale.example"),
        hosts=(
            ("outlock-example.olc.protection.outlock.example", "198.51.100.161"),
            ("outlock-example.olc.protection.outlock.example", "198.51.100.33"),
        ),
        share=0.22,
        accepts=(
            "250 2.6.0 <",
            (
                "@mx.outlock.example> [InternalId=31907] 16433 bytes in 0.204, 78.361 KB/sec Queued"
                " mail for delivery -> 250 2.1.5"
            ),
        ),
        unknown=_refusal(
            "5.5.0",
            "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)."
            " [{token}.eop-eur05.prod.protection.outlock.example]",
            _F.UNKNOWN_USER,
        ),
        full=_refusal(
            "5.2.2",
            "554 5.2.2 mailbox full; STOREDRV.Deliver; mailbox quota exceeded [{token}.eurprd05.prod.outlock.example]",
            _F.MAILBOX_FULL,
            _DATA,
        ),
        spam=_refusal(
            "5.7.1",
            "550 5.7.1 Unfortunately, messages from [192.0.2.25] weren't sent. Please contact your Internet service"
            " provider since part of their network is on our block list (S3150). [{token}.eop-nam04.outlock.example]",
            _F.REPUTATION,
            "MAIL FROM",
        ),
        putting_off=_refusal(
            "4.7.650",
            "451 4.7.650 The mail server [192.0.2.25] has been temporarily rate limited due to IP reputation."
            " For e-mail delivery information, see https://postmaster.outlock.example (S775)",
            _F.RATE_LIMIT,
            "MAIL FROM",
            0.55,
        ),
        puts_off=0.008,
        latency=950,
    ),
    Provider(
        domains=("yahu.example", "aoll.example"),
        hosts=(("mta5.am0.yahudns.example", "203.0.113.110"), ("mta7.am0.yahudns.example", "203.0.113.74")),
        share=0.12,
        accepts=("250 ok dirdel ", ""),
        unknown=_refusal(
            "5.0.0", "554 delivery error: dd This user doesn't have a {domain} account", _F.UNKNOWN_USER, _DATA
        ),
        full=_refusal("4.2.2", "452 4.2.2 <{rcpt}> Mailbox full", _F.MAILBOX_FULL, recovery=0.05),
        # this provider says "policy" and means that of the sender's domain: DMARC
        spam=_refusal(
            "5.7.9",
            "554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahu.example/error-codes",
            _F.AUTH,
            _DATA,
        ),
        putting_off=_refusal(
            "4.7.0",
            "421 4.7.0 [TSS04] Messages from 192.0.2.25 temporarily deferred due to unexpected volume or user"
            " complaints - 4.16.55.1; see https://postmaster.yahu.example/error-codes",
            _F.RATE_LIMIT,
            "greeting",
            0.35,
        ),
        puts_off=0.012,
        latency=700,
    ),
    Provider(
        domains=("gmz.example", "webb.example"),
        hosts=(("mx00.emig.gmz.example", "203.0.113.9"), ("mx01.emig.gmz.example", "203.0.113.10")),
        share=0.11,
        accepts=("250 Requested mail action okay, completed: id=", ""),
        unknown=_refusal("5.0.0", "550 Requested action not taken: mailbox unavailable", _F.UNKNOWN_USER),
        full=_refusal("5.2.2", "552 5.2.2 Requested mail action aborted: exceeded storage allocation", _F.MAILBOX_FULL),
        spam=_refusal(
            "5.0.0",
            "554 Transaction failed. Reject due to policy restrictions. For explanation visit"
            " https://postmaster.gmz.example/error-messages?ip=192.0.2.25&c=hi",
            _F.POLICY,
            _DATA,
        ),
        putting_off=_refusal(
            "4.0.0",
            "421 gmz.example (mxgmz112) Nemesis ESMTP Service not available. Service not available."
            " Too many connections from your host",
            _F.RATE_LIMIT,
            "greeting",
        ),
        puts_off=0.004,
        latency=300,
    ),
    Provider(
        domains=("icloudy.example",),
        hosts=(("mx02.mail.icloudy.example", "198.51.100.227"),),
        share=0.07,
        accepts=("250 2.0.0 Ok: queued as ", ""),
        unknown=_refusal("5.1.1", "550 5.1.1 <{rcpt}>: user does not exist", _F.UNKNOWN_USER),
        full=_refusal("5.2.2", "552 5.2.2 <{rcpt}>: user is over quota", _F.MAILBOX_FULL),
        spam=_refusal("5.7.1", "554 5.7.1 Message rejected due to local policy", _F.POLICY, _DATA),
        putting_off=_refusal("4.7.0", "450 4.7.0 [CS01] Message rejected due to local policy", _F.POLICY, _DATA),
        puts_off=0.004,
        latency=500,
    ),
    Provider(
        domains=("telekomm.example",),
        hosts=(
            ("mx00.t-online.telekomm.example", "2001:db8:2:5::20"),
            ("mx01.t-online.telekomm.example", "198.51.100.8"),
        ),
        share=0.05,
        accepts=("250 2.0.0 Message accepted. id=", ""),
        unknown=_refusal("5.1.1", "550 5.1.1 <{rcpt}>: unknown recipient, please check the address", _F.UNKNOWN_USER),
        full=_refusal("5.2.2", "552 5.2.2 <{rcpt}>: mailbox quota exceeded", _F.MAILBOX_FULL),
        spam=LISTED,
        putting_off=_refusal(
            "4.0.0",
            "554 IP=192.0.2.25 - None/bad reputation. Ask your postmaster for help or to contact"
            " tosa@rx.telekomm.example for reset. (NOWL)",
            _F.REPUTATION,
            "greeting",
            0.2,
        ),
        puts_off=0.002,
        latency=260,
    ),
    Provider(
        domains=("acme-werke.example", "northwind-foods.example", "tailspin.example", "unibremfurt.example"),
        hosts=(("mx.hostpark.example", "203.0.113.180"), ("mx2.hostpark.example", "203.0.113.181")),
        share=0.03,
        accepts=("250 2.0.0 Ok: queued as ", ""),
        unknown=_refusal(
            "5.1.1",
            "550 5.1.1 <{rcpt}>: Recipient address rejected: User unknown in virtual mailbox table",
            _F.UNKNOWN_USER,
        ),
        full=_refusal("5.2.2", "554 5.2.2 <{rcpt}>: Recipient address rejected: Quota exceeded", _F.MAILBOX_FULL),
        spam=_refusal("5.7.1", "554 5.7.1 Spam message rejected", _F.SPAM, _DATA),
        putting_off=GREYLISTED,
        puts_off=0.25,
        tls="Verified",
        latency=180,
    ),
    Provider(
        domains=("kanzlei-vogel.example", "littlebakery.example", "rowingclub.example"),
        hosts=(("mail.smallhost.example", "198.51.100.66"),),
        share=0.02,
        accepts=("250 OK id=1", ""),
        unknown=_refusal("5.0.0", "550 No such user here", _F.UNKNOWN_USER),
        full=_refusal("4.0.0", "452 Mailbox is full / Blocks limit exceeded", _F.MAILBOX_FULL, recovery=0.1),
        spam=_refusal("5.0.0", "550 This message was classified as SPAM and may not be delivered", _F.SPAM, _DATA),
        putting_off=_refusal(
            "4.7.1", "451 4.7.1 Greylisting in action, please come back later", _F.RATE_LIMIT, recovery=0.9
        ),
        puts_off=0.3,
        tls="Untrusted",
        latency=240,
    ),
)

OWN_MAILBOXES = Provider(
    domains=("brandt-partner.example",),
    hosts=(("mx2.mailhub.example", "private/dovecot-lmtp"),),
    share=0.0,
    accepts=("250 2.0.0 <{rcpt}> ", " Saved"),
    unknown=_refusal("5.1.1", "550 5.1.1 <{rcpt}> User doesn't exist: {rcpt}", _F.UNKNOWN_USER),
    full=_refusal("5.2.2", "552 5.2.2 <{rcpt}> Quota exceeded (mailbox for user is full)", _F.MAILBOX_FULL, _DATA),
    spam=_refusal("5.7.1", "554 5.7.1 Spam message rejected", _F.SPAM, _DATA),
    tls="",
    latency=30,
    transport="lmtp",
)

NOWHERE = Provider(
    domains=("gemial.example", "outlok.example", "old-company.example"),
    hosts=(("mail.old-company.example", "203.0.113.250"),),
    share=0.0,
    accepts=("250 Ok ", ""),
    unknown=NO_SUCH_DOMAIN,
    full=DEAD_SERVER,
    spam=NO_SUCH_DOMAIN,
)
