"""Absences of those who decide, and who stands in for them: told by the absent one, per group, from/until. Both sides get a letter."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import collate, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from flows.approval import post
from flows.approval.audit import record
from flows.approval.eligible import same
from flows.approval.people import ASKED, Caller
from flows.approval.refusals import FormProblems, NoLongerOpen, NotFound, SecondFactorNeeded
from flows.model import Absence, Person, RegionalRole
from flows.sentence import Sentence, say
from flows.words import PRAGUE

SHOWN = 50  # rows of a page: living ones and the latest that ended


@dataclass(frozen=True)
class Told:
    """What somebody says about their absence. Both days are included; without a deputy the rest of the group decides."""

    group: str
    first: date | None
    last: date | None
    deputy: UUID | None = None


def tell(session: Session, by: Caller, told: Told) -> Absence:
    """From then on the absent one is left in peace and the deputy is asked.

    Raises FormProblems with a sentence per field, SecondFactorNeeded when a deputy is named: that hands the right to decide over.
    """
    if told.deputy and not by.second_factor:
        raise SecondFactorNeeded
    if problems := _problems(session, by, told):
        raise FormProblems(problems)
    absence = Absence(person_id=by.person, group_name=told.group, from_day=told.first, until_day=told.last, deputy_id=told.deputy)
    try:
        with session.begin_nested():
            session.add(absence)
    except IntegrityError as broken:  # what two tabs at once could do; the chain of deputies is followed there only
        raise FormProblems({"deputy": CIRCLE}) from broken
    _tell_both(session, "absence_told", absence)
    facts = {"absence": str(absence.id), "group": told.group, "deputy": str(told.deputy or "")}
    record(session, by.actor, "absence.told", None, facts | {"from": str(told.first), "until": str(told.last)})
    return absence


def end(session: Session, by: Caller, absence: UUID) -> Absence:
    """Before its first day it never was; later it ends with yesterday.

    Raises NotFound for that of somebody else, NoLongerOpen when it is over.
    """
    wanted = select(Absence).where(Absence.id == absence, Absence.person_id == by.person).with_for_update()
    found = session.scalars(wanted).one_or_none()
    if found is None:
        raise NotFound
    today = datetime.now(PRAGUE).date()
    if found.cancelled_at or found.until_day < today:
        raise NoLongerOpen(say("This absence is over already."))
    if found.from_day >= today:
        found.cancelled_at = session.scalar(select(func.clock_timestamp()))
    else:
        found.until_day = date.fromordinal(today.toordinal() - 1)
    session.flush()
    _tell_both(session, "absence_cancelled", found)
    record(session, by.actor, "absence.ended", None, {"absence": str(found.id), "group": found.group_name, "until": str(found.until_day)})
    return found


def listed(session: Session, by: Caller) -> list[Absence]:
    """One's own and those for whom one stands in, the latest first; what was cancelled is not there."""
    mine = or_(Absence.person_id == by.person, Absence.deputy_id == by.person)
    both = (joinedload(Absence.person), joinedload(Absence.deputy))
    wanted = select(Absence).where(mine, Absence.cancelled_at.is_(None)).order_by(Absence.from_day.desc(), Absence.id)
    return list(session.scalars(wanted.options(*both).limit(SHOWN)))


def groups_of(by: Caller) -> list[str]:
    """The groups in which the person is asked."""
    return sorted(role.value for role in by.roles & ASKED)


def possible_deputies(session: Session, by: Caller) -> list[tuple[Person, list[str]]]:
    """Everybody with a regional role today but the person, by name, with the roles."""
    rows = session.scalars(_living().options(joinedload(RegionalRole.person)).join(RegionalRole.person).order_by(*_by_name())).all()
    found: dict[UUID, tuple[Person, list[str]]] = {}
    for row in rows:
        if row.person_id != by.person:
            found.setdefault(row.person_id, (row.person, []))[1].append(row.role)
    return list(found.values())


CIRCLE = say("The deputies would form a circle: following who stands in for whom in that time comes back to you. Choose somebody else.")


def _problems(session: Session, by: Caller, told: Told) -> Mapping[str, Sentence]:
    problems: dict[str, Sentence] = {}
    if told.group not in groups_of(by):
        problems["group"] = say("Choose one of the groups in which you decide.")
    if told.first is None:
        problems["first"] = say("Write the first day of the absence.")
    elif told.first < datetime.now(PRAGUE).date():
        problems["first"] = say("This day has passed. An absence begins today or later.")
    if told.last is None:
        problems["last"] = say("Write the last day of the absence.")
    elif told.first and told.last < told.first:
        problems["last"] = say("The absence would end before it begins. Write the same day or a later one.")
    if told.deputy and (problem := _deputy_problem(session, by, told.deputy)):
        problems["deputy"] = problem
    if not problems and (other := _overlapping(session, by, told)):
        days = {"first": other.from_day.strftime("%-d. %-m. %Y"), "last": other.until_day.strftime("%-d. %-m. %Y")}
        problems["first"] = say("You told of an absence from %(first)s to %(last)s already. End it first, or choose other days.", **days)
    return problems


def _deputy_problem(session: Session, by: Caller, deputy: UUID) -> Sentence | None:
    if same(session, deputy, by.person):
        return say("Nobody stands in for themselves. Choose a colleague.")
    if session.scalar(select(func.count()).select_from(_living().where(RegionalRole.person_id == deputy).subquery())) == 0:
        return say("This person has no role in the region, so they cannot decide. Choose somebody from the list.")
    return None


def _overlapping(session: Session, by: Caller, told: Told) -> Absence | None:
    mine = (Absence.person_id == by.person, Absence.group_name == told.group, Absence.cancelled_at.is_(None))
    days = (Absence.from_day <= told.last, Absence.until_day >= told.first)
    return session.scalars(select(Absence).where(*mine, *days).limit(1)).first()


def _tell_both(session: Session, kind: str, absence: Absence) -> None:
    for person in (absence.person_id, absence.deputy_id):
        if person:
            post.write_about(session, kind, person, str(absence.id))


def _living() -> Any:
    today = datetime.now(PRAGUE).date()
    in_force = or_(RegionalRole.valid_until.is_(None), RegionalRole.valid_until >= today)
    return select(RegionalRole).where(RegionalRole.valid_from <= today, in_force)


def _by_name() -> tuple[Any, ...]:
    return collate(Person.family_name, "cs-x-icu"), collate(Person.given_name, "cs-x-icu"), RegionalRole.role
