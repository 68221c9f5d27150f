"""`python3 -m infra ...` on a bare Debian 12 (standard library only): sets up what is missing and hands over to infra/launcher.py."""

import argparse
import os
import signal
import sys
from pathlib import Path

from infra import bootstrap, machine
from infra.failure import in_a_sentence
from infra.progress import Trouble
from infra.state import DEFAULT, TEST, State


def main() -> int:
    arguments, rest = _arguments()
    os.umask(0o022)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what is being installed is finished first
    state: Path = (arguments.state or (TEST if arguments.command == "test" else DEFAULT)).absolute()
    try:
        return _carry_out(arguments.command, state, rest)
    except KeyboardInterrupt:
        return 130
    except (Trouble, OSError) as error:
        print(f"\n{in_a_sentence(error, state, machine.CACHE, machine.PROGRAMS)}", file=sys.stderr)
        return 1


def _arguments() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python3 -m infra",
        allow_abbrev=False,  # what it does not know may be an option of pytest
        description="Sets up, runs and tests Nástup on a Debian 12, as root.",
        epilog="run: --check proves and stops, --detach leaves it running. test: more words go to pytest. reset: --yes. cast: --json.",
    )
    parser.add_argument("command", choices=["run", "test", "stop", "status", "reset", "cast", "grant"])
    parser.add_argument("--state", type=Path, help=f"the state directory ({DEFAULT}; for test {TEST})")
    return parser.parse_known_args()


def _carry_out(command: str, state: Path, rest: list[str]) -> int:
    python = state / "venv" / "bin" / "python"
    words = [command, "--state", str(state)]
    if command == "test":  # all the rest is pytest's, in the order in which it was typed
        words += ["--checkout", str(bootstrap.CHECKOUT), "--"]
        rest = rest[1:] if rest[:1] == ["--"] else rest
    if command in ("run", "test"):
        python = bootstrap.set_up(state, tests=command == "test")
    elif not bootstrap.is_installed(state):
        raise Trouble(f"Nothing is installed in {state}: `{State(state).command('run')}` does it.")
    bootstrap.hand_over(python, [*words, *rest])


if __name__ == "__main__":
    sys.exit(main())
