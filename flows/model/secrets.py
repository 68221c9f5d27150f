"""Credentials that we made ourselves: rows of the table `secret`, encrypted with the key of the installation.

The database gives a row only to the roles in its `readers`, and its content only to who also holds the key: a stolen backup of the
database opens nothing, and a stolen settings file of one process opens only what that process may read.
"""

from collections.abc import Callable, Sequence
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from psycopg import Connection
from psycopg.rows import tuple_row

from flows.settings import SettingsMissing, load


class SecretUnreadable(RuntimeError):
    """The row is there and the key of the installation does not open it: another key was set, or the row was changed."""


def keep_secret(db: Connection[Any], name: str, readers: Sequence[str], make: Callable[[], str]) -> str:
    """The secret of that name; made and kept when there is none. Two processes that ask at once get the same one."""
    if (known := read_secret(db, name)) is not None:
        return known
    value = _cipher().encrypt(make().encode())
    db.execute("INSERT INTO secret (name, value, readers) VALUES (%s, %s, %s) ON CONFLICT (name) DO NOTHING", (name, value, list(readers)))
    if (kept := read_secret(db, name)) is None:
        raise SecretUnreadable(f"The secret {name} is kept by a role that does not let this process read it.")
    return kept


def read_secret(db: Connection[Any], name: str) -> str | None:
    """The secret of that name, or None when there is none that this database role may see. Raises SecretUnreadable."""
    with db.cursor(row_factory=tuple_row) as cursor:  # whatever rows the connection itself gives
        row = cursor.execute("SELECT value FROM secret WHERE name = %s", (name,)).fetchone()
    if row is None:
        return None
    try:
        return _cipher().decrypt(bytes(row[0])).decode()
    except InvalidToken:
        raise SecretUnreadable(f"The key of the installation (NASTUP_INSTALLATION_KEY) does not open the secret {name}.") from None


def _cipher() -> Fernet:
    if (key := load().installation_key) is None:
        raise SettingsMissing("The key of the installation is missing: set NASTUP_INSTALLATION_KEY.")
    return Fernet(key.get_secret_value())


def password_of(slug: str) -> str:
    """Name of the secret with which a tenant logs in to the vault."""
    return f"backup/{slug}/password"


def key_of(slug: str) -> str:
    """Name of the secret that opens a tenant's repository."""
    return f"backup/{slug}/key"
