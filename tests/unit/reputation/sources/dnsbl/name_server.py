"""A real name server with blocklists that tell the truth, refuse, list everything, fail, or never answer."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

_HEARD_BYTES = 4 * 1024 * 1024  # hundreds of questions at once: what is lost is waited for and asked again
TEST_POINTS = {"2.0.0.127": "127.0.0.2", "test": "127.0.1.2"}


class NameServer:
    """`zones` maps a host to what it says: names with addresses, or one word for how it behaves."""

    def __init__(self, zones: Mapping[str, Mapping[str, str] | str], records: Mapping[tuple[str, str], str]) -> None:
        self.zones = dict(zones)
        self.records = dict(records)
        self.asked: list[str] = []
        # A question that changes what a zone says, from that answer on.
        self.turning: Mapping[str, tuple[str, Mapping[str, str] | str]] = {}
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[NameServer]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _HEARD_BYTES)
            server.bind(("127.0.0.1", 0))
            server.settimeout(0.05)
            self.port = server.getsockname()[1]
            self._open = True
            thread = Thread(target=self._serve, args=(server,))
            thread.start()
            try:
                yield self
            finally:
                self._open = False
                thread.join()

    def _serve(self, server: socket.socket) -> None:
        while self._open:
            try:
                data, client = server.recvfrom(4096)
            except TimeoutError:
                continue
            answer = self._answer(dns.message.from_wire(data))
            if answer is not None:
                server.sendto(answer.to_wire(), client)

    def _answer(self, question: dns.message.Message) -> dns.message.Message | None:
        asked = question.question[0]
        name, kind = asked.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(asked.rdtype)
        self.asked.append(name)
        if name in self.turning:
            turned, says = self.turning[name]
            self.zones[turned] = says
        answer = dns.message.make_response(question, recursion_available=True)
        host = next((host for host in self.zones if f".{name}".endswith(f".{host}")), "")
        says = self.zones.get(host, {})
        if says == "silent":
            return None
        if says == "failing":
            answer.set_rcode(dns.rcode.SERVFAIL)
            return answer
        text = self.records.get((name, kind))
        if kind == "A" and host:
            text = {"everything": "127.0.0.2", "refusing": "127.255.255.254", "hijacked": "192.0.2.80"}.get(
                says if isinstance(says, str) else "", ""
            ) or (says.get(name.removesuffix(f".{host}")) if isinstance(says, Mapping) else None)
        if text and says != "nothing":
            answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, *text.split("|")))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer
