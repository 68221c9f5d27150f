"""PostgreSQL: one cluster of our own with the databases portal, keycloak, mail and prefect, and one role for every kind of process."""

import shutil
from importlib.resources import files
from pathlib import Path

import psycopg
from psycopg import sql

from infra.progress import Trouble
from infra.servers.process import Process, carry_out, filled
from infra.state import State, write

USER = "nastup-db"
OWNERS = {"portal": "nastup_owner", "keycloak": "keycloak", "prefect": "prefect", "mail": "postgres"}
ROLES = {
    "nastup_owner": "portal",
    "nastup_portal": "portal",
    "nastup_worker": "portal",
    "nastup_backup_agent": "portal",
    "nastup_store_agent": "portal",
    "mail_writer": "mail",
    "mailread": "mail",
    "keycloak": "keycloak",
    "prefect": "prefect",
}


def dsn(state: State, role: str, database: str | None = None, driver: str = "postgresql") -> str:
    """Address with password: postgresql://role:password@127.0.0.1:port/database. `postgres` is the superuser."""
    password = state.secret(f"postgres_{role}")
    return f"{driver}://{role}:{password}@127.0.0.1:{state.port('postgres')}/{database or ROLES.get(role, 'postgres')}"


def process(state: State) -> Process:
    data = state.path("postgres", "data")
    return Process(
        name="postgres",
        command=[_program("postgres"), "-D", data],
        user=USER,
        ready=lambda: _answers(state),
        configure=lambda: _configure(state, data),
        settle=lambda: _settle(state),
        stop_signal="INT",  # "fast": the default waits until the last client leaves
    )


def _program(name: str) -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if not found:
        raise Trouble("PostgreSQL is not installed: run `apt-get install postgresql` and start again.")
    return found[-1]


def _configure(state: State, data: Path) -> None:
    room = state.room("postgres", USER)
    state.room("postgres/run", USER)
    if data.exists() and not (data / "global" / "pg_control").exists():
        raise Trouble(
            f"{data} holds no whole cluster of PostgreSQL. Bring it back from a copy, or throw this installation away "
            f"(`{state.command('reset')}`) and run the command again."
        )
    if not data.exists():
        _make_cluster(state, room, data)
    write(data / "postgresql.conf", filled("postgres/postgresql.conf", {"PORT": state.port("postgres"), "RUN": room / "run"}), user=USER)


def _make_cluster(state: State, room: Path, data: Path) -> None:
    """Under another name until it is whole: half of one, from a start that was cut off, would be taken for a cluster."""
    fresh, password = room / "data.new", room / "password"
    shutil.rmtree(fresh, ignore_errors=True)
    write(password, state.secret("postgres_postgres"), user=USER)
    access = ["-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}"]
    form = ["-E", "UTF8", "--locale=C.UTF-8"]  # the bare locale of a new machine would give SQL_ASCII
    carry_out([_program("initdb"), "-D", fresh, *access, *form, "--no-sync"], state.path("log", "initdb.log"), USER)
    password.unlink()
    fresh.rename(data)


def _answers(state: State) -> bool:
    try:
        psycopg.connect(dsn(state, "postgres"), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _settle(state: State) -> None:
    with psycopg.connect(dsn(state, "postgres"), autocommit=True) as db:
        _ensure_roles(state, db)
        present = {name for (name,) in db.execute("SELECT datname FROM pg_database")}
        for name, owner in OWNERS.items():
            if name not in present:
                db.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(owner)))
            db.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        for role, database in ROLES.items():
            db.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), sql.Identifier(role)))
    with psycopg.connect(dsn(state, "postgres", "mail"), autocommit=True) as db:
        schema = files("infra").joinpath("servers", "sql", "mail.sql").read_text(encoding="utf-8")
        db.execute(schema.replace("@STORE@", str(state.path("mail", "store"))).encode())


def _ensure_roles(state: State, db: psycopg.Connection) -> None:
    present = {name for (name,) in db.execute("SELECT rolname FROM pg_roles")}
    for role in ROLES:
        if role not in present:
            password = sql.Literal(state.secret(f"postgres_{role}"))
            db.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), password))
