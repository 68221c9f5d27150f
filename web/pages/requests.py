"""Requests: the list, one request whose course moves by itself, taking it back, a new activation link."""

from typing import Any

from fastapi import APIRouter
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from flows.approval import desk, directory, evidence, progress, queue, relink, request_rows, withdraw
from flows.approval.course import ENDED
from flows.approval.decide import StageRef, Verdict, decide
from flows.approval.people import READS_RUNS, Caller
from flows.approval.refusals import FormProblems
from flows.model import RequestState
from flows.model.session import transaction
from flows.sentence import Sentence, say
from web.deps import CurrentCaller, Db, Number, PageFrame, Places, Typed
from web.forms.listing import Filter, next_path
from web.frame import Frame

router = APIRouter()
STATES = [state.value for state in RequestState if state is not RequestState.DRAFT]
TAKEN_BACK = withdraw.WITHDRAWABLE


@router.get("/requests")
def get_requests(request: Request, frame: PageFrame, by: CurrentCaller, session: Db, places: Places) -> Response:
    asked = Filter.of(request, "q", "state", "organisation")
    listed = queue.requests(session, by, asked.values, asked.page)
    return frame.show(
        "pages/requests.html",
        here="requests",
        rows=listed.rows,
        drafts=queue.drafts(session, by) if places else [],
        filter=asked.values,
        states=STATES,
        organisations=directory.choices(session, by),
        next_path=next_path(request, listed.next),
        can_file=bool(places),
        new_path="/requests/new/employee",
    )


@router.get("/requests/{number}")
def get_request(frame: PageFrame, by: CurrentCaller, session: Db, number: Number) -> Response:
    return _show(frame, session, by, progress.find(session, by, number))


@router.get("/requests/{number}/progress")
def get_progress(frame: PageFrame, by: CurrentCaller, session: Db, number: Number) -> Response:
    return frame.fragment("fragments/progress.html", **_moving(session, by, progress.find(session, by, number)))


@router.post("/requests/{number}/withdraw")
def post_withdraw(frame: PageFrame, by: CurrentCaller, session: Db, number: Number) -> Response:
    with transaction(session):
        decide(session, by, StageRef(number, 0), Verdict("withdraw"))
    return frame.redirect(f"/requests/{number}", say("The request was taken back."))


@router.post("/requests/{number}/link")
def post_link(frame: PageFrame, by: CurrentCaller, session: Db, number: Number, typed: Typed) -> Response:
    """A new activation link, to an address that is typed again because we keep none."""
    try:
        with transaction(session):
            relink.send_new_link(session, by, number, typed.get("private_email", ""))
    except FormProblems as problems:
        return _show(frame, session, by, progress.find(session, by, number), 422, typed.get("private_email", ""), dict(problems.fields))
    return frame.redirect(f"/requests/{number}", say("A new activation link is on its way."))


def _show(
    frame: Frame,
    session: Db,
    by: Caller,
    whole: progress.Whole,
    status: int = 200,
    typed: str = "",
    problems: dict[str, Sentence] | None = None,
) -> Response:
    form = {"values": {"private_email": typed}, "errors": problems or {}}
    told = progress.returned(whole)
    return frame.show(
        "pages/request.html",
        status,
        here="requests",
        **_moving(session, by, whole),
        actions=_actions(session, by, whole),
        again_form=form,
        returned=told,
        estimate=_estimate(session, whole),
    )


def _estimate(session: Db, whole: progress.Whole) -> desk.Estimate | None:
    """Asked once for the page, not with every poll."""
    return desk.estimate(session, whole.request.kind) if whole.request.state is RequestState.WAITING_APPROVAL else None


def _moving(session: Db, by: Caller, whole: progress.Whole) -> dict[str, Any]:
    request = whole.request
    asked = [stage for stage in request_rows.open_stages(request) if stage.group_name in by.groups]
    waits = request.state is RequestState.WAITING_APPROVAL
    return {
        "decide_path": f"/queue/{request.number}" if asked and waits and by.person != request.requester_id else None,
        "request": progress.summary(whole),
        "progress": progress.progress(whole),
        "activation": whole.activation,
        "history": progress.history(whole),
    }


def _actions(session: Session, by: Caller, whole: progress.Whole) -> dict[str, str | None]:
    """Where each button leads; None = not offered. The functions behind decide again."""
    here, request = f"/requests/{whole.request.number}", whole.request
    mine, ended = request.requester_id == by.person, request.state in ENDED
    return {
        "correct_path": f"/requests/drafts/{request.id}" if mine and request.state is RequestState.RETURNED else None,
        "withdraw_path": f"{here}/withdraw" if mine and request.state in TAKEN_BACK else None,
        "again_path": f"{here}/link" if progress.may_send_again(whole, by) else None,
        "run_path": f"/runs/{request.number}" if by.roles & READS_RUNS else None,
        "evidence_path": f"{here}/evidence.zip" if evidence.may_take(session, by, request.organisation_id) else None,
        "person_path": f"/people/{request.beneficiary_id}" if request.beneficiary_id and (whole.effects or not ended) else None,
    }
