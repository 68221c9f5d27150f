"""From a draft to a request that waits for its first decision: read, names reserved, plan made, stages opened, in one transaction."""

import hmac
import secrets
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flows.approval import colleague, due, names, policies, renew, standard, verdicts
from flows.approval.colleague import number_of
from flows.approval.drafts import EDITABLE, my_draft, typed_of
from flows.approval.employee import NewEmployee, read_employee, read_private_address
from flows.approval.facts import facts_of, hold_still
from flows.approval.people import Caller
from flows.approval.policy import Facts, Policy
from flows.approval.refusals import FormProblems
from flows.approval.stages import asked_first, lay_out, of_version, open_next
from flows.approval.states import move
from flows.model import ActivationContact, OnboardingRequest, Outbox, RequestState, Stage
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
    hold_still(session, request)
    employee, address = _read(session, request)
    before = of_version(session, request) if request.state is RequestState.RETURNED else None
    carried = renew.approved_before(session, request, before or [])
    plan = colleague.plant(session, request, employee) if before is None else colleague.correct(session, request, employee)
    policy, facts = _fix(session, request, employee, plan, by, address)
    fixed = renew.fingerprint(request)
    first = request.submitted_at or func.clock_timestamp()
    move(session, request, RequestState.WAITING_APPROVAL, by.actor, fixed, number=request.number, submitted_at=first)
    session.add(Outbox(topic="wait" if before else "create", request_id=request.id))
    rules = policy.stages("employee", facts)
    lay_out(session, request, rules, facts, carried=carried, days_left=_days_left(session, before or []))
    if before is None and policy.standard_hires.allows(facts):  # what a person returned goes back to people
        standard.approve(session, request, policy.standard_hires, by)
    elif not open_next(session, request, by.actor):
        verdicts.approved(session, request, by.actor)
    return request


def _days_left(session: Session, before: list[Stage]) -> dict[str, int]:
    """What was left of their time to those who were asked when it was returned: the clock stood still while the applicant had it.

    A step opens when the one before it has ended, so a stage that was closed and is of no later step than the returned one was open.
    """
    step = max((stage.step for stage in before if stage.state == "returned"), default=0)
    asked = [stage for stage in before if stage.state in ("returned", "closed") and stage.step <= step]
    return {asked_first(stage): due.days_left(session, stage.ended_at, stage.due_at) for stage in asked if stage.ended_at}


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


def _fix(session: Session, request: OnboardingRequest, employee: NewEmployee, plan: Plan, by: Caller, address: str) -> tuple[Policy, Facts]:
    contact = session.get_one(ActivationContact, request.id)
    salt = contact.salt or secrets.token_hex(16)  # the same for all versions, so that a decider sees whether the address changed
    contact.address, contact.salt = address, salt
    # the content names the private address by a keyed hash only, so a decision is about one address without showing it
    mark = hmac.new(salt.encode(), address.lower().encode(), "sha256").hexdigest()
    number = request.number or session.scalar(select(func.next_number("P")))
    policy, digest = policies.active(session)
    facts = facts_of(session, request, employee)
    # version and plan in one statement: the database lets a plan change with the version only
    request.version += request.state is RequestState.RETURNED
    request.number, request.content = number, employee.as_json() | {"private_address_mark": mark}
    request.beneficiary_id, request.start_day = plan.account.person, employee.start
    request.plan, request.plan_hash = plan.as_json(), plan.hash
    request.facts, request.policy_hash = facts.as_json(), digest
    session.flush()
    renew.keep_version(session, request, by)
    return policy, facts
