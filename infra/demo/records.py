"""What our own database and the servers remember of the first employee: steps with their seconds, proofs, and what was written where.

Read as the operator. The pages show the same to the director and to IT; here it is counted.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flows.approval.operator import PROOFS
from flows.connectors import registry
from flows.model import ActivationContact, Attempt, Decision, Effect, Lease, OnboardingRequest, Outbox, RequestState
from flows.model.session import transaction
from infra.servers import postgres
from infra.servers.realm import administrator
from infra.state import State

MAIL_TABLES = {"domain": "name", "mailbox": "address", "alias": "source || ' ' || target", "activation": "address"}
MOST_EVENTS = 500


@dataclass(frozen=True)
class Ledger:
    """The ledger of one request. `seconds`: of every step, and from the decision on."""

    state: str
    held: Mapping[str, dict[str, Any]]
    seconds: Mapping[str, float]

    def fact(self, effect: str, name: str) -> Any:
        return self.held[effect]["facts"].get(name)


def ledger(number: str) -> Ledger:
    with transaction() as session:
        request = _request(session, number)
        effects = session.scalars(select(Effect).where(Effect.request_id == request.id).order_by(Effect.started_at)).all()
        held = {effect.name: {"id": effect.remote_id, "created": effect.created_remotely, "facts": effect.facts} for effect in effects}
        return Ledger(request.state.value, held, _seconds(session, request))


def _seconds(session: Session, request: OnboardingRequest) -> dict[str, float]:
    tries = select(Effect.name, Attempt.started_at, Attempt.finished_at).join(Attempt.effect).where(Effect.request_id == request.id)
    seconds: dict[str, float] = {}
    rows = session.execute(tries.order_by(Attempt.started_at)).all()
    for name, began, ended in rows:
        seconds[name] = round(seconds.get(name, 0) + (ended - began).total_seconds(), 3)
    decided = session.scalar(select(func.max(Decision.at)).where(Decision.request_id == request.id))
    remote = next((began for name, began, _ in rows if not name.startswith("portal.")), None)
    if decided and remote and remote > decided:
        seconds["decision to first remote effect"] = _between(decided, remote)
    if decided and request.done_at:
        seconds["decision to done"] = _between(decided, request.done_at)
    return seconds


def _between(earlier: datetime, later: datetime) -> float:
    return round((later - earlier).total_seconds(), 3)


def filed(requester: UUID, personal_number: str) -> str | None:
    """The number of a request that an earlier start filed and had no time to remember."""
    with transaction() as session:
        mine = select(OnboardingRequest.number).where(
            OnboardingRequest.requester_id == requester,
            OnboardingRequest.number.is_not(None),
            OnboardingRequest.content["personal_number"].astext == personal_number,
            OnboardingRequest.state.not_in((RequestState.REFUSED, RequestState.WITHDRAWN, RequestState.EXPIRED, RequestState.CANCELLED)),
        )
        return session.scalar(mine)


def person_of(number: str) -> UUID:
    with transaction() as session:
        return _request(session, number).beneficiary_id or UUID(int=0)


def activation_state(number: str) -> str:
    with transaction() as session:
        return session.get_one(ActivationContact, _request(session, number).id).state.value


def letters_redirected(state: State, address: str) -> bool:
    """Whether a letter of Keycloak to this address would still go to a private one."""
    with psycopg.connect(postgres.dsn(state, "postgres", "mail")) as db:
        return db.execute("SELECT 1 FROM activation WHERE address = %s", (address,)).fetchone() is not None


def at_rest(number: str) -> int | None:
    """The epoch of the last run when nothing is under way and nothing waits to be released; else None."""
    with transaction() as session:
        request = _request(session, number)
        open_rows = select(func.count()).where(Outbox.request_id == request.id, Outbox.done_at.is_(None))
        lease = session.scalars(select(Lease).where(Lease.request_id == request.id, Lease.expires_at <= func.clock_timestamp())).first()
        return lease.epoch if lease and not session.scalar(open_rows) else None


def empty_ledger(number: str) -> None:
    """Forgets everything that this request has made, as after the loss of the table: only the servers know it now."""
    with transaction() as session:
        for effect in session.scalars(select(Effect).where(Effect.request_id == _request(session, number).id)).all():
            session.delete(effect)


def adopted(number: str) -> tuple[dict[str, int], list[str]]:
    """(how many effects were found again, by system; those that were made anew). Proofs are traffic, not things."""
    things = {name: each for name, each in ledger(number).held.items() if name not in PROOFS}
    found = Counter(name.split(".", 1)[0] for name, each in things.items() if not each["created"])
    return dict(found), [name for name, each in things.items() if each["created"]]


def _request(session: Session, number: str) -> OnboardingRequest:
    return session.scalars(select(OnboardingRequest).where(OnboardingRequest.number == number)).one()


@dataclass(frozen=True)
class Written:
    """What stands at the servers at one moment, so that two moments can be compared."""

    admin_events: int
    mail_rows: frozenset[tuple[str, str, str]]
    snapshots: int

    def since(self, earlier: "Written") -> dict[str, int]:
        """Writes between two moments: admin events of the worker, row versions of the mail tables, snapshots of the mailbox."""
        return {
            "keycloak": self.admin_events - earlier.admin_events,
            "mail": len(self.mail_rows ^ earlier.mail_rows),
            "backup": self.snapshots - earlier.snapshots,
        }


def written(state: State, person: UUID) -> Written:
    """Counted at the servers themselves: Keycloak's record of administration, the versions of PostgreSQL's rows, the repository."""
    backup = registry.backup().observe(person)
    return Written(_admin_events(state), _mail_rows(state), int(backup.facts["snapshots"] or 0) if backup else 0)


def _admin_events(state: State) -> int:
    with administrator(state) as keycloak:
        worker = keycloak.get("/clients", params={"clientId": "nastup-worker"}).raise_for_status().json()[0]["id"]
        account = keycloak.get(f"/clients/{worker}/service-account-user").raise_for_status().json()["id"]
        count, page = 0, None
        while page is None or len(page) == MOST_EVENTS:
            page = keycloak.get("/admin-events", params={"authUser": account, "first": count, "max": MOST_EVENTS}).raise_for_status().json()
            count += len(page)
        return count


def _mail_rows(state: State) -> frozenset[tuple[str, str, str]]:
    """(table, key, version). An update that changes nothing would still be a new version."""
    with psycopg.connect(postgres.dsn(state, "postgres", "mail")) as db:
        return frozenset(
            (table, *row) for table, key in MAIL_TABLES.items() for row in db.execute(f"SELECT {key}, xmin::text FROM {table}".encode())
        )
