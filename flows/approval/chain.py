"""The audit chain as the auditor reads it; only the auditor's rows pass the database's own guard."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from flows.approval.queue import Listed, page_of
from flows.model import Audit, OnboardingRequest


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


def _words(facts: dict[str, object]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in sorted(facts.items()))
