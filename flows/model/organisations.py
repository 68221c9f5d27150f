"""The organisations that the region serves."""

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from flows.model.base import Base, Key, Line, Now


class Organisation(Base):
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
    created_at: Mapped[Now]
