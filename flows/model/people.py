"""Who is who: one `Person` row is one human, whatever number of accounts, roles and employments that human has."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from flows.model.base import Base, Key, Line, Now
from flows.model.organisations import Organisation


class Person(Base):
    __tablename__ = "person"

    id: Mapped[Key]
    given_name: Mapped[Line]
    family_name: Mapped[Line]
    title_before: Mapped[Line] = mapped_column(default="", server_default="")
    title_after: Mapped[Line] = mapped_column(default="", server_default="")
    email: Mapped[Line]
    language: Mapped[Line] = mapped_column(default="cs", server_default="cs")
    created_at: Mapped[Now]

    @property
    def name(self) -> str:
        """As it is written in a letter: Ing. Žofie Šťastná, Ph.D."""
        plain = " ".join(part for part in (self.title_before, self.given_name, self.family_name) if part)
        return f"{plain}, {self.title_after}" if self.title_after else plain


class LoginAccount(Base):
    """The person behind an account of the identity server: known by issuer and subject, never by e-mail or name."""

    __tablename__ = "login_account"

    issuer: Mapped[Line] = mapped_column(primary_key=True)
    subject: Mapped[Line] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    linked_by: Mapped[Line]
    linked_at: Mapped[Now]


class RegionalRole(Base):
    """May decide, run or audit for the region.

    Counts only together with the same role in the token; written by the operator's command only.
    """

    __tablename__ = "regional_role"
    __table_args__ = (CheckConstraint("role IN ('founder','region-it','security','dpo','it','auditor')", name="role"),)

    id: Mapped[Key]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    role: Mapped[Line]
    valid_from: Mapped[date] = mapped_column(server_default=text("today()"))
    valid_until: Mapped[date | None]
    head: Mapped[bool] = mapped_column(default=False, server_default="false")  # of the group: the last one who is told that it is late
    granted_by: Mapped[Line]

    person: Mapped[Person] = relationship(lazy="raise")


class SameHuman(Base):
    """Two rows of `person` that are one human: said by somebody of region-it, with a reason, for ever. Never found out by a name.

    The SQL function `human(person)` follows the links to their end; four eyes are counted on that.
    """

    __tablename__ = "same_human"
    __table_args__ = (CheckConstraint("person_id <> same_as_id", name="two"), CheckConstraint("length(trim(reason)) > 0", name="reason"))

    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), primary_key=True)
    same_as_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    linked_by_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    reason: Mapped[Line]
    at: Mapped[Now]


class Absence(Base):
    """Somebody of a group does not decide from/until (both days included); `deputy_id` decides instead, None = the rest of the group."""

    __tablename__ = "absence"
    __table_args__ = (
        CheckConstraint("until_day >= from_day", name="order"),
        CheckConstraint("deputy_id <> person_id", name="another"),
        Index("ix_absence_deputy", "deputy_id"),
        Index("ix_absence_person", "person_id"),
    )

    id: Mapped[Key]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    group_name: Mapped[Line]
    from_day: Mapped[date]
    until_day: Mapped[date]
    deputy_id: Mapped[UUID | None] = mapped_column(ForeignKey("person.id"))
    told_at: Mapped[Now]
    cancelled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    person: Mapped[Person] = relationship(lazy="raise", foreign_keys=[person_id])
    deputy: Mapped[Person | None] = relationship(lazy="raise", foreign_keys=[deputy_id])


class SavedFilter(Base):
    """A filter of the queue under a name of the person's own."""

    __tablename__ = "saved_filter"
    __table_args__ = (UniqueConstraint("person_id", "name"),)

    id: Mapped[Key]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"))
    name: Mapped[Line]
    query: Mapped[Line]


class OrganisationRole(Base):
    """May file for an organisation. Lives here only: nothing that the worker can grant in the identity server decides it."""

    __tablename__ = "organisation_role"
    __table_args__ = (CheckConstraint("role IN ('director','deputy','clerk')", name="role"),)

    id: Mapped[Key]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"), index=True)
    role: Mapped[Line]
    valid_from: Mapped[date] = mapped_column(server_default=text("today()"))
    valid_until: Mapped[date | None]

    person: Mapped[Person] = relationship(lazy="raise")
    organisation: Mapped[Organisation] = relationship(lazy="raise")


class Employment(Base):
    """Somebody works somewhere. One personal number in an organisation is one living employment."""

    __tablename__ = "employment"
    __table_args__ = (
        CheckConstraint("state IN ('planned','active','ended','void')", name="state"),
        CheckConstraint("ends IS NULL OR ends >= starts", name="order"),
        Index(
            "uq_employment_personal_number",
            "organisation_id",
            "personal_number",
            unique=True,
            postgresql_where=text("state IN ('planned','active')"),
        ),
    )

    id: Mapped[Key]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"), index=True)
    personal_number: Mapped[Line]
    contract: Mapped[Line]
    position: Mapped[Line]
    manager: Mapped[Line] = mapped_column(default="", server_default="")
    starts: Mapped[date]
    ends: Mapped[date | None]
    state: Mapped[Line] = mapped_column(default="planned", server_default="planned")

    person: Mapped[Person] = relationship(lazy="raise")
    organisation: Mapped[Organisation] = relationship(lazy="raise")


class ReservedName(Base):
    """A user name or address that is spoken for, before the first call to a server. Never given to another person."""

    __tablename__ = "reserved_name"
    __table_args__ = (CheckConstraint("kind IN ('user_name','address')", name="kind"), CheckConstraint("name = lower(name)", name="lower"))

    kind: Mapped[Line] = mapped_column(primary_key=True)
    name: Mapped[Line] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("person.id"), index=True)
