"""The one function for decisions. Pages, and whatever comes later, call it and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from flows.approval import post
from flows.approval.audit import record
from flows.approval.employee import FIELDS
from flows.approval.people import Caller, Regional
from flows.approval.refusals import AlreadyDecided, FormProblems, NoLongerOpen, NotAllowed, NotFound, PlanChanged, SecondFactorNeeded
from flows.approval.states import move
from flows.approval.withdraw import give_back
from flows.model import Decision, OnboardingRequest, Outbox, RequestState, Stage
from flows.sentence import Sentence, say

LONGEST_REASON = 2000  # characters
CORRECTABLE = (*FIELDS, "private_email")  # fields of the form that a comment may be about


@dataclass(frozen=True)
class StageRef:
    """The stage as the decider saw it: the request's number and the version that was on the page."""

    number: str
    version: int


@dataclass(frozen=True)
class Verdict:
    """What was decided about which plan. A refusal needs a reason that the applicant will read, a return says what to correct.

    `comments`: sentences by the name of the field they are about.
    """

    verdict: Literal["approve", "refuse", "return"]
    plan_hash: str
    reason: str = ""
    comments: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Outcome:
    request: OnboardingRequest
    stage: Stage
    decision: Decision


def decide(session: Session, by: Caller, on: StageRef, verdict: Verdict) -> Outcome:
    """Records a decision and moves the request on.

    Raises NotFound, AlreadyDecided, NoLongerOpen, NotAllowed, SecondFactorNeeded, PlanChanged, FormProblems.
    """
    stage = open_stage(session, by, on)
    if why_not := may_decide(by, stage):
        raise NotAllowed(why_not)
    if not by.second_factor:
        raise SecondFactorNeeded
    if stage.request.plan_hash != verdict.plan_hash:
        raise PlanChanged
    decision = _record(session, by, stage, verdict)
    _advance(session, by, stage, verdict)
    return Outcome(stage.request, stage, decision)


def open_stage(session: Session, by: Caller, on: StageRef) -> Stage:
    """The stage that is asked now, its request locked. Somebody who was late learns who decided."""
    found = select(OnboardingRequest).where(OnboardingRequest.number == on.number).with_for_update()
    request = session.scalars(found.execution_options(populate_existing=True)).one_or_none()
    if request is None or not by.roles:
        raise NotFound
    if request.version != on.version:
        raise PlanChanged
    stages = select(Stage).where(Stage.request_id == request.id, Stage.version == on.version).order_by(Stage.position)
    asked = session.scalars(stages.options(joinedload(Stage.decision).joinedload(Decision.decided_by), joinedload(Stage.request))).all()
    for stage in asked:
        if stage.state == "open":
            return stage
    if decided := [stage.decision for stage in asked if stage.decision]:
        last = decided[-1]
        raise AlreadyDecided(last.decided_by.name if last.decided_by else str(last.rule), last.at, last.verdict)
    raise NoLongerOpen(say("This request is not waiting for a decision any more. Its page says what happened."))


def may_decide(by: Caller, stage: Stage) -> Sentence | None:
    """None when this person may decide this stage, otherwise why not, in words for the page."""
    request = stage.request
    if by.person == request.requester_id:
        return say("You filed this request, so somebody else has to decide it.")
    if by.person == request.beneficiary_id:
        return say("This request is about you, so somebody else has to decide it.")
    if Regional(stage.group_name) not in by.roles:
        return say("This step is decided by another group of the region.")
    return None


def _words(verdict: Verdict) -> tuple[str, dict[str, str]]:
    """Reason and comments as they are kept. Raises FormProblems for what is missing or too long."""
    reason = verdict.reason.strip()
    comments = {name: words.strip() for name, words in verdict.comments.items() if words.strip()}
    if verdict.verdict == "refuse" and not reason:
        raise FormProblems({"reason": say("Write why you refuse; the applicant will read it.")})
    if verdict.verdict == "return" and not (reason or comments):
        raise FormProblems({"comment_1": say("Write what is to be corrected; the applicant will read it.")})
    if unknown := set(comments) - set(CORRECTABLE):
        raise FormProblems({"comment_1": say("There is no field %(name)s in the request.", name=min(unknown))})
    if max((len(words) for words in (reason, *comments.values())), default=0) > LONGEST_REASON:
        raise FormProblems({"reason": say("The reason is too long: at most %(most)s characters.", most=LONGEST_REASON)})
    return reason, comments if verdict.verdict == "return" else {}


def _record(session: Session, by: Caller, stage: Stage, verdict: Verdict) -> Decision:
    reason, comments = _words(verdict)
    values = {
        "plan_hash": verdict.plan_hash,
        "verdict": verdict.verdict,
        "reason": reason,
        "comments": comments,
        "decided_by_id": by.person,
    }
    decision = Decision(stage_id=stage.id, request_id=stage.request_id, version=stage.version, **values)
    try:
        with session.begin_nested():
            session.add(decision)
    except IntegrityError as broken:  # the database's constraints are the last line
        sentence = say("The database refused this decision: somebody decided at the same moment, or it is not yours to make.")
        raise NotAllowed(sentence) from broken
    facts = {"stage": stage.position, "verdict": verdict.verdict, "plan": verdict.plan_hash, "version": stage.version}
    record(session, by.actor, "stage.decided", stage.request_id, facts)
    return decision


def _advance(session: Session, by: Caller, stage: Stage, verdict: Verdict) -> None:
    stage.state = {"approve": "approved", "refuse": "refused", "return": "returned"}[verdict.verdict]
    session.flush()
    match verdict.verdict:
        case "approve":
            _approved(session, by, stage)
        case "refuse":
            _refused(session, by, stage.request)
        case "return":
            _returned(session, by, stage)


def _refused(session: Session, by: Caller, request: OnboardingRequest) -> None:
    move(session, request, RequestState.REFUSED, by.actor)
    give_back(session, request)
    post.write(session, "refused", request, request.requester_id)
    session.add(Outbox(topic="cancel", request_id=request.id, payload={"reason": "Refused"}))


def _returned(session: Session, by: Caller, stage: Stage) -> None:
    """Names and employment stay reserved: the applicant corrects the same request."""
    request = stage.request
    later = (Stage.request_id == request.id, Stage.version == stage.version, Stage.state == "waiting")
    session.execute(update(Stage).where(*later).values(state="closed"))
    move(session, request, RequestState.RETURNED, by.actor)
    post.write(session, "returned", request, request.requester_id, occasion=str(request.version))
    session.add(Outbox(topic="wait", request_id=request.id, payload={"waiting_for": "requester"}))


def _approved(session: Session, by: Caller, stage: Stage) -> None:
    request = stage.request
    following = select(Stage).where(Stage.request_id == request.id, Stage.version == stage.version, Stage.state == "waiting")
    if after := session.scalars(following.order_by(Stage.position).limit(1)).one_or_none():
        after.state = "open"
        post.write_to_group(session, "waiting_for_you", request, Regional(after.group_name), occasion=str(after.id))
        session.add(Outbox(topic="wait", request_id=request.id, payload={"waiting_for": after.group_name}))
        return
    move(session, request, RequestState.APPROVED, by.actor)
    session.add(Outbox(topic="release", request_id=request.id, not_before=func.clock_timestamp()))
