"""The way to the database, and the only commit in the repository."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.orm import Session

from flows.settings import Database, load


@cache
def engine(url: str, pool_size: int) -> Engine:
    """The pool of this process for one address, with the database role that stands in it."""
    return create_engine(url, pool_size=pool_size, pool_pre_ping=True, hide_parameters=True, connect_args={"connect_timeout": 5})


def open_session(person: UUID | None = None, roles: Iterable[str] = ()) -> Session:
    """A session that sees what this person may see: row-level security reads both settings at every begin.

    `roles` are regional roles that stand in the person's token; the database counts only those that its own table also has.
    """
    settings = load().need(Database)
    session = Session(engine(settings.url.get_secret_value(), settings.pool_size), expire_on_commit=False)
    session.info.update(person=str(person or ""), roles=",".join(sorted(roles)))
    return session


@event.listens_for(Session, "after_begin")
def _say_who_it_is(session: Session, _transaction: Any, connection: Connection) -> None:
    if "person" in session.info:
        who = text("SELECT set_config('nastup.person', :person, true), set_config('nastup.roles', :roles, true)")
        connection.execute(who, {"person": session.info["person"], "roles": session.info["roles"]})


@contextmanager
def transaction(session: Session | None = None) -> Generator[Session]:
    """All that happens inside is kept together or not at all. Without a session: one of the process itself (worker, dispatcher)."""
    own = session is None
    session = session or open_session()
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        if own:
            session.close()


@contextmanager
def snapshot() -> Generator[Session]:
    """Of the process itself, to read only: everything as of one moment, and the database refuses a write."""
    with open_session() as session:
        as_of_one_moment(session)
        yield session


def as_of_one_moment(session: Session) -> None:
    """What is read from here on is all of one moment, and the database refuses a write."""
    session.commit()  # ends what was read so far; an isolation level holds from the beginning of a transaction only
    session.connection(execution_options={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True})
