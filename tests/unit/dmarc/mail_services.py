"""Servers that speak as token servers (RFC 6749), Microsoft Graph and Gmail do, as much as a reader of mail needs."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit


class MailService:
    """One mailbox. The newest message has the highest number; `asked` is every request, `forms` those for tokens."""

    def __init__(self, *messages: bytes) -> None:
        self.messages = {f"m{number}=": content for number, content in enumerate(messages, 1)}
        self.unread = set(self.messages)
        self.marked: set[str] = set()
        self.forms: list[dict[str, str]] = []
        self.asked: list[str] = []
        self.living: set[str] = set()  # access tokens
        self.refresh_tokens = {"first"}
        self.rotates = False
        self.lives = 3600
        self.error: dict[str, str] | None = None  # of the token server
        self.trouble: tuple[int, dict[str, Any]] | None = None  # of the API
        self.folders = {"Reports": "folder/1"}
        self.page = 2
        self.next_page_elsewhere = ""
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[MailService]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def _all(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, answer = service._answer(self.command, self.path, dict(self.headers.items()), body)
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = _all  # noqa: N815 - as the library names them

            def log_message(self, *_: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.port = server.server_address[1]
            thread = Thread(target=server.serve_forever, args=(0.02,))
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Any]:
        if path == "/token":
            return self._token(dict(parse_qsl(body.decode())))
        self.asked.append(f"{method} {path}")
        if headers.get("Authorization", "").removeprefix("Bearer ") not in self.living:
            return 401, {"error": {"code": "InvalidAuthenticationToken", "message": "the token has expired"}}
        if self.trouble:
            return self.trouble
        parts = urlsplit(path)
        given = json.loads(body) if body else {}
        if parts.path.startswith("/graph/"):
            return self._graph(method, parts.path.removeprefix("/graph/users/me@shop.example"), parts.query, given)
        return self._gmail(method, parts.path.removeprefix("/gmail/users/me@shop.example"), parts.query, given)

    def _token(self, form: dict[str, str]) -> tuple[int, Any]:
        self.forms.append(form)
        if self.error:
            return 400, self.error
        if form["grant_type"] == "refresh_token" and form["refresh_token"] not in self.refresh_tokens:
            return 400, {"error": "invalid_grant", "error_description": f"{form['refresh_token']} was revoked"}
        token = f"access-{len(self.forms)}"
        self.living.add(token)
        more = {}
        if self.rotates and form["grant_type"] == "refresh_token":
            self.refresh_tokens = {f"rotated-{len(self.forms)}"}
            more = {"refresh_token": next(iter(self.refresh_tokens))}
        return 200, {"access_token": token, "token_type": "Bearer", "expires_in": self.lives, **more}

    def _unseen(self) -> list[str]:
        return [each for each in reversed(self.messages) if each in self.unread]

    def _graph(self, method: str, path: str, query: str, given: dict[str, Any]) -> tuple[int, Any]:
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        if path == "/mailFolders":
            found = [one for name, one in self.folders.items() if asked["$filter"] == f"displayName eq '{name}'"]
            return 200, {"value": [{"id": each} for each in found]}
        if path in {"/mailFolders/inbox/messages", "/mailFolders/folder%2F1/messages"}:
            if asked.get("$orderby") == "receivedDateTime desc" and not asked["$filter"].startswith("receivedDateTime"):
                return 400, {"error": {"code": "InefficientFilter", "message": "too complex"}}
            begin = int(asked.get("$skip", 0))
            unseen = self._unseen()
            page = {"value": [{"id": each} for each in unseen[begin : begin + self.page]]}
            if begin + self.page < len(unseen):
                here = self.next_page_elsewhere or self.url
                page["@odata.nextLink"] = (
                    f"{here}/graph/users/me@shop.example{path}?$filter=receivedDateTime&$skip={begin + self.page}"  # type: ignore[assignment]
                )
            return 200, page
        number = path.removeprefix("/messages/").removesuffix("/$value").replace("%3D", "=")
        if number not in self.messages:
            return 404, {"error": {"code": "ErrorItemNotFound", "message": "gone"}}
        if method == "GET":
            return 200, self.messages[number]
        self._mark(number, given["isRead"], given.get("flag") == {"flagStatus": "flagged"})
        return 200, {}

    def _gmail(self, method: str, path: str, query: str, given: dict[str, Any]) -> tuple[int, Any]:
        asked = parse_qs(query)
        if path == "/labels":
            return 200, {"labels": [{"id": one, "name": name} for name, one in self.folders.items()]}
        if path == "/messages":
            if "UNREAD" not in asked["labelIds"] or not {"INBOX", "folder/1"} & set(asked["labelIds"]):
                return 400, {"error": {"code": 400, "status": "INVALID_ARGUMENT"}}
            begin = int(asked.get("pageToken", ["0"])[0])
            unseen = self._unseen()
            page: dict[str, Any] = {"messages": [{"id": each} for each in unseen[begin : begin + self.page]]}
            if begin + self.page < len(unseen):
                page["nextPageToken"] = str(begin + self.page)
            return 200, page
        number = path.removeprefix("/messages/").removesuffix("/modify").replace("%3D", "=")
        if number not in self.messages:
            return 404, {"error": {"code": 404, "status": "NOT_FOUND"}}
        if method == "GET":
            assert asked["format"] == ["raw"]
            return 200, {"id": number, "raw": urlsafe_b64encode(self.messages[number]).decode().rstrip("=")}
        self._mark(number, given["removeLabelIds"] == ["UNREAD"], given.get("addLabelIds") == ["STARRED"])
        return 200, {}

    def _mark(self, number: str, seen: bool, flagged: bool) -> None:
        if seen:
            self.unread.discard(number)
        if flagged:
            self.marked.add(number)
