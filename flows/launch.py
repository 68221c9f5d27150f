"""Outbox to Prefect: what was decided in our database becomes a run that is created, released or cancelled.

Every topic may be handled twice: a dispatcher that dies after the call and before its commit does it again.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from flows.approval.again import do_again
from flows.approval.course import LINK
from flows.connectors import registry
from flows.connectors.base import Gone
from flows.model import Lease, OnboardingRequest, Outbox, RequestKind, Stage
from flows.settings import load

FLOWS = {RequestKind.EMPLOYEE: "onboard-employee"}


def handle(session: Session, row: Outbox) -> None:
    """Does what the row says. Raises a ConnectorError when Prefect cannot be asked now."""
    request = session.get_one(OnboardingRequest, row.request_id)
    TOPICS[row.topic](session, request, row.payload)


def _create(session: Session, request: OnboardingRequest, payload: dict[str, Any]) -> None:
    waiting = select(Stage.group_name).where(Stage.request_id == request.id, Stage.state == "open", ~Stage.opinion).order_by(Stage.position)
    groups = payload.get("waiting_for") or ", ".join(session.scalars(waiting)) or "nobody"
    request.run_id = (
        registry.runs().create(request.id, request.generation, FLOWS[RequestKind(request.kind)], request.number or "", str(groups)).run
    )


def _wait(session: Session, request: OnboardingRequest, payload: dict[str, Any]) -> None:
    """The same run, waiting for somebody else."""
    _create(session, request, payload)


def _release(session: Session, request: OnboardingRequest, payload: dict[str, Any]) -> None:
    """A run that Prefect has lost is created anew under the next generation."""
    lost = bool(payload.get("lost")) or _abandoned(session, request)
    try:
        registry.runs().release(request.id, request.generation, again=bool(payload.get("again")), lost=lost)
    except Gone:
        request.generation += 1
        _create(session, request, payload)
        registry.runs().release(request.id, request.generation, again=True)


def _abandoned(session: Session, request: OnboardingRequest) -> bool:
    """Whether a run that Prefect believes to be alive has no worker: its lease ended so long ago that it cannot be just ending."""
    lease = session.get(Lease, request.id)
    long_ago = datetime.now(UTC) - timedelta(seconds=load().provisioning.lease_seconds)
    return lease is not None and lease.expires_at < long_ago


def _cancel(_session: Session, request: OnboardingRequest, payload: dict[str, Any]) -> None:
    try:
        registry.runs().cancel(request.id, request.generation, payload["reason"])
    except Gone:
        return  # nothing is left to cancel


def _activate(session: Session, request: OnboardingRequest, _payload: dict[str, Any]) -> None:
    """A new link was asked for: only that step is done again."""
    do_again(session, request.id, [LINK])
    _release(session, request, {"again": True})


TOPICS: dict[str, Callable[[Session, OnboardingRequest, dict[str, Any]], None]] = {
    "create": _create,
    "wait": _wait,
    "release": _release,
    "cancel": _cancel,
    "activate": _activate,
}
