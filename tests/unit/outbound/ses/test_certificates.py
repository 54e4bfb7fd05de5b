"""Which certificates are believed, and how rarely they are fetched."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509

from mailvane.core.errors import InvalidSetting
from mailvane.outbound.ses.certificates import Certificates, read_certificates, sns_host, trusted_roots
from mailvane.outbound.ses.fetching import Refused, Unreachable
from mailvane_demo.world.certificate_authority import Signer, issuer, root, signer
from tests.unit.outbound.ses.conftest import HOST, NOW, Internet

URL = f"https://{HOST}/SimpleNotificationService-1.pem"
DAY = 86_400_000


@pytest.fixture
def web() -> Internet:
    return Internet()


def test_a_certificate_is_fetched_once_a_day(web: Internet, sns: Signer, roots: list[x509.Certificate]) -> None:
    web.pages[URL] = sns.pem
    known = Certificates(web, roots)
    for now in (NOW, NOW + 1, NOW + DAY - 1):
        known.key(URL, now)
    assert web.asked == [URL]
    known.key(URL, NOW + DAY)
    assert web.asked == [URL, URL]


def test_what_is_not_believed_is_not_fetched_again_at_once(web: Internet, roots: list[x509.Certificate]) -> None:
    web.pages[URL] = b"no certificate"
    known = Certificates(web, roots)
    for _ in range(3):
        with pytest.raises(Refused, match="holds no certificate"):
            known.key(URL, NOW)
    assert web.asked == [URL]
    with pytest.raises(Refused):
        known.key(URL, NOW + 60_000)
    assert web.asked == [URL, URL]


def test_a_failed_fetch_is_tried_again(web: Internet, sns: Signer, roots: list[x509.Certificate]) -> None:
    known = Certificates(web, roots)
    web.pages[URL] = Unreachable("away")
    with pytest.raises(Unreachable):
        known.key(URL, NOW)
    web.pages[URL] = sns.pem
    assert known.key(URL, NOW)


def test_nobody_can_make_us_fetch_without_end(web: Internet, roots: list[x509.Certificate]) -> None:
    known = Certificates(web, roots)
    for number in range(30):
        with pytest.raises((Refused, Unreachable)):
            known.key(f"https://{HOST}/{number}.pem", NOW)
    assert len(web.asked) == 20
    with pytest.raises(Refused):
        known.key(f"https://{HOST}/later.pem", NOW + 60_000)
    assert len(web.asked) == 21


def test_the_issuer_is_fetched_where_the_certificate_says(web: Internet, authority: Signer) -> None:
    between = issuer(NOW, authority)
    leaf = signer(NOW, between, ["sns.amazonaws.com"], "http://crt.example/issuer.cer")
    web.pages |= {URL: leaf.pem, "http://crt.example/issuer.cer": between.der}
    assert Certificates(web, [authority.certificate]).key(URL, NOW)
    assert web.asked == [URL, "http://crt.example/issuer.cer"]


def test_an_issuer_in_the_same_file_is_not_fetched(web: Internet, authority: Signer) -> None:
    between = issuer(NOW, authority)
    leaf = signer(NOW, between, ["sns.amazonaws.com"])
    web.pages[URL] = leaf.pem + between.pem
    assert Certificates(web, [authority.certificate]).key(URL, NOW)
    assert web.asked == [URL]


@pytest.mark.parametrize("page", [b"nonsense", Refused("gone"), Unreachable("away")])
def test_an_issuer_that_cannot_be_had_asks_for_patience(
    web: Internet, authority: Signer, page: bytes | Exception
) -> None:
    leaf = signer(NOW, issuer(NOW, authority), ["sns.amazonaws.com"], "http://crt.example/issuer.cer")
    web.pages |= {URL: leaf.pem, "http://crt.example/issuer.cer": page}
    with pytest.raises(Unreachable):
        Certificates(web, [authority.certificate]).key(URL, NOW)


def test_a_leaf_is_no_issuer(web: Internet, authority: Signer) -> None:
    middle = signer(NOW, authority, ["sns.amazonaws.com"])
    leaf = signer(NOW, middle, ["sns.amazonaws.com"])
    web.pages[URL] = leaf.pem + middle.pem
    with pytest.raises(Refused, match="not trusted"):
        Certificates(web, [authority.certificate]).key(URL, NOW)


@pytest.mark.parametrize("late", [-2 * DAY, 31 * DAY])
def test_a_certificate_counts_only_in_its_time(
    web: Internet, sns: Signer, roots: list[x509.Certificate], late: int
) -> None:
    web.pages[URL] = sns.pem
    with pytest.raises(Refused, match="not trusted"):
        Certificates(web, roots).key(URL, NOW + late)


@pytest.mark.parametrize(
    ("region", "name"),
    [
        ("us-east-1", "sns.amazonaws.com"),
        ("af-south-1", "sns-signing.af-south-1.amazonaws.com"),
        ("af-south-1", "sns.af-south-1.amazonaws.com"),
        ("us-gov-east-1", "sns-us-gov-west-1.amazonaws.com"),
        ("us-gov-west-1", "sns-us-gov-west-1.amazonaws.com"),
    ],
)
def test_the_names_of_sns_are_known_by_region(web: Internet, authority: Signer, region: str, name: str) -> None:
    url = f"https://sns.{region}.amazonaws.com/a.pem"
    web.pages[url] = signer(NOW, authority, [name]).pem
    assert Certificates(web, [authority.certificate]).key(url, NOW)


def test_china_has_names_of_its_own(web: Internet, authority: Signer) -> None:
    url = "https://sns.cn-north-1.amazonaws.com.cn/a.pem"
    web.pages[url] = signer(NOW, authority, ["sns-cn-north-1.amazonaws.com.cn"]).pem
    assert Certificates(web, [authority.certificate]).key(url, NOW)


@pytest.mark.parametrize("name", ["evil.example", "sns-signing.eu-west-1.amazonaws.com", "s3.amazonaws.com"])
def test_a_certificate_of_somebody_else_is_refused(web: Internet, authority: Signer, name: str) -> None:
    web.pages[URL] = signer(NOW, authority, [name]).pem
    with pytest.raises(Refused, match="not one of SNS"):
        Certificates(web, [authority.certificate]).key(URL, NOW)


def test_a_certificate_at_hand_is_not_fetched(
    web: Internet, sns: Signer, roots: list[x509.Certificate], tmp_path: Path
) -> None:
    (tmp_path / "SimpleNotificationService-1.pem").write_bytes(sns.pem)
    assert Certificates(web, roots, tmp_path).key(URL, NOW)
    assert web.asked == []


def test_an_address_of_sns_is_one_of_a_region() -> None:
    assert sns_host("https://sns.us-gov-west-1.amazonaws.com/x").region == "us-gov-west-1"
    for url in (
        "https://[",
        "https://sns..amazonaws.com/x",
        f"https://{HOST}/\n",
        f"https://{HOST}/x#y",
        f"HTTPS:{HOST}",
    ):
        with pytest.raises(Refused):
            sns_host(url)


def test_damaged_certificates_are_left_out(sns: Signer) -> None:
    damaged = sns.pem.replace(b"MII", b"NII", 1)
    assert read_certificates(damaged + sns.pem) == [sns.certificate]
    assert read_certificates(sns.der) == [sns.certificate]
    assert read_certificates(b"") == []


def test_the_machine_has_roots_and_a_file_may_name_others(tmp_path: Path) -> None:
    assert len(trusted_roots(None)) > 20
    own = root(NOW)
    (tmp_path / "roots.pem").write_bytes(own.pem)
    assert trusted_roots(tmp_path / "roots.pem") == [own.certificate]
    (tmp_path / "empty.pem").write_bytes(b"")
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(InvalidSetting):
            trusted_roots(tmp_path / name)
