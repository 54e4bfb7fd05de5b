"""Who sends through the simulated servers: six domains of different character, and the rhythm of their days.

All names are made up. The figures of a sender are what makes it good or bad company: how stale its list is, how often
its mail is taken for spam, how often receivers put it off.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

_HOUR = 3_600_000
_DAY = 24 * _HOUR
_WARM_UP_DAYS_TO_DOUBLE = 5.0


class Rhythm(StrEnum):
    """When a sender sends."""

    OFFICE = "office"
    SHOP = "shop"
    ALWAYS = "always"
    CAMPAIGN = "campaign"
    WARM_UP = "warm_up"


# share of a day's mail for each hour of a day, UTC; every row adds up to 24
_DAYTIME = (
    0.1, 0.1, 0.1, 0.1, 0.1, 0.3, 0.8, 1.6, 2.3, 2.5, 2.3, 1.9,
    1.5, 1.9, 2.2, 2.1, 1.7, 1.1, 0.6, 0.3, 0.2, 0.1, 0.05, 0.05,
)  # fmt: skip
_SHOPPING = (
    0.5, 0.3, 0.2, 0.2, 0.2, 0.3, 0.5, 0.8, 1.0, 1.2, 1.3, 1.3,
    1.4, 1.3, 1.2, 1.2, 1.3, 1.5, 1.8, 2.1, 2.0, 1.5, 0.9, 0.6,
)  # fmt: skip
_MACHINES = (
    0.8, 0.7, 0.7, 0.7, 0.7, 0.8, 0.9, 1.0, 1.2, 1.3, 1.3, 1.3,
    1.2, 1.3, 1.3, 1.2, 1.2, 1.1, 1.0, 0.9, 0.9, 0.9, 0.8, 0.8,
)  # fmt: skip
_MORNING_BLAST = (0, 0, 0, 0, 0, 0, 0.5, 5, 9, 6, 2, 0.5, 0.2, 0.2, 0.2, 0.2, 0.2, 0, 0, 0, 0, 0, 0, 0)  # fmt: skip
_HOURS = {
    Rhythm.OFFICE: _DAYTIME,
    Rhythm.SHOP: _SHOPPING,
    Rhythm.ALWAYS: _MACHINES,
    Rhythm.CAMPAIGN: _MORNING_BLAST,
    Rhythm.WARM_UP: _DAYTIME,
}
# the same for each day of a week, from Monday; every row adds up to 7
_DAYS = {
    Rhythm.OFFICE: (1.4, 1.45, 1.4, 1.35, 1.2, 0.1, 0.1),
    Rhythm.SHOP: (1.0, 0.9, 0.9, 0.95, 1.05, 1.1, 1.1),
    Rhythm.ALWAYS: (1.1, 1.1, 1.1, 1.1, 1.0, 0.8, 0.8),
    Rhythm.CAMPAIGN: (0.3, 2.7, 0.3, 2.9, 0.3, 0.2, 0.3),
    Rhythm.WARM_UP: (1.2, 1.2, 1.2, 1.2, 1.2, 0.5, 0.5),
}


def pace(rhythm: Rhythm, at: int, start: int) -> float:
    """How much busier than on average it is at a time; `start` is when the world began."""
    weekday = (at // _DAY + 3) % 7  # the epoch was a Thursday
    pace_now = _HOURS[rhythm][at % _DAY // _HOUR] * _DAYS[rhythm][weekday]
    if rhythm is Rhythm.WARM_UP:
        pace_now *= min(4.0, 0.05 * 2 ** ((at - start) / _DAY / _WARM_UP_DAYS_TO_DOUBLE))
    return pace_now


class Client(msgspec.Struct, frozen=True, gc=False):
    """A machine that hands mail in."""

    name: str
    ip: str
    helo: str
    login: str = ""
    tls: bool = False


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """One sending domain."""

    domain: str
    rhythm: Rhythm
    daily: float  # mails on an average day
    clients: tuple[Client, ...]
    envelope: tuple[str, ...]  # envelope senders; may hold {number}
    header_from: tuple[str, ...]
    reply_to: str = ""  # may hold {number}
    subjects: tuple[str, ...]  # may hold {number} and {word}
    threads: float = 0.0  # share of mails that answer another one
    crowd: float = 0.0  # share of mails with several recipients
    list_size: int = 2000
    stale: float = 0.003  # share of addresses that do not exist
    spammy: float = 0.0005  # share of mails taken for spam
    strange: float = 1.0  # how much more often than usual receivers put it off
    batch: int = 1  # mails handed in on one connection
    filtered: bool = False  # passes through the content filter
    size: int = 9_000  # typical size in bytes


def _office(name: str, ip: str) -> Client:
    login = f"{name}@brandt-partner.example"
    return Client(
        f"dsl-{ip.replace('.', '-')}.access.example", ip, f"[192.168.1.{ip.rsplit('.', 1)[1]}]", login, tls=True
    )


_PEOPLE = ("m.brandt", "j.okafor", "s.lindqvist", "k.wolff", "office", "a.petrov", "y.tanaka")

NEWSLETTER = Sender(
    domain="lettersmith.example",
    rhythm=Rhythm.CAMPAIGN,
    daily=800,
    clients=(Client("app1.lettersmith.example", "198.51.100.21", "app1.lettersmith.example", tls=True),),
    envelope=("bounces@news.lettersmith.example",),
    header_from=("Lettersmith Weekly <weekly@lettersmith.example>", "Lettersmith <hello@lettersmith.example>"),
    reply_to="Lettersmith Team <team@lettersmith.example>",
    subjects=(
        "This week: {word}, and what came of it",
        "Issue {number}: the long read about {word}",
        "=?utf-8?Q?Five_things_about_{word}_=E2=80=94_and_a_recipe?=",
        "Your Thursday letter",
    ),
    list_size=9000,
    stale=0.002,
    spammy=0.0004,
    batch=20,
    size=42_000,
)
SHOP = Sender(
    domain="kettleandco.example",
    rhythm=Rhythm.SHOP,
    daily=620,
    clients=(
        Client("web1.kettleandco.example", "198.51.100.40", "web1.kettleandco.example"),
        Client("web2.kettleandco.example", "2001:db8:40::2", "web2.kettleandco.example"),
    ),
    envelope=("orders@kettleandco.example", "shipping@kettleandco.example"),
    header_from=("Kettle & Co <orders@kettleandco.example>", '"Kettle & Co, Shipping" <shipping@kettleandco.example>'),
    reply_to="service@kettleandco.example",
    subjects=(
        "Your order {number} is confirmed",
        "Order {number} has been shipped",
        "=?utf-8?B?SWhyZSBCZXN0ZWxsdW5nIMO8YmVyIGVpbmUgVGVla2FubmU=?=",
        "How do you like your {word}?",
        "Reset your password",
    ),
    list_size=7000,
    stale=0.006,
    size=14_000,
)
SAAS = Sender(
    domain="pingboard.example",
    rhythm=Rhythm.ALWAYS,
    daily=700,
    clients=(
        Client("worker-1.pingboard.example", "203.0.113.201", "worker-1", "relay@pingboard.example", tls=True),
        Client("worker-2.pingboard.example", "2001:db8:77::12", "worker-2", "relay@pingboard.example", tls=True),
    ),
    envelope=("notify@pingboard.example",),
    header_from=("Pingboard <notify@pingboard.example>", "Ada on Pingboard <notify@pingboard.example>"),
    reply_to="reply+{number}@in.pingboard.example",
    subjects=(
        "[Pingboard] {word} is down",
        "[Pingboard] {word} is up again",
        "Re: [{word}] Build #{number} failed",
        "Ada mentioned you in {word}",
        "Your verification code is {number}",
    ),
    threads=0.45,
    list_size=3000,
    stale=0.004,
    size=6_500,
)
OFFICE = Sender(
    domain="brandt-partner.example",
    rhythm=Rhythm.OFFICE,
    daily=170,
    clients=tuple(_office(name, f"203.0.113.{40 + number}") for number, name in enumerate(_PEOPLE)),
    envelope=tuple(f"{name}@brandt-partner.example" for name in _PEOPLE),
    header_from=(
        "Maria Brandt <m.brandt@brandt-partner.example>",
        "James Okafor <j.okafor@brandt-partner.example>",
        "Sofia Lindqvist <s.lindqvist@brandt-partner.example>",
        "=?iso-8859-1?Q?K=E4the_Wolff?= <k.wolff@brandt-partner.example>",
        "Brandt & Partner <office@brandt-partner.example>",
        "a.petrov@brandt-partner.example",
        "=?UTF-8?B?55Sw5Lit?= <y.tanaka@brandt-partner.example>",
    ),
    subjects=(
        "Re: {word}",
        "AW: Angebot {number}",
        "Minutes of the meeting about {word}",
        "Invoice {number}",
        "Fwd: {word} / please check",
        "=?utf-8?Q?R=C3=BCckfrage_zum_Vertrag_?=? =?utf-8?Q?{number}?=",
        "lunch?",
    ),
    threads=0.6,
    crowd=0.3,
    list_size=400,
    stale=0.008,
    filtered=True,
    size=38_000,
)
CARELESS = Sender(
    domain="superdealz.example",
    rhythm=Rhythm.CAMPAIGN,
    daily=240,
    clients=(Client("vps77.cheaphost.example", "203.0.113.140", "vps77"),),
    envelope=("deals@superdealz.example",),
    header_from=("SUPER DEALZ <deals@superdealz.example>",),
    reply_to="winner{number}@superdealz.example",
    subjects=("{word} -{number}% ONLY TODAY!!!", "You have been selected", "Re: your account", "FREE {word} inside"),
    list_size=6000,
    stale=0.15,
    spammy=0.06,
    strange=6.0,
    batch=8,
    size=21_000,
)
WARM_UP = Sender(
    domain="freshstart.example",
    rhythm=Rhythm.WARM_UP,
    daily=160,
    clients=(Client("mailer.freshstart.example", "198.51.100.90", "mailer.freshstart.example", tls=True),),
    envelope=("hello@freshstart.example", "nina@freshstart.example"),
    header_from=("Nina at Freshstart <nina@freshstart.example>", "Freshstart <hello@freshstart.example>"),
    subjects=("Quick question about {word}", "Re: {word}", "A better way to {word}", "Following up, {number}"),
    threads=0.25,
    list_size=2500,
    stale=0.02,
    spammy=0.008,
    strange=8.0,
    size=5_000,
)
SENDERS = (NEWSLETTER, SHOP, SAAS, OFFICE, CARELESS, WARM_UP)

# a stranger who found out a password; sends as the person whose login it is
THIEF = Client("unknown", "192.0.2.199", "User", "k.wolff@brandt-partner.example", tls=True)
LOOT = Sender(
    domain="brandt-partner.example",
    rhythm=Rhythm.ALWAYS,
    daily=0,
    clients=(THIEF,),
    envelope=("k.wolff@brandt-partner.example",),
    header_from=("Security Desk <k.wolff@brandt-partner.example>",),
    reply_to="secure-desk{number}@old-company.example",
    subjects=("Your mailbox is almost full", "Unpaid invoice {number}", "Action required: verify your account"),
    list_size=9000,
    stale=0.22,
    spammy=0.2,
    strange=25.0,
    batch=50,
    size=3_200,
)

WORDS = (
    "kettle",
    "harbour",
    "lantern",
    "spreadsheet",
    "bicycle",
    "pricing",
    "teapot",
    "garden",
    "migration",
    "onboarding",
    "printer",
    "database",
    "roadmap",
    "coffee",
    "contract",
    "holiday",
    "window",
    "checkout",
    "api-gateway",
    "newsletter",
)
FIRST_NAMES = (
    "anna",
    "ben",
    "carla",
    "david",
    "elif",
    "frank",
    "grace",
    "hiro",
    "ines",
    "jonas",
    "kim",
    "lena",
    "marco",
    "nadia",
    "omar",
    "paula",
    "quinn",
    "rosa",
    "sven",
    "tara",
    "uma",
    "viktor",
    "wanda",
    "xaver",
    "yusuf",
    "zoe",
)
LAST_NAMES = (
    "adams",
    "bauer",
    "costa",
    "dubois",
    "evans",
    "fischer",
    "garcia",
    "hansen",
    "ito",
    "jansen",
    "kowalski",
    "lopez",
    "meyer",
    "novak",
    "olsen",
    "park",
    "quist",
    "rossi",
    "silva",
    "tanaka",
    "ulrich",
    "vega",
    "weber",
    "young",
    "zimmer",
)
