"""The Prefect server: executes and shows; PostgreSQL remembers (DESIGN section 3)."""

import base64
import sys
from pathlib import Path

from infra.servers import postgres
from infra.servers.process import Process, answers
from infra.state import State

USER = "nastup-prefect"
# Ours (upkeep) or not used: together a third of the server's CPU per run.
SERVICES_OFF = ("TRIGGERS", "LATE_RUNS", "SCHEDULER", "FOREMAN", "PAUSE_EXPIRATIONS", "CANCELLATION_CLEANUP", "CLEANUP_RECONCILER")


def process(state: State) -> Process:
    credentials = auth(state)
    header = {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()}
    return Process(
        name="prefect",
        command=[Path(sys.executable).with_name("prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(state.port("prefect"))],
        user=USER,
        environment={
            "PREFECT_HOME": str(state.path("prefect")),
            "PREFECT_API_DATABASE_CONNECTION_URL": postgres.dsn(state, "prefect", driver="postgresql+asyncpg"),
            "PREFECT_SERVER_API_AUTH_STRING": credentials,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(state.path("prefect", "pages")),  # beside its own code it may not write
            "PREFECT_SERVER_UI_API_URL": f"{state.address('prefect')}/api",
            "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
        }
        | {f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in SERVICES_OFF},
        after=("postgres",),
        configure=lambda: _configure(state),
        ready=lambda: answers(state.port("prefect"), "/api/health", header),
        stop_signal="INT",
        patience=600,
    )


def auth(state: State) -> str:
    """user:password of the API."""
    return f"nastup:{state.secret('prefect_api')}"


def _configure(state: State) -> None:
    state.room("prefect", USER)
