"""Tracking links, who asks for them, and what was told of a person or of a machine."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec
import pytest

from mailvane.core.errors import InvalidInput, InvalidSetting
from mailvane.mailboxes.settings import MailboxSettings
from mailvane.mailboxes.tracking.clients import Proxies, Rates
from mailvane.mailboxes.tracking.links import (
    Link,
    LinkKind,
    MailName,
    SignedLink,
    read_message_id,
    read_target,
    read_token,
    token_of,
)
from mailvane.mailboxes.tracking.machines import Click, load_machines

SECRET, OTHER = b"s" * 32, b"o" * 32
LINK = Link(1, LinkKind.CLICK, 1_790_000_000_000, MailName("a@x.example", "<1@y.example>"), 1, 2, "https://x.example/")


def read(token: str) -> SignedLink:
    found = read_token(token)
    assert found is not None
    return found


def test_a_token_is_read_again() -> None:
    found = read(token_of(LINK, SECRET))
    assert found.link == LINK
    assert found.is_of(SECRET)
    assert not found.is_of(OTHER)


def test_what_is_changed_is_not_genuine() -> None:
    raw = urlsafe_b64decode(token_of(LINK, SECRET) + "==")
    changed = msgspec.structs.replace(LINK, target="https://evil.example/")
    forged = urlsafe_b64encode(raw[:16] + msgspec.msgpack.encode(changed)).rstrip(b"=").decode()
    assert not read(forged).is_of(SECRET)
    moved = msgspec.structs.replace(LINK, workspace=2)
    assert not read(token_of(moved, SECRET)).is_of(OTHER)


def test_what_is_no_token_is_none() -> None:
    token = token_of(LINK, SECRET)
    for text in ("", "a", token[:-1], token[:20], token + "A", token + "=", token + "\n", "ü" + token, "A" * 9000):
        found = read_token(text)
        assert found is None or not found.is_of(SECRET), text


TARGETS = ["https://x.example/a?b=c#d", "http://127.0.0.1:8/", "HTTPS://X.example"]
NO_TARGETS = [
    "", "x.example", "//x.example", "javascript:alert(1)", "ftp://x.example/", "https://", "https:///x", "/x",
    "https://x.example/\r\nSet-Cookie: a=b", "https://x.example/ b", "https://x.example\\@y.example/", "https://ü.example/",
    "https://x.example:port/", "https://x.example/" + "a" * 2048, "data:text/html,a",
]  # fmt: skip


def test_targets() -> None:
    assert [read_target(text) for text in TARGETS] == TARGETS


@pytest.mark.parametrize("text", NO_TARGETS)
def test_no_targets(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_target(text)


def test_message_ids_have_angle_brackets() -> None:
    assert read_message_id(" a@b ") == read_message_id("<a@b>") == "<a@b>"
    for text in ("", "<>", "<a@b> <c@d>", "a b", "a\nb"):
        with pytest.raises(InvalidInput):
            read_message_id(text)


FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
GOOGLE = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
PREFETCH = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0"
)
REQUESTS = [
    (FIREFOX, "192.0.2.1", ""),
    (CHROME, "192.0.2.1", ""),
    (IPHONE, "2001:db8::1", ""),
    (FIREFOX, "", ""),
    ("Mozilla/5.0", "192.0.2.1", "apple-mail-privacy-protection"),
    (IPHONE, "17.58.1.2", "apple-mail-privacy-protection"),
    (GOOGLE, "66.249.84.1", "google-image-proxy"),
    (PREFETCH, "66.249.84.1", "gmail-prefetch"),
    ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", "192.0.2.1", "yahoo-mail-proxy"),
    ("Mozilla/5.0 (compatible; BARRACUDA Sentinel)", "192.0.2.1", "barracuda"),
    (CHROME, "64.235.150.7", "barracuda"),
    (CHROME, "64.235.160.1", ""),
    (CHROME, "148.163.130.1", "proofpoint"),
    ("Proofpoint-URL-Defense", "192.0.2.1", "proofpoint"),
    ("Mozilla/5.0 SafeLinks", "192.0.2.1", "outlook-safelinks"),
    (" ", "192.0.2.1", "without-user-agent"),
    ("Mozilla/5.0 (X11) HeadlessChrome/140", "192.0.2.1", "previews"),
]


@pytest.mark.parametrize(("agent", "address", "name"), REQUESTS)
def test_machines_are_told_by_the_table(agent: str, address: str, name: str) -> None:
    assert load_machines().named(agent, address) == name


def test_proxies_ask_for_people_and_prefetching_does_not() -> None:
    machines = load_machines(MailboxSettings().not_machines)
    yahoo = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
    assert [machines.named(agent, "66.249.84.1") for agent in (GOOGLE, yahoo, FIREFOX)] == ["", "", ""]
    assert machines.named(PREFETCH, "66.249.84.1") == "gmail-prefetch"
    assert machines.named("Mozilla/5.0", "") == "apple-mail-privacy-protection"


def test_a_row_can_be_left_out() -> None:
    assert load_machines(("google-image-proxy",)).named(GOOGLE, "") == ""
    with pytest.raises(InvalidSetting, match="did you mean google-image-proxy"):
        load_machines(("google-image-prxy",))


CLICKS = [
    ([(0, 1), (900, 2), (1_500, 3)], 3, True),
    ([(0, 1), (0, 1), (900, 2)], 3, False),
    ([(1_500, 3), (0, 1), (10_000, 2)], 3, True),
    ([(0, 1), (5_000, 2), (10_001, 3)], 3, False),
    ([(0, 1)], 1, False),
    ([], 0, False),
    ([(0, 1), (1, 2), (2, 3), (60_000, 1)], 3, True),
]


@pytest.mark.parametrize(("clicks", "links", "by_scanner"), CLICKS)
def test_every_link_at_once_is_a_scanner(clicks: list[tuple[int, int]], links: int, by_scanner: bool) -> None:
    assert load_machines().followed_all(Click(at, place, links) for at, place in clicks) is by_scanner


def test_an_address_has_so_many_a_second() -> None:
    rates = Rates(3)
    assert [rates.admits("192.0.2.1", 5.0 + n / 10) for n in range(5)] == [True, True, True, False, False]
    assert rates.admits("192.0.2.2", 5.9)
    assert rates.admits("192.0.2.1", 6.0)
    found = [rates.admits(f"2001:db8::{n}", 7.0) for n in range(1, 5)]
    assert found == [True, True, True, False], "one network of 64 bits is one client"
    assert all(Rates(0).admits("192.0.2.1", 1.0) for _ in range(1_000))


FORWARDED = [
    ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),
    ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
    ("10.0.0.1", ["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
    ("10.0.0.1", ["198.51.100.7, 10.0.0.2"], "198.51.100.7"),
    ("10.0.0.1", ["198.51.100.7", "10.0.0.2"], "198.51.100.7"),
    ("10.0.0.1", [], "10.0.0.1"),
]


@pytest.mark.parametrize(("peer", "forwarded", "client"), FORWARDED)
def test_only_own_proxies_are_believed(peer: str, forwarded: list[str], client: str) -> None:
    assert Proxies(("10.0.0.0/8",)).client(peer, forwarded) == client
