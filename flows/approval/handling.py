"""Who has a stage on the desk: taken over by oneself, or handed to a colleague. It decides nothing; others learn not to do it twice."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flows.approval import post
from flows.approval.audit import record
from flows.approval.eligible import seat, why_not
from flows.approval.people import Caller
from flows.approval.refusals import FormProblems, NotAllowed
from flows.model import Person, Stage
from flows.sentence import say


def take_over(session: Session, by: Caller, stage: Stage, _to: UUID | None = None) -> None:
    """From the group, or from the colleague who has it. Raises NotAllowed when this person could not decide it."""
    if seat(session, by, stage) is None:
        raise NotAllowed(why_not(session, by, stage))
    if stage.holder_id != by.person:
        _hold(session, by, stage, by.person, "stage.taken")


def hand_over(session: Session, by: Caller, stage: Stage, to: UUID | None) -> None:
    """To somebody who may decide it. The one who hands it over may be any member who could decide it. Raises NotAllowed, FormProblems."""
    if seat(session, by, stage) is None:
        raise NotAllowed(why_not(session, by, stage))
    if to not in {person.id for person in colleagues(session, stage)}:
        raise FormProblems({"to": say("Choose a colleague who may decide this request and is not away today.")})
    if stage.holder_id != to:
        _hold(session, by, stage, to, "stage.handed")
        if to and to != by.person:
            post.write(session, "handed_to_you", stage.request, to, occasion=f"{stage.id} {stage.held_at}")


def colleagues(session: Session, stage: Stage) -> list[Person]:
    """Who may decide the stage and is here today, by name."""
    who = func.eligible_deciders(stage.id).table_valued("person_id", "deputised_for_id", "away")
    here = select(Person).where(Person.id.in_(select(who.c.person_id).where(~who.c.away)))
    return sorted(session.scalars(here), key=lambda person: (person.family_name, person.given_name))


def _hold(session: Session, by: Caller, stage: Stage, holder: UUID | None, deed: str) -> None:
    stage.holder_id, stage.held_at = holder, session.scalar(select(func.clock_timestamp()))
    session.flush()
    record(session, by.actor, deed, stage.request_id, {"stage": stage.position, "holder": str(holder), "version": stage.version})
