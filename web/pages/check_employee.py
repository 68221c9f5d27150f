"""Check your answers, then submit; and the page that says where the request is now."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from flows.approval import directory, drafts, due, policies, progress, request_rows
from flows.approval.employee import NewEmployee, read_employee
from flows.approval.facts import facts_of
from flows.approval.names import Proposal, names_of
from flows.approval.policy import StageRule
from flows.approval.refusals import FormProblems
from flows.approval.submit import submit
from flows.model import ActivationContact, OnboardingRequest, RequestState
from flows.model.session import transaction
from flows.plan import Plan
from flows.sentence import Sentence, say
from flows.settings import load
from flows.words import PRAGUE
from web.deps import CurrentCaller, Db, Number, PageFrame, RowId

router = APIRouter()


@router.get("/requests/drafts/{draft}/check")
def get_check(frame: PageFrame, by: CurrentCaller, session: Db, draft: RowId) -> Response:
    kept = drafts.my_draft(session, by, draft, lock=False)
    if kept.state not in drafts.EDITABLE:
        return frame.redirect(f"/requests/{kept.number}" if kept.number else "/requests")
    employee, _ = read_employee(drafts.typed_of(kept), _today(), load().provisioning.mailbox_gb_maximum)
    if employee is None:
        return frame.redirect(f"/requests/drafts/{draft}?check=1")
    return frame.show(
        "pages/employee_check.html", here="requests", draft=_shown(session, kept, employee), keep_days=load().snapshots.keep_daily
    )


@router.post("/requests/drafts/{draft}/submit")
def post_submit(frame: PageFrame, by: CurrentCaller, session: Db, draft: RowId) -> Response:
    """Sent twice, it is one request; what is wrong by now is said in the form."""
    try:
        with transaction(session):
            request = submit(session, by, draft)
    except FormProblems:
        return frame.redirect(f"/requests/drafts/{draft}?check=1")
    return frame.redirect(f"/requests/{request.number}/submitted" if request.number else "/requests")


@router.get("/requests/{number}/submitted")
def get_submitted(frame: PageFrame, by: CurrentCaller, session: Db, number: Number) -> Response:
    whole = progress.find(session, by, number)
    row = request_rows.request_row(whole.request)
    return frame.show(
        "pages/submitted.html", here="requests", request=row, approvers=row.waiting_for, due=row.due, new_path="/requests/new/employee"
    )


def _shown(session: Db, draft: OnboardingRequest, employee: NewEmployee) -> dict[str, Any]:
    contact = session.get(ActivationContact, draft.id)
    proposal = _names(session, draft, employee)
    policy, _ = policies.active(session)
    asked = [rule for rule in policy.stages("employee", facts_of(session, draft, employee)) if not rule.opinion]
    now = datetime.now(PRAGUE)
    answers = {name: getattr(employee, name) for name in NewEmployee.__dataclass_fields__}
    return answers | {
        "number": draft.number,
        "name": request_rows.full_name(answers),
        "organisation": draft.organisation.name,
        "private_email": (contact.address or "") if contact else "",
        "edit_path": f"/requests/drafts/{draft.id}",
        "submit_path": f"/requests/drafts/{draft.id}/submit",
        "key": draft.submission,
        "started": employee.start <= _today(),
        "user_name": proposal.user_name,
        "address": proposal.address,
        "address_changed": proposal.changed,
        "warnings": _warnings(session, draft, employee, due.after(session, now, _days(asked))),
        "route": [rule.group.value for rule in asked],
        "due": due.after(session, now, asked[0].working_days).date(),
        "activation_hours": load().provisioning.activation_hours,
    }


def _names(session: Db, draft: OnboardingRequest, employee: NewEmployee) -> Proposal:
    kept = Plan.from_json(draft.plan) if draft.plan else None
    return names_of(session, kept, employee.given_name, employee.family_name, draft.organisation.domain)


def _days(asked: Sequence[StageRule]) -> int:
    """Working days until everybody has decided who takes all the time there is: those of one step are asked at once."""
    longest: dict[int, int] = {}
    for rule in asked:
        longest[rule.step] = max(rule.working_days, longest.get(rule.step, 0))
    return sum(longest.values())


def _warnings(session: Db, draft: OnboardingRequest, employee: NewEmployee, approved_by: datetime) -> list[Sentence]:
    found: list[Sentence] = []
    if draft.state is RequestState.RETURNED and NewEmployee.from_json(draft.content) == employee:
        found.append(say("Nothing was changed since it was returned. Those who decide will see that."))
    if employee.start < _today():
        found.append(say("The first day has passed already: the account will work as soon as the request is approved."))
    elif employee.start <= approved_by.date():
        until = approved_by.isoformat()
        found.append(
            say(
                "The approval may come only on the first day or after it, at the latest %(until)s. "
                "The account works as soon as it is approved.",
                until=until,
            )
        )
    if directory.namesakes(session, employee.given_name, employee.family_name, draft.organisation_id, draft.beneficiary_id):
        found.append(say("Somebody of the same name already works in your organisation. Make sure that this is another person."))
    return found


def _today() -> date:
    return datetime.now(PRAGUE).date()
