"""The days on which one organisation does not work; shown to everybody who sees it, set by its director and deputy."""

from fastapi import APIRouter
from starlette.responses import Response

from flows.approval import closed_days, directory
from flows.approval.people import Caller
from flows.approval.refusals import FormProblems
from flows.model.session import transaction
from flows.sentence import say
from web.deps import CurrentCaller, Db, PageFrame, RowId, Slug, Typed
from web.forms.absence import DaysForm
from web.frame import Frame

router = APIRouter()
HERE = "/organisations/{slug}/closed-days"


@router.get(HERE)
def get_closed_days(frame: PageFrame, by: CurrentCaller, session: Db, slug: Slug) -> Response:
    return _show(frame, by, session, slug)


@router.post(HERE)
def post_closed_day(frame: PageFrame, by: CurrentCaller, session: Db, slug: Slug, typed: Typed) -> Response:
    form, organisation = DaysForm.read(typed), closed_days.place(session, by, slug)
    try:
        with transaction(session):
            closed_days.close(session, by, organisation, form.day("day"), form.values["note"])
    except FormProblems as problems:
        form.errors |= problems.fields
        return _show(frame, by, session, slug, form)
    return frame.redirect(_path(slug), say("The day is closed. Due times given from now on skip it."))


@router.post(f"{HERE}/{{day}}/remove")
def post_removal(frame: PageFrame, by: CurrentCaller, session: Db, slug: Slug, day: RowId) -> Response:
    organisation = closed_days.place(session, by, slug)
    with transaction(session):
        closed_days.open_again(session, by, organisation, day)
    return frame.redirect(_path(slug), say("The day is an ordinary working day again."))


def _show(frame: Frame, by: Caller, session: Db, slug: str, form: DaysForm | None = None) -> Response:
    organisation = closed_days.place(session, by, slug)
    shown = directory.organisation(session, by, slug)["organisation"]
    return frame.show(
        "pages/closed_days.html",
        422 if form else 200,
        here="organisations",
        organisation=shown,
        days=closed_days.ahead(session, organisation),
        days_form=form or DaysForm(),
        days_path=_path(slug) if closed_days.may_set(session, by, organisation) else None,
    )


def _path(slug: str) -> str:
    return HERE.format(slug=slug)
