"""What the operator of the installation does from the command line, outside the portal: first people, regional roles, a new proof.

The operator is whoever can read the state directory; the name of the system's user stands in the audit.
"""

import getpass
from collections.abc import Iterable
from datetime import date
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from flows.approval.again import do_again
from flows.approval.audit import Actor, record
from flows.approval.people import Regional
from flows.approval.refusals import NoLongerOpen, NotFound
from flows.model import OnboardingRequest, Outbox, RegionalRole, RequestState
from flows.model.session import transaction
from flows.sentence import say


def operator() -> Actor:
    return Actor(f"operator {getpass.getuser()}")


def grant(session: Session, person: UUID, roles: Iterable[Regional], until: date | None = None, *, head: bool = False) -> int:
    """Gives a person regional roles; one that is held already is left alone. Answers how many are new. Needs the role nastup_owner.

    `head`: of these groups, so the person is told when a due time has passed by a day. Others who were that before stay it.
    """
    living = or_(RegionalRole.valid_until.is_(None), RegionalRole.valid_until >= func.today())
    held = set(session.scalars(select(RegionalRole.role).where(RegionalRole.person_id == person, living)))
    roles = list(roles)
    new = [role for role in roles if role.value not in held]
    for role in new:
        session.add(RegionalRole(person_id=person, role=role.value, valid_until=until, granted_by=operator().name))
        record(session, operator(), "role.granted", None, {"person": str(person), "role": role.value})
    if head:
        _head(session, person, [role.value for role in roles])
    return len(new)


def _head(session: Session, person: UUID, roles: list[str]) -> None:
    session.flush()
    mine = select(RegionalRole).where(RegionalRole.person_id == person, RegionalRole.role.in_(roles), ~RegionalRole.head)
    for row in session.scalars(mine).all():
        row.head = True
        record(session, operator(), "role.head", None, {"person": str(person), "role": row.role})


def run_again(number: str) -> str:
    """Lets the flow of a done request run once more: what the ledger holds is not done again. Answers its number."""
    with transaction() as session:
        _release(session, _done(session, number), "request.run_again")
        return number


def prove_again(number: str) -> str:
    """Forgets the proofs (not the things) of a done request and runs it again. Answers its number."""
    with transaction() as session:
        request = _done(session, number)
        do_again(session, request.id, PROOFS)
        _release(session, request, "request.prove_again")
        return number


def _done(session: Session, number: str) -> OnboardingRequest:
    request = session.scalars(select(OnboardingRequest).where(OnboardingRequest.number == number).with_for_update()).one_or_none()
    if request is None:
        raise NotFound
    if request.state is not RequestState.DONE:
        raise NoLongerOpen(say("Only a request that is done can be run again."))
    return request


def _release(session: Session, request: OnboardingRequest, deed: str) -> None:
    session.add(Outbox(topic="release", request_id=request.id, payload={"again": True}))
    record(session, operator(), deed, request.id, {})


PROOFS = ("mail.message comes back", "backup.message is restored", "mail.remove proof message")
