"""Which letters a change of state writes. The dispatcher puts them into words and sends them; a repeated reason writes nothing twice."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from flows.approval.people import Regional
from flows.model import Letter, OnboardingRequest, RegionalRole, Stage
from flows.words import PRAGUE


def write(session: Session, kind: str, request: OnboardingRequest, person: UUID, occasion: str = "") -> None:
    """One letter to one person about one occasion (a stage, a generation, a link)."""
    letter = {"kind": kind, "request_id": request.id, "person_id": person, "occasion": occasion}
    session.execute(insert(Letter).values(letter).on_conflict_do_nothing())


def write_about(session: Session, kind: str, person: UUID, occasion: str) -> None:
    """A letter that is about no request: a day (the digest) or an absence."""
    session.execute(insert(Letter).values(kind=kind, request_id=None, person_id=person, occasion=occasion).on_conflict_do_nothing())


def write_to_group(session: Session, kind: str, request: OnboardingRequest, group: Regional, occasion: str = "") -> int:
    """A letter to everybody of the group who may deal with this request (not its requester, not its beneficiary). Answers how many."""
    today = datetime.now(PRAGUE).date()
    members = select(RegionalRole.person_id).where(
        RegionalRole.role == group.value,
        RegionalRole.valid_from <= today,
        or_(RegionalRole.valid_until.is_(None), RegionalRole.valid_until >= today),
    )
    people = [person for person in set(session.scalars(members)) if person not in (request.requester_id, request.beneficiary_id)]
    for person in people:
        write(session, kind, request, person, occasion)
    return len(people)


def write_to_deciders(session: Session, kind: str, request: OnboardingRequest, stage: Stage, occasion: str = "") -> int:
    """A letter to everybody who may decide the stage today, deputies included and the absent left in peace. Answers how many."""
    who = func.eligible_deciders(stage.id).table_valued("person_id", "deputised_for_id", "away")
    people = set(session.scalars(select(who.c.person_id).where(~who.c.away)))
    for person in people:
        write(session, kind, request, person, occasion)
    return len(people)
