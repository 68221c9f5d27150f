"""The heads of the audit chain outside the database: whoever could change the database cannot change what is written here.

A file of lines, one JSON object each, that is only ever appended to.
"""

import json
import os
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from flows.approval.verify import BEGINNING, Found, Head, follow, moment, records
from flows.model import Audit


class HeadsUnreadable(ValueError):
    """The file of heads cannot be read or holds something else. The message is a sentence for the operator."""


def read(place: Path) -> list[Head]:
    """Oldest first; empty when nothing was written yet. Raises HeadsUnreadable."""
    try:
        lines = place.read_text().splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as fault:
        raise HeadsUnreadable(f"The heads of the audit chain in {place} cannot be read: {fault}.") from fault
    found: list[Head] = []
    for n, line in enumerate(lines, start=1):
        try:
            kept = json.loads(line)
            found.append(Head(datetime.fromisoformat(kept["at"]), int(kept["position"]), str(kept["hash"])))
        except (ValueError, KeyError, TypeError) as fault:
            raise HeadsUnreadable(f"Line {n} of {place} is not a head of the audit chain.") from fault
    return found


def append(place: Path, head: Head) -> None:
    """Writes one line to the disk itself before it returns. Readable by this process's user only."""
    line = json.dumps({"at": moment(head.at), "position": head.position, "hash": head.hash}) + "\n"
    new = not place.exists()
    file = os.open(place, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        os.write(file, line.encode())
        os.fsync(file)
    finally:
        os.close(file)
    if new:
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def newest(session: Session) -> tuple[int, str]:
    """Position and hash of the last record; of an empty chain, its beginning."""
    last = session.execute(select(Audit.position, Audit.hash).order_by(Audit.position.desc()).limit(1)).one_or_none()
    return (last[0], last[1]) if last else (0, BEGINNING)


def since(session: Session, last: Head | None) -> Found:
    """The chain from the last head on: whether that record still is the same, and what came after it."""
    if last is None or last.position == 0:
        return follow(records(session))
    there = session.scalar(select(Audit.hash).where(Audit.position == last.position))
    if there != last.hash:
        said = f"record {last.position} is not the one that the head of {moment(last.at)} names: the chain was written anew"
        return Found(position=last.position, broken=said, at_position=last.position)
    return follow(records(session, last.position), after=last)
