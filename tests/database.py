"""A database of the tests' own on the real PostgreSQL: migrated once, its rows emptied between tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from flows.settings import load
from infra.migrations import upgrade

KEPT = ("legal_move", "alembic_version")


class Database:
    """`admin` is a superuser's address; `name` the database that the tests may empty."""

    def __init__(self, admin: URL, passwords: dict[str, str], name: str) -> None:
        self.admin, self.passwords, self.name = admin, passwords, name

    def url(self, role: str) -> str:
        """SQLAlchemy's address of the database with one of its roles."""
        return self.admin.set(
            drivername="postgresql+psycopg", username=role, password=self.passwords.get(role), database=self.name
        ).render_as_string(hide_password=False)

    def superuser(self) -> psycopg.Connection:
        address = self.admin.set(drivername="postgresql", database=self.name).render_as_string(hide_password=False)
        return psycopg.connect(address, autocommit=True)

    def create(self) -> None:
        server = self.admin.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
        with psycopg.connect(server, autocommit=True) as db:
            db.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.name)))
            db.execute(sql.SQL("CREATE DATABASE {} OWNER nastup_owner").format(sql.Identifier(self.name)))
        upgrade(self.url("nastup_owner"))

    def drop(self) -> None:
        server = self.admin.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
        with psycopg.connect(server, autocommit=True) as db:
            db.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self.name)))

    def empty(self) -> None:
        """All rows go, past the triggers that keep history."""
        with self.superuser() as db:
            names = [name for (name,) in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") if name not in KEPT]
            names += [f"backup.{name}" for (name,) in db.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'backup'")]
            db.execute("SET session_replication_role = replica")
            db.execute(sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(sql.Identifier(*name.split("."))) for name in names))

    @contextmanager
    def used_as(self, role: str) -> Iterator[None]:
        """This process works with that role of the database, as the portal or the worker would."""
        before = os.environ.get("NASTUP_DATABASE__URL")
        os.environ["NASTUP_DATABASE__URL"] = self.url(role)
        load.cache_clear()
        try:
            yield
        finally:
            if before is None:
                del os.environ["NASTUP_DATABASE__URL"]
            else:
                os.environ["NASTUP_DATABASE__URL"] = before
            load.cache_clear()


def of_tests(name: str = "") -> Database:
    """On the cluster that NASTUP_TEST_POSTGRES names, or that of the test installation (NASTUP_TEST_STATE)."""
    name = name or f"nastup_test_{os.getpid()}"
    if address := os.environ.get("NASTUP_TEST_POSTGRES"):
        return Database(make_url(address), {}, name)
    from infra.servers.postgres import ROLES, dsn
    from infra.state import State

    state = State.of_tests()
    return Database(make_url(dsn(state, "postgres")), {role: state.secret(f"postgres_{role}") for role in ROLES}, name)
