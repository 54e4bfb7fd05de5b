"""Bytes of a policy connection and the requests in them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.errors import InvalidInput
from mailvane.outbound.policy.protocol import MAX_REQUEST, Request, RequestStream, answer

POSTFIX = """\
request=smtpd_access_policy
protocol_state=RCPT
protocol_name=ESMTP
client_address=192.0.2.7
client_name=app.shop.example
client_port=48052
reverse_client_name=app.shop.example
server_address=192.0.2.1
server_port=25
helo_name=app.shop.example
sender=ann@shop.example
recipient=bob@inbox.example
recipient_count=0
queue_id=
instance=1a2b.65f0c0de.3.0
size=12345
etrn_domain=
stress=
sasl_method=plain
sasl_username=ann
sasl_sender=
ccert_subject=
ccert_issuer=
ccert_fingerprint=
ccert_pubkey_fingerprint=
encryption_protocol=TLSv1.3
encryption_cipher=TLS_AES_256_GCM_SHA384
encryption_keysize=256
policy_context=
tls_sni=mail.office.example

"""


def read(*pieces: str | bytes) -> list[Request]:
    stream = RequestStream()
    data = [piece.encode() if isinstance(piece, str) else piece for piece in pieces]
    return [request for piece in data for request in stream.feed(piece)]


def one(*lines: str) -> Request:
    (request,) = read("\n".join(("request=smtpd_access_policy", *lines)) + "\n\n")
    return request


def test_what_postfix_sends_is_understood() -> None:
    assert read(POSTFIX) == [
        Request(
            stage="RCPT",
            instance="1a2b.65f0c0de.3.0",
            sender="ann@shop.example",
            recipient="bob@inbox.example",
            recipient_count=0,
            sasl_username="ann",
            client_address="192.0.2.7",
            service="25",
        )
    ]


def test_a_value_may_hold_equals_signs() -> None:
    assert one("sender=a=b==c@shop.example", "sasl_username==x=").sender == "a=b==c@shop.example"
    assert one("sasl_username==x=").sasl_username == "=x="


def test_unknown_attributes_and_their_order_do_not_matter() -> None:
    assert one("mail_version=3.99", "instance=1", "news=") == one("instance=1")
    (late,) = read("instance=1\nrequest=smtpd_access_policy\n\n")
    assert late == one("instance=1")


def test_requests_may_come_at_once() -> None:
    assert read(POSTFIX * 3) == read(POSTFIX) * 3


def test_a_request_is_complete_only_with_its_empty_line() -> None:
    stream = RequestStream()
    assert stream.feed(POSTFIX.encode()[:-1]) == []
    assert len(stream.feed(b"\n")) == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("\n\n", "not name=value"),
        ("hello\n\n", "not name=value"),
        ("GET / HTTP/1.1\nHost: x\n\n", "not name=value"),
        ("\nrequest=smtpd_access_policy\n\n", "not name=value"),
        ("sender=a@b.example\n\n", "no line request="),
        ("request=junk_mail_policy\n\n", "no line request="),
        ("request=smtpd_access_policy\nrecipient_count=many\n\n", "recipient_count"),
        ("request=smtpd_access_policy\nrecipient_count=-1\n\n", "recipient_count"),
        ("request=smtpd_access_policy\nrecipient_count=٣\n\n", "recipient_count"),
        ("request=smtpd_access_policy\nrecipient_count=" + "9" * 5000 + "\n\n", "recipient_count"),
        ("request=smtpd_access_policy\nsender=a\0b\n\n", "NUL"),
        ("request=smtpd_access_policy\ninstance=" + "1" * 300 + "\n\n", "instance"),
        ("request=smtpd_access_policy\nstress=" + "x" * MAX_REQUEST + "\n\n", "too long"),
        ("stress=" + "x" * MAX_REQUEST, "does not end"),
    ],
)
def test_what_is_no_request_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        read(text)


def test_a_request_that_never_ends_is_refused_also_when_it_trickles_in() -> None:
    with pytest.raises(InvalidInput, match="does not end"):
        read(*[b"x" * 101] * (MAX_REQUEST // 100 + 1))


def test_a_longer_request_than_usual_is_understood() -> None:
    assert one("ccert_subject=" + "x" * (MAX_REQUEST - 100), "instance=7").instance == "7"


def test_bytes_that_are_no_text_are_replaced() -> None:
    (request,) = read(b"request=smtpd_access_policy\nsender=\xff\xfe@shop.example\n\n")
    assert request.sender == "\ufffd\ufffd@shop.example"


def test_an_answer_is_one_action() -> None:
    assert answer("DUNNO") == b"action=DUNNO\n\n"
    assert answer("PREPEND X-Quota: ä").decode() == "action=PREPEND X-Quota: ä\n\n"


@pytest.mark.parametrize("action", ["DUNNO\n\naction=OK", "DEFER\0"])
def test_an_action_cannot_carry_another(action: str) -> None:
    with pytest.raises(InvalidInput):
        answer(action)


@dataclass(frozen=True)
class Told:
    """A request as attributes, and as the value that it must become."""

    attributes: dict[str, str]

    def wire(self) -> bytes:
        return "".join(f"{name}={value}\n" for name, value in self.attributes.items()).encode() + b"\n"

    def request(self) -> Request:
        names = {"protocol_state": "stage"}
        fields = {names.get(name, name): value for name, value in self.attributes.items()}
        known = {name: value for name, value in fields.items() if name in Request.__struct_fields__}
        return msgspec.convert({"stage": "", **known}, Request, strict=False)


VALUES = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\n\0"), max_size=60)
ATTRIBUTES = st.fixed_dictionaries(
    {"request": st.just("smtpd_access_policy")},
    optional={
        "protocol_state": VALUES,
        "instance": VALUES,
        "sender": VALUES,
        "recipient": VALUES,
        "recipient_count": st.integers(0, 10**9 - 1).map(str),
        "sasl_username": VALUES,
        "client_address": VALUES,
        "unheard_of": VALUES,
    },
).map(Told)


@given(st.lists(ATTRIBUTES, max_size=5), st.lists(st.integers(0, 2000), max_size=8))
def test_requests_survive_any_cutting_of_the_stream(told: list[Told], cuts: list[int]) -> None:
    wire = b"".join(each.wire() for each in told)
    edges = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
    pieces = [wire[start:end] for start, end in pairwise(edges)]
    assert read(*pieces) == [each.request() for each in told]


@given(st.binary(max_size=400))
def test_any_bytes_are_requests_or_refused(data: bytes) -> None:
    stream = RequestStream()
    try:
        requests = stream.feed(data)
    except InvalidInput:
        return
    assert len(requests) == data.count(b"\n\n")
