"""What must happen although nobody asks: work that lost its worker, decisions that wait, activations that go on without us, drafts left."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import and_, delete, exists, func, or_, select

from flows import activations, unreported
from flows.approval import heads, reminding
from flows.approval.audit import Actor, record
from flows.approval.course import LINK
from flows.approval.states import move
from flows.model import (
    ActivationContact,
    ActivationState,
    Effect,
    EffectState,
    Lease,
    LogoutToken,
    Lookup,
    OnboardingRequest,
    Outbox,
    RequestState,
)
from flows.model.session import snapshot, transaction
from flows.settings import load
from flows.words import PRAGUE

log = structlog.get_logger()
UPKEEP = Actor("upkeep")
DRAFT_LIVES, ANSWER_LIVES, TOKEN_LIVES = timedelta(days=30), timedelta(days=7), timedelta(days=1)


def take_over() -> None:
    """A request whose worker is silent goes back to Prefect: the ledger knows what is done. Nothing in Prefect does this (measured)."""
    silent = func.clock_timestamp() - timedelta(seconds=load().provisioning.lease_seconds)
    waiting = exists().where(Outbox.request_id == OnboardingRequest.id, Outbox.done_at.is_(None))
    told = exists().where(Outbox.request_id == OnboardingRequest.id, Outbox.topic.in_(("release", "activate")), Outbox.done_at > silent)
    forgotten = OnboardingRequest.state.in_((RequestState.WAITING_RETRY, RequestState.PREPARED))
    given_up = exists().where(Effect.request_id == OnboardingRequest.id, Effect.name == LINK, Effect.state == EffectState.FAILED)
    asked = exists().where(ActivationContact.request_id == OnboardingRequest.id, ActivationContact.state == ActivationState.PENDING)
    # the state of a done request does not say that its new link is still to be sent
    unsent = and_(OnboardingRequest.state == RequestState.DONE, asked, ~given_up)
    lost = (
        select(OnboardingRequest)
        .outerjoin(Lease, Lease.request_id == OnboardingRequest.id)
        .where(
            or_(
                OnboardingRequest.state.in_((RequestState.RUNNING, RequestState.APPROVED)),
                and_(forgotten, func.coalesce(OnboardingRequest.next_try, OnboardingRequest.changed_at) < silent),
                unsent,
            ),
            or_(Lease.expires_at < func.clock_timestamp(), Lease.request_id.is_(None)),
            OnboardingRequest.changed_at < silent,
            ~waiting,
            ~told,
        )
        .limit(100)
        .with_for_update(of=OnboardingRequest, skip_locked=True)
    )
    with transaction() as session:
        for request in session.scalars(lost).all():
            log.warning("taken over from a silent worker", number=request.number)
            session.add(Outbox(topic="release", request_id=request.id, payload={"again": True, "lost": True}))


def expire_drafts() -> None:
    """A draft that nobody touched for a month goes, and with it (the database sees to that) the private address."""
    old = OnboardingRequest.changed_at < func.clock_timestamp() - DRAFT_LIVES
    with transaction() as session:
        left = select(OnboardingRequest).where(OnboardingRequest.state == RequestState.DRAFT, old).limit(100)
        for draft in session.scalars(left.with_for_update(skip_locked=True)).all():
            move(session, draft, RequestState.EXPIRED, UPKEEP)


def watch_stages() -> None:
    """Reminds, escalates, raises or lowers the alarm; every request by itself, so one that cannot be done does not hold back the others."""
    now = datetime.now(PRAGUE)
    with transaction() as session:
        waiting = reminding.to_look_after(session, now)
    for request in waiting:
        try:
            with transaction() as session:
                reminding.look_after(session, request, now)
        except Exception:
            log.exception("stage not looked after", request=str(request))


def write_digests() -> None:
    """The letter of the morning; whether it is time is decided there."""
    with transaction() as session:
        if written := reminding.write_digests(session, datetime.now(PRAGUE)):
            log.info("digests written", letters=written)


def sweep() -> None:
    """Answers that a page asked for a week ago, and log-out tokens that have long expired."""
    with transaction() as session:
        session.execute(delete(Lookup).where(Lookup.asked_at < func.clock_timestamp() - ANSWER_LIVES))
        session.execute(delete(LogoutToken).where(LogoutToken.seen_at < func.clock_timestamp() - TOKEN_LIVES))


def write_head() -> None:
    """The end of the audit chain goes outside the database every day, after what came since the last time was computed once more.

    A chain that is broken gets no head, but a record that says so: the auditor's page shows it. `audit verify` reads all of it.
    """
    if not (place := load().audit.heads):
        return
    before = heads.read(place)
    with snapshot() as session:
        found = heads.since(session, before[-1] if before else None)
    head = heads.Head(datetime.now(UTC), found.position, found.hash)
    with transaction() as session:
        if found.broken:
            log.error("the audit chain is broken", what=found.broken)
            record(session, UPKEEP, "audit.broken", None, {"position": found.at_position})
        else:
            heads.append(place, head)
            record(session, UPKEEP, "audit.head_written", None, {"position": head.position, "hash": head.hash})


@dataclass
class Chore:
    """Something done every so often by the dispatcher's own clock; an error of one does not hold back the others."""

    do: Callable[[], None]
    every: float
    last: float = field(default=float("-inf"))


CHORES = [
    Chore(take_over, 5),
    Chore(activations.follow, 5),
    Chore(activations.read_bounces, 15),
    Chore(unreported.report, 30),
    Chore(watch_stages, 60),
    Chore(write_digests, 60),
    Chore(expire_drafts, 3600),
    Chore(sweep, 3600),
    Chore(write_head, 86400),
]


def work() -> bool:
    """Does the chores that are due. Always False: the next look is after the pause."""
    for chore in CHORES:
        if time.monotonic() - chore.last >= chore.every:
            chore.last = time.monotonic()
            try:
                chore.do()
            except Exception:
                log.exception("chore failed", chore=chore.do.__name__)
    return False
