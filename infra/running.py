"""One installation, up: servers, migrations, cast and our processes in the order in which they need each other; and stopped again."""

import fcntl
import importlib
import importlib.util
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from xmlrpc.client import Fault

from infra.order import Step, run_in_order
from infra.progress import Trouble, say_line
from infra.servers import catcher, dovecot, keycloak, postfix, postgres, prefect, product, vault
from infra.servers.process import Process
from infra.state import State, ensure_users
from infra.supervise import Supervisor
from infra.sweep import sweep

SERVERS = (postgres, keycloak, prefect, dovecot, postfix, vault, catcher)
USERS = {postgres.USER, keycloak.USER, prefect.USER, vault.USER, catcher.USER, dovecot.USER, product.WORKER, product.PORTAL}


@contextmanager
def running(
    state: State, *, free_ports: bool = False, outlive: bool = False, servers_only: bool = False
) -> Generator[Supervisor, None, None]:
    """Everything up; stopped at the end whatever happens, unless it is to outlive us and all went well."""
    supervisor = Supervisor(state)
    state.prepare()
    if supervisor.lives():
        raise Trouble(f"Nástup already runs in {state.root}: `python3 -m infra status` shows it, `python3 -m infra stop` ends it.")
    with _alone(state):
        if left := sweep(state):
            say_line(f"an earlier start had been cut off: stopped the {left} processes it had left")
        ensure_users(USERS)
        state.settle_ports(free_ports)
        processes = [server.process(state) for server in SERVERS] + ([] if servers_only else product.processes(state))
        try:
            supervisor.launch(processes, outlive)
            run_in_order(_steps(state, supervisor, processes))
            yield supervisor
        except OSError as error:
            if supervisor.lives():
                stop(supervisor)
                raise
            raise Trouble(f"{state.root} was stopped from elsewhere while it was in use ({error}).") from error
        except BaseException:
            stop(supervisor)
            raise
        if not outlive:
            stop(supervisor)


def stop(supervisor: Supervisor) -> int:
    """Stops everything; how many processes had to be swept up because no supervisor knew them any more."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # impatience must not leave half of them running
    supervisor.shut_down()
    return sweep(supervisor.state)


def watch(supervisor: Supervisor) -> None:
    """Says what died and was started again; ends when the supervisor is gone (`python3 -m infra stop`)."""
    known = {info["name"]: info["pid"] for info in supervisor.processes()}
    while True:
        time.sleep(1)
        try:
            infos = supervisor.processes()
        except (OSError, Fault):
            say_line("stopped from elsewhere")
            return
        for info in infos:
            if info["pid"] and info["pid"] != known[info["name"]]:
                say_line(f"{info['name']} died, started again")
                known[info["name"]] = info["pid"]


def optional(name: str) -> Any:
    """A module of ours that may be left out of an installation (cast and demo), None then."""
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def _steps(state: State, supervisor: Supervisor, processes: list[Process]) -> list[Step]:
    def bring_up(process: Process) -> Step:
        return Step(process.name, lambda: supervisor.bring_up(process), process.after)

    names = {process.name for process in processes}
    steps = [bring_up(process) for process in processes]
    if migrations := optional("infra.migrations"):
        owner = postgres.dsn(state, "nastup_owner", driver="postgresql+psycopg")
        steps.append(Step("migrations", lambda: migrations.upgrade(owner), ("postgres",), "databases migrated"))
    if (seed := optional("infra.seed")) and "backup-agent" in names:
        needed = ("migrations", "keycloak", "dovecot", "postfix", "backup-agent", "store-agent")
        steps.append(Step("seed", lambda: seed.plant(state), needed, "cast planted"))
    return steps


@contextmanager
def _alone(state: State) -> Generator[None, None, None]:
    """Two starts of one state directory at once would trip over each other."""
    with state.path("run", "start.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble(f"Another start of {state.root} is under way: wait for it, or end it with `python3 -m infra stop`.") from None
        yield
