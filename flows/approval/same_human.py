"""Two people of the portal that are one human: said by somebody of region-it with a reason, recorded, and never undone silently.

Nothing finds it out by a name or an e-mail: a namesake is another human until somebody who knows says otherwise.
"""

from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flows.approval.audit import record
from flows.approval.known import is_here
from flows.approval.people import Caller, Regional
from flows.approval.refusals import FormProblems, NotAllowed, NotFound, SecondFactorNeeded
from flows.model import Person, ReservedName, SameHuman
from flows.sentence import say

LONGEST_REASON = 500  # characters


def link(session: Session, by: Caller, person: UUID, same_as: str, reason: str) -> SameHuman:
    """Says that `person` and the one with the user name or address `same_as` are one human.

    Raises NotFound for others than region-it, SecondFactorNeeded, FormProblems (nobody of that name, no reason), NotAllowed for oneself.
    """
    by.must_see(Regional.REGION_IT)
    if not by.second_factor:
        raise SecondFactorNeeded
    reason = reason.strip()
    if session.get(Person, person) is None:
        raise NotFound
    if not reason or len(reason) > LONGEST_REASON:
        raise FormProblems({"reason": say("Write how you know it, in at most %(most)s characters.", most=LONGEST_REASON)})
    if (other := _named(session, same_as)) is None:
        raise FormProblems({"same_as": say("Nobody with exactly this user name or address is known here.")})
    root = session.scalar(select(func.human(person)))  # a human of three records: the end of the chain is linked
    made = SameHuman(person_id=root, same_as_id=other, linked_by_id=by.person, reason=reason)
    try:
        with session.begin_nested():
            session.add(made)
    except IntegrityError as broken:
        if "one human already" in str(broken.orig) or "pk_same_human" in str(broken.orig):
            raise FormProblems({"same_as": say("These two are known as one person already.")}) from broken
        if "ck_same_human_two" in str(broken.orig):
            raise FormProblems({"same_as": say("This is the same record. Write the other one.")}) from broken
        raise NotAllowed(say("Nobody links records of their own. Ask a colleague.")) from broken
    record(session, by.actor, "person.linked", None, {"person": str(person), "same_as": str(other)})
    return made


def links_of(session: Session, person: UUID) -> list[dict[str, object]]:
    """Who else is this human, by whose word; for those who may read it."""
    mine = or_(SameHuman.person_id == person, SameHuman.same_as_id == person)
    found: list[dict[str, object]] = []
    for row in session.scalars(select(SameHuman).where(mine).order_by(SameHuman.at)):
        other, said_by = (
            session.get_one(Person, each) for each in (row.same_as_id if row.person_id == person else row.person_id, row.linked_by_id)
        )
        found.append({"name": other.name, "path": f"/people/{other.id}", "by": said_by.name, "at": row.at, "reason": row.reason})
    return found


def _named(session: Session, same_as: str) -> UUID | None:
    wanted = same_as.strip().lower()
    kept = session.scalar(select(ReservedName.person_id).where(ReservedName.name == wanted))
    return kept or session.scalar(select(Person.id).where(Person.email == wanted).order_by(is_here().desc()).limit(1))
