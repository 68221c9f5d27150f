"""What is kept beside requests: audit, letters, the way of an activation, questions to the outside, secrets and log-in sessions."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlalchemy.orm import Mapped, mapped_column

from flows.model.base import Base, Json, Key, Line, Moment, Now


class Audit(Base):
    """One record per decision and change of state, each carrying the hash of the one before.

    The database computes the hash and refuses changes.
    """

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_looked", "position", postgresql_where=text("action IN ('audit.head_written','audit.broken')")),)

    position: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    at: Mapped[Now]
    actor_id: Mapped[UUID | None]
    actor: Mapped[Line]
    action: Mapped[Line]
    request_id: Mapped[UUID | None] = mapped_column(index=True)
    facts: Mapped[Json]
    previous_hash: Mapped[Line]
    hash: Mapped[Line]


class ActivationState(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    USED = "used"
    EXPIRED = "expired"
    BOUNCED = "bounced"


class ActivationContact(Base):
    """Where the activation link goes. The only place of the private address here; using or expiring it erases address and salt."""

    __tablename__ = "activation_contact"

    request_id: Mapped[UUID] = mapped_column(ForeignKey("onboarding_request.id"), primary_key=True)
    address: Mapped[str | None]
    salt: Mapped[str | None]
    state: Mapped[ActivationState] = mapped_column(default=ActivationState.PENDING, server_default="pending")
    links_sent: Mapped[int] = mapped_column(default=0, server_default="0")
    sending_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    diagnostic: Mapped[str | None]
    second_factors: Mapped[int] = mapped_column(default=0, server_default="0")


class Letter(Base):
    """A letter to be sent once: UNIQUE over what it is about, so a repeated reason does not write twice.

    Without a request it is about a day (the digest) or about what `occasion` names (an absence).
    """

    __tablename__ = "letter"
    __table_args__ = (
        UniqueConstraint("kind", "request_id", "person_id", "occasion", postgresql_nulls_not_distinct=True),
        Index("ix_letter_open", "not_before", postgresql_where=text("sent_at IS NULL")),
    )

    id: Mapped[Key]
    kind: Mapped[Line]
    request_id: Mapped[UUID | None] = mapped_column(ForeignKey("onboarding_request.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    occasion: Mapped[Line] = mapped_column(default="", server_default="")
    created_at: Mapped[Now]
    not_before: Mapped[Now]
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    last_error: Mapped[str | None]


class Lookup(Base):
    """A question of a page to the outside: the dispatcher answers it, the page polls."""

    __tablename__ = "lookup"
    __table_args__ = (Index("ix_lookup_open", "asked_at", postgresql_where=text("answered_at IS NULL")),)

    id: Mapped[Key]
    kind: Mapped[Line]
    asked_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    question: Mapped[Json]
    asked_at: Mapped[Now]
    answered_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    sentence: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    detail: Mapped[str | None]


class Secret(Base):
    """A credential that we made, encrypted with the key of the installation; only the database roles in `readers` see the row."""

    __tablename__ = "secret"

    name: Mapped[Line] = mapped_column(primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
    readers: Mapped[list[str]] = mapped_column(ARRAY(TEXT))


class WebSession(Base):
    """A log-in. `id` is the SHA-256 of the cookie's value, so that a read of this table opens no session."""

    __tablename__ = "web_session"

    id: Mapped[Line] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    person_id: Mapped[UUID | None] = mapped_column(index=True)
    subject: Mapped[str | None] = mapped_column(index=True)
    provider_session: Mapped[str | None] = mapped_column(index=True)
    created_at: Mapped[Now]
    expires_at: Mapped[Moment]


class LogoutToken(Base):
    """A back-channel log-out token that was used (OpenID Connect Back-Channel Logout 1.0, section 2.6: jti once)."""

    __tablename__ = "logout_token"

    jti: Mapped[Line] = mapped_column(primary_key=True)
    seen_at: Mapped[Now]
