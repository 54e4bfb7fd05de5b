"""Who answers for which name."""

from __future__ import annotations

from mailvane_demo.world.blocklists import blocklists
from mailvane_demo.world.incidents import script
from mailvane_demo.world.name_server import NOT_THERE, Told
from mailvane_demo.world.names import Names, relay_records, sender_records
from mailvane_demo.world.registry import Registration

START = 1_790_000_000_000
INCIDENTS = script(START)
TAKEN = Registration(name="look.example", created=START + 5, changed=START + 5, registrar="R", mails=True)
NAMES = Names(
    blocklists("192.0.2.25", INCIDENTS),
    {
        **relay_records({"mx1.hub.example": "192.0.2.25"}),
        **sender_records("shop.example", "ip4:192.0.2.25", "reject"),
    },
    (TAKEN,),
)


def test_a_relays_address_leads_back_to_it() -> None:
    assert NAMES("25.2.0.192.in-addr.arpa", "PTR", START) == Told(("mx1.hub.example",))
    assert NAMES("mx1.hub.example", "A", START) == Told(("192.0.2.25",))


def test_a_sender_publishes_what_receivers_check() -> None:
    assert NAMES("shop.example", "TXT", START) == Told(("v=spf1 ip4:192.0.2.25 -all",))
    told = NAMES("_dmarc.shop.example", "TXT", START)
    assert told is not None
    assert told.records[0].startswith("v=DMARC1; p=reject;")


def test_a_name_is_there_with_another_kind_of_record() -> None:
    assert NAMES("shop.example", "A", START) == Told()
    assert NAMES("nobody.example", "A", START) == NOT_THERE


def test_a_registered_name_appears_with_its_registration() -> None:
    assert NAMES("look.example", "NS", START) == NOT_THERE
    told = [NAMES("look.example", kind, START + 5) for kind in ("NS", "A", "MX")]
    assert told == [Told(TAKEN.name_servers), Told((TAKEN.address,)), Told(("mail.look.example",))]


def test_a_blocklist_is_asked_below_its_zone() -> None:
    assert NAMES("25.2.0.192.bl.spamwatch.example", "A", INCIDENTS.listed_from) == Told(("127.0.0.2",))
    assert NAMES("25.2.0.192.rbl.gonequiet.example", "A", START) is None
