"""From a draft to a request that waits for its first decision: read, names reserved, plan made, stages opened, in one transaction."""

import hmac
import secrets
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flows.approval import names, policy
from flows.approval.drafts import my_draft
from flows.approval.employee import NewEmployee, read_employee, read_private_address
from flows.approval.names import Proposal
from flows.approval.people import Caller
from flows.approval.post import write_to_group
from flows.approval.refusals import FormProblems
from flows.approval.states import move
from flows.model import (
    ActivationContact,
    Employment,
    OnboardingRequest,
    Outbox,
    Person,
    RequestKind,
    RequestState,
    RequestVersion,
    ReservedName,
    Stage,
)
from flows.plan import Hire, Plan, World, plan_for_employee
from flows.sentence import Sentence, say
from flows.settings import load
from flows.words import PRAGUE


def submit(session: Session, by: Caller, draft: UUID) -> OnboardingRequest:
    """Submits a draft; the second time (double click, repeat after a time-out) answers the same request.

    Raises FormProblems with a sentence per field, NotFound for a stranger.
    """
    request = my_draft(session, by, draft)
    if request.state is not RequestState.DRAFT:
        return request
    employee, address = _read(session, request)
    plan = _reserve(session, request, employee)
    _fix(session, request, employee, plan, by, address)
    move(session, request, RequestState.WAITING_APPROVAL, by.actor, number=request.number, submitted_at=func.clock_timestamp())
    _open_stages(session, request)
    session.add(Outbox(topic="create", request_id=request.id))
    session.flush()
    return request


def _read(session: Session, request: OnboardingRequest) -> tuple[NewEmployee, str]:
    typed: dict[str, str] = request.content.get("typed", {})
    employee, problems = read_employee(typed, datetime.now(PRAGUE).date(), load().provisioning.mailbox_gb_maximum)
    contact = session.get(ActivationContact, request.id)
    address, problem = read_private_address(
        contact.address or "" if contact else "", names.our_domains(session, request.organisation.domain)
    )
    if problem:
        problems["private_email"] = problem
    if employee and session.scalar(select(func.personal_number_taken(request.organisation_id, employee.personal_number))):
        problems["personal_number"] = _number_taken()
    if problems or employee is None or address is None:
        raise FormProblems(problems)
    return employee, address


def _number_taken() -> Sentence:
    return say(
        "Somebody with this personal number already works in your organisation. "
        "Check the number, or look for the person among the employees."
    )


def _reserve(session: Session, request: OnboardingRequest, employee: NewEmployee) -> Plan:
    """A new human, their employment, and the first free name. Races are decided by the database; the loser of a name takes the next one."""
    organisation, person = request.organisation, uuid4()
    while True:
        proposal = names.propose(session, employee.given_name, employee.family_name, organisation.domain)
        try:
            with session.begin_nested():
                _plant(session, organisation.id, employee, person, proposal)
        except IntegrityError as race:
            if "personal_number" in str(race.orig):  # somebody filed the same number a moment ago
                raise FormProblems({"personal_number": _number_taken()}) from race
            if "reserved_name" not in str(race.orig):
                raise
            continue
        world = World(organisation.id, organisation.slug, organisation.domain, person, proposal.user_name, proposal.address)
        return plan_for_employee(Hire(employee.given_name, employee.family_name, employee.quota_gb, employee.start, employee.end), world)


def _plant(session: Session, organisation: UUID, employee: NewEmployee, person: UUID, names: Proposal) -> None:
    """The rows of the future colleague, in the order in which row-level security lets them be seen.

    An existing human is recognised only by an explicit link made by the region's IT, never by a name.
    """
    titles = {"title_before": employee.title_before, "title_after": employee.title_after}
    name = {"given_name": employee.given_name, "family_name": employee.family_name, "email": names.address}
    session.execute(insert(Person).values(id=person, **name, **titles).inline())
    job = {
        "personal_number": employee.personal_number,
        "contract": employee.contract,
        "position": employee.position,
        "manager": employee.manager,
    }
    session.add(Employment(person_id=person, organisation_id=organisation, starts=employee.start, ends=employee.end, **job))
    session.flush()
    session.add_all(
        ReservedName(kind=kind, name=name, person_id=person) for kind, name in (("user_name", names.user_name), ("address", names.address))
    )


def _fix(session: Session, request: OnboardingRequest, employee: NewEmployee, plan: Plan, by: Caller, address: str) -> None:
    contact = session.get_one(ActivationContact, request.id)
    salt = secrets.token_hex(16)
    contact.address, contact.salt = address, salt
    # the content names the private address by a keyed hash only, so a decision is about one address without showing it
    mark = hmac.new(salt.encode(), address.lower().encode(), "sha256").hexdigest()
    request.content = employee.as_json() | {"private_address_mark": mark}
    request.beneficiary_id, request.start_day = plan.account.person, employee.start
    request.plan, request.plan_hash = plan.as_json(), plan.hash
    request.number = session.scalar(select(func.next_number("P")))
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
