"""The organisations that the region serves."""

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from flows.model.base import Base, Key, Line, Now


class Organisation(Base):
    """`people_limit` and `mail_gb_limit` are its envelope; None = none was agreed, so nothing is above it."""

    __tablename__ = "organisation"
    __table_args__ = (
        CheckConstraint("slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'", name="slug"),
        CheckConstraint("domain = lower(domain)", name="domain"),
    )

    id: Mapped[Key]
    slug: Mapped[Line] = mapped_column(unique=True)
    name: Mapped[Line]
    ico: Mapped[Line] = mapped_column(unique=True)
    domain: Mapped[Line] = mapped_column(unique=True)
    state: Mapped[Line] = mapped_column(default="served", server_default="served")
    people_limit: Mapped[int | None]
    mail_gb_limit: Mapped[int | None]
    created_at: Mapped[Now]


class ClosedDay(Base):
    """A working day on which an organisation does not work; without an organisation: the region's offices, which decide."""

    __tablename__ = "closed_day"
    __table_args__ = (Index("uq_closed_day", "organisation_id", "day", unique=True, postgresql_nulls_not_distinct=True),)

    id: Mapped[Key]
    organisation_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisation.id"))
    day: Mapped[date]
    note: Mapped[Line] = mapped_column(default="", server_default="")
    set_by_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
