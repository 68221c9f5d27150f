"""A request, its versions, its stages and their decisions."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from flows.model.base import Base, Json, Key, Line, Moment, Now
from flows.model.organisations import Organisation
from flows.model.people import Person


class RequestState(StrEnum):
    DRAFT = "draft"
    WAITING_APPROVAL = "waiting_approval"
    RETURNED = "returned"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    APPROVED = "approved"
    RUNNING = "running"
    PREPARED = "prepared"
    WAITING_RETRY = "waiting_retry"
    NEEDS_ATTENTION = "needs_attention"
    CANCELLED = "cancelled"
    DONE = "done"


class RequestKind(StrEnum):
    EMPLOYEE = "employee"


class OnboardingRequest(Base):
    """What somebody asked for, and how far it is. `content`, `plan` and `plan_hash` are those of `version`; earlier ones in RequestVersion.

    `generation` names the run in Prefect and rises only when Prefect has lost it. `submission` makes a form that is sent twice one request.
    """

    __tablename__ = "onboarding_request"
    __table_args__ = (
        CheckConstraint("state = 'draft' OR state = 'withdrawn' OR state = 'expired' OR number IS NOT NULL", name="numbered"),
        CheckConstraint("requester_id <> beneficiary_id", name="not_for_oneself"),
        Index(
            "ix_request_open",
            "state",
            "changed_at",
            postgresql_where=text("state NOT IN ('done','refused','withdrawn','expired','cancelled')"),
        ),
    )

    id: Mapped[Key]
    number: Mapped[str | None] = mapped_column(unique=True)
    kind: Mapped[Line] = mapped_column(default=RequestKind.EMPLOYEE.value)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"), index=True)
    requester_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    beneficiary_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"), index=True)
    submission: Mapped[UUID] = mapped_column(unique=True, server_default=text("gen_random_uuid()"))
    state: Mapped[RequestState] = mapped_column(server_default="draft", default=RequestState.DRAFT)
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    generation: Mapped[int] = mapped_column(default=1, server_default="1")
    content: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    plan: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    plan_hash: Mapped[str | None]
    start_day: Mapped[date | None]
    sentence: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    detail: Mapped[str | None]
    owner: Mapped[str | None]
    next_try: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    cancel_asked: Mapped[bool] = mapped_column(default=False, server_default="false")
    created_at: Mapped[Now]
    submitted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    changed_at: Mapped[Now]
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    organisation: Mapped[Organisation] = relationship(lazy="raise")
    requester: Mapped[Person] = relationship(lazy="raise", foreign_keys=[requester_id])
    beneficiary: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[beneficiary_id])
    stages: Mapped[list["Stage"]] = relationship(lazy="raise", order_by="Stage.position", back_populates="request")


class RequestVersion(Base):
    """What was submitted, kept for ever: append only."""

    __tablename__ = "request_version"

    request_id: Mapped[UUID] = mapped_column(ForeignKey("onboarding_request.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[Json]
    plan: Mapped[Json]
    plan_hash: Mapped[Line]
    by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    at: Mapped[Now]


class Stage(Base):
    """One question to one group: is this version with this plan allowed?"""

    __tablename__ = "stage"
    __table_args__ = (
        UniqueConstraint("request_id", "version", "position"),
        CheckConstraint("state IN ('open','waiting','approved','refused','returned','closed')", name="state"),
        Index("ix_stage_queue", "group_name", "due_at", "id", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[Key]
    request_id: Mapped[UUID] = mapped_column(ForeignKey("onboarding_request.id"))
    version: Mapped[int]
    position: Mapped[int]
    group_name: Mapped[Line]
    state: Mapped[Line] = mapped_column(default="open")
    opened_at: Mapped[Now]
    due_at: Mapped[Moment]

    request: Mapped[OnboardingRequest] = relationship(lazy="raise", back_populates="stages")
    decision: Mapped["Decision | None"] = relationship(lazy="raise", back_populates="stage")


class Decision(Base):
    """Who decided what about which plan: append only. Exactly one of a person or a rule has decided.

    `comments` of a return: what to correct, by the name of the field of the form.
    """

    __tablename__ = "decision"
    __table_args__ = (
        CheckConstraint("(decided_by_id IS NULL) <> (rule IS NULL)", name="person_or_rule"),
        CheckConstraint("verdict IN ('approve','refuse','return')", name="verdict"),
        CheckConstraint("verdict <> 'refuse' OR length(trim(reason)) > 0", name="reason"),
        CheckConstraint("verdict <> 'return' OR length(trim(reason)) > 0 OR comments <> '{}'", name="what_to_correct"),
    )

    id: Mapped[Key]
    stage_id: Mapped[UUID] = mapped_column(ForeignKey("stage.id"), unique=True)
    request_id: Mapped[UUID] = mapped_column(ForeignKey("onboarding_request.id"), index=True)
    version: Mapped[int]
    plan_hash: Mapped[Line]
    verdict: Mapped[Line]
    reason: Mapped[Line] = mapped_column(default="", server_default="")
    comments: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    decided_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    rule: Mapped[str | None]
    policy_hash: Mapped[str | None]
    at: Mapped[Now]

    stage: Mapped[Stage] = relationship(lazy="raise", back_populates="decision")
    decided_by: Mapped[Person | None] = relationship(lazy="raise")


class Outbox(Base):
    """What is to be done outside, written in the transaction that decided it. `topic` is a verb of flows.launch."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_open", "not_before", "position", postgresql_where=text("done_at IS NULL")),)

    id: Mapped[Key]
    position: Mapped[int] = mapped_column(BigInteger, Identity())
    topic: Mapped[Line]
    request_id: Mapped[UUID] = mapped_column(ForeignKey("onboarding_request.id"), index=True)
    payload: Mapped[Json] = mapped_column(default=dict)
    created_at: Mapped[Now]
    not_before: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
    done_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    last_error: Mapped[str | None]
