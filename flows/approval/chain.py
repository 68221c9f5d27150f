"""The audit chain as the auditor reads it; only the auditor's rows pass the database's own guard."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from flows.approval.keyset import Listed, page_of
from flows.model import Audit, OnboardingRequest

HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class AuditRow:
    """`hash` and `previous_hash` are SHA-256 (hex); the chain is whole when each previous one is the hash of the record before."""

    position: int
    at: datetime
    actor: str
    action: str
    number: str | None
    facts: str
    hash: str
    previous_hash: str


def records(session: Session, q: str, bookmark: str | None) -> Listed:
    """Newest first. `q`: part of an actor, an action or a number."""
    wanted = select(Audit, OnboardingRequest.number).join(OnboardingRequest, OnboardingRequest.id == Audit.request_id, isouter=True)
    if q.strip():
        any_of = (column.icontains(q.strip(), autoescape=True) for column in (Audit.actor, Audit.action, OnboardingRequest.number))
        wanted = wanted.where(or_(*any_of))
    found, after = page_of(session, wanted.order_by(Audit.position.desc()), bookmark)
    rows = [
        AuditRow(each.position, each.at, each.actor, each.action, number, _words(each.facts), each.hash, each.previous_hash)
        for each, number in found
    ]
    return Listed(rows, after)


@dataclass(frozen=True)
class Whole:
    """When the dispatcher last computed the chain anew, up to which record, and whether it was whole then."""

    at: datetime
    position: int
    whole: bool


def last_look(session: Session) -> Whole | None:
    """None when no head was ever written outside."""
    said = ("audit.head_written", "audit.broken")
    newest = select(Audit).where(Audit.action.in_(said)).order_by(Audit.position.desc()).limit(1)
    row = session.scalars(newest).one_or_none()
    return Whole(row.at, int(row.facts.get("position") or 0), row.action == said[0]) if row else None


def _words(facts: dict[str, object]) -> str:
    """A hash as its beginning, as the page shows them all: the whole ones are in the evidence."""
    said = {name: value[:16] if isinstance(value, str) and HASH.fullmatch(value) else value for name, value in facts.items()}
    return ", ".join(f"{name}: {value}" for name, value in sorted(said.items()))
