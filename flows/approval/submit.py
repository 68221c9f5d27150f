"""From a draft to a request that waits for its first decision: read, names reserved, plan made, stages opened, in one transaction."""

import hmac
import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flows.approval import colleague, names, policy
from flows.approval.colleague import number_of
from flows.approval.drafts import EDITABLE, my_draft, typed_of
from flows.approval.employee import NewEmployee, read_employee, read_private_address
from flows.approval.people import Caller
from flows.approval.post import write_to_group
from flows.approval.refusals import FormProblems
from flows.approval.states import move
from flows.model import (
    ActivationContact,
    OnboardingRequest,
    Outbox,
    RequestKind,
    RequestState,
    RequestVersion,
    Stage,
)
from flows.plan import Plan
from flows.settings import load
from flows.words import PRAGUE


def submit(session: Session, by: Caller, draft: UUID) -> OnboardingRequest:
    """Submits a draft, or the next version of a returned request; the second time (double click, time-out) answers the same request.

    Raises FormProblems with a sentence per field, NotFound for a stranger.
    """
    request = my_draft(session, by, draft)
    if request.state not in EDITABLE:
        return request
    employee, address = _read(session, request)
    corrected = request.state is RequestState.RETURNED
    plan = colleague.correct(session, request, employee) if corrected else colleague.plant(session, request, employee)
    _fix(session, request, employee, plan, by, address)
    move(session, request, RequestState.WAITING_APPROVAL, by.actor, number=request.number, submitted_at=func.clock_timestamp())
    _open_stages(session, request)
    session.add(Outbox(topic="wait" if corrected else "create", request_id=request.id))
    session.flush()
    return request


def _read(session: Session, request: OnboardingRequest) -> tuple[NewEmployee, str]:
    employee, problems = read_employee(typed_of(request), datetime.now(PRAGUE).date(), load().provisioning.mailbox_gb_maximum)
    contact = session.get(ActivationContact, request.id)
    address, problem = read_private_address(
        contact.address or "" if contact else "", names.our_domains(session, request.organisation.domain)
    )
    if problem:
        problems["private_email"] = problem
    if employee and session.scalar(select(func.personal_number_taken(*number_of(request, employee)))):
        problems["personal_number"] = colleague.NUMBER_TAKEN
    if problems or employee is None or address is None:
        raise FormProblems(problems)
    return employee, address


def _fix(session: Session, request: OnboardingRequest, employee: NewEmployee, plan: Plan, by: Caller, address: str) -> None:
    contact = session.get_one(ActivationContact, request.id)
    salt = contact.salt or secrets.token_hex(16)  # the same for all versions, so that a decider sees whether the address changed
    contact.address, contact.salt = address, salt
    # the content names the private address by a keyed hash only, so a decision is about one address without showing it
    mark = hmac.new(salt.encode(), address.lower().encode(), "sha256").hexdigest()
    number = request.number or session.scalar(select(func.next_number("P")))
    # version and plan in one statement: the database lets a plan change with the version only
    request.version += request.state is RequestState.RETURNED
    request.number, request.content = number, employee.as_json() | {"private_address_mark": mark}
    request.beneficiary_id, request.start_day = plan.account.person, employee.start
    request.plan, request.plan_hash = plan.as_json(), plan.hash
    session.flush()
    values = {"content": request.content, "plan": request.plan, "plan_hash": request.plan_hash, "by_id": by.person}
    session.add(RequestVersion(request_id=request.id, version=request.version, **values))


def _open_stages(session: Session, request: OnboardingRequest) -> None:
    opened = datetime.now(PRAGUE)
    for position, rule in enumerate(policy.route(RequestKind(request.kind)), start=1):
        state = "open" if position == 1 else "waiting"
        stage = Stage(
            request_id=request.id,
            version=request.version,
            position=position,
            group_name=rule.group.value,
            state=state,
            due_at=policy.due(opened, rule),
        )
        session.add(stage)
        if state == "open":
            session.flush()
            write_to_group(session, "waiting_for_you", request, rule.group, occasion=str(stage.id))
