"""The outbox: one deed after another, in order for each request, later again when the outside does not answer."""

from datetime import timedelta

import structlog
from sqlalchemy import Select, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, aliased

from flows import launch
from flows.connectors.base import ConnectorError
from flows.model import Outbox
from flows.model.session import transaction
from flows.provisioning.crash import crash_point

log = structlog.get_logger()
LONGEST_PAUSE = timedelta(minutes=1)


def work() -> bool:
    """Does the next deed that is due. Answers whether one was done."""
    with transaction() as session:
        row = session.scalars(_next()).first()
        if row is None:
            return False
        _do(session, row)
        return True


def _next() -> Select[Outbox]:
    """The oldest deed that is due and not another dispatcher's; a later deed of a request waits for its earlier ones."""
    earlier = aliased(Outbox)
    before = select(earlier.id).where(
        earlier.request_id == Outbox.request_id, earlier.done_at.is_(None), earlier.position < Outbox.position
    )
    due = select(Outbox).where(Outbox.done_at.is_(None), Outbox.not_before <= func.clock_timestamp(), ~before.exists())
    return due.order_by(Outbox.not_before, Outbox.position).limit(1).with_for_update(skip_locked=True)


def _do(session: Session, row: Outbox) -> None:
    try:
        with session.begin_nested():
            launch.handle(session, row)
        crash_point(f"outbox.{row.topic}:after_call")
        row.done_at, row.last_error = func.clock_timestamp(), None  # pyright: ignore[reportAttributeAccessIssue]
    except OperationalError:
        raise
    except Exception as fault:  # also a mistake of ours: it holds back this request and no other
        said = fault.detail or fault.sentence if isinstance(fault, ConnectorError) else "our mistake"
        row.tries, row.last_error = row.tries + 1, f"{type(fault).__name__}: {said}"
        pause = min(timedelta(seconds=2 ** min(row.tries, 6)), LONGEST_PAUSE)
        row.not_before = func.clock_timestamp() + pause  # pyright: ignore[reportAttributeAccessIssue]
        named = {"topic": row.topic, "request": str(row.request_id), "tries": row.tries, "fault": type(fault).__name__}
        log.warning("deed put off", **named, exc_info=not isinstance(fault, ConnectorError))
