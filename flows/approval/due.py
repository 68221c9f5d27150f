"""Due times in Czech working days: those of the region's groups without the days on which the region is closed, those of an applicant
without the days of the organisation."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from flows.approval import working_days
from flows.model import ClosedDay
from flows.words import PRAGUE

CORRECTED_WITHIN = (
    10  # working days of the organisation that an applicant is asked to need for a correction; nothing happens by itself after
)
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


def word(day: date, today: date) -> Literal["late", "today", "tomorrow", "later"]:
    """By the calendar, as words are read: on a Friday, Monday is not tomorrow; on a Saturday, what Friday was for is late."""
    if day < today:
        return "late"
    return "today" if day == today else "tomorrow" if day == today + timedelta(days=1) else "later"


def blocks(session: Session, start: date | None, due_at: datetime) -> bool:
    """Whether somebody's first day stands behind this decision: it comes before the due time, or right after it."""
    return start is not None and start <= after(session, due_at, NEAR).date()


def share(opened: datetime, due_at: datetime, now: datetime, closed: Collection[date] = ()) -> int:
    """How much of the time is gone, in per cent of the office hours from the opening to the due time."""
    whole = working_days.office_time(opened, due_at, closed)
    if now >= due_at or not whole:  # no office hour between them: days were closed after the stage was opened
        return 100 if now >= due_at else 0
    return int(working_days.office_time(opened, now, closed) * 100 / whole)


def correct_by(session: Session, returned_at: datetime, organisation: UUID) -> date:
    """The day until which the applicant is asked to correct a returned request."""
    return after(session, returned_at, CORRECTED_WITHIN, organisation).date()
