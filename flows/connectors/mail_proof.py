"""The proof that mail arrives: a message sent by SMTP is read back by IMAP, through the one folder that the verifier may open."""

import hashlib
import imaplib
import re
import secrets
import time
from collections.abc import Iterator
from email.message import EmailMessage
from email.utils import formatdate

from flows.connectors.base import Delivered, Gone, Unavailable
from flows.connectors.mail_servers import MailboxClosed, fetch, folder
from flows.connectors.smtp import smtp_server
from flows.sentence import say
from flows.settings import Mail

ARRIVES_WITHIN = 20  # seconds; measured 78 ms
STALE_AFTER = 3600  # seconds; an older proof message lost its run


def message_comes_back(settings: Mail, address: str) -> Delivered:
    """Sends a message and reads it. Raises Gone when the mailbox is not there, Unavailable when it did not arrive in time."""
    started, message = time.monotonic(), proof_message(settings, address)
    with smtp_server(settings) as server:
        server.send_message(message, settings.sender, [address])
    try:
        with folder(settings, address) as imap:
            received = _wait_for(imap, message["Message-ID"])
            _remove_stale(imap)
    except MailboxClosed:
        raise Gone(say("The mailbox does not open."), "imap") from None
    return Delivered(message["Message-ID"], hashlib.sha256(received).hexdigest(), len(received), round(time.monotonic() - started, 3))


def remove_message(settings: Mail, address: str, message_id: str) -> None:
    """Removes one proof message; nothing there is no error."""
    try:
        with folder(settings, address) as imap:
            _remove(imap, *_find(imap, "HEADER", "Message-ID", _quoted(message_id)))
    except MailboxClosed:
        return


def proof_message(settings: Mail, address: str) -> EmailMessage:
    """The server files it by the secret in its header (anyone could hide mail in that folder otherwise), the nonce makes it unique."""
    nonce = secrets.token_hex(16)
    message = EmailMessage()
    message["From"], message["To"] = f"Nástup <{settings.sender}>", address
    message["Subject"] = "Zkouška schránky / Mailbox check"
    message["Message-ID"] = f"<proof.{nonce}@{settings.sender.rpartition('@')[2]}>"
    message["Date"] = formatdate(localtime=False)
    message["Auto-Submitted"] = "auto-generated"
    message["X-Nastup-Proof"] = f"{settings.proof_secret.get_secret_value()} {nonce}"
    message.set_content(f"Zkouška, že schránka přijímá poštu a dá se obnovit ze zálohy. Příliš žluťoučký kůň.\n{nonce}\n")
    return message


def _wait_for(imap: imaplib.IMAP4, message_id: str) -> bytes:
    for pause in _pauses():
        if found := _find(imap, "HEADER", "Message-ID", _quoted(message_id)):
            return fetch(imap, found[-1])[1]
        time.sleep(pause)
        imap.noop()
    raise Unavailable(say("The message has not arrived in the mailbox."), f"message id {message_id}")


def _pauses() -> Iterator[float]:
    deadline, pause = time.monotonic() + ARRIVES_WITHIN, 0.02
    while time.monotonic() < deadline:
        yield pause
        pause = min(pause * 1.5, 1)


def _remove_stale(imap: imaplib.IMAP4) -> None:
    _remove(imap, *_find(imap, "OLDER", str(STALE_AFTER), "HEADER", "Message-ID", '"<proof."'))


def _remove(imap: imaplib.IMAP4, *uids: str) -> None:
    if uids:
        imap.uid("STORE", ",".join(uids), "+FLAGS.SILENT", r"(\Deleted)")
        imap.expunge()


def _find(imap: imaplib.IMAP4, *criteria: str) -> list[str]:
    _, lines = imap.uid("SEARCH", *criteria)
    return [uid.decode() for line in lines if line for uid in line.split()]


def _quoted(message_id: str) -> str:
    if not re.fullmatch(r"<[^\s<>\"\\]+>", message_id):
        raise ValueError("not a message id")
    return f'"{message_id}"'
