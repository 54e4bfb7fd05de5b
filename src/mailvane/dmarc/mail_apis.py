"""Reads reports out of a mailbox by the API of Microsoft Graph or of Gmail, as `mailbox` does by IMAP. Blocking.

Neither proxies of the environment nor redirects are followed, and no address is asked that an answer names: the token
goes to the API that the settings name, and nowhere else.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from mailvane import __version__
from mailvane.core.errors import CollectionFailed, TooLarge
from mailvane.dmarc import mailbox
from mailvane.dmarc.arrivals import Deliver, Refuse, nobody
from mailvane.dmarc.mailbox import ROUND_SECONDS, TIMEOUT_SECONDS, Rounds
from mailvane.dmarc.oauth import AccessTokens
from mailvane.dmarc.settings import ImapMailbox

GRAPH_URL, GMAIL_URL = "https://graph.microsoft.com/v1.0", "https://gmail.googleapis.com/gmail/v1"
_PAGE = 100
_MOST_PAGES = 100
_MOST_JSON = 4 * 1024**2
_LONGEST = 200


class ApiMailbox:
    """One folder or label. For one thread at a time."""

    def __init__(
        self,
        settings: ImapMailbox,
        tokens: AccessTokens,
        timeout: float = TIMEOUT_SECONDS,
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._timeout = timeout
        self._rounds = Rounds[str](round_seconds)

    def read(self, deliver: Deliver, refuse: Refuse = nobody) -> int:
        """Hand in the unseen messages; how many. Raises CollectionFailed, also after some were handed in."""
        chosen = self._settings
        headers = {"User-Agent": f"Mailvane/{__version__}"}
        with httpx.Client(trust_env=False, follow_redirects=False, timeout=self._timeout, headers=headers) as client:
            if chosen.via == "graph":
                folder: _Graph | _Gmail = _Graph(_Api(client, self._tokens, chosen.api_url or GRAPH_URL), chosen)
            else:
                folder = _Gmail(_Api(client, self._tokens, chosen.api_url or GMAIL_URL), chosen)
            try:
                return self._rounds.round(folder, deliver, refuse)
            except _ApiFailed as error:
                whom = f"the mailbox {chosen.user} by {'Microsoft Graph' if chosen.via == 'graph' else 'Gmail'}"
                raise CollectionFailed(f"{whom} cannot be read: {error.message}") from None


class _ApiFailed(CollectionFailed):
    """What the API or the token server said."""


class _Api:
    """Asks with a token; a second time with a new one, when it is refused."""

    def __init__(self, client: httpx.Client, tokens: AccessTokens, url: str) -> None:
        self._client = client
        self._tokens = tokens
        self._url = url.rstrip("/")

    def asked(self, path: str, **query: str | Sequence[str]) -> dict[str, Any]:
        """JSON. Raises _ApiFailed."""
        return _object_of(self._good("GET", path, _MOST_JSON, params=query))

    def next_of(self, link: object) -> dict[str, Any] | None:
        """The page that an answer names, if it is one of this API. Raises _ApiFailed."""
        if not isinstance(link, str):
            return None
        here, there = urlsplit(self._url), urlsplit(link)
        if (there.scheme, there.netloc) != (here.scheme, here.netloc) or not there.path.startswith(here.path + "/"):
            raise _ApiFailed("it names a next page elsewhere")
        path = there.path.removeprefix(here.path) + (f"?{there.query}" if there.query else "")
        return _object_of(self._good("GET", path, _MOST_JSON))

    def content(self, path: str, most: int, **query: str) -> bytes | None:
        """None where there is no such thing any more. Raises TooLarge, _ApiFailed."""
        status, body = self._twice("GET", path, most, {"params": query} if query else {})
        return None if status in {404, 410} else self._judged(status, body)

    def change(self, method: str, path: str, body: Mapping[str, Any]) -> None:
        """What is gone meanwhile is no failure. Raises _ApiFailed."""
        status, answer = self._twice(method, path, _MOST_JSON, {"json": body})
        if status not in {404, 410}:
            self._judged(status, answer)

    def _good(self, method: str, path: str, most: int, **given: Any) -> bytes:
        try:
            return self._judged(*self._twice(method, path, most, given))
        except TooLarge:
            raise _ApiFailed("it answered with more than anybody needs") from None

    def _twice(self, method: str, path: str, most: int, given: Mapping[str, Any]) -> tuple[int, bytes]:
        status, body = self._once(method, path, most, given)
        if status == 401:
            self._tokens.forget()
            status, body = self._once(method, path, most, given)
        return status, body

    def _once(self, method: str, path: str, most: int, given: Mapping[str, Any]) -> tuple[int, bytes]:
        try:
            # The ids of messages would change when they are moved otherwise (Microsoft Graph); Gmail passes it over.
            headers = {"Authorization": f"Bearer {self._tokens.token()}", "Prefer": 'IdType="ImmutableId"'}
            with self._client.stream(method, self._url + path, headers=headers, **given) as response:
                body = bytearray()
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > most:
                        raise TooLarge
                return response.status_code, bytes(body)
        except CollectionFailed as error:
            raise _ApiFailed(error.message) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _ApiFailed(f"it cannot be reached ({type(error).__name__})") from None

    def _judged(self, status: int, body: bytes) -> bytes:
        if 200 <= status < 300:
            return body
        try:
            said = msgspec.json.decode(body).get("error", {})
            words = [str(said.get(name, "")) for name in ("code", "status", "message")]
            told = " ".join(word for word in words if word != str(status))  # Google says it once more
        except (msgspec.MsgspecError, UnicodeDecodeError, AttributeError):
            told = ""
        raise _ApiFailed(f"status {status} {self._tokens.masked(' '.join(told.split()))[:_LONGEST]}".strip())


class _Graph:
    """A mail folder of Microsoft Graph (v1.0)."""

    def __init__(self, api: _Api, settings: ImapMailbox) -> None:
        self._api = api
        self._user = f"/users/{quote(settings.user, safe='@')}"
        self._folder = settings.folder

    def unseen(self, most: int) -> Sequence[str]:
        # What it is sorted by must come first in the filter, or Graph calls the filter inefficient.
        page: dict[str, Any] | None = self._api.asked(
            f"{self._user}/mailFolders/{self._folder_id()}/messages",
            **{
                "$filter": "receivedDateTime ge 1970-01-01T00:00:00Z and isRead eq false",
                "$orderby": "receivedDateTime desc",
                "$select": "id",
                "$top": str(_PAGE),
            },
        )
        found: list[str] = []
        for _ in range(_MOST_PAGES):
            if page is None or len(found) >= most:
                break
            found += _ids(page.get("value"))
            page = self._api.next_of(page.get("@odata.nextLink"))
        return found

    def content(self, number: str) -> bytes | None:
        return self._api.content(f"{self._message(number)}/$value", mailbox.MOST_BYTES)

    def mark(self, number: str, refused: bool) -> None:
        flagged = {"flag": {"flagStatus": "flagged"}} if refused else {}
        self._api.change("PATCH", self._message(number), {"isRead": True, **flagged})

    def _message(self, number: str) -> str:
        return f"{self._user}/messages/{quote(number, safe='')}"

    def _folder_id(self) -> str:
        if self._folder.upper() == "INBOX":
            return "inbox"
        name = self._folder.replace("'", "''")
        page = self._api.asked(f"{self._user}/mailFolders", **{"$filter": f"displayName eq '{name}'", "$select": "id"})
        for found in _ids(page.get("value")):
            return quote(found, safe="")
        raise _ApiFailed(f"there is no folder {self._folder}")


class _Gmail:
    """A label of Gmail (v1)."""

    def __init__(self, api: _Api, settings: ImapMailbox) -> None:
        self._api = api
        self._user = f"/users/{quote(settings.user, safe='@')}"
        self._label = settings.folder

    def unseen(self, most: int) -> Sequence[str]:
        query: dict[str, str | Sequence[str]] = {
            "labelIds": [self._label_id(), "UNREAD"],
            "maxResults": str(_PAGE),
        }
        found: list[str] = []
        for _ in range(_MOST_PAGES):
            page = self._api.asked(f"{self._user}/messages", **query)
            found += _ids(page.get("messages"))
            if len(found) >= most or not isinstance(page.get("nextPageToken"), str):
                break
            query["pageToken"] = str(page["nextPageToken"])
        return found

    def content(self, number: str) -> bytes | None:
        most = mailbox.MOST_BYTES * 4 // 3 + 64 * 1024  # in base64url, and what stands around it
        answer = self._api.content(self._message(number), most, format="raw")
        if answer is None:
            return None
        raw = _object_of(answer).get("raw")
        try:
            content = urlsafe_b64decode(f"{raw}{'=' * (-len(str(raw)) % 4)}") if isinstance(raw, str) else None
        except (binascii.Error, ValueError):
            content = None
        if content is None:
            raise _ApiFailed("it gave a message that cannot be decoded")
        if len(content) > mailbox.MOST_BYTES:
            raise TooLarge
        return content

    def mark(self, number: str, refused: bool) -> None:
        starred = {"addLabelIds": ["STARRED"]} if refused else {}
        self._api.change("POST", f"{self._message(number)}/modify", {"removeLabelIds": ["UNREAD"], **starred})

    def _message(self, number: str) -> str:
        return f"{self._user}/messages/{quote(number, safe='')}"

    def _label_id(self) -> str:
        if self._label.upper() == "INBOX":
            return "INBOX"
        for each in self._api.asked(f"{self._user}/labels").get("labels") or ():
            if isinstance(each, dict) and each.get("name") == self._label and isinstance(each.get("id"), str):
                return str(each["id"])
        raise _ApiFailed(f"there is no label {self._label}")


def _ids(listed: object) -> list[str]:
    return list(_each_id(listed)) if isinstance(listed, list) else []


def _each_id(listed: Sequence[object]) -> Iterator[str]:
    for each in listed:
        if isinstance(each, dict) and isinstance(each.get("id"), str) and each["id"]:
            yield each["id"]


def _object_of(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise _ApiFailed("it did not answer with JSON") from None
