"""Days on which the region's offices, or one organisation, do not work although the calendar says so. Due times given later skip them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flows.approval import working_days
from flows.approval.audit import record
from flows.approval.people import Caller, Regional
from flows.approval.refusals import FormProblems, NotAllowed, NotFound
from flows.approval.sight import SEES_ALL_REQUESTS, organisations_seen, own_organisations
from flows.approval.written import line_problem, tidy
from flows.model import ClosedDay, Organisation
from flows.sentence import Sentence, say
from flows.words import PRAGUE

AHEAD = timedelta(days=800)
LONGEST_NOTE = 100  # characters
TWICE = say("This day is closed already.")


@dataclass(frozen=True)
class Day:
    id: UUID
    day: date
    note: str


def place(session: Session, by: Caller, slug: str) -> UUID:
    """The organisation at that address. Raises NotFound for a stranger."""
    found = session.scalar(select(Organisation.id).where(Organisation.slug == slug, organisations_seen(session, by)))
    if found is None:
        raise NotFound
    return found


def may_set(session: Session, by: Caller, organisation: UUID | None) -> bool:
    """The region's days: region-it. Those of an organisation: its director and deputy."""
    if organisation is None:
        return Regional.REGION_IT in by.roles
    return bool(own_organisations(session, by).get(organisation, set()) & SEES_ALL_REQUESTS)


def ahead(session: Session, organisation: UUID | None) -> list[Day]:
    """From today on, the next one first."""
    today = datetime.now(PRAGUE).date()
    mine = ClosedDay.organisation_id.is_not_distinct_from(organisation)
    rows = session.scalars(select(ClosedDay).where(mine, ClosedDay.day >= today).order_by(ClosedDay.day).limit(100))
    return [Day(row.id, row.day, row.note) for row in rows]


def close(session: Session, by: Caller, organisation: UUID | None, day: date | None, note: str) -> None:
    """Raises NotAllowed, FormProblems: no day, one that is past, far ahead, free anyway or closed already."""
    _must(session, by, organisation)
    note = tidy(note)
    if problem := _day_problem(day):
        raise FormProblems({"day": problem})
    if problem := line_problem(note, LONGEST_NOTE):
        raise FormProblems({"note": problem})
    try:
        with session.begin_nested():
            session.add(ClosedDay(organisation_id=organisation, day=day, note=note, set_by_id=by.person))
    except IntegrityError as twice:
        raise FormProblems({"day": TWICE}) from twice
    record(session, by.actor, "closed_day.set", None, {"organisation": str(organisation or ""), "day": str(day)})


def open_again(session: Session, by: Caller, organisation: UUID | None, day: UUID) -> None:
    """Raises NotAllowed, NotFound for a day of another place or one that is gone."""
    _must(session, by, organisation)
    mine = (ClosedDay.id == day, ClosedDay.organisation_id.is_not_distinct_from(organisation))
    gone = session.scalar(delete(ClosedDay).where(*mine).returning(ClosedDay.day))
    if gone is None:
        raise NotFound
    record(session, by.actor, "closed_day.removed", None, {"organisation": str(organisation or ""), "day": str(gone)})


def _must(session: Session, by: Caller, organisation: UUID | None) -> None:
    if not may_set(session, by, organisation):
        if organisation is None:
            by.must_see(*Regional)
        raise NotAllowed(say("Closed days are set by the region's IT, those of an organisation by its director or deputy."))


def _day_problem(day: date | None) -> Sentence | None:
    today = datetime.now(PRAGUE).date()
    if day is None:
        return say("Write the day.")
    if not today <= day <= today + AHEAD:
        return say("Write a day from today on, at most two years ahead.")
    if not working_days.is_working(day):
        return say("This day is a weekend or a public holiday, so it is free already.")
    return None
