"""The audit chain computed once more, in another language than the one that wrote it: what a record says, what it hashes to, what follows.

Pure but for `records`. A record's text is that of the SQL function `audit_text`; its facts are read as PostgreSQL writes them.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Text, cast, select
from sqlalchemy.orm import Session

from flows.model import Audit, OnboardingRequest, RequestState

BEGINNING = "0" * 64  # what the first record carries as the hash before it
AT_ONCE = 1000  # records read at a time
MOVED = "request.moved"


@dataclass(frozen=True)
class Record:
    """One record as it was hashed. `facts` is its JSON text, `previous_hash` and `hash` are SHA-256 (hex)."""

    position: int
    at: datetime
    actor_id: UUID | None
    actor: str
    action: str
    request_id: UUID | None
    facts: str
    previous_hash: str
    hash: str


@dataclass(frozen=True)
class Head:
    """The end of the chain at a moment, as it was written outside the database."""

    at: datetime
    position: int
    hash: str


@dataclass
class Found:
    """What was read: how many records, the last of them, and the first thing that is not as it has to be (None = whole)."""

    records: int = 0
    position: int = 0
    hash: str = BEGINNING
    broken: str | None = None
    at_position: int | None = None
    states: dict[UUID, str] = field(default_factory=dict[UUID, str])


def moment(at: datetime) -> str:
    """A time as the chain writes it: UTC with microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def text_of(record: Record) -> str:
    parts = [record.previous_hash, moment(record.at), record.actor_id or "", record.actor, record.action, record.request_id or ""]
    return "\n".join(map(str, [*parts, record.facts]))


def hash_of(record: Record) -> str:
    return hashlib.sha256(text_of(record).encode()).hexdigest()


def follow(chain: Iterable[Record], heads: Iterable[Head] = (), after: Head | None = None) -> Found:
    """Reads the chain to its end, or to the first record that is broken or not the one that a head names.

    `after`: a head that was verified before; the chain then has only what came later.
    """
    named = {head.position: head for head in heads}
    found = Found(position=after.position, hash=after.hash) if after else Found()
    for record in chain:
        found.broken = _wrong(record, found, named.get(record.position)) or _astray(record, found)
        if found.broken:
            found.at_position = record.position
            return found
        found.records, found.position, found.hash = found.records + 1, record.position, record.hash
    if missing := next((head for head in named.values() if head.position > found.position), None):
        found.at_position = missing.position
        found.broken = f"record {missing.position} is missing: the head of {moment(missing.at)} names it, and the chain ends before it"
    return found


def states_differ(found: Found, now: Mapping[UUID, str]) -> list[UUID]:
    """Requests whose state is not where their records lead; one without a record is a draft."""
    return [request for request, state in now.items() if found.states.get(request, RequestState.DRAFT.value) != state]


def records(session: Session, after: int = 0) -> Iterator[Record]:
    """Those after a position, first to last; some at a time, so that a reader may stop at any of them."""
    columns = (Audit.position, Audit.at, Audit.actor_id, Audit.actor, Audit.action, Audit.request_id, cast(Audit.facts, Text))
    wanted = select(*columns, Audit.previous_hash, Audit.hash).order_by(Audit.position).limit(AT_ONCE)
    while some := [Record(*row) for row in session.execute(wanted.where(Audit.position > after))]:
        yield from some
        after = some[-1].position


def states(session: Session) -> dict[UUID, str]:
    rows = session.execute(select(OnboardingRequest.id, OnboardingRequest.state).execution_options(yield_per=AT_ONCE))
    return {request: state.value for request, state in rows}


def _wrong(record: Record, found: Found, head: Head | None) -> str | None:
    where = f"record {record.position} ({record.action}, {moment(record.at)})"
    if record.previous_hash != found.hash:
        return f"{where} does not follow the record before it: one was removed, changed or put in between"
    if hash_of(record) != record.hash:
        return f"{where} was changed: its hash is not that of what it says"
    if head and head.hash != record.hash:
        return f"{where} is not the one that the head of {moment(head.at)} names: the chain was written anew"
    return None


def _astray(record: Record, found: Found) -> str | None:
    """Follows a request from state to state."""
    if record.action != MOVED or record.request_id is None:
        return None
    facts: dict[str, str] = json.loads(record.facts)
    was = found.states.get(record.request_id)
    if was is not None and facts["from"] != was:  # without one before it, it was a draft or moved before the records that are read here
        return f"record {record.position} moves a request from {facts['from']}, but the records before it left it in {was}"
    found.states[record.request_id] = facts["to"]
    return None
