"""One installation, up: servers, migrations, cast and our processes in the order in which they need each other; and stopped again."""

import fcntl
import importlib
import importlib.util
import signal
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from infra.order import Step, run_in_order
from infra.progress import Trouble, say_line
from infra.servers import catcher, dovecot, keycloak, postfix, postgres, prefect, product, vault
from infra.servers.process import Process
from infra.state import State, already_runs, ensure_users
from infra.supervise import Supervisor
from infra.sweep import sweep
from infra.watch import Watch

SERVERS = (postgres, keycloak, prefect, dovecot, postfix, vault, catcher)
USERS = {postgres.USER, keycloak.USER, prefect.USER, vault.USER, catcher.USER, dovecot.USER, product.WORKER, product.PORTAL}


@contextmanager
def running(state: State, *, free_ports: bool = False, outlive: bool = False, servers_only: bool = False) -> Generator[Watch, None, None]:
    """Everything up and watched; stopped at the end whatever happens, unless it is to outlive us and all went well."""
    supervisor = Supervisor(state)
    state.prepare()
    if supervisor.lives():
        raise Trouble(already_runs(state))
    with _alone(state):
        if left := sweep(state):
            say_line(f"an earlier start had been cut off: stopped the {left} processes it had left")
        ensure_users(USERS)
        state.settle_ports(free_ports)
        processes = [server.process(state) for server in SERVERS] + ([] if servers_only else product.processes(state))
        launched = False
        try:
            supervisor.launch(processes, outlive)
            launched = True
            with Watch(supervisor) as watch:
                run_in_order(_steps(state, supervisor, processes))
                yield watch
        except (ConnectionError, FileNotFoundError) as error:
            if launched and not supervisor.lives():
                raise Trouble(f"{state.root} was stopped from elsewhere while it was in use ({error}).") from error
            stop(supervisor)
            raise
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
            raise Trouble(f"Another start of {state.root} is under way: wait for it, or end it with `{state.command('stop')}`.") from None
        yield
