"""What the operator of the installation does from the command line, outside the portal: first people, regional roles, a new proof.

The operator is whoever can read the state directory; the name of the system's user stands in the audit.
"""

import getpass
from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from flows.approval.audit import Actor, record
from flows.approval.people import Regional
from flows.approval.refusals import NoLongerOpen, NotFound
from flows.model import Effect, EffectState, OnboardingRequest, Outbox, RegionalRole, RequestState
from flows.model.session import transaction
from flows.sentence import say


def operator() -> Actor:
    return Actor(f"operator {getpass.getuser()}")


def grant(session: Session, person: UUID, roles: Iterable[Regional]) -> int:
    """Gives a person regional roles; one that is held already is left alone. Answers how many are new. Needs the role nastup_owner."""
    held = set(session.scalars(select(RegionalRole.role).where(RegionalRole.person_id == person)))
    new = [role for role in roles if role.value not in held]
    for role in new:
        session.add(RegionalRole(person_id=person, role=role.value, granted_by=operator().name))
        record(session, operator(), "role.granted", None, {"person": str(person), "role": role.value})
    return len(new)


def prove_again(number: str) -> str:
    """Forgets the proofs (not the things) of a done request and runs it again. Answers its number."""
    with transaction() as session:
        request = session.scalars(select(OnboardingRequest).where(OnboardingRequest.number == number).with_for_update()).one_or_none()
        if request is None:
            raise NotFound
        if request.state is not RequestState.DONE:
            raise NoLongerOpen(say("Only a request that is done can be proved again."))
        proofs = update(Effect).where(Effect.request_id == request.id, Effect.name.in_(PROOFS), Effect.state.in_(("proved", "held")))
        session.execute(proofs.values(state=EffectState.INTENT))
        session.add(Outbox(topic="release", request_id=request.id, payload={"again": True}))
        record(session, operator(), "request.prove_again", request.id, {})
        return number


PROOFS = ("mail.message comes back", "backup.message is restored", "mail.remove proof message")
