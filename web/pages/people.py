"""People of the reader's organisations."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from flows.approval import directory, progress, queue
from flows.model import OnboardingRequest
from web.deps import CurrentCaller, Db, PageFrame
from web.forms.listing import Filter, next_path

router = APIRouter()


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
    """One person; a new activation link is ordered on the page of the request that made the account."""
    shown = directory.person(session, by, person)
    rows = queue.recent(session, by, OnboardingRequest.beneficiary_id == shown["id"])
    whole = progress.find(session, by, rows[0].number) if rows else None
    again = f"/requests/{rows[0].number}/link" if whole and progress.may_send_again(whole, by) else None
    return frame.show(
        "pages/person.html",
        here="people",
        person=shown,
        activation=whole.activation if whole else None,
        requests=rows,
        actions={"again_path": again},
        again_form={"values": {"private_email": ""}, "errors": {}},
    )
