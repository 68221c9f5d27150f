"""The share of what a rule approved that a person looks at afterwards: was it in order? The finding is kept and changes no request."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload

from flows.approval.audit import record
from flows.approval.eligible import same
from flows.approval.people import Caller, Regional
from flows.approval.refusals import FormProblems, NoLongerOpen, NotAllowed, NotFound, SecondFactorNeeded
from flows.approval.request_rows import full_name
from flows.approval.written import line_problem, tidy
from flows.model import OnboardingRequest, Person, Sample
from flows.sentence import say

LOOKS = Regional.REGION_IT
LONGEST_NOTE, SHOWN = 500, 20
Finding = Literal["in order", "objection"]
R = OnboardingRequest


@dataclass(frozen=True)
class Drawn:
    number: str
    path: str
    name: str
    organisation: str
    drawn_at: datetime


def to_look_at(session: Session, by: Caller) -> list[Drawn]:
    """Oldest first; nothing for those whose business it is not."""
    if LOOKS not in by.roles:
        return []
    wanted = select(R, Sample.drawn_at).join(Sample, Sample.request_id == R.id).where(Sample.looked_at.is_(None))
    rows = session.execute(wanted.options(joinedload(R.organisation)).order_by(Sample.drawn_at, Sample.request_id).limit(SHOWN))
    return [Drawn(r.number or "", f"/queue/{r.number}", full_name(r.content), r.organisation.name, at) for r, at in rows]


def found(session: Session, request: UUID) -> dict[str, Any] | None:
    """What somebody found about a request that was drawn: by, at, finding, note; by = None: nobody has looked yet. None: not drawn."""
    wanted = select(Sample, Person).outerjoin(Person, Person.id == Sample.looked_by_id).where(Sample.request_id == request)
    row = session.execute(wanted).one_or_none()
    if row is None:
        return None
    sample, who = row
    return {"by": who.name if who else None, "at": sample.looked_at, "finding": sample.finding, "note": sample.note}


def look_at(session: Session, by: Caller, number: str, finding: Finding, note: str) -> None:
    """Keeps what somebody found, once. Four eyes count here too: nobody looks at what they filed or what is about them.

    Raises NotFound, NotAllowed, SecondFactorNeeded, NoLongerOpen, FormProblems (an objection without a word why).
    """
    by.must_see(LOOKS)
    request = session.scalars(select(R).join(Sample, Sample.request_id == R.id).where(R.number == number)).one_or_none()
    if request is None:
        raise NotFound
    if any(same(session, by.person, one) for one in (request.requester_id, request.beneficiary_id) if one):
        raise NotAllowed(say("This request is yours or about you, so somebody else looks at it."))
    if not by.second_factor:
        raise SecondFactorNeeded
    note = tidy(note)
    if finding == "objection" and not note:
        raise FormProblems({f"note-{number}": say("Write what is not in order.")})
    if problem := line_problem(note, LONGEST_NOTE):
        raise FormProblems({f"note-{number}": problem})
    mine = {"looked_at": func.clock_timestamp(), "looked_by_id": by.person, "finding": finding, "note": note}
    once = update(Sample).where(Sample.request_id == request.id, Sample.looked_at.is_(None)).values(mine).returning(Sample.request_id)
    if session.scalar(once) is None:
        raise NoLongerOpen(say("Somebody has looked at this request already."))
    record(session, by.actor, "sample.looked_at", request.id, {"finding": finding})
