"""An IMAP server that knows one folder: as much of RFC 9051 as a reader of mail needs. Speaks on a real socket."""

from __future__ import annotations

import re
import socketserver
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread


class ImapServer:
    """`messages` by number; `commands` is what was asked, without the login."""

    def __init__(self, *messages: bytes, password: str = "secret") -> None:
        self.messages = dict(enumerate(messages, 101))
        self.seen: set[int] = set()
        self.flagged: set[int] = set()
        self.generation = 7
        self.password = password
        self.refuses = ""  # a command that is answered with NO
        self.hangs_up_at = ""  # a command at which the connection ends
        self.commands: list[str] = []
        self.token = ""  # that SASL XOAUTH2 is taken with
        self.authenticated: list[str] = []  # what came by XOAUTH2
        self.port = 0

    @contextmanager
    def running(self) -> Iterator[ImapServer]:
        chosen = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"* OK ready\r\n")
                while line := self.rfile.readline():
                    if line.split()[1:] == [b"AUTHENTICATE", b"XOAUTH2"]:
                        self._authenticate(line.split()[0].decode())
                        continue
                    answer = chosen._answer(line.decode().rstrip())
                    if answer is None:
                        return
                    self.wfile.write(answer)

            def _authenticate(self, tag: str) -> None:
                self.wfile.write(b"+ \r\n")
                said = b64decode(self.rfile.readline()).decode()
                chosen.authenticated.append(said)
                if chosen.token and said.endswith(f"auth=Bearer {chosen.token}\x01\x01"):
                    self.wfile.write(f"{tag} OK done\r\n".encode())
                    return
                # The error comes as a challenge, and waits for an empty answer.
                self.wfile.write(b"+ " + b64encode(b'{"status":"400","schemes":"Bearer"}') + b"\r\n")
                assert self.rfile.readline() == b"\r\n"
                self.wfile.write(f"{tag} NO [AUTHENTICATIONFAILED] {said.split()[-1]} is invalid\r\n".encode())

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
            server.daemon_threads = True
            self.port = server.server_address[1]
            thread = Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def _answer(self, line: str) -> bytes | None:
        tag, _, command = line.partition(" ")
        if not command.startswith("LOGIN"):
            self.commands.append(command)
        if self.hangs_up_at and command.startswith(self.hangs_up_at):
            return None
        if self.refuses and command.startswith(self.refuses):
            return f"{tag} NO not now: {command}\r\n".encode()
        told = self._told(command)
        if told is None:
            return f"{tag} NO wrong password in {command}\r\n".encode()
        return told + f"{tag} OK done\r\n".encode()

    def _told(self, command: str) -> bytes | None:
        if command.startswith("CAPABILITY"):
            return b"* CAPABILITY IMAP4rev1\r\n"
        if command.startswith("LOGIN"):
            return b"" if f'"{self.password}"' in command else None
        if command.startswith("SELECT"):
            return f"* {len(self.messages)} EXISTS\r\n* OK [UIDVALIDITY {self.generation}] valid\r\n".encode()
        if found := re.fullmatch(r"UID SEARCH (\d+):(\d+) UNSEEN", command):
            among = list(self.messages)[int(found[1]) - 1 : int(found[2])]
            unseen = " ".join(str(uid) for uid in among if uid not in self.seen)
            return f"* SEARCH {unseen}\r\n".encode()
        if found := re.fullmatch(r"UID FETCH (\d+) \((.*)\)", command):
            return self._fetched(int(found[1]), found[2])
        if found := re.fullmatch(r"UID STORE (\d+) \+FLAGS.SILENT \(\\Seen( \\Flagged)?\)", command):
            self.seen.add(int(found[1]))
            if found[2]:
                self.flagged.add(int(found[1]))
        return b"* BYE\r\n" if command == "LOGOUT" else b""

    def _fetched(self, uid: int, wanted: str) -> bytes:
        if uid not in self.messages:
            return b""
        content = self.messages[uid]
        if wanted == "RFC822.SIZE":
            return f"* 1 FETCH (UID {uid} RFC822.SIZE {len(content)})\r\n".encode()
        return f"* 1 FETCH (UID {uid} BODY[] {{{len(content)}}}\r\n".encode() + content + b")\r\n"
