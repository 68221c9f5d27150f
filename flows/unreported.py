"""Runs whose end Prefect never heard of: it was away for longer than its client is patient, or the worker died between our commit and it.

Our database knows the end; in Prefect the run would be at work for ever (measured). It is released once more: the ledger answers every
step without a call, and this time the end is reported.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import exists, func, or_, select

from flows.connectors import registry
from flows.connectors.base import Unavailable
from flows.model import Lease, OnboardingRequest, Outbox, RequestState
from flows.model.session import transaction
from flows.settings import load

log = structlog.get_logger()
LOOKED_BACK = timedelta(days=1)
AT_WORK = frozenset({"Running", "Pending"})


def report() -> None:
    """Asks Prefect once about every run that ended a while ago; one question per end as long as this dispatcher lives."""
    for request, epoch, generation in _ended():
        if _asked.get(request) == epoch:
            continue
        try:
            seen = registry.runs().observe(request, generation)
        except Unavailable:
            return  # Prefect is still away: asked again with the next look
        if seen and seen.state in AT_WORK:
            log.warning("Prefect has not heard of the end of a run", number=seen.name)
            with transaction() as session:
                session.add(Outbox(topic="release", request_id=request, payload={"again": True, "lost": True}))
        _asked[request] = epoch


def _ended() -> Sequence[tuple[UUID, int, int]]:
    """(request, epoch, generation) of done requests without a worker for so long that their run cannot be just ending."""
    silent = func.clock_timestamp() - timedelta(seconds=load().provisioning.lease_seconds)
    recently = func.clock_timestamp() - LOOKED_BACK
    # released just now: a worker is about to take it
    busy = exists().where(Outbox.request_id == OnboardingRequest.id, or_(Outbox.done_at.is_(None), Outbox.done_at > silent))
    ended = (
        select(OnboardingRequest.id, Lease.epoch, OnboardingRequest.generation)
        .join(Lease, Lease.request_id == OnboardingRequest.id)
        .where(OnboardingRequest.state == RequestState.DONE, Lease.expires_at < silent, Lease.expires_at > recently, ~busy)
    )
    with transaction() as session:
        return [(row[0], row[1], row[2]) for row in session.execute(ended)]


_asked: dict[UUID, int] = {}  # of this dispatcher; another one that asks too does no harm
