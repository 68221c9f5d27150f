"""Reminders, escalations, the alarm that nobody is left, the digest of the morning: letters and marks on rows.

Time asks louder here, and it never decides: nothing in this module ends a stage.
"""

from collections.abc import Iterable
from datetime import datetime, time
from typing import TypeVarTuple
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, func, or_, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from flows.approval import due, post, stages, working_days
from flows.approval.audit import Actor, record
from flows.approval.eligible import same
from flows.model import Letter, OnboardingRequest, RegionalRole, RequestState, Stage
from flows.words import PRAGUE

UPKEEP = Actor("upkeep")
DIGEST_AT = time(7, 0)  # Prague, before the offices open
R = OnboardingRequest
Columns = TypeVarTuple("Columns")


def to_look_after(session: Session, now: datetime) -> list[UUID]:
    """The requests with an open stage about which somebody is to be told, or of which somebody went or came back."""
    closed = due.closed_days(session)
    columns = (Stage.request_id, Stage.opened_at, Stage.due_at, Stage.reminders, Stage.reminded, Stage.escalation, Stage.escalated)
    found: dict[UUID, None] = {}
    for request, opened, due_at, reminders, reminded, escalation, escalated in session.execute(_open(select(*columns))):
        late = now >= due_at and escalated < len(escalation)
        if late or (now < due_at and _reached(reminders, reminded, due.share(opened, due_at, now, closed))):
            found[request] = None
    who = func.eligible_deciders(Stage.id).table_valued("person_id", "deputised_for_id", "away")
    left = select(func.count(func.distinct(func.human(who.c.person_id)))).where(~who.c.away).scalar_subquery()
    short = _open(select(Stage.request_id)).where(or_(Stage.nobody, Stage.fallback_from.is_not(None), left < Stage.deciders))
    return [*found, *(request for request in session.scalars(short) if request not in found)]


def look_after(session: Session, request: UUID, now: datetime) -> None:
    """Every open stage of one request: is somebody there, is a reminder due, is it late.

    One that is being decided at the moment is left for the next time.
    """
    wanted = select(R).where(R.id == request, R.state == RequestState.WAITING_APPROVAL)
    found = session.scalars(wanted.with_for_update(of=R, skip_locked=True)).one_or_none()
    if found is None:
        return
    for stage in stages.of_version(session, found):
        if stage.state == "open":
            stages.look_for_somebody(session, found, stage, UPKEEP)
            (_escalate if now >= stage.due_at else _remind)(session, stage, now)


def write_digests(session: Session, now: datetime) -> int:
    """On a working day from seven on: one letter to everybody for whom something waited at seven. Answers how many; never twice."""
    day = now.astimezone(PRAGUE).date()
    at = datetime.combine(day, DIGEST_AT, PRAGUE)
    if now < at or not working_days.is_working(day, due.closed_days(session)):
        return 0
    written = exists().where(Letter.kind == "digest", Letter.request_id.is_(None), Letter.occasion == day.isoformat())
    if session.scalar(select(written)):
        return 0
    who = func.eligible_deciders(Stage.id).table_valued("person_id", "deputised_for_id", "away", joins_implicitly=True)
    mine = or_(_nobody_here_has_it(), Stage.holder_id == who.c.person_id)
    people = session.scalars(
        _open(select(who.c.person_id).select_from(Stage).distinct()).where(~who.c.away, mine, Stage.opened_at < at)
    ).all()
    for person in people:
        post.write_about(session, "digest", person, day.isoformat())
    return len(people)


def waiting_for(session: Session, person: UUID, most: int) -> list[Stage]:
    """What waits for this person today, oldest due first, with request and organisation.

    What a colleague has taken who is here today is not among it.
    """
    who = func.eligible_deciders(Stage.id).table_valued("person_id", "deputised_for_id", "away")
    asked = exists().where(who.c.person_id == person, ~who.c.away)
    wanted = (
        _open(select(Stage))
        .where(or_(_nobody_here_has_it(), Stage.holder_id == person), asked)
        .order_by(Stage.due_at, Stage.id)
        .limit(most)
    )
    whole = contains_eager(Stage.request).options(joinedload(R.organisation), joinedload(R.beneficiary))
    return list(session.scalars(wanted.options(whole)))


def _nobody_here_has_it() -> ColumnElement[bool]:
    """Of a stage: nobody has taken it, or somebody who is away today or may not decide it any more. Then it is everybody's again."""
    who = func.eligible_deciders(Stage.id).table_valued("person_id", "deputised_for_id", "away")
    return or_(Stage.holder_id.is_(None), ~exists().where(who.c.person_id == Stage.holder_id, ~who.c.away).correlate(Stage))


def _open(wanted: Select[*Columns]) -> Select[*Columns]:
    """Of the stages that are asked now; `join` begins at Stage."""
    return wanted.join(Stage.request).where(Stage.state == "open", R.state == RequestState.WAITING_APPROVAL, Stage.version == R.version)


def _reached(reminders: Iterable[int], reminded: int, share: int) -> int | None:
    """The last threshold that has passed; those before it are not made up for."""
    return max((each for each in reminders if reminded < each <= share), default=None)


def _remind(session: Session, stage: Stage, now: datetime) -> None:
    """The one who has taken it if they are here today, otherwise everybody who may decide it."""
    share = due.share(stage.opened_at, stage.due_at, now, due.closed_days(session))
    percent = _reached(stage.reminders, stage.reminded, share)
    if percent is None:
        return
    here = _here(session, stage)
    for person in [stage.holder_id] if stage.holder_id and stage.holder_id in here else here:
        post.write(session, "reminder", stage.request, person, f"{stage.id} {percent}")
    stage.reminded = percent
    session.flush()


def _escalate(session: Session, stage: Stage, now: datetime) -> None:
    """Who is told that it is late: the first of the list at once, each further one after another working day. Each once."""
    while stage.escalated < len(stage.escalation):
        step = stage.escalated
        if step and now < due.after(session, stage.due_at, step):
            return
        rung = stage.escalation[step]
        people = _deputies(session, stage) if rung == "deputy" else _heads(session, stage)
        told = people or _here(session, stage)
        for person in told:
            post.write(session, "escalated", stage.request, person, f"{stage.id} {step} {rung}")
        stage.escalated = step + 1
        session.flush()
        facts = {"stage": stage.position, "group": stage.group_name, "to": rung, "found": bool(people), "told": len(told)}
        record(session, UPKEEP, "stage.escalated", stage.request_id, facts)


def _here(session: Session, stage: Stage) -> set[UUID]:
    """Everybody who may decide the stage and is here today."""
    who = func.eligible_deciders(stage.id).table_valued("person_id", "deputised_for_id", "away")
    return set(session.scalars(select(who.c.person_id).where(~who.c.away)))


def _deputies(session: Session, stage: Stage) -> set[UUID]:
    """Those who stand in for somebody absent of the group."""
    who = func.eligible_deciders(stage.id).table_valued("person_id", "deputised_for_id", "away")
    return set(session.scalars(select(who.c.person_id).where(~who.c.away, who.c.deputised_for_id.is_not(None))))


def _heads(session: Session, stage: Stage) -> set[UUID]:
    """The heads of the group, also those who may not decide this one; never about a request of their own."""
    request, heads = stage.request, RegionalRole.role == stage.group_name
    members = session.scalars(select(func.members_of(stage.group_name))).all()
    found = session.scalars(select(RegionalRole.person_id).where(heads, RegionalRole.head, RegionalRole.person_id.in_(members))).all()
    concerned = [person for person in (request.requester_id, request.beneficiary_id) if person]
    return {person for person in found if not any(same(session, person, other) for other in concerned)}
