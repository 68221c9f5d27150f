"""A request, its versions, its stages and their decisions."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import INTEGER, TEXT, BigInteger, CheckConstraint, DateTime, ForeignKey, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
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


# newest first, as lists turn their pages: never null, so that a bookmark can stand anywhere
_newest = (text("coalesce(submitted_at, created_at) DESC"), text("id DESC"))
_decided = text("state IN ('approved','running','prepared','waiting_retry','needs_attention','done')")
_executed = text("state IN ('approved','running','prepared','waiting_retry','needs_attention','done','cancelled')")


class OnboardingRequest(Base):
    """What somebody asked for, and how far it is. `content`, `plan`, `plan_hash`, `facts` (flows.approval.policy.Facts) and `policy_hash`
    are those of `version`; earlier ones in RequestVersion.

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
        Index("ix_request_newest", *_newest, postgresql_where=text("submitted_at IS NOT NULL")),
        Index("ix_request_organisation", "organisation_id", *_newest),
        Index("ix_request_requester", "requester_id", *_newest),
        Index("ix_request_state", "state", *_newest),
        Index("ix_request_decided", "kind", text("submitted_at DESC"), postgresql_where=_decided),
        Index("ix_request_changed", text("changed_at DESC"), text("id DESC"), postgresql_where=_executed),
        Index("ix_request_done", text("done_at DESC"), postgresql_where=text("state = 'done'")),
        Index(
            "ix_request_words",  # for requests_named() in the database
            text("request_words(content, number) trigrams.gin_trgm_ops"),
            text("(plan->'account'->>'user_name') trigrams.gin_trgm_ops"),
            postgresql_using="gin",
            postgresql_where=text("submitted_at IS NOT NULL"),
        ),
    )

    id: Mapped[Key]
    number: Mapped[str | None] = mapped_column(unique=True)
    kind: Mapped[Line] = mapped_column(default=RequestKind.EMPLOYEE.value)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    requester_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    beneficiary_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"), index=True)
    submission: Mapped[UUID] = mapped_column(unique=True, server_default=text("gen_random_uuid()"))
    state: Mapped[RequestState] = mapped_column(server_default="draft", default=RequestState.DRAFT)
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    generation: Mapped[int] = mapped_column(default=1, server_default="1")
    run_id: Mapped[UUID | None]  # of the newest generation in Prefect, for its link only
    content: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    plan: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    plan_hash: Mapped[str | None]
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    policy_hash: Mapped[str | None] = mapped_column(ForeignKey("policy.hash"))
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
    """What was submitted or made anew because the world changed, kept for ever: append only. `by_id`: who submitted or found the change."""

    __tablename__ = "request_version"

    request_id: Mapped[UUID] = mapped_column(ForeignKey("onboarding_request.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[Json]
    plan: Mapped[Json]
    plan_hash: Mapped[Line]
    facts: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    policy_hash: Mapped[str | None] = mapped_column(ForeignKey("policy.hash"))
    renewed_for: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  # why the portal made this version: {"changes": [sentence]}
    by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    at: Mapped[Now]


class Policy(Base):
    """A policy as it was loaded: the text of the file and its SHA-256. Exactly one is active; rows are never changed otherwise."""

    __tablename__ = "policy"
    __table_args__ = (Index("uq_policy_active", "active", unique=True, postgresql_where=text("active")),)

    hash: Mapped[Line] = mapped_column(primary_key=True)
    version: Mapped[Line]
    source: Mapped[Line]
    standard_hires: Mapped[bool] = mapped_column(default=False, server_default="false")
    active: Mapped[bool] = mapped_column(default=False, server_default="false")
    loaded_at: Mapped[Now]
    loaded_by: Mapped[Line]


class Stage(Base):
    """One question to one group: is this version with this plan allowed? Its rule is copied from the policy, so it cannot change under it.

    `position` counts the stages of a version; stages with the same `step` are asked at the same time. `inputs_hash`: what the answer
    depends on; an approval is carried over to the next version (`carried_from_id`) only when that is the same. `holder_id`: who took it.
    `group_name` is the group that is asked now; `fallback_from` the one that had nobody left.
    """

    __tablename__ = "stage"
    __table_args__ = (
        UniqueConstraint("request_id", "version", "position"),
        CheckConstraint("state IN ('open','waiting','approved','refused','returned','closed','given')", name="state"),
        CheckConstraint("deciders >= 1", name="deciders"),
        CheckConstraint("(state = 'given') <= opinion", name="opinion_given"),
        Index("ix_stage_queue", "group_name", "due_at", "id", postgresql_where=text("state = 'open'")),  # for those of one group
        Index("ix_stage_due", "due_at", "id", "group_name", postgresql_where=text("state = 'open'")),  # and of several
        Index("ix_stage_came", "group_name", "opened_at", postgresql_where=text("state = 'open'")),
        Index("ix_stage_holder", "holder_id", postgresql_where=text("state = 'open'")),
    )

    id: Mapped[Key]
    request_id: Mapped[UUID] = mapped_column(ForeignKey("onboarding_request.id"))
    version: Mapped[int]
    position: Mapped[int]
    step: Mapped[int] = mapped_column(default=1, server_default="1")
    group_name: Mapped[Line]
    fallback_group: Mapped[str | None]
    fallback_from: Mapped[str | None]
    deciders: Mapped[int] = mapped_column(default=1, server_default="1")
    opinion: Mapped[bool] = mapped_column(default=False, server_default="false")
    different_people: Mapped[bool] = mapped_column(default=True, server_default="true")
    deputies: Mapped[bool] = mapped_column(default=True, server_default="true")
    working_days: Mapped[int] = mapped_column(default=3, server_default="3")
    reminders: Mapped[list[int]] = mapped_column(ARRAY(INTEGER), default=list, server_default=text("'{}'"))
    escalation: Mapped[list[str]] = mapped_column(ARRAY(TEXT), default=list, server_default=text("'{}'"))
    reminded: Mapped[int] = mapped_column(default=0, server_default="0")  # per cent of the time at the last reminder
    escalated: Mapped[int] = mapped_column(default=0, server_default="0")  # how many of `escalation` have been told
    nobody: Mapped[bool] = mapped_column(default=False, server_default="false")  # the alarm: nobody may decide it
    inputs_hash: Mapped[Line] = mapped_column(default="", server_default="")
    carried_from_id: Mapped[UUID | None] = mapped_column(ForeignKey("stage.id"))
    holder_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    held_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    state: Mapped[Line] = mapped_column(default="open")
    opened_at: Mapped[Now]
    due_at: Mapped[Moment]
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    request: Mapped[OnboardingRequest] = relationship(lazy="raise", back_populates="stages")
    holder: Mapped[Person | None] = relationship(lazy="raise")
    carried_from: Mapped["Stage | None"] = relationship(lazy="raise", remote_side="Stage.id")
    decisions: Mapped[list["Decision"]] = relationship(lazy="raise", order_by="Decision.at", back_populates="stage")

    @property
    def answers(self) -> list["Decision"]:
        """The decisions that count here: its own, or those of the stage that it was carried over from. Both must have been loaded."""
        return self.carried_from.decisions if self.carried_from else self.decisions

    @property
    def decision(self) -> "Decision | None":
        """The one that ended the stage, else None: a stage of two deciders has none after the first."""
        return self.answers[-1] if self.answers and self.state not in ("open", "waiting", "closed") else None


class Decision(Base):
    """Who decided what about which plan: append only. Exactly one of a person or a rule has decided.

    `comments` of a return: what to correct, by the name of the field of the form. `deputised_for_id`: the absent one, for whom a deputy
    decided. The DPO's opinion is a row of its own kind: it is read, and moves nothing.
    """

    __tablename__ = "decision"
    __table_args__ = (
        UniqueConstraint("stage_id", "decided_by_id"),
        CheckConstraint("(decided_by_id IS NULL) <> (rule IS NULL)", name="person_or_rule"),
        CheckConstraint("(rule IS NULL) = (policy_hash IS NULL)", name="rule_of_a_policy"),
        CheckConstraint("deputised_for_id <> decided_by_id", name="not_ones_own_deputy"),
        CheckConstraint("verdict IN ('approve','refuse','return','opinion')", name="verdict"),
        CheckConstraint("verdict NOT IN ('refuse','opinion') OR length(trim(reason)) > 0", name="reason"),
        CheckConstraint("verdict <> 'return' OR length(trim(reason)) > 0 OR comments <> '{}'", name="what_to_correct"),
        Index("uq_decision_final", "stage_id", unique=True, postgresql_where=text("verdict IN ('refuse','return')")),
    )

    id: Mapped[Key]
    stage_id: Mapped[UUID] = mapped_column(ForeignKey("stage.id"))
    request_id: Mapped[UUID] = mapped_column(ForeignKey("onboarding_request.id"), index=True)
    version: Mapped[int]
    plan_hash: Mapped[Line]
    verdict: Mapped[Line]
    reason: Mapped[Line] = mapped_column(default="", server_default="")
    comments: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    decided_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    deputised_for_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    rule: Mapped[str | None]
    policy_hash: Mapped[str | None] = mapped_column(ForeignKey("policy.hash"))
    at: Mapped[Now]

    stage: Mapped[Stage] = relationship(lazy="raise", back_populates="decisions")
    decided_by: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[decided_by_id])
    deputised_for: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[deputised_for_id])


class Sample(Base):
    """A request that a rule approved and that a person looks at afterwards: drawn by chance when it is filed."""

    __tablename__ = "sample"
    __table_args__ = (
        CheckConstraint("finding IN ('','in order','objection')", name="finding"),
        Index("ix_sample_open", "drawn_at", "request_id", postgresql_where=text("looked_at IS NULL")),
    )

    request_id: Mapped[UUID] = mapped_column(ForeignKey("onboarding_request.id"), primary_key=True)
    drawn_at: Mapped[Now]
    looked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    looked_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    finding: Mapped[Line] = mapped_column(default="", server_default="")
    note: Mapped[Line] = mapped_column(default="", server_default="")


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
