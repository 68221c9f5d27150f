"""The stages of one version of a request: laid out by the policy, opened step by step, handed to the fallback group when nobody is left."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from flows.approval import due, post
from flows.approval.audit import Actor, record
from flows.approval.facts import content_of
from flows.approval.people import Regional
from flows.approval.policy import Facts, StageRule
from flows.model import Decision, OnboardingRequest, Stage
from flows.words import PRAGUE


def lay_out(
    session: Session,
    request: OnboardingRequest,
    rules: Sequence[StageRule],
    facts: Facts,
    *,
    carried: Mapping[str, Stage] | None = None,
    days_left: Mapping[str, int] | None = None,
    running: Mapping[str, Stage] | None = None,
) -> list[Stage]:
    """Rows for every stage of this version, none of them open yet.

    `carried`: approved stages of the version before, by the hash of their inputs; they count on. `days_left`: working days that a group
    had left when the request was returned, because the clock stands still meanwhile. `running`: open stages of the version before whose
    clock goes on: what was told about it is not told again. Both by the group of the rule (`asked_first`).
    """
    now, made = datetime.now(PRAGUE), list[Stage]()
    for position, rule in enumerate(rules, start=1):
        inputs = inputs_of(request, rule, facts)
        origin = (carried or {}).get(inputs) if not rule.opinion else None
        was = (running or {}).get(rule.group.value)
        days = max(1, (days_left or {}).get(rule.group.value, rule.working_days))
        made.append(
            Stage(
                request_id=request.id,
                version=request.version,
                position=position,
                step=rule.step,
                group_name=rule.group.value,
                fallback_group=rule.fallback.value if rule.fallback else None,
                deciders=rule.deciders,
                opinion=rule.opinion,
                different_people=rule.different_people,
                deputies=rule.deputies,
                working_days=days,
                reminders=list(rule.reminders),
                escalation=list(rule.escalation),
                reminded=was.reminded if was else 0,
                escalated=was.escalated if was else 0,
                inputs_hash=inputs,
                carried_from_id=origin.carried_from_id or origin.id if origin else None,
                state="approved" if origin else "waiting",
                ended_at=origin.ended_at if origin else None,
                due_at=due.after(session, now, days),
            )
        )
    session.add_all(made)
    session.flush()
    return made


def inputs_of(request: OnboardingRequest, rule: StageRule, facts: Facts) -> str:
    """SHA-256 of all that an answer to this stage depends on: what was asked for, what will be made, the rule, and the facts it reads."""
    read = {name: value for name, value in facts.as_json().items() if name in rule.looks_at}
    content = {name: value for name, value in content_of(request).items() if value is not None}
    whole = [content, request.plan_hash, rule.model_dump(mode="json"), read]
    return hashlib.sha256(json.dumps(whole, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def open_next(session: Session, request: OnboardingRequest, by: Actor, *, tell: bool = True) -> list[Stage]:
    """Opens the next step when nothing that decides is open. Answers what is open now; empty = everything is approved."""
    stages = of_version(session, request)
    deciding = [stage for stage in stages if not stage.opinion]
    if now := [stage for stage in deciding if stage.state == "open"]:
        return now
    left = [stage.step for stage in deciding if stage.state == "waiting"]
    if not left:
        return []
    step = min(left)
    opened = [stage for stage in stages if stage.step <= step and stage.state == "waiting"]
    for stage in opened:
        _open(session, request, stage, by, tell)
    return opened


def of_version(session: Session, request: OnboardingRequest) -> list[Stage]:
    """The stages of the request's version, first to last, as the database has them now, with their answers."""
    mine = select(Stage).where(Stage.request_id == request.id, Stage.version == request.version).order_by(Stage.position)
    people = (joinedload(Decision.decided_by), joinedload(Decision.deputised_for))
    answers = selectinload(Stage.decisions).options(*people)
    carried = joinedload(Stage.carried_from).selectinload(Stage.decisions).options(*people)
    found = list(session.scalars(mine.options(answers, carried, joinedload(Stage.holder)).execution_options(populate_existing=True)))
    for stage in found:
        set_committed_value(stage, "request", request)  # the one that is being worked on, with what is loaded beside it
    return found


def asked_first(stage: Stage) -> str:
    """The group of the rule, whichever is asked now."""
    return stage.fallback_from or stage.group_name


def close_rest(session: Session, request: OnboardingRequest) -> None:
    """Nobody is asked about this version any more."""
    for stage in of_version(session, request):
        if stage.state in ("open", "waiting"):
            stage.state, stage.ended_at = "closed", datetime.now(PRAGUE)
    session.flush()


def _open(session: Session, request: OnboardingRequest, stage: Stage, by: Actor, tell: bool) -> None:
    now = datetime.now(PRAGUE)
    stage.state, stage.opened_at, stage.due_at = "open", now, due.after(session, now, stage.working_days)
    session.flush()
    if not tell:
        return
    look_for_somebody(session, request, stage, by)
    if not stage.nobody and due.blocks(session, request.start_day, stage.due_at):
        post.write_to_deciders(session, "waiting_for_you", request, stage, occasion=str(stage.id))


def look_for_somebody(session: Session, request: OnboardingRequest, stage: Stage, by: Actor) -> None:
    """Raises the alarm, and asks the fallback group, when the group has too few people who may decide; takes it off when somebody is back.

    The group that was asked first gets its question back, unless somebody of the fallback has it in hand. Asked again by upkeep, because
    people go and come back while a stage is open.
    """
    untouched = not stage.holder_id and _missing(session, stage) == stage.deciders
    if stage.fallback_from and (untouched or stage.nobody) and _first_group_is_back(session, stage):
        facts = {"stage": stage.position, "group": stage.group_name, "fallback": stage.fallback_group}
        record(session, by, "stage.back", request.id, facts)
        post.write_to_deciders(session, "waiting_for_you", request, stage, occasion=_this_time(stage))
        stage.nobody = False
        session.flush()
        return
    if people_left(session, stage.id) >= _missing(session, stage):
        stage.nobody = False
        session.flush()
        return
    was = stage.nobody
    if not was or (stage.fallback_group and not stage.fallback_from):
        record(
            session, by, "stage.nobody", request.id, {"stage": stage.position, "group": stage.group_name, "fallback": stage.fallback_group}
        )
    if stage.fallback_group and not stage.fallback_from:
        stage.fallback_from, stage.group_name = stage.group_name, stage.fallback_group
        stage.holder_id, stage.held_at = None, None  # of the group that has nobody
        session.flush()
        stage.nobody = people_left(session, stage.id) < _missing(session, stage)
        post.write_to_deciders(session, "nobody_left", request, stage, occasion=_this_time(stage))
    else:
        stage.nobody = True
    if stage.nobody and not was:  # those who can mend it: the region's IT may name a deputy, operations sees it among what needs attention
        for group in (Regional.REGION_IT, Regional.IT):
            post.write_to_group(session, "nobody_left", request, group, occasion=f"{stage.id} nobody {datetime.now(PRAGUE).date()}")
    session.flush()


def _this_time(stage: Stage) -> str:
    """The occasion of a letter about a stage that changed its group: it may do so more than once, and each time is told."""
    return f"{stage.id} {stage.group_name} {datetime.now(PRAGUE).isoformat()}"


def _missing(session: Session, stage: Stage) -> int:
    """How many have to approve yet; those who did are no longer among the people left."""
    given = session.scalar(select(func.count()).select_from(Decision).where(Decision.stage_id == stage.id)) or 0
    return stage.deciders - given


def _first_group_is_back(session: Session, stage: Stage) -> bool:
    """Gives the question back to the group that was asked first, when it has somebody now."""
    fallback, first = stage.group_name, str(stage.fallback_from)
    who = func.candidates(first, stage.deputies).table_valued("person_id", "deputised_for_id", "away")
    if not session.scalar(select(func.count()).select_from(who).where(~who.c.away)):
        return False  # upkeep asks again and again: while they are all away nothing is written
    stage.group_name, stage.fallback_from = first, None
    session.flush()
    if people_left(session, stage.id) >= _missing(session, stage):
        return True
    stage.group_name, stage.fallback_from = fallback, first
    session.flush()
    return False


def people_left(session: Session, stage: UUID) -> int:
    """Humans who are here today and may decide."""
    who = func.eligible_deciders(stage).table_valued("person_id", "deputised_for_id", "away")
    return session.scalar(select(func.count(func.distinct(func.human(who.c.person_id)))).where(~who.c.away)) or 0
