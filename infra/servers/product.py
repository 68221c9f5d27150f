"""Our own processes: what each is told (its settings file) and how it is started. They run from the wheel in STATE/venv."""

import base64
import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

from infra.servers import dovecot, postgres, prefect, realm, vault
from infra.servers.process import Process, answers
from infra.state import State, Tree

WORKER = "nastup-worker"
PORTAL = "nastup-portal"


@dataclass(frozen=True)
class _Program:
    name: str
    user: str
    words: list[str]
    settings: Callable[[State], Tree]
    after: tuple[str, ...]


def processes(state: State) -> list[Process]:
    """Those whose code is installed."""
    return [_process(state, program) for program in _programs() if importlib.util.find_spec(f"{program.words[0]}.__main__")]


def settings_of(state: State) -> list[tuple[str, str, Tree]]:
    """(process, user, what it is told) of every process of ours."""
    return [(program.name, program.user, program.settings(state)) for program in _programs()]


def _programs() -> list[_Program]:
    return [
        _Program("backup-agent", dovecot.USER, ["flows", "agent", "backup"], _backup_agent, ("migrations", "vault")),
        _Program("store-agent", vault.USER, ["flows", "agent", "store"], _store_agent, ("migrations", "vault")),
        _Program("dispatcher", WORKER, ["flows", "dispatch"], _dispatcher, ("migrations", "prefect")),
        _Program("worker", WORKER, ["flows", "work"], _worker, ("migrations", "prefect")),
        _Program("portal", PORTAL, ["web"], _portal, ("migrations",)),
    ]


def _process(state: State, program: _Program) -> Process:
    room = state.path("rooms", program.name)
    return Process(
        name=program.name,
        command=[sys.executable, "-P", "-m", *program.words],
        user=program.user,
        environment={
            "NASTUP_SETTINGS_FILE": str(state.path("settings", f"{program.name}.env")),
            "HOME": str(room),
            "PREFECT_HOME": str(room / "prefect"),
        },
        directory=room,
        after=program.after,
        configure=lambda: _configure(state, program),
        ready=(lambda: answers(state.port("portal"), "/healthz")) if program.name == "portal" else None,
    )


def _configure(state: State, program: _Program) -> None:
    state.room("rooms", mode=0o711)
    state.room(f"rooms/{program.name}", program.user)
    state.write_settings(program.name, program.user, program.settings(state))


def installation_key(state: State) -> str:
    """The Fernet key of the table `secret`."""
    return state.secret("installation_key", lambda: base64.urlsafe_b64encode(os.urandom(32)).decode())


def _database(state: State, role: str) -> Tree:
    return {"url": postgres.dsn(state, role, driver="postgresql+psycopg")}


def _portal(state: State) -> Tree:
    return {
        "database": _database(state, "nastup_portal"),
        "portal": _public(state),
        "oidc": {
            "issuer": f"{state.address('keycloak')}/realms/{realm.REALM}",
            "client_id": "portal",
            "client_secret": state.secret("oidc_portal"),
        },
    }


def _public(state: State) -> Tree:
    return {
        "address": state.address("portal"),
        "port": state.port("portal"),
        "prefect_address": state.address("prefect"),
        "catcher_address": state.address("catcher"),
    }


def _worker(state: State) -> Tree:
    return {
        "installation_key": installation_key(state),
        "database": _database(state, "nastup_worker"),
        "portal": _public(state),
        "keycloak": {
            "address": state.address("keycloak"),
            "realm": realm.REALM,
            "client_id": "nastup-worker",
            "client_secret": state.secret("oidc_worker"),
            "activation_client": "portal",
            "activation_return": f"{state.address('portal')}/",
        },
        "mail": {
            "database": postgres.dsn(state, "mail_writer", driver="postgresql+psycopg"),
            "smtp_port": state.port("smtp"),
            "imap_port": state.port("imap"),
            "certificate": state.path("tls", "mail.crt"),
            "verifier": dovecot.VERIFIER,
            "verifier_secret": state.secret("mail_verifier"),
            "proof_secret": state.secret("mail_proof"),
            "sender": realm.SENDER,
            "sender_secret": state.secret("mail_sender"),
        },
        "backup": {"database": postgres.dsn(state, "nastup_worker", driver="postgresql+psycopg")},
        "prefect": {"address": f"{state.address('prefect')}/api", "auth": prefect.auth(state)},
    }


def _dispatcher(state: State) -> Tree:
    return {**_worker(state), "audit": {"heads": state.path("rooms", "dispatcher", "audit-heads.jsonl")}}


def _backup_agent(state: State) -> Tree:
    return {
        "installation_key": installation_key(state),
        "backup_agent": {
            "database": postgres.dsn(state, "nastup_backup_agent", driver="postgresql+psycopg"),
            "repository": f"https://127.0.0.1:{state.port('vault')}",
            "certificate": state.path("tls", "vault.crt"),
            "mail_store": state.path("mail", "store"),
            "workspace": state.path("rooms", "backup-agent"),
        },
    }


def _store_agent(state: State) -> Tree:
    return {
        "installation_key": installation_key(state),
        "store_agent": {
            "database": postgres.dsn(state, "nastup_store_agent", driver="postgresql+psycopg"),
            "credentials": state.path("vault", "htpasswd"),
            "repositories": state.path("vault", "repositories"),
        },
    }
