"""Organisations that the reader knows."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from flows.approval import directory
from web.deps import CurrentCaller, Db, PageFrame, Slug
from web.forms.listing import Filter, next_path

router = APIRouter()


@router.get("/organisations")
def get_organisations(request: Request, frame: PageFrame, by: CurrentCaller, session: Db) -> Response:
    asked = Filter.of(request, "q")
    listed = directory.organisations(session, by, asked.values["q"], asked.page)
    return frame.show(
        "pages/organisations.html",
        here="organisations",
        organisations=listed.rows,
        filter=asked.values,
        next_path=next_path(request, listed.next),
    )


@router.get("/organisations/{slug}")
def get_organisation(frame: PageFrame, by: CurrentCaller, session: Db, slug: Slug) -> Response:
    shown = directory.organisation(session, by, slug)
    return frame.show("pages/organisation.html", here="organisations", **shown, new_path="/requests/new/employee")
