"""The one function for decisions. Pages, bulk decisions and whatever comes later call it and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from flows.approval import handling, hashes, renew, verdicts, withdraw
from flows.approval.audit import record
from flows.approval.eligible import may_decide, seat
from flows.approval.employee import FIELDS
from flows.approval.facts import hold_still
from flows.approval.people import Caller, Regional
from flows.approval.refusals import AlreadyDecided, FormProblems, NoLongerOpen, NotAllowed, NotFound, PlanChanged, SecondFactorNeeded
from flows.approval.stages import of_version
from flows.model import Decision, OnboardingRequest, RequestState, Stage
from flows.sentence import Sentence, say

Verb = Literal["approve", "refuse", "return", "opinion", "take", "hand", "withdraw"]
ANSWERS = frozenset({"approve", "refuse", "return", "opinion"})
LONGEST_REASON = 2000  # characters
CORRECTABLE = (*FIELDS, "private_email")  # fields of the form that a comment may be about


@dataclass(frozen=True)
class StageRef:
    """The stage as the decider saw it: the request's number, the version that was on the page, and which of its stages (None = mine)."""

    number: str
    version: int
    position: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What was decided about which plan. A refusal needs a reason that the applicant will read, a return says what to correct.

    `comments`: sentences by the name of the field they are about. `to`: the colleague to whom a stage is handed.
    """

    verdict: Verb
    plan_hash: str = ""
    reason: str = ""
    comments: Mapping[str, str] = field(default_factory=dict[str, str])
    to: UUID | None = None


@dataclass(frozen=True)
class Outcome:
    """`decision` is None where nothing was answered: taken over, handed over, taken back."""

    request: OnboardingRequest
    stage: Stage | None = None
    decision: Decision | None = None


@dataclass(frozen=True)
class Renewed:
    """Nothing was decided: the world had changed, so the request has a new version, and this is why. To be kept like an outcome."""

    request: OnboardingRequest
    changes: list[Sentence]


def decide(session: Session, by: Caller, on: StageRef, verdict: Verdict) -> Outcome | Renewed:
    """Records a decision and moves the request on; the caller commits, whichever of the two comes back.

    Raises NotFound, AlreadyDecided, NoLongerOpen, NotAllowed, SecondFactorNeeded, PlanChanged, FormProblems.
    """
    request = _locked(session, on.number)
    if verdict.verdict == "withdraw":
        return Outcome(withdraw.withdraw(session, by, request))
    stage = _asked(session, by, request, on, verdict)
    if own := next((each for each in stage.answers if (each.decided_by_id, each.verdict) == (by.person, verdict.verdict)), None):
        raise AlreadyDecided(by.name, own.at, own.verdict, mine=True)  # a step of several deciders is open yet
    if verdict.verdict in ANSWERS and (why_not := may_decide(session, by, stage)):
        raise NotAllowed(why_not)
    if not by.second_factor:
        raise SecondFactorNeeded
    if verdict.verdict in ("take", "hand"):
        (handling.take_over if verdict.verdict == "take" else handling.hand_over)(session, by, stage, verdict.to)
        return Outcome(request, stage)
    if request.plan_hash != verdict.plan_hash:
        raise PlanChanged
    _fits(stage, verdict)
    words = said(verdict)
    if verdict.verdict == "approve":
        hold_still(session, request)
    if verdict.verdict == "approve" and (changes := renew.changes(session, request)):
        renew.renew(session, request, by, changes)
        return Renewed(request, changes)
    decision = _record(session, by, stage, verdict, words)
    verdicts.follow(session, by, stage, decision)
    return Outcome(request, stage, decision)


def _locked(session: Session, number: str) -> OnboardingRequest:
    found = select(OnboardingRequest).where(OnboardingRequest.number == number).with_for_update(of=OnboardingRequest)
    whole = found.options(joinedload(OnboardingRequest.organisation, innerjoin=True))
    request = session.scalars(whole.execution_options(populate_existing=True)).one_or_none()
    if request is None:
        raise NotFound
    return request


def _asked(session: Session, by: Caller, request: OnboardingRequest, on: StageRef, verdict: Verdict) -> Stage:
    """The stage that is asked now, for this person where several are. Somebody who was late learns who decided."""
    if not by.roles:
        raise NotFound
    if request.version != on.version:
        raise PlanChanged
    stages = [stage for stage in of_version(session, request) if on.position in (None, stage.position)]
    if open_now := [stage for stage in stages if stage.state == "open" and request.state is RequestState.WAITING_APPROVAL]:
        return next((stage for stage in open_now if seat(session, by, stage)), open_now[0])
    if decided := [stage for stage in stages if stage.decision]:
        mine = [stage for stage in decided if Regional(stage.group_name) in by.roles] or decided
        last = max((stage.decision for stage in mine if stage.decision), key=lambda decision: decision.at)
        who = last.decided_by.name if last.decided_by else str(last.rule)
        raise AlreadyDecided(who, last.at, last.verdict, mine=(last.decided_by_id, last.verdict) == (by.person, verdict.verdict))
    raise NoLongerOpen(say("This request is not waiting for a decision any more. Its page says what happened."))


def _fits(stage: Stage, verdict: Verdict) -> None:
    if stage.opinion != (verdict.verdict == "opinion"):
        only = (
            say("Your opinion is asked for here, not a decision.")
            if stage.opinion
            else say("A decision is asked for here, not an opinion.")
        )
        raise FormProblems({"decision": only})


def said(verdict: Verdict) -> tuple[str, dict[str, str]]:
    """Reason and comments as they are kept, whatever the stage. Raises FormProblems for what is missing or too long."""
    reason = verdict.reason.strip()
    comments = {name: words.strip() for name, words in verdict.comments.items() if words.strip()}
    if verdict.verdict == "refuse" and not reason:
        raise FormProblems({"reason": say("Write why you refuse; the applicant will read it.")})
    if verdict.verdict == "opinion" and not reason:
        raise FormProblems({"reason": say("Write your opinion; those who decide will read it.")})
    if verdict.verdict == "return" and not (reason or comments):
        raise FormProblems({"comment_1": say("Write what is to be corrected; the applicant will read it.")})
    if unknown := set(comments) - set(CORRECTABLE):
        raise FormProblems({"comment_1": say("There is no field %(name)s in the request.", name=min(unknown))})
    if long := [
        where for where, words in (("reason", reason), *(("comment_1", each) for each in comments.values())) if len(words) > LONGEST_REASON
    ]:
        raise FormProblems({where: say("This is too long: at most %(most)s characters.", most=LONGEST_REASON) for where in long})
    return reason, comments if verdict.verdict == "return" else {}


def _record(session: Session, by: Caller, stage: Stage, verdict: Verdict, words: tuple[str, dict[str, str]]) -> Decision:
    mine = seat(session, by, stage)
    decision = Decision(
        stage_id=stage.id,
        request_id=stage.request_id,
        version=stage.version,
        plan_hash=verdict.plan_hash,
        verdict=verdict.verdict,
        reason=words[0],
        comments=words[1],
        decided_by_id=by.person,
        deputised_for_id=mine.deputised_for if mine else None,
    )
    try:
        with session.begin_nested():
            session.add(decision)
    except IntegrityError as broken:  # the database's constraints are the last line
        sentence = say("The database refused this decision: somebody decided at the same moment, or it is not yours to make.")
        raise NotAllowed(sentence) from broken
    facts = {
        "stage": stage.position,
        "group": stage.group_name,
        "verdict": verdict.verdict,
        "plan": verdict.plan_hash,
        "version": stage.version,
    }
    if decision.reason or decision.comments:
        facts["words"] = hashes.of_json([decision.reason, decision.comments])  # what was said can be checked, and is not repeated here
    if decision.deputised_for_id:
        facts["deputised_for"] = str(decision.deputised_for_id)
    record(session, by.actor, "stage.decided", stage.request_id, facts)
    return decision
