"""The commands behind `python3 -m infra`, once STATE/venv is there: this runs in it, from the installed wheel."""

import argparse
import json
import os
import shutil
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from infra import machine
from infra.failure import in_a_sentence, output_is_gone
from infra.progress import Trouble, say_line
from infra.running import optional, running, stop
from infra.state import State
from infra.supervise import RUNNING, Supervisor

KEYS = {"prefect": "   (nastup:<what stands in {secrets}/prefect_api>)", "keycloak": "   (admin, {secrets}/keycloak_admin)"}
ADDRESSES = {"Portal": "portal", "Prefect": "prefect", "Keycloak": "keycloak", "Caught mail": "catcher"}


def main() -> int:
    arguments = _arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        return arguments.carry_out(State(arguments.state), arguments)
    except KeyboardInterrupt:
        say_line("stopped")
        return 130
    except Exception as error:
        if output_is_gone():
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter would complain of it once more at its end
            if isinstance(error, BrokenPipeError):
                return 1
        with suppress(OSError):  # what was said so far comes first
            sys.stdout.flush()
        print(f"\n{in_a_sentence(error, arguments.state, machine.CACHE)}", file=sys.stderr)
        return 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m infra", allow_abbrev=False)
    commands = parser.add_subparsers(required=True)

    def command(name: str, carry_out: Any) -> argparse.ArgumentParser:
        one = commands.add_parser(name, allow_abbrev=False)
        one.add_argument("--state", type=Path, required=True)
        one.set_defaults(carry_out=carry_out)
        return one

    run = command("run", _run)
    run.add_argument("--check", action="store_true", help="prove the first employee, stop everything, print the proof as JSON")
    run.add_argument("--detach", action="store_true", help="leave it running")
    run.add_argument("--servers", action="store_true", help="without our own processes, for work on them")
    test = command("test", _test)
    test.add_argument("--checkout", type=Path, required=True)
    test.add_argument("words", nargs="*", help="go to pytest; after --")
    command("stop", _stop)
    command("status", _status)
    command("reset", _reset).add_argument("--yes", action="store_true", help="do not ask")
    command("cast", _cast).add_argument("--json", action="store_true")
    grant = command("grant", _grant)
    grant.add_argument("person", help="e-mail of the person")
    grant.add_argument("role", choices=["founder", "region-it", "security", "dpo", "it", "auditor"])
    grant.add_argument("--until", type=date.fromisoformat, help="last day, YYYY-MM-DD")
    grant.add_argument("--head", action="store_true", help="head of that group: told when a decision is late by a working day")
    return parser.parse_args()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _run(state: State, arguments: argparse.Namespace) -> int:
    with running(state, outlive=arguments.detach, servers_only=arguments.servers) as watch:
        proof = {} if arguments.servers else _first_employee(state, must=arguments.check)
        if arguments.check:
            say_line("stopping")
        else:
            _say_addresses(state, sits_before_it=not arguments.detach)
            if not arguments.detach:
                watch.until_it_is_gone()
    if arguments.check:
        print(json.dumps(proof, ensure_ascii=False))
        return 0 if proof.get("state") == "done" else 1
    return 0


def _first_employee(state: State, must: bool) -> dict[str, Any]:
    """The proof. When it fails and nobody asked for it alone, all goes on running: IT sees the attempts in the portal."""
    try:
        return demo.first_employee(state) if (demo := optional("infra.demo")) else {}
    except Trouble as trouble:
        if must:
            raise
        print(f"\n{trouble}", file=sys.stderr, flush=True)
        return {}


def _test(state: State, arguments: argparse.Namespace) -> int:
    from infra.checks import run_tests  # what it needs is in the tests' lock only

    return run_tests(state, arguments.checkout, arguments.words)


def _stop(state: State, _: argparse.Namespace) -> int:
    supervisor = Supervisor(state)
    lived = supervisor.lives()
    left = stop(supervisor)
    say_line(
        "stopped" if lived else f"stopped {left} processes that had lost their supervisor" if left else f"nothing runs in {state.root}"
    )
    return 0


def _status(state: State, _: argparse.Namespace) -> int:
    """0 = everything runs, 3 = it does not (as init scripts say it)."""
    supervisor = Supervisor(state)
    if not supervisor.lives():
        print(f"Nothing runs in {state.root}. Start: {state.command('run')}")
        return 3
    infos = supervisor.processes()
    for info in infos:
        print(f"  {info['name']:<14} {info['statename'].lower():<10} {info['description']}")
    _say_addresses(state)
    return 0 if all(info["state"] == RUNNING for info in infos) else 3


def _reset(state: State, arguments: argparse.Namespace) -> int:
    if not state.path("ports.json").exists():
        raise Trouble(f"{state.root} is not a state directory of Nástup: nothing was removed.")
    if not arguments.yes and not sys.stdin.isatty():
        raise Trouble("Nobody is there to be asked: add --yes.")
    if not arguments.yes and input(f"Remove everything in {state.root}: accounts, mail, backups, secrets? Type yes: ") != "yes":
        raise Trouble("Nothing was removed.")
    stop(Supervisor(state))
    shutil.rmtree(state.root)
    say_line(f"{state.root} removed")
    return 0


def _cast(state: State, arguments: argparse.Namespace) -> int:
    from infra.seed import log_ins, table

    people = log_ins(state)
    if not people:
        raise Trouble(f"No cast is planted in {state.root}: `{state.command('run')}` does it.")
    words = json.dumps([asdict(person) for person in people], ensure_ascii=False) if arguments.json else table(people)
    print(words if arguments.json else f"Log-ins of the demo at {state.address('portal')}/\n\n{words}")
    return 0


def _grant(state: State, arguments: argparse.Namespace) -> int:
    from infra.grant import grant

    if not Supervisor(state).lives():
        raise Trouble(f"Nothing runs in {state.root}, so nobody can be granted anything: start it with `{state.command('run')}`.")
    say_line(grant(state, arguments.person, arguments.role, arguments.until, head=arguments.head))
    return 0


def _say_addresses(state: State, *, sits_before_it: bool = False) -> None:
    print()
    for label, name in ADDRESSES.items():
        print(f"  {label:<12} {state.address(name)}/{KEYS.get(name, '').format(secrets=state.path('secrets'))}")
    end = f"Ctrl-C, or {state.command('stop')}" if sits_before_it else state.command("stop")
    print(f"\nWho may log in: {state.command('cast')}    End: {end}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
