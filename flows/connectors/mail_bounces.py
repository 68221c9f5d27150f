"""Mail of ours that came back: delivery reports in the mailbox of our sender (its own password, no right to anybody else's mail)."""

import email
import email.message
import email.policy
import imaplib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from flows.connectors.base import Bounce, Misconfigured
from flows.connectors.mail_servers import MailboxClosed, fetch, returned_mail
from flows.sentence import say
from flows.settings import Mail


def bounces(settings: Mail, since: datetime) -> Sequence[Bounce]:
    """Failed deliveries reported since then, oldest first. Raises Unavailable, Misconfigured when our sender has no mailbox."""
    try:
        with returned_mail(settings) as imap:
            found = [bounce for at, text in _reports(imap, since) for bounce in _failures(text, at)]
    except MailboxClosed:
        raise Misconfigured(say("The mailbox of the portal's sender does not open."), "imap: sender") from None
    return sorted(found, key=lambda bounce: bounce.at)


def _reports(imap: imaplib.IMAP4, since: datetime) -> Iterator[tuple[datetime, bytes]]:
    # SEARCH SINCE counts whole days in the server's zone: one day more is read, the exact moment is compared here
    day = imaplib.Time2Internaldate(since - timedelta(days=1)).strip('"').split()[0]
    _, lines = imap.uid("SEARCH", "SINCE", day)
    for uid in str(lines[0] or b"", "ascii").split():
        head, text = fetch(imap, uid)
        if (at := _arrived(head)) >= since:
            yield at, text


def _arrived(line: bytes) -> datetime:
    """The end of that second: the server cuts the fraction off, and a bounce often comes within the second of its cause."""
    moment = imaplib.Internaldate2tuple(line)
    return datetime(*moment[:6]).astimezone(UTC) + timedelta(seconds=0.999999) if moment else datetime.now(UTC)


def _failures(text: bytes, at: datetime) -> Iterator[Bounce]:
    """Per-recipient blocks of a delivery report (RFC 3464) whose action is `failed`."""
    for part in email.message_from_bytes(text, policy=email.policy.default).walk():
        if part.get_content_type() != "message/delivery-status":
            continue
        for block in cast(list[email.message.Message], part.get_payload()):
            if block.get("Action", "").strip().lower() == "failed" and (refused := _address(block.get("Final-Recipient"))):
                said = " ".join(str(block.get("Diagnostic-Code", "")).split())[:300]
                yield Bounce(refused, at, said, _address(block.get("Original-Recipient")) or refused)


def _address(field: Any) -> str:
    return str(field or "").rpartition(";")[2].strip().lower()
