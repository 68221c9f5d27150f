"""The mail servers as a stranger and as the verifier see them: is mail taken, does the mailbox open.

The verifier is a master user of the IMAP server that the server itself lets into one folder, Overeni, of every mailbox.
"""

import imaplib
import re
import ssl
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import cast

from pydantic import SecretStr

from flows.connectors.base import Misconfigured, Unavailable
from flows.connectors.smtp import SECONDS, smtp_server, trust
from flows.sentence import say
from flows.settings import Mail

FOLDER = "Overeni"


class MailboxClosed(Exception):
    """The IMAP server does not open this mailbox: it is not there, or suspended."""


@dataclass(frozen=True)
class SeenMailbox:
    """`deliverable`: mail to it is taken. `opens`: log-in is let in. `quota_bytes` as the IMAP server counts, None when it says none."""

    deliverable: bool
    opens: bool
    quota_bytes: int | None = None


def look_at(settings: Mail, address: str) -> SeenMailbox:
    """What the servers themselves say of the address. Raises Unavailable, Misconfigured."""
    deliverable = _takes_mail(settings, address)
    try:
        with folder(settings, address) as imap:
            return SeenMailbox(deliverable, True, _quota(imap))
    except MailboxClosed:
        return SeenMailbox(deliverable, False)


def folder(settings: Mail, address: str) -> AbstractContextManager[imaplib.IMAP4]:
    """The folder Overeni of a mailbox, opened by the verifier. Raises MailboxClosed, Unavailable, Misconfigured."""
    return _opened(settings, f"{address}*{settings.verifier}", settings.verifier_secret, FOLDER)


def returned_mail(settings: Mail) -> AbstractContextManager[imaplib.IMAP4]:
    """The inbox of our own sender, where bounces arrive. Raises like `folder`."""
    return _opened(settings, settings.sender, settings.sender_secret, "INBOX")


@contextmanager
def _opened(settings: Mail, user: str, password: SecretStr, name: str) -> Generator[imaplib.IMAP4]:
    try:
        imap = imaplib.IMAP4(settings.imap_host, settings.imap_port, timeout=SECONDS)
        try:
            imap.starttls(trust(settings.certificate))
            _enter(imap, user, password, name)
            yield imap
        finally:
            _leave(imap)
    except ssl.SSLCertVerificationError as error:
        raise Misconfigured(say("The certificate of the mail server is not trusted."), f"imap: {error.verify_message}") from None
    except (imaplib.IMAP4.error, OSError) as error:
        raise Unavailable(say("The mail server does not answer."), f"imap: {type(error).__name__}") from None


def fetch(imap: imaplib.IMAP4, uid: str) -> tuple[bytes, bytes]:
    """One message of the open folder: (line with INTERNALDATE, the bytes as IMAP gives them: every line ends with CR LF)."""
    _, parts = imap.uid("FETCH", uid, "(INTERNALDATE BODY.PEEK[])")
    return next(cast(tuple[bytes, bytes], part) for part in cast(list[object], parts) if isinstance(part, tuple))


def _enter(imap: imaplib.IMAP4, user: str, password: SecretStr, name: str) -> None:
    try:
        imap.login(user, password.get_secret_value())
        if imap.select(name)[0] != "OK":
            raise MailboxClosed
    except imaplib.IMAP4.abort:
        raise MailboxClosed from None  # Dovecot drops the connection when the mailbox is suspended: no clean NO
    except imaplib.IMAP4.error as error:
        if "UNAVAILABLE" in str(error):
            raise
        raise MailboxClosed from None


def _leave(imap: imaplib.IMAP4) -> None:
    for last in (imap.logout, imap.shutdown):  # a dropped connection refuses the first, and its socket still has to be closed
        with suppress(imaplib.IMAP4.error, OSError):
            last()


def _takes_mail(settings: Mail, address: str) -> bool:
    with smtp_server(settings) as server:
        server.mail(settings.sender)
        code, _ = server.rcpt(address)
        server.rset()
    if 400 <= code < 500:
        raise Unavailable(say("The mail server asks for patience."), f"smtp: {code}")
    return code < 400


def _quota(imap: imaplib.IMAP4) -> int | None:
    answer, lines = imap.getquotaroot(FOLDER)
    limits = re.findall(rb"STORAGE \d+ (\d+)", b" ".join(part for line in lines for part in line if part)) if answer == "OK" else []
    return int(limits[0]) * 1024 if limits else None  # RFC 2087 counts in units of 1024 octets
