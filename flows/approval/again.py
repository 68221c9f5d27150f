"""Steps that the next run shall do anew although the ledger holds them: asked for by a person or the operator, never by a worker."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from flows.model import Effect, EffectState, Lease

ENDED = (EffectState.HELD, EffectState.PROVED, EffectState.BY_HAND, EffectState.FAILED)


def do_again(session: Session, request: UUID, effects: Collection[str]) -> None:
    """Back to `intent`, under the newest epoch: the fence refuses older ones, and a run that found all in order has touched no row."""
    newest = func.coalesce(select(Lease.epoch).where(Lease.request_id == request).scalar_subquery(), Effect.epoch)
    ended = (Effect.request_id == request, Effect.name.in_(effects), Effect.state.in_(ENDED))
    session.execute(update(Effect).where(*ended).values(state=EffectState.INTENT, epoch=newest))
