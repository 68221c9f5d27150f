"""What changed between two versions of a request, and what the decider asked to be corrected."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from flows.approval.employee import FIELDS
from flows.model import Decision, OnboardingRequest, RequestVersion

PRIVATE = "private_address_mark"  # a keyed hash: it says that the address changed, never which it is


@dataclass(frozen=True)
class Change:
    """One answer before and after; of the private e-mail only that it is another one."""

    field: str
    before: str
    after: str


@dataclass(frozen=True)
class Return:
    """Who returned the request, when, why, and what is said at which field, in the order of the form."""

    by: str
    at: datetime
    reason: str
    comments: Mapping[str, str]

    @classmethod
    def of(cls, decision: Decision) -> "Return":
        said: Mapping[str, str] = decision.comments  # the database keeps keys in an order of its own
        comments = {name: said[name] for name in (*FIELDS, "private_email") if name in said}
        return cls(decision.decided_by.name if decision.decided_by else "", decision.at, decision.reason, comments)


def changes(session: Session, request: OnboardingRequest) -> list[Change]:
    """What the newest answers say otherwise than those that were returned, in the order of the form. Empty when nothing was returned.

    Versions that the portal made itself in between have the same answers and are passed over.
    """
    returned = select(func.max(Decision.version)).where(Decision.request_id == request.id, Decision.verdict == "return")
    both = RequestVersion.version.in_((returned.scalar_subquery(), request.version))
    rows = session.scalars(select(RequestVersion).where(RequestVersion.request_id == request.id, both).order_by(RequestVersion.version))
    kept = [row.content for row in rows]
    if len(kept) < 2:
        return []
    before, after = kept
    found = [Change(name, _said(before, name), _said(after, name)) for name in FIELDS if _said(before, name) != _said(after, name)]
    return [*found, Change("private_email", "", "")] if before.get(PRIVATE) != after.get(PRIVATE) else found


def last_return(session: Session, request: OnboardingRequest) -> Return | None:
    """The newest return of a request, whatever came after it."""
    returns = select(Decision).where(Decision.request_id == request.id, Decision.verdict == "return")
    newest = returns.options(joinedload(Decision.decided_by)).order_by(Decision.at.desc()).limit(1)
    row = session.scalars(newest).one_or_none()
    return Return.of(row) if row else None


def _said(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    return "" if value is None else str(value)
