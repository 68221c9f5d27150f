"""Runs one installation: servers, migrations, cast, our processes, the first employee; watches them until it is told to stop.

Runs in STATE/venv, from the installed wheel; `python3 -m infra` (infra/bootstrap.py) made both.
"""

import argparse
import fcntl
import importlib
import importlib.util
import json
import signal
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.order import Step, run_in_order
from infra.progress import Trouble, say_line
from infra.servers import catcher, dovecot, keycloak, postfix, postgres, prefect, product, vault
from infra.servers.process import Process
from infra.state import State, ensure_users
from infra.supervise import Supervisor, sweep

USERS = {postgres.USER, keycloak.USER, prefect.USER, vault.USER, catcher.USER, dovecot.USER, product.WORKER, product.PORTAL}
ADDRESSES = {"Portal": "portal", "Prefect": "prefect", "Keycloak": "keycloak", "Caught mail": "catcher"}


def main() -> int:
    arguments = _arguments()
    state = State(arguments.state)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return _run(state, arguments)
    except Trouble as trouble:
        print(f"\n{trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m infra")
    parser.add_argument("command", choices=["run"])
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--detach", action="store_true")
    parser.add_argument("--servers", action="store_true", help="without our own processes, for work on them")
    return parser.parse_args()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _run(state: State, arguments: argparse.Namespace) -> int:
    with running(state, free_ports=False, outlive=arguments.detach, servers_only=arguments.servers) as supervisor:
        proof = {} if arguments.servers else _first_employee(state)
        if arguments.check:
            say_line("stopping")
        else:
            _say_addresses(state)
            if not arguments.detach:
                _watch(supervisor)
    if arguments.check:
        print(json.dumps(proof, ensure_ascii=False))
        return 0 if proof.get("state") == "done" else 1
    return 0


@contextmanager
def running(state: State, free_ports: bool, outlive: bool = False, servers_only: bool = False) -> Generator[Supervisor, None, None]:
    """The whole installation, up; stopped at the end whatever happens (unless it is to outlive us and all went well)."""
    supervisor = Supervisor(state)
    state.prepare()
    if supervisor.lives():
        raise Trouble(f"Nástup already runs in {state.root}: `python3 -m infra status` shows it, `python3 -m infra stop` ends it.")
    with _alone(state):
        if left := sweep(state):
            say_line(f"an earlier start had been cut off: stopped the {left} processes it had left")
        ensure_users(USERS)
        state.settle_ports(free_ports)
        servers = [module.process(state) for module in (postgres, keycloak, prefect, dovecot, postfix, vault, catcher)]
        processes = servers + ([] if servers_only else product.processes(state))
        try:
            supervisor.launch(processes, outlive)
            run_in_order(_steps(state, supervisor, processes))
            yield supervisor
        except BaseException:
            _stop(state, supervisor)
            raise
        if not outlive:
            _stop(state, supervisor)


def _steps(state: State, supervisor: Supervisor, processes: list[Process]) -> list[Step]:
    def bring_up(process: Process) -> Step:
        return Step(process.name, lambda: supervisor.bring_up(process), process.after)

    steps = [bring_up(process) for process in processes]
    if migrations := _optional("infra.migrations"):
        steps.append(
            Step("migrations", lambda: migrations.upgrade(postgres.dsn(state, "nastup_owner")), ("postgres",), "databases migrated")
        )
    if (seed := _optional("infra.seed")) and "store-agent" in {process.name for process in processes}:
        needed = ("migrations", "keycloak", "dovecot", "postfix", "backup-agent", "store-agent")
        steps.append(Step("seed", lambda: seed.plant(state), needed, "cast planted"))
    return steps


def _first_employee(state: State) -> dict[str, Any]:
    demo = _optional("infra.demo")
    return demo.first_employee(state) if demo else {}


def _optional(name: str) -> Any:
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


@contextmanager
def _alone(state: State) -> Generator[None, None, None]:
    """Two starts of one state directory at once would trip over each other."""
    with state.path("run", "start.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Trouble(f"Another start of {state.root} is under way: wait for it, or end it with `python3 -m infra stop`.") from None
        yield


def _stop(state: State, supervisor: Supervisor) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # impatience must not leave half of them running
    supervisor.shut_down()
    sweep(state)


def _watch(supervisor: Supervisor) -> None:
    """Says what died and was started again; ends when the supervisor is gone (`python3 -m infra stop`)."""
    known = {info["name"]: info["pid"] for info in supervisor.processes()}
    while supervisor.lives():
        time.sleep(1)
        try:
            infos = supervisor.processes()
        except OSError:
            return
        for info in infos:
            if info["pid"] and info["pid"] != known[info["name"]]:
                say_line(f"{info['name']} died, started again")
                known[info["name"]] = info["pid"]


def _say_addresses(state: State) -> None:
    print()
    for label, name in ADDRESSES.items():
        print(f"  {label:<12} {state.address(name)}/")
    print("\nWho may log in: python3 -m infra cast    End: Ctrl-C, or python3 -m infra stop\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
