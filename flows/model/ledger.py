"""The ledger: one row per outside effect of a request, one per attempt, and who may write them now."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from flows.model.base import Base, Json, Key, Line, Moment, Now


class EffectState(StrEnum):
    INTENT = "intent"
    UNKNOWN = "unknown"
    HELD = "held"
    PROVED = "proved"
    FAILED = "failed"
    BY_HAND = "by_hand"


class Effect(Base):
    """One outside effect. `facts` is what the page shows of it (no secret, no private address); `remote_id` finds it again."""

    __tablename__ = "effect"
    __table_args__ = (UniqueConstraint("request_id", "name"),)

    id: Mapped[Key]
    request_id: Mapped[UUID] = mapped_column(ForeignKey("onboarding_request.id"))
    name: Mapped[Line]
    system: Mapped[Line]
    state: Mapped[EffectState] = mapped_column(default=EffectState.INTENT)
    epoch: Mapped[int] = mapped_column(BigInteger)
    remote_id: Mapped[str | None]
    created_remotely: Mapped[bool] = mapped_column(default=False, server_default="false")
    facts: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    tries_at_most: Mapped[int] = mapped_column(default=1, server_default="1")
    next_try: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    sentence: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    detail: Mapped[str | None]
    owner: Mapped[str | None]
    started_at: Mapped[Now]
    changed_at: Mapped[Now]

    attempts: Mapped[list["Attempt"]] = relationship(
        lazy="raise", order_by="Attempt.started_at", back_populates="effect", passive_deletes="all"
    )


class Attempt(Base):
    """One try of one effect: append only."""

    __tablename__ = "attempt"

    id: Mapped[Key]
    effect_id: Mapped[UUID] = mapped_column(ForeignKey("effect.id", ondelete="CASCADE"), index=True)
    n: Mapped[int]
    started_at: Mapped[Moment]
    finished_at: Mapped[Moment]
    outcome: Mapped[Line]
    sentence: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    detail: Mapped[str | None]
    next_try: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    effect: Mapped[Effect] = relationship(lazy="raise", back_populates="attempts")


class Lease(Base):
    """Who works on a request now. The epoch rises with every new holder; a write of an older epoch is refused (fencing).

    Martin Kleppmann, How to do distributed locking (2016): the token that every write carries.
    """

    __tablename__ = "lease"

    request_id: Mapped[UUID] = mapped_column(ForeignKey("onboarding_request.id"), primary_key=True)
    holder: Mapped[Line]
    epoch: Mapped[int] = mapped_column(BigInteger, default=1)
    expires_at: Mapped[Moment]
