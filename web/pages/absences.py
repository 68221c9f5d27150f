"""Absences and deputies of those who decide, and the days on which the region's offices are closed."""

from datetime import datetime

from fastapi import APIRouter
from starlette.responses import Response

from flows.approval import absences, closed_days
from flows.approval.people import Caller, Regional
from flows.approval.refusals import FormProblems
from flows.model.session import transaction
from flows.sentence import say
from flows.words import PRAGUE
from web.deps import CurrentCaller, Db, PageFrame, RowId, Typed
from web.forms.absence import DaysForm
from web.frame import Frame

router = APIRouter()
HERE = "/absences"


@router.get(HERE)
def get_absences(frame: PageFrame, by: CurrentCaller, session: Db) -> Response:
    by.must_see(*Regional)
    return _show(frame, by, session)


@router.post(HERE)
def post_absence(frame: PageFrame, by: CurrentCaller, session: Db, typed: Typed) -> Response:
    by.must_see(*Regional)
    form = DaysForm.read(typed)
    try:
        with transaction(session):
            absences.tell(session, by, form.told())
    except FormProblems as problems:
        form.errors |= problems.fields
        return _show(frame, by, session, absence=form)
    return frame.redirect(HERE, say("The absence is noted. You and your deputy get a letter about it."))


@router.post(f"{HERE}/{{absence}}/end")
def post_end(frame: PageFrame, by: CurrentCaller, session: Db, absence: RowId) -> Response:
    with transaction(session):
        absences.end(session, by, absence)
    return frame.redirect(HERE, say("The absence is over. You are asked again."))


@router.post(f"{HERE}/closed-days")
def post_closed_day(frame: PageFrame, by: CurrentCaller, session: Db, typed: Typed) -> Response:
    form = DaysForm.read(typed)
    try:
        with transaction(session):
            closed_days.close(session, by, None, form.day("day"), form.values["note"])
    except FormProblems as problems:
        form.errors |= problems.fields
        return _show(frame, by, session, closed=form)
    return frame.redirect(HERE, say("The day is closed. Due times given from now on skip it."))


@router.post(f"{HERE}/closed-days/{{day}}/remove")
def post_removal(frame: PageFrame, by: CurrentCaller, session: Db, day: RowId) -> Response:
    with transaction(session):
        closed_days.open_again(session, by, None, day)
    return frame.redirect(HERE, say("The day is an ordinary working day again."))


def _show(frame: Frame, by: Caller, session: Db, *, absence: DaysForm | None = None, closed: DaysForm | None = None) -> Response:
    today = datetime.now(PRAGUE).date()
    rows = [
        {
            "id": str(each.id),
            "mine": each.person_id == by.person,
            "who": each.person.name,
            "group": each.group_name,
            "first": each.from_day,
            "last": each.until_day,
            "deputy": each.deputy.name if each.deputy else None,
            "state": "over" if each.until_day < today else "now" if each.from_day <= today else "ahead",
        }
        for each in absences.listed(session, by)
    ]
    return frame.show(
        "pages/absences.html",
        422 if absence or closed else 200,
        rows=rows,
        groups=absences.groups_of(by),
        deputies=[(str(person.id), person.name, roles) for person, roles in absences.possible_deputies(session, by)],
        may_name=by.second_factor,
        form=absence or DaysForm(),
        days=closed_days.ahead(session, None),
        days_form=closed or DaysForm(),
        days_path=f"{HERE}/closed-days" if closed_days.may_set(session, by, None) else None,
        today=today,
    )
