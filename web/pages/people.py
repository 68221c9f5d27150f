"""People of the reader's organisations."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from flows.approval import directory, progress, queue, same_human
from flows.approval.people import Caller, Regional
from flows.approval.refusals import FormProblems
from flows.model import OnboardingRequest
from flows.model.session import transaction
from flows.sentence import say
from web.deps import CurrentCaller, Db, PageFrame, Typed
from web.forms.listing import Filter, next_path
from web.frame import Frame

router = APIRouter()
SAME = ("same_as", "reason")


@router.get("/people")
def get_people(request: Request, frame: PageFrame, by: CurrentCaller, session: Db) -> Response:
    asked = Filter.of(request, "q", "organisation")
    listed = directory.people(session, by, asked.values, asked.page)
    return frame.show(
        "pages/people.html",
        here="people",
        rows=listed.rows,
        filter=asked.values,
        organisations=directory.choices(session, by),
        next_path=next_path(request, listed.next),
    )


@router.get("/people/{person}")
def get_person(frame: PageFrame, by: CurrentCaller, session: Db, person: str) -> Response:
    return _show(frame, session, by, person)


@router.post("/people/{person}/same")
def post_same(frame: PageFrame, by: CurrentCaller, session: Db, person: str, typed: Typed) -> Response:
    """Region-it says that two records are one human."""
    shown = directory.person(session, by, person)
    values = {name: typed.get(name, "") for name in SAME}
    try:
        with transaction(session):
            same_human.link(session, by, UUID(shown["id"]), values["same_as"], values["reason"])
    except FormProblems as problems:
        return _show(frame, session, by, person, 422, {"values": values, "errors": problems.fields})
    return frame.redirect(f"/people/{person}", say("Both are one person from now on."))


def _show(frame: Frame, session: Db, by: Caller, person: str, status: int = 200, same_form: dict[str, Any] | None = None) -> Response:
    """One person; a new activation link is ordered on the page of the request that made the account."""
    shown = directory.person(session, by, person)
    rows = queue.recent(session, by, OnboardingRequest.beneficiary_id == shown["id"])
    whole = progress.find(session, by, rows[0].number) if rows else None
    again = f"/requests/{rows[0].number}/link" if whole and progress.may_send_again(whole, by) else None
    return frame.show(
        "pages/person.html",
        status,
        here="people",
        person=shown,
        activation=whole.activation if whole else None,
        requests=rows,
        same=same_human.links_of(session, UUID(shown["id"])) if by.roles else [],
        actions={
            "again_path": again,
            "same_path": f"/people/{person}/same" if Regional.REGION_IT in by.roles and by.second_factor else None,
        },
        again_form={"values": {"private_email": ""}, "errors": {}},
        same_form=same_form or {"values": dict.fromkeys(SAME, ""), "errors": {}},
    )
