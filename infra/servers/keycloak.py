"""Keycloak in production mode on PostgreSQL; built once when it is fetched (infra/distribution.py)."""

from importlib.resources import as_file, files
from pathlib import Path

from infra.servers import realm
from infra.servers.process import Process, answers
from infra.state import State

USER = "nastup-keycloak"


def process(state: State) -> Process:
    home = state.path("keycloak")
    return Process(
        name="keycloak",
        command=[
            home / "bin" / "kc.sh",
            "start",
            "--optimized",
            "--http-enabled=true",
            "--http-host=127.0.0.1",
            f"--http-port={state.port('keycloak')}",
            "--http-management-host=127.0.0.1",
            f"--http-management-port={state.port('keycloak_management')}",
            f"--hostname={state.address('keycloak')}",
            "--cache=local",
            f"--db-url=jdbc:postgresql://127.0.0.1:{state.port('postgres')}/keycloak",
        ],
        user=USER,
        environment={
            "KC_DB_USERNAME": "keycloak",
            "KC_DB_PASSWORD": state.secret("postgres_keycloak"),
            "KC_BOOTSTRAP_ADMIN_USERNAME": realm.ADMINISTRATOR,
            "KC_BOOTSTRAP_ADMIN_PASSWORD": state.secret("keycloak_admin"),
            "JAVA_OPTS_KC_HEAP": "-Xms256m -Xmx1g",
        },
        directory=home,
        after=("postgres",),
        configure=lambda: _configure(state, home),
        ready=lambda: answers(state.port("keycloak_management"), "/health/ready"),
        settle=lambda: realm.ensure_realm(state),
        patience=600,
    )


def _configure(state: State, home: Path) -> None:
    state.room("keycloak/data", USER)
    link = home / "themes" / realm.THEME
    link.unlink(missing_ok=True)
    with as_file(files("infra").joinpath("keycloak_theme", realm.THEME)) as theme:
        link.symlink_to(theme)
