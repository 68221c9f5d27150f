"""The work on one request: its approved plan, and the lease that says it is ours.

The lease carries an epoch that rises with every new holder. Every write of the ledger is made under `fenced`, so a worker that was
believed dead and wakes up again is refused, here and by the database.
"""

import os
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from flows.approval.states import REPEATABLE
from flows.model import Decision, Lease, OnboardingRequest, RequestState
from flows.model.session import transaction
from flows.plan import Plan
from flows.settings import load
from flows.words import PRAGUE

log = structlog.get_logger()


class NotApproved(Exception):
    """The request is not approved (any more), or its plan is not the approved one: nothing may be done."""


class LostLease(Exception):
    """Somebody else works on the request now: stop without a word."""


class CancelAsked(Exception):
    """Somebody asked to stop; no effect is cut in the middle."""


class StartDayAhead(Exception):
    """Everything is prepared; the rest waits for the first day of work."""


@dataclass(frozen=True)
class Work:
    request: UUID
    number: str
    plan: Plan
    epoch: int

    @contextmanager
    def fenced(self) -> Generator[Session]:
        """A transaction in which the lease is certainly ours. Raises LostLease."""
        with transaction() as session:
            self._hold_lease(session)
            yield session

    @contextmanager
    def moving(self) -> Generator[tuple[Session, OnboardingRequest]]:
        """Like `fenced`, for whoever changes the request: its row is locked before the lease, as `take` does, or the two could deadlock."""
        with transaction() as session:
            request = session.get_one(OnboardingRequest, self.request, with_for_update=True)
            self._hold_lease(session)
            yield session, request

    def _hold_lease(self, session: Session) -> None:
        mine = select(Lease.epoch).where(Lease.request_id == self.request).with_for_update(read=True)
        if session.scalar(mine) != self.epoch:
            raise LostLease

    def go_on(self) -> None:
        """Asked between two effects. Raises CancelAsked, NotApproved or LostLease."""
        with self.fenced() as session:
            request = session.get_one(OnboardingRequest, self.request)
            if request.cancel_asked:
                raise CancelAsked
            if request.state not in (RequestState.RUNNING, RequestState.DONE) or request.plan_hash != self.plan.hash:
                raise NotApproved

    @property
    def started(self) -> bool:
        """The first day of work is here, in Prague."""
        return self.plan.start <= today()

    def wait_for_start_day(self) -> None:
        """Ends the run here when the first day of work is ahead."""
        if not self.started:
            raise StartDayAhead


def today() -> date:
    return datetime.now(PRAGUE).date()


@contextmanager
def take(request_id: UUID) -> Generator[Work]:
    """The lease on an approved request for as long as the block lasts.

    Raises NotApproved, or LostLease when it is held by a living worker.
    """
    with transaction() as session:
        # FOR NO KEY UPDATE: a new row of the ledger, written under the lease, looks for its request and must not wait for us
        request = session.get(OnboardingRequest, request_id, with_for_update={"key_share": True})
        if request is None or request.state not in REPEATABLE or not request.plan or not request.number:
            raise NotApproved
        plan = Plan.from_json(request.plan)
        if plan.hash != request.plan_hash or not _was_approved(session, request):
            raise NotApproved
        work = Work(request_id, request.number, plan, _lease(session, request_id))
    stop = threading.Event()
    heart = threading.Thread(target=_beat, args=(work, stop), name=f"lease {work.number}", daemon=True)
    heart.start()
    try:
        yield work
    finally:
        stop.set()
        heart.join()  # a beat that is under way would renew what is given back
        _give_back(work)


def _was_approved(session: Session, request: OnboardingRequest) -> bool:
    """Whether a decision about this very plan stands in the ledger of decisions, whatever the state of the request says."""
    carried = (Decision.request_id == request.id, Decision.verdict == "approve", Decision.plan_hash == request.plan_hash)
    return session.scalar(select(Decision.id).where(*carried).limit(1)) is not None


def _lease(session: Session, request: UUID) -> int:
    expires = func.clock_timestamp() + timedelta(seconds=load().provisioning.lease_seconds)
    holder = f"{socket.gethostname()}:{os.getpid()}"
    fresh = insert(Lease).values(request_id=request, holder=holder, epoch=1, expires_at=expires)
    taken = fresh.on_conflict_do_update(
        index_elements=[Lease.request_id],
        set_={"holder": holder, "epoch": Lease.epoch + 1, "expires_at": expires},
        where=Lease.expires_at < func.clock_timestamp(),
    )
    epoch = session.scalar(taken.returning(Lease.epoch))
    if epoch is None:
        raise LostLease
    return epoch


def _beat(work: Work, stop: threading.Event) -> None:
    """Keeps the lease alive. A database that is away for a moment is no reason to give up: the fence decides."""
    length = load().provisioning.lease_seconds
    while not stop.wait(length / 3):
        try:
            with transaction() as session:
                expires = func.clock_timestamp() + timedelta(seconds=length)
                session.execute(update(Lease).where(Lease.request_id == work.request, Lease.epoch == work.epoch).values(expires_at=expires))
        except SQLAlchemyError as fault:
            log.warning("lease not renewed", number=work.number, fault=type(fault).__name__)


def _give_back(work: Work) -> None:
    try:
        with transaction() as session:
            mine = (Lease.request_id == work.request, Lease.epoch == work.epoch)
            session.execute(update(Lease).where(*mine).values(expires_at=func.clock_timestamp()))
    except SQLAlchemyError as fault:  # it expires by itself
        log.warning("lease not given back", number=work.number, fault=type(fault).__name__)
