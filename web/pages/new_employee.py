"""The form of a new employee, before and after its first saving."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter
from sqlalchemy import func, select
from starlette.responses import Response

from flows.approval import directory, drafts, versions
from flows.approval.employee import ACCESS, CONTRACTS, FIELDS
from flows.approval.names import names_of, our_domains
from flows.approval.people import Caller
from flows.approval.refusals import NotAllowed
from flows.approval.written import name_problem
from flows.model import ActivationContact, OnboardingRequest, RequestState
from flows.model.session import transaction
from flows.plan import Plan
from flows.sentence import say
from flows.settings import load
from flows.words import PRAGUE
from web.deps import CurrentCaller, Db, PageFrame, Places, RowId, Typed
from web.forms.employee import FIELDS as FORM_FIELDS
from web.forms.employee import USUAL_GB, EmployeeForm
from web.frame import Frame, Place

router = APIRouter()
NEW, PROPOSAL = "/requests/new/employee", "/requests/new/employee/address"


@router.get(NEW)
def get_new(frame: PageFrame, by: CurrentCaller, session: Db, places: Places) -> Response:
    _must_file(places)
    form = EmployeeForm()
    form.values["organisation"] = str(places[0].organisation) if len(places) == 1 else ""
    return _show(frame, session, by, places, form)


@router.post(NEW)
def post_new(frame: PageFrame, by: CurrentCaller, session: Db, places: Places, typed: Typed) -> Response:
    _must_file(places)
    form = EmployeeForm.read(typed)
    if form.action == "discard":
        return frame.redirect("/requests")
    if form.action == "propose":
        return _show(frame, session, by, places, form)
    before = drafts.begun_with(session, by, form.key)
    if before and before.state is not RequestState.DRAFT:  # sent again after a time-out: it is that request, and nothing is overwritten
        return frame.redirect(_where(before))
    if not _acceptable(form, session, places):
        return _show(frame, session, by, places, form, status=422)
    with transaction(session):
        draft = drafts.new_draft(session, by, form.organisation or places[0].organisation, form.key)
        drafts.save_draft(session, by, draft.id, form.employee_answers, form.values["private_email"], form.organisation)
    return _saved(frame, draft, form)


@router.post(PROPOSAL)
def post_proposal(frame: PageFrame, by: CurrentCaller, session: Db, places: Places, typed: Typed) -> Response:
    """The user name and the address for what is typed so far."""
    _must_file(places)
    form = EmployeeForm.read(typed)
    return frame.fragment(
        "fragments/address_proposal.html", proposal=_proposal(session, places, form, drafts.begun_with(session, by, form.key))
    )


@router.get("/requests/drafts/{draft}")
def get_draft(frame: PageFrame, by: CurrentCaller, session: Db, places: Places, draft: RowId, check: bool = False) -> Response:
    """`check`: says what is wrong, as if it had just been sent."""
    kept = drafts.my_draft(session, by, draft, lock=False)
    if kept.state not in drafts.EDITABLE:
        return frame.redirect(_where(kept))
    form = form_of(session, kept)
    wrong = check and not _acceptable(form, session, places, kept)
    return _show(frame, session, by, places, form, kept, status=422 if wrong else 200)


@router.post("/requests/drafts/{draft}")
def post_draft(frame: PageFrame, by: CurrentCaller, session: Db, places: Places, draft: RowId, typed: Typed) -> Response:
    form = EmployeeForm.read(typed)
    if form.action == "discard":
        with transaction(session):
            drafts.discard(session, by, draft)
        return frame.redirect("/requests", say("The draft was thrown away."))
    kept = drafts.my_draft(session, by, draft)
    if form.action == "propose":
        return _show(frame, session, by, places, form, kept)
    if not _acceptable(form, session, places, kept):
        return _show(frame, session, by, places, form, kept, status=422)
    with transaction(session):
        kept = drafts.save_draft(session, by, draft, form.employee_answers, form.values["private_email"], form.organisation)
    return _saved(frame, kept, form)


def form_of(session: Db, draft: OnboardingRequest) -> EmployeeForm:
    """The form as it was left."""
    typed = drafts.typed_of(draft)
    contact = session.get(ActivationContact, draft.id)
    form = EmployeeForm(key=draft.submission)
    form.values |= {name: typed[name] for name in FIELDS if name in typed}
    form.values |= {"organisation": str(draft.organisation_id), "private_email": (contact.address or "") if contact else ""}
    return form


def _acceptable(form: EmployeeForm, session: Db, places: list[Place], kept: OnboardingRequest | None = None) -> bool:
    """Whether it may be kept. A draft may be incomplete, but it is one of our own form and for one of our own organisations."""
    own = {place.organisation: place for place in places}
    if form.action == "save":
        if not form.values["organisation"]:
            form.values["organisation"] = str(places[0].organisation)
        if form.organisation not in own:
            form.errors["organisation"] = say("Choose one of your organisations.")
        return not form.errors
    domains = our_domains(session, "")
    employee = form.check(own, domains, datetime.now(PRAGUE).date(), load().provisioning.mailbox_gb_maximum)
    if employee and session.scalar(
        select(func.personal_number_taken(form.organisation, employee.personal_number, kept and kept.beneficiary_id))
    ):
        form.errors["personal_number"] = say("Somebody with this personal number already works in your organisation. Check the number.")
    return not form.errors


def _proposal(session: Db, places: list[Place], form: EmployeeForm, draft: OnboardingRequest | None = None) -> dict[str, Any] | None:
    """None until both names are there and can be names."""
    given, family = form.names
    if not (given.strip() and family.strip()) or name_problem(given, 100) or name_problem(family, 100):
        return None
    place = next((place for place in places if place.organisation == form.organisation), places[0])
    kept = Plan.from_json(draft.plan) if draft and draft.plan else None
    found = names_of(session, kept, given, family, place.domain)
    return {"user_name": found.user_name, "address": found.address, "state": "changed" if found.changed else "free", "note": None}


def _where(request: OnboardingRequest) -> str:
    """The page of a request that is no draft any more; one that was thrown away has none."""
    return f"/requests/{request.number}" if request.number else "/requests"


def _saved(frame: Frame, draft: OnboardingRequest, form: EmployeeForm) -> Response:
    here = f"/requests/drafts/{draft.id}"
    if form.action == "save":
        return frame.redirect(here, say("Draft saved. You will find it among your requests."))
    return frame.redirect(f"{here}/check")


def _show(
    frame: Frame,
    session: Db,
    by: Caller,
    places: list[Place],
    form: EmployeeForm,
    draft: OnboardingRequest | None = None,
    status: int = 200,
) -> Response:
    today, provisioning = datetime.now(PRAGUE).date(), load().provisioning
    action = f"/requests/drafts/{draft.id}" if draft else NEW
    returned = versions.last_return(session, draft) if draft and draft.state is RequestState.RETURNED else None
    name = " ".join(part.strip() for part in form.names if part.strip())
    return frame.show(
        "pages/employee_form.html",
        status,
        here="requests",
        keep_days=load().snapshots.keep_daily,
        form={
            "action": action,
            "key": form.key,
            "values": form.values,
            "errors": form.errors,
            "saved_at": draft.changed_at if draft and not returned else None,
            "comments": returned.comments if returned else {},
            "name": name,
        },
        fields=FORM_FIELDS,
        returned=returned,
        number=draft.number if draft else None,
        organisations=_choices(places),
        contracts=CONTRACTS,
        accesses=ACCESS,
        usual_gb=USUAL_GB,
        maximum_gb=provisioning.mailbox_gb_maximum,
        managers=directory.managers(session, by),
        sections=form.parts(today, provisioning.mailbox_gb_maximum),
        proposal=_proposal(session, places, form, draft),
        proposal_path=PROPOSAL,
        today=today,
        activation_hours=provisioning.activation_hours,
    )


def _choices(places: list[Place]) -> list[dict[str, str]]:
    offered = [{"value": str(place.organisation), "name": place.name} for place in places]
    return offered if len(offered) == 1 else [{"value": "", "name": ""}, *offered]


def _must_file(places: list[Place]) -> None:
    if not places:
        raise NotAllowed(say("Requests are filed by the director, the deputy or a clerk of an organisation."))
