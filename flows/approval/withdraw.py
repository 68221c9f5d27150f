"""Taking a request back, and what a request that will not be executed gives back."""

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from flows.approval.people import Caller
from flows.approval.refusals import NoLongerOpen, NotAllowed
from flows.approval.stages import close_rest
from flows.approval.states import move
from flows.model import Employment, OnboardingRequest, Outbox, RequestState, ReservedName
from flows.sentence import say

WITHDRAWABLE = frozenset({RequestState.WAITING_APPROVAL, RequestState.RETURNED, RequestState.NEEDS_ATTENTION})


def withdraw(session: Session, by: Caller, request: OnboardingRequest) -> OnboardingRequest:
    """The applicant takes the request back; it is locked already. Called by `decide` only.

    Raises NotAllowed for a colleague, NoLongerOpen once it is executed.
    """
    if request.requester_id != by.person:
        raise NotAllowed(say("Only the person who filed this request can take it back."))
    if request.state is RequestState.WITHDRAWN:
        return request
    if request.state not in WITHDRAWABLE:
        raise NoLongerOpen(say("The request is already being carried out, so it can no longer be taken back."))
    executed = request.state is RequestState.NEEDS_ATTENTION
    move(session, request, RequestState.WITHDRAWN, by.actor)
    close_rest(session, request)
    give_back(session, request, keep_names=executed)
    session.add(Outbox(topic="cancel", request_id=request.id, payload={"reason": "Withdrawn"}))
    return request


def give_back(session: Session, request: OnboardingRequest, *, keep_names: bool = False) -> None:
    """Nothing will come of it: the employment is void, the names are free again; the private address is erased by the database.

    `keep_names`: something may already exist under them on a server, so nobody else gets them.
    """
    mine = (Employment.person_id == request.beneficiary_id, Employment.organisation_id == request.organisation_id)
    session.execute(update(Employment).where(*mine, Employment.state == "planned").values(state="void"))
    if not keep_names:
        session.execute(delete(ReservedName).where(ReservedName.person_id == request.beneficiary_id))
