"""The samples of SendKit's page on mailbox performance run against this server, with nothing but host and key changed.

They speak TLS: a door with a certificate of its own stands before the server. A language that is not here is skipped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.acceptance.installation import HTTP, Installation
from tests.ports import free_port
from tests.waiting import PATIENCE, wait_for

CURL = """\
curl -X GET "https://api.sendkit.ai/v1/analytics/mailboxes?from=2024-05-01&to=2024-05-31" \\
-H "Content-Type: application/json" \\
-H "X-Api-Key: YOUR_API_KEY"
"""
PYTHON = """\
import requests
import json
url = "https://api.sendkit.ai/v1/analytics/mailboxes?from=2024-05-01&to=2024-05-31"
headers = {
"Content-Type": "application/json",
"X-Api-Key": "YOUR_API_KEY"
}
response = requests.get(url, headers=headers)
print(response.json())
"""
JAVASCRIPT = """\
const response = await fetch("https://api.sendkit.ai/v1/analytics/mailboxes?from=2024-05-01&to=2024-05-31", {
method: "GET",
headers: {
"Content-Type": "application/json",
"X-Api-Key": "YOUR_API_KEY"
}
});
const data = await response.json();
console.log(data);
"""
GO = """\
package main
import (
"fmt"
"net/http"
)
func main() {
req, err := http.NewRequest("GET", "https://api.sendkit.ai/v1/analytics/mailboxes?from=2024-05-01&to=2024-05-31", nil)
if err != nil {
panic(err)
}
req.Header.Set("Content-Type", "application/json")
req.Header.Set("X-Api-Key", "YOUR_API_KEY")
client := &http.Client{}
resp, err := client.Do(req)
if err != nil {
panic(err)
}
defer resp.Body.Close()
fmt.Println("Response Status:", resp.Status)
}
"""
RUBY = """\
require 'net/http'
require 'json'
uri = URI('https://api.sendkit.ai/v1/analytics/mailboxes?from=2024-05-01&to=2024-05-31')
http = Net::HTTP.new(uri.host, uri.port)
http.use_ssl = true
request = Net::HTTP::Get.new(uri)
request['Content-Type'] = 'application/json'
request['X-Api-Key'] = 'YOUR_API_KEY'
response = http.request(request)
puts response.body
"""
SAMPLES = {
    "curl": ("sh", CURL, ["sh"], "sample.sh"),
    "python": (sys.executable, PYTHON, [sys.executable], "sample.py"),
    "javascript": ("node", JAVASCRIPT, ["node"], "sample.mjs"),
    "go": ("go", GO, ["go", "run"], "sample.go"),
    "ruby": ("ruby", RUBY, ["ruby"], "sample.rb"),
}
PERFORMANCE = {"sent": 3, "opened": 1, "clicked": 0, "bounced": 1, "replied": 1, "positiveReplied": 1}


def told(number: int, kind: str, seconds: int = 0, **more: Any) -> str:
    at = f"2024-05-{10 + number:02}T12:00:00Z"
    event = {"id": f"{number} {kind}", "type": kind, "mail": f"m{number}", "recipient": "client@isp.example"}
    event |= {"time": f"2024-05-{10 + number:02}T12:00:{seconds:02}Z", "accepted_at": at}
    return json.dumps(event | more)


EVENTS = [
    *(told(number, "accepted", sender="john@team.example", header_from="John@Team.example") for number in range(3)),
    *(told(0, kind, 5) for kind in ("delivered", "opened", "replied")),
    told(0, "tagged", 9, positive=True),
    told(1, "delivered", 5),
    told(2, "bounced", 5, code=550, reply="550 5.1.1 No such user"),
]


class Served:
    """A server with what happened in May 2024, behind TLS."""

    def __init__(self, port: int, token: str, certificate: Path) -> None:
        self.port = port
        self.token = token
        self.certificate = certificate

    def run(self, name: str, place: Path) -> str:
        """What a sample prints."""
        program, text, command, file = SAMPLES[name]
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not here to run the sample with")
        (place / file).write_text(
            text.replace("api.sendkit.ai", f"localhost:{self.port}").replace("YOUR_API_KEY", self.token)
        )
        trusted = {
            name: str(self.certificate)
            for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
        }
        kept = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        done = subprocess.run(
            [*command, file], cwd=place, env={**kept, **trusted, "GOCACHE": str(place), "HOME": str(place)},
            capture_output=True, text=True, timeout=PATIENCE * 4, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


def certificate(place: Path) -> tuple[Path, Path]:
    """Of localhost, signed by itself: certificate and key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = place / "door.pem", place / "door.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


@contextlib.contextmanager
def door(port: int, behind: int, files: tuple[Path, Path]) -> Iterator[None]:
    """Takes TLS off on a port of this machine, and passes on what it carried."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*files)
    opened, ending = Event(), Event()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(carry(reader, inner_writer), carry(inner_reader, writer))

    async def stand() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", port, ssl=context):
            opened.set()
            await asyncio.to_thread(ending.wait)

    thread = Thread(target=asyncio.run, args=(stand(),))
    thread.start()
    opened.wait()
    try:
        yield
    finally:
        ending.set()
        thread.join()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = tmp_path_factory.mktemp("sendkit")
    installation = Installation(place / "data")
    _, token = installation.tenant("team")
    files = certificate(place)
    with installation.serving():
        headers = {"X-API-KEY": token, "Content-Type": "application/x-ndjson"}
        sent = HTTP.post(f"{installation.url}/mailvane/v1/events", headers=headers, content="\n".join(EVENTS))
        assert sent.status_code == 200, sent.text
        path = f"{installation.url}/v1/analytics/mailboxes"
        wait_for(
            lambda: [one["performance"] for one in HTTP.get(path, headers=headers).json()["data"]] == [PERFORMANCE]
        )
        port = free_port()
        with door(port, installation.port, files):
            yield Served(port, token, files[0])


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_prints_what_the_page_shows(served: Served, name: str, tmp_path: Path) -> None:
    printed = served.run(name, tmp_path)
    if name == "go":
        assert printed.strip() == "Response Status: 200 OK"
        return
    assert "john@team.example" in printed
    if name in {"curl", "ruby"}:
        answer = json.loads(printed)
        assert (answer["success"], answer["data"][0]["performance"]) == (True, PERFORMANCE)
        assert answer["data"][0]["rates"] == {
            "open": "33.3", "click": "0.0", "bounce": "33.3", "reply": "33.3", "positiveReply": "33.3",
        }  # fmt: skip
