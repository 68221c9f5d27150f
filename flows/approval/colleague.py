"""The rows of a future colleague: a new human, their employment, and the names kept for them. Races are decided by the database."""

from collections.abc import Callable
from uuid import UUID, uuid4

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from flows.approval.employee import NewEmployee
from flows.approval.names import Proposal, plain_name, propose
from flows.approval.refusals import FormProblems
from flows.model import Employment, OnboardingRequest, Person, ReservedName
from flows.plan import Hire, Plan, World, plan_for_employee
from flows.sentence import say

NUMBER_TAKEN = say(
    "Somebody with this personal number already works in your organisation. Check the number, or look for the person among the employees."
)


def number_of(request: OnboardingRequest, employee: NewEmployee) -> tuple[UUID, str, UUID | None]:
    """What the database is asked about a personal number: where, which, and whose does not count."""
    return request.organisation_id, employee.personal_number, request.beneficiary_id


def plant(session: Session, request: OnboardingRequest, employee: NewEmployee) -> Plan:
    """A new human, never an existing one recognised by a name. Answers the plan with the first free names."""
    person = uuid4()
    names = _first_free(session, request, employee, lambda names: _plant(session, request.organisation_id, employee, person, names))
    return _plan(request, employee, person, names)


def correct(session: Session, request: OnboardingRequest, employee: NewEmployee) -> Plan:
    """The same human with corrected answers. The names stay unless the name itself changed."""
    before = Plan.from_json(request.plan or {})
    person, names = before.account.person, Proposal(before.account.user_name, before.account.email)
    was, now = before.account, employee
    if plain_name(was.given_name, was.family_name) != plain_name(now.given_name, now.family_name):
        session.execute(delete(ReservedName).where(ReservedName.person_id == person))
        names = _first_free(session, request, employee, lambda names: _keep_names(session, person, names))
    _rewrite(session, request, employee, person, names)
    return _plan(request, employee, person, names)


def rename(session: Session, request: OnboardingRequest, employee: NewEmployee) -> Plan:
    """The same human under the first names that are free now, because those of the plan are somebody else's. The old ones are given up."""
    person = Plan.from_json(request.plan or {}).account.person
    session.execute(delete(ReservedName).where(ReservedName.person_id == person))
    names = _first_free(session, request, employee, lambda names: _keep_names(session, person, names))
    session.get_one(Person, person).email = names.address
    session.flush()
    return _plan(request, employee, person, names)


def _first_free(session: Session, request: OnboardingRequest, employee: NewEmployee, take: Callable[[Proposal], None]) -> Proposal:
    """The loser of a race for a name takes the next one."""
    while True:
        names = propose(session, employee.given_name, employee.family_name, request.organisation.domain)
        try:
            with session.begin_nested():
                take(names)
        except IntegrityError as race:
            if "reserved_name" not in str(race.orig):
                raise _number_taken(race) from race
        else:
            return names


def _plant(session: Session, organisation: UUID, employee: NewEmployee, person: UUID, names: Proposal) -> None:
    """In the order in which row-level security lets the rows be seen."""
    session.execute(insert(Person).values(id=person, **_who(employee, names)).inline())
    session.add(Employment(person_id=person, organisation_id=organisation, **_job(employee)))
    session.flush()
    _keep_names(session, person, names)


def _keep_names(session: Session, person: UUID, names: Proposal) -> None:
    kept = (("user_name", names.user_name), ("address", names.address))
    session.add_all(ReservedName(kind=kind, name=name, person_id=person) for kind, name in kept)
    session.flush()


def _rewrite(session: Session, request: OnboardingRequest, employee: NewEmployee, person: UUID, names: Proposal) -> None:
    found = select(Employment).where(Employment.person_id == person, Employment.organisation_id == request.organisation_id)
    employment = session.scalars(found.where(Employment.state == "planned")).one()
    try:
        with session.begin_nested():
            for row, values in ((session.get_one(Person, person), _who(employee, names)), (employment, _job(employee))):
                for name, value in values.items():
                    setattr(row, name, value)
    except IntegrityError as race:
        raise _number_taken(race) from race


def _who(employee: NewEmployee, names: Proposal) -> dict[str, object]:
    titles = {"title_before": employee.title_before, "title_after": employee.title_after}
    return {"given_name": employee.given_name, "family_name": employee.family_name, "email": names.address, **titles}


def _job(employee: NewEmployee) -> dict[str, object]:
    words = {name: getattr(employee, name) for name in ("personal_number", "contract", "position", "manager")}
    return {**words, "starts": employee.start, "ends": employee.end}


def _number_taken(race: IntegrityError) -> Exception:
    """Somebody filed the same number a moment ago; anything else is not ours to explain."""
    return FormProblems({"personal_number": NUMBER_TAKEN}) if "personal_number" in str(race.orig) else race


def _plan(request: OnboardingRequest, employee: NewEmployee, person: UUID, names: Proposal) -> Plan:
    where = request.organisation
    world = World(where.id, where.slug, where.domain, person, names.user_name, names.address)
    return plan_for_employee(Hire(employee.given_name, employee.family_name, employee.quota_gb, employee.start, employee.end), world)
