"""Due times of the region's groups: Czech working days without the days on which the region's offices are closed."""

from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from flows.approval import working_days
from flows.model import ClosedDay
from flows.words import PRAGUE

NEAR = 3  # working days: a first day that is so near makes the waiting stage a matter of one letter, not of the morning's digest


def closed_days(session: Session, organisation: UUID | None = None) -> frozenset[date]:
    """The days of an organisation; without one, those of the region."""
    return frozenset(session.scalars(select(ClosedDay.day).where(ClosedDay.organisation_id.is_not_distinct_from(organisation))))


def after(session: Session, opened: datetime, days: int, organisation: UUID | None = None) -> datetime:
    """The end of the office hours of the `days`-th working day after that one."""
    return working_days.after(opened, days, closed_days(session, organisation))


def days_left(session: Session, at: datetime, due_at: datetime) -> int:
    """Working days between a moment and a due time; negative = late."""
    return working_days.between(at.astimezone(PRAGUE).date(), due_at.astimezone(PRAGUE).date(), closed_days(session))


def blocks(start: date | None, due_at: datetime) -> bool:
    """Whether somebody's first day stands behind this decision: it comes before the due time, or right after it."""
    if start is None:
        return False
    return start <= due_at.astimezone(PRAGUE).date() + timedelta(days=NEAR)
