"""The employee's own mailbox, opened with their own token of Keycloak (XOAUTH2), as a mail program does it."""

import base64
import hashlib
import imaplib
import secrets
import smtplib
import ssl
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from typing import cast

from infra.demo.trouble import NotProved
from infra.state import State

SECONDS = 15  # for one answer of a server
ARRIVES_WITHIN = 20  # seconds
AUTHENTICATED = 235  # RFC 4954


@dataclass(frozen=True)
class OwnMail:
    """`sha256` (hex) over the bytes that came back by IMAP; `seconds` from SMTP to IMAP."""

    messages_before: int
    sha256: str
    size: int
    seconds: float


def use_mailbox(state: State, address: str, token: str) -> OwnMail:
    """Logs in, writes to oneself, reads it and removes it again."""
    words = base64.b64encode(f"user={address}\1auth=Bearer {token}\1\1".encode()).decode()
    trust = ssl.create_default_context(cafile=str(state.path("tls", "mail.crt")))
    message = _message(address)
    with _inbox(state, trust, address, token) as (imap, before):
        began = time.monotonic()
        _send(state, trust, words, message)
        seen = _wait_for(imap, message["Message-ID"])
        return OwnMail(before, hashlib.sha256(seen).hexdigest(), len(seen), round(time.monotonic() - began, 3))


@contextmanager
def _inbox(state: State, trust: ssl.SSLContext, address: str, token: str) -> Generator[tuple[imaplib.IMAP4, int]]:
    with imaplib.IMAP4("127.0.0.1", state.port("imap"), timeout=SECONDS) as imap:
        imap.starttls(trust)
        # a refused token is told by a second challenge, which wants an empty answer
        answers = iter([f"user={address}\1auth=Bearer {token}\1\1".encode()])
        try:
            imap.authenticate("XOAUTH2", lambda _challenge: next(answers, b""))
        except imaplib.IMAP4.error as error:
            imap.shutdown()
            imap.state = "LOGOUT"  # the server may have hung up already: no good-bye
            raise NotProved(f"The mail server did not let {address} in with a token of Keycloak: {error}") from None
        _, counted = imap.select("INBOX")
        yield imap, int(counted[0] or 0)


def _send(state: State, trust: ssl.SSLContext, words: str, message: EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", state.port("submission"), timeout=SECONDS) as server:
        server.starttls(context=trust)
        server.ehlo()
        code, said = server.docmd("AUTH", f"XOAUTH2 {words}")
        if code != AUTHENTICATED:
            raise NotProved(f"The mail server does not take mail from {message['From']}: {code} {said.decode(errors='replace')}")
        server.send_message(message)


def _message(address: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = message["To"] = address
    message["Subject"] = "Můj první den"
    message["Message-ID"] = f"<first-day.{secrets.token_hex(12)}@{address.rpartition('@')[2]}>"
    message.set_content("Dobrý den, píšu sama sobě. Příliš žluťoučký kůň úpěl ďábelské ódy.\n")
    return message


def _wait_for(imap: imaplib.IMAP4, message_id: str) -> bytes:
    ends = time.monotonic() + ARRIVES_WITHIN
    while time.monotonic() < ends:
        imap.noop()
        _, found = imap.uid("SEARCH", "HEADER", "Message-ID", f'"{message_id}"')
        if found and found[0]:
            uid = found[0].split()[-1].decode()
            _, parts = imap.uid("FETCH", uid, "(BODY.PEEK[])")
            imap.uid("STORE", uid, "+FLAGS.SILENT", r"(\Deleted)")
            imap.expunge()
            return next(cast(bytes, part[1]) for part in cast(list[object], parts) if isinstance(part, tuple))
        time.sleep(0.05)
    raise NotProved(
        f"The employee's own message did not arrive within {ARRIVES_WITHIN} seconds: see log/postfix-mail.log and log/dovecot.log."
    )
