"""The audit chain, for the auditor."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from flows.approval import chain
from flows.approval.people import Regional
from web.deps import CurrentCaller, Db, PageFrame
from web.forms.listing import Filter, next_path

router = APIRouter()


@router.get("/audit")
def get_audit(request: Request, frame: PageFrame, by: CurrentCaller, session: Db) -> Response:
    by.must_see(Regional.AUDITOR)
    asked = Filter.of(request, "q")
    listed = chain.records(session, asked.values["q"], asked.page)
    whole = chain.last_look(session)
    after = next_path(request, listed.next)
    return frame.show("pages/audit.html", here="audit", rows=listed.rows, whole=whole, filter=asked.values, next_path=after)
