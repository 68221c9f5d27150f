"""Whether a person may answer a stage, and if not, why not in words. The set itself is `eligible_deciders` of the database."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flows.approval.people import Caller, Regional
from flows.model import Decision, Person, Stage
from flows.sentence import Sentence, say


@dataclass(frozen=True)
class Seat:
    """On whose behalf the answer is given: one's own, or that of somebody absent."""

    deputised_for: UUID | None = None


def seat(session: Session, by: Caller, stage: Stage) -> Seat | None:
    """The seat of this person at this stage; their own before that of somebody absent. None = may not answer it."""
    mine = func.eligible_deciders(stage.id).table_valued("person_id", "deputised_for_id", "away")
    seats = set(session.scalars(select(mine.c.deputised_for_id).where(mine.c.person_id == by.person)))
    if None in seats and Regional(stage.group_name) in by.roles:
        return Seat()
    absent = sorted((each for each in seats if each), key=str)
    return Seat(absent[0]) if absent and by.roles else None


def may_decide(session: Session, by: Caller, stage: Stage) -> Sentence | None:
    """None when this person may decide this stage now, otherwise why not, in words for the page."""
    if seat(session, by, stage) is None:
        return why_not(session, by, stage)
    if stage.holder_id and stage.holder_id != by.person:
        return say(
            "%(name)s has taken this request over. Take it over first if you want to decide it.", name=name_of(session, stage.holder_id)
        )
    return None


def why_not(session: Session, by: Caller, stage: Stage) -> Sentence:
    """Why somebody has no seat: their own request, another step answered already, another group."""
    request = stage.request
    if same(session, by.person, request.requester_id):
        return say("You filed this request, so somebody else has to decide it.")
    if request.beneficiary_id and same(session, by.person, request.beneficiary_id):
        return say("This request is about you, so somebody else has to decide it.")
    who = func.candidates(stage.group_name, stage.deputies).table_valued("person_id", "deputised_for_id", "away")
    seats = session.execute(select(who.c.deputised_for_id).where(who.c.person_id == by.person)).all()
    if any(absent for (absent,) in seats) and any(
        same(session, absent, other) for (absent,) in seats if absent for other in (request.requester_id, request.beneficiary_id) if other
    ):
        return say("You stand in for somebody whose own request this is, so somebody else has to decide it.")
    if session.scalar(select(Decision.id).where(Decision.stage_id == stage.id, Decision.decided_by_id == by.person)):
        return say("You answered this step already. Somebody else has to answer it, too.")
    if seats and (any(absent for (absent,) in seats) or Regional(stage.group_name) in by.roles):
        return say("You answered another step of this request already, so somebody else has to decide this one.")
    return say("This step is decided by another group of the region.")


def same(session: Session, one: UUID, other: UUID) -> bool:
    """Whether two rows are one human."""
    return one == other or bool(session.scalar(select(func.human(one) == func.human(other))))


def name_of(session: Session, person: UUID) -> str:
    found = session.get(Person, person)
    return found.name if found else "…"
