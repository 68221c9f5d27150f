"""Finding one message in a mail store of Maildirs: <domain>/<local part>/Maildir."""

from collections.abc import Iterator
from email.parser import BytesHeaderParser
from pathlib import Path

from flows.connectors.base import Gone, Refused
from flows.sentence import say

HEADER_BYTES = 65536


def home_of(store: Path, address: str) -> Path:
    """The directory of a mailbox. Raises Refused for an address that would lead out of the store, Gone when it is not there."""
    local, _, domain = address.rpartition("@")
    if not local or not domain or "/" in address or "\0" in address or local.startswith(".") or domain.startswith("."):
        raise Refused(say("The address is not one of a mailbox."), "address")
    if not (home := store / domain / local).is_dir():
        raise Gone(say("The mailbox is not in the mail store."), "no such directory")
    return home


def find_message(home: Path, message_id: str) -> Path:
    """The file of the message, newest first. Raises Gone."""
    files = sorted(_files(home), key=lambda entry: entry[0], reverse=True)
    for _, file in files:
        if _message_id(file) == message_id:
            return file
    raise Gone(say("The message is not in the mail store."), f"{len(files)} messages looked at")


def name_of(file: Path) -> str:
    """The part of a Maildir name that stays the same when the message is moved or its flags change."""
    return file.name.partition(":")[0]


def as_imap_gives(message: bytes) -> bytes:
    """The store may keep lines ending with LF; IMAP gives every line with CR LF (RFC 3501, 4.3.1)."""
    return message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _files(home: Path) -> Iterator[tuple[float, Path]]:
    for part in ("new", "cur"):
        for file in (home / "Maildir").rglob(f"{part}/*"):
            try:
                yield file.stat().st_mtime, file
            except FileNotFoundError:
                continue  # moved from new to cur while we looked


def _message_id(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return str(BytesHeaderParser().parsebytes(opened.read(HEADER_BYTES)).get("Message-ID", "")).strip()
    except FileNotFoundError:
        return ""
