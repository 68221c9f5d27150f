"""Tables of an outside system: one short connection per question, so that a restarted server costs one retry and nothing else."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from flows.connectors.base import Misconfigured, Refused, Unavailable
from flows.sentence import Sentence

Database = Connection[DictRow]


@contextmanager
def tables(address: str, silent: Sentence, *, autocommit: bool = False) -> Generator[Database]:
    """The database; committed at the end unless `autocommit`. `silent` is what a person reads when it does not answer.

    Raises Unavailable, Misconfigured (credential, missing right or table), Refused (values that the tables do not take). The detail is
    the SQLSTATE alone: the server's text repeats values.
    """
    try:
        with connect(address, autocommit=autocommit) as db:
            yield db
    except psycopg.OperationalError as error:
        if "authentication failed" in str(error) or "does not exist" in str(error):
            raise Misconfigured(silent, "database: credential or name refused") from None
        raise Unavailable(silent, f"database: {error.sqlstate or 'no answer'}") from None
    except psycopg.ProgrammingError as error:
        raise Misconfigured(silent, f"database: {error.sqlstate}") from None
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise Refused(silent, f"database: {error.sqlstate} {error.diag.constraint_name or ''}") from None


def connect(address: str, *, autocommit: bool) -> Database:
    """A connection whose rows are dicts; raises psycopg's own errors."""
    return Connection[DictRow].connect(plain(address), autocommit=autocommit, row_factory=cast(Any, dict_row), **ALIVE)


def plain(address: str) -> str:
    """libpq's form of an address that may be written for SQLAlchemy."""
    return address.replace("postgresql+psycopg://", "postgresql://", 1)


# a machine that vanished is noticed within half a minute, also by who only listens
ALIVE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "application_name": "nastup",
}
