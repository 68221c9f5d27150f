"""The demo's outside world: takes every letter that would leave our domains, keeps it, and shows it to IT.

`/` is a page, `/letters.json` the list (newest last), `/letters/<id>` one letter to read, `/letters/<id>/source` as it came.
A recipient whose local part begins with "undeliverable" is refused, so that a bounce can be seen.
Run as `python -m infra.servers.catcher DIRECTORY SMTP_PORT HTTP_PORT`.
"""

import email
import email.message
import email.policy
import json
import re
import sys
import time
from email.utils import formatdate
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from infra.servers.process import Process, answers, greets
from infra.state import State

USER = "nastup-catcher"
REFUSED = "undeliverable"
LINK = re.compile(r"https?://[^\s<>'\"]*[^\s<>'\".,;:!?)\]]")  # without the sentence around it


def process(state: State) -> Process:
    room = state.path("catcher")
    return Process(
        name="catcher",
        command=[sys.executable, "-P", "-m", "infra.servers.catcher", room, str(state.port("smtp_catcher")), str(state.port("catcher"))],
        user=USER,
        configure=lambda: _configure(state),
        ready=lambda: greets(state.port("smtp_catcher"), b"220") and answers(state.port("catcher"), "/letters.json"),
    )


def _configure(state: State) -> None:
    state.room("catcher", USER)


class Letters:
    """One file per letter: <nanoseconds>.json with the envelope, <nanoseconds>.eml as it came."""

    def __init__(self, room: Path) -> None:
        self.room = room

    def keep(self, sender: str, recipients: list[str], content: bytes) -> None:
        name = str(time.time_ns())
        (self.room / f"{name}.eml").write_bytes(content)
        (self.room / f"{name}.json.new").write_text(
            json.dumps({"id": name, "sender": sender, "recipients": recipients, "time": time.time()})
        )
        (self.room / f"{name}.json.new").rename(self.room / f"{name}.json")

    def all(self) -> list[dict[str, Any]]:
        return [self._one(file) for file in sorted(self.room.glob("*.json"))]

    def one(self, name: str) -> dict[str, Any] | None:
        file = self.room / f"{name}.json"
        return self._one(file) if name.isdigit() and file.exists() else None

    def source(self, name: str) -> bytes | None:
        file = self.room / f"{name}.eml"
        return file.read_bytes() if name.isdigit() and file.exists() else None

    def _one(self, file: Path) -> dict[str, Any]:
        letter = email.message_from_bytes(file.with_suffix(".eml").read_bytes(), policy=email.policy.default)
        return json.loads(file.read_text()) | {
            "subject": str(letter["subject"] or ""),
            "text": _body(letter, "plain"),
            "html": _body(letter, "html"),
        }


def _body(letter: email.message.EmailMessage, kind: str) -> str:
    part = letter.get_body((kind,))
    return str(part.get_content()) if part else ""


class Inlet:
    """aiosmtpd's handler. It asks for these names."""

    def __init__(self, letters: Letters) -> None:
        self.letters = letters

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]) -> str:
        if address.startswith(REFUSED):
            return "550 5.1.1 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.letters.keep(envelope.mail_from, envelope.rcpt_tos, envelope.content)
        return "250 OK"


def _page(letters: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(formatdate(each['time'], localtime=True))}</td><td>{escape(', '.join(each['recipients']))}</td>"
        f"<td><a href='/letters/{each['id']}'>{escape(each['subject'])}</a></td></tr>"
        for each in reversed(letters)
    )
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'><title>Caught mail</title>"
        "<h1>Caught mail</h1><p>Letters of the demo that would have left our domains.</p>"
        f"<table><thead><tr><th>Time<th>To<th>Subject</thead><tbody>{rows}</tbody></table></html>"
    )


def page_of_letter(letter: dict[str, Any]) -> str:
    """One letter as its reader sees it: the text, with links that can be pressed."""
    text = _with_links(letter["text"])
    subject, to = escape(letter["subject"]), escape(", ".join(letter["recipients"]))
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><meta name='viewport' content='width=device-width'>"
        f"<title>{subject}</title><h1>{subject}</h1><p>To {to}, {escape(formatdate(letter['time'], localtime=True))}. "
        f"<a href='/letters/{letter['id']}/source'>As it came</a>, <a href='/'>all</a></p><pre>{text}</pre></html>"
    )


def _with_links(text: str) -> str:
    """Links are looked for in the text as it was written: escaped, the sign after one would belong to it (`&gt;`)."""
    shown, end = "", 0
    for found in LINK.finditer(text):
        link = escape(found[0])
        shown += f"{escape(text[end : found.start()])}<a href='{link}' rel='noreferrer'>{link}</a>"
        end = found.end()
    return shown + escape(text[end:])


def pages(letters: Letters, port: int) -> ThreadingHTTPServer:
    """Bound to the port, not serving yet."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/":
                self._answer("text/html; charset=utf-8", _page(letters.all()).encode())
            elif self.path == "/letters.json":
                self._answer("application/json", json.dumps(letters.all(), ensure_ascii=False).encode())
            elif self.path.startswith("/letters/") and (letter := letters.one(self.path.removeprefix("/letters/"))):
                self._answer("text/html; charset=utf-8", page_of_letter(letter).encode())
            elif re.fullmatch(r"/letters/[0-9]+/source", self.path) and (source := letters.source(self.path.split("/")[2])) is not None:
                self._answer("text/plain; charset=utf-8", source)
            else:
                self.send_error(404)

        def _answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", "default-src 'none'")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass  # polled every second by the demo

    return ThreadingHTTPServer(("127.0.0.1", port), Page)


def serve(room: Path, smtp_port: int, http_port: int) -> None:
    letters = Letters(room)
    Controller(Inlet(letters), hostname="127.0.0.1", port=smtp_port, data_size_limit=50_000_000).start()
    pages(letters, http_port).serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
