"""What follows from an answer: the stage ends, the next step opens, the request moves, the applicant is told."""

from sqlalchemy import func
from sqlalchemy.orm import Session

from flows.approval import post
from flows.approval.audit import Actor
from flows.approval.people import Caller
from flows.approval.stages import close_rest, of_version, open_next
from flows.approval.states import move
from flows.approval.withdraw import give_back
from flows.model import Decision, OnboardingRequest, Outbox, RequestState, Stage

ENDS = {"approve": "approved", "refuse": "refused", "return": "returned", "opinion": "given"}


def follow(session: Session, by: Caller, stage: Stage, decision: Decision) -> None:
    """After the answer was recorded. A stage of several deciders stays open until the last of them approves."""
    request = stage.request
    if decision.verdict == "approve":
        given = sum(each.verdict == "approve" for each in _answers(session, stage))
        if given < stage.deciders:
            stage.holder_id = None  # whoever comes next is free to take it
            session.flush()
            return
    stage.state, stage.ended_at = ENDS[decision.verdict], func.clock_timestamp()  # pyright: ignore[reportAttributeAccessIssue]
    session.flush()
    match decision.verdict:
        case "approve":
            go_on(session, request, by)
        case "refuse":
            _refused(session, request, by)
        case "return":
            _returned(session, request, by)
        case _:
            pass  # an opinion moves nothing


def go_on(session: Session, request: OnboardingRequest, by: Caller) -> None:
    """Opens the next step, or approves the request when every stage that decides has its approval."""
    if open_next(session, request, by.actor):
        session.add(Outbox(topic="wait", request_id=request.id))
        return
    approved(session, request, by.actor)


def approved(session: Session, request: OnboardingRequest, by: Actor) -> None:
    """Nobody is left to ask: the run is released. The database looks for the decisions once more."""
    close_rest(session, request)
    move(session, request, RequestState.APPROVED, by)
    session.add(Outbox(topic="release", request_id=request.id, not_before=func.clock_timestamp()))


def _answers(session: Session, stage: Stage) -> list[Decision]:
    session.expire(stage, ["decisions"])
    fresh = next(each for each in of_version(session, stage.request) if each.id == stage.id)
    return fresh.answers


def _refused(session: Session, request: OnboardingRequest, by: Caller) -> None:
    close_rest(session, request)
    move(session, request, RequestState.REFUSED, by.actor)
    give_back(session, request)
    post.write(session, "refused", request, request.requester_id)
    session.add(Outbox(topic="cancel", request_id=request.id, payload={"reason": "Refused"}))


def _returned(session: Session, request: OnboardingRequest, by: Caller) -> None:
    """Names and employment stay reserved: the applicant corrects the same request."""
    close_rest(session, request)
    move(session, request, RequestState.RETURNED, by.actor)
    post.write(session, "returned", request, request.requester_id, occasion=str(request.version))
    session.add(Outbox(topic="wait", request_id=request.id, payload={"waiting_for": "requester"}))
