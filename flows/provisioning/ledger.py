"""Reading and writing the rows of one step. Every write is fenced; an attempt is never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from flows.connectors.base import Held, System
from flows.model import Attempt, Effect, EffectState
from flows.provisioning.work import Work
from flows.sentence import Sentence

FINISHED = frozenset({EffectState.HELD, EffectState.PROVED, EffectState.BY_HAND})


@dataclass(frozen=True)
class Ending:
    """How one try ended, apart from a held effect."""

    state: EffectState
    outcome: str
    sentence: Sentence
    detail: str
    next_try: datetime | None = None
    owner: str | None = None


def finished(work: Work, name: str) -> Held | None:
    """What an earlier try already made: answered without a call."""
    with work.fenced() as session:
        row = _row(session, work, name)
        return held_in(row) if row and row.state in FINISHED else None


def held_in(row: Effect) -> Held:
    return Held(row.remote_id or "", row.created_remotely, row.facts)


def intend(work: Work, name: str, system: System, tries_at_most: int) -> tuple[int, datetime]:
    """Written and committed before the first byte leaves. Answers the number of this try and when it began."""
    with work.fenced() as session:
        row = _row(session, work, name)
        if row is None:
            row = Effect(request_id=work.request, name=name, system=system.value, epoch=work.epoch)
            session.add(row)
        if row.state is not EffectState.UNKNOWN:  # an unknown answer stays unknown until it is looked up
            row.state = EffectState.INTENT
        row.epoch, row.tries, row.next_try = work.epoch, (row.tries or 0) + 1, None
        row.tries_at_most = max(tries_at_most, row.tries)
        row.changed_at = func.clock_timestamp()
        session.flush()
        return row.tries, session.scalars(select(func.clock_timestamp())).one()


def hold(work: Work, name: str, n: int, began: datetime, held: Held, *, proved: bool) -> None:
    with work.fenced() as session:
        row = _there(session, work, name)
        values: dict[str, Any] = {
            "remote_id": held.remote_id,
            "created_remotely": held.created or row.created_remotely,
            "facts": dict(held.facts),
        }
        _write(row, work, EffectState.PROVED if proved else EffectState.HELD, values)
        _attempt(session, row, n, began, outcome="made" if held.created else "found")


def fail(work: Work, name: str, n: int, began: datetime, ending: Ending) -> None:
    with work.fenced() as session:
        row = _there(session, work, name)
        values = {"sentence": ending.sentence.as_json(), "detail": ending.detail, "owner": ending.owner, "next_try": ending.next_try}
        _write(row, work, ending.state, values)
        _attempt(session, row, n, began, ending.outcome, ending.sentence.as_json(), ending.detail, ending.next_try)


def forget(work: Work) -> None:
    """Something that this request held outside is not there any more: everything outside is looked for, and made where it is missing."""
    outside = (Effect.request_id == work.request, Effect.system != System.PORTAL.value, Effect.state.in_(FINISHED))
    with work.fenced() as session:
        for row in session.scalars(select(Effect).where(*outside)):
            _write(row, work, EffectState.INTENT, {"remote_id": None})


def _row(session: Session, work: Work, name: str) -> Effect | None:
    return session.scalars(select(Effect).where(Effect.request_id == work.request, Effect.name == name)).one_or_none()


def _there(session: Session, work: Work, name: str) -> Effect:
    return session.scalars(select(Effect).where(Effect.request_id == work.request, Effect.name == name).with_for_update()).one()


def _write(row: Effect, work: Work, state: EffectState, values: Mapping[str, Any]) -> None:
    row.epoch, row.state, row.changed_at = work.epoch, state, func.clock_timestamp()
    for name, value in ({"sentence": None, "detail": None, "owner": None, "next_try": None} | dict(values)).items():
        setattr(row, name, value)


def _attempt(
    session: Session,
    row: Effect,
    n: int,
    began: datetime,
    outcome: str,
    sentence: dict[str, Any] | None = None,
    detail: str | None = None,
    next_try: datetime | None = None,
) -> None:
    ended = session.scalars(select(func.clock_timestamp())).one()
    words = {"outcome": outcome, "sentence": sentence, "detail": detail, "next_try": next_try}
    session.add(Attempt(effect_id=row.id, n=n, started_at=began, finished_at=ended, **words))
