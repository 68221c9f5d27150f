"""`python3 -m infra test`: form, types and tests of a checkout, against servers of their own."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.progress import Trouble, say_line
from infra.running import running
from infra.servers import prefect
from infra.state import State
from infra.supervise import Supervisor
from infra.sweep import sweep

DATA = ("postgres", "mail", "postfix", "vault", "catcher", "prefect", "rooms", "secrets", "log")
CHECKS = {
    "ruff format": ["ruff", "format", "--check", "."],
    "ruff check": ["ruff", "check", "."],
    "pyright": ["pyright", "--pythonpath", sys.executable],
}


def run_tests(state: State, checkout: Path, words: list[str]) -> int:
    """0 when all is well. pytest's closing line is the last thing printed; the servers are stopped whatever happens."""
    if Supervisor(state).lives():
        raise Trouble(
            f"Tests already run in {state.root}: wait for them, end them with `{state.command('stop')}`, or give these another --state."
        )
    sweep(state)
    for name in DATA:  # every run begins with empty servers; what was fetched and installed stays
        shutil.rmtree(state.path(name), ignore_errors=True)
    with ThreadPoolExecutor(1) as aside:
        checks = aside.submit(_checks, checkout)
        with running(state, free_ports=True) as watch:
            wrong = checks.result()
            for name, output in wrong.items():
                print(f"\n{name} failed:\n{output}")
            watch.end()  # tests kill what they like, and pytest's line is the last
            say_line("tests begin")
            pytest = [sys.executable, "-m", "pytest", *words]
            told = os.environ | _settings(state)
            code = subprocess.run(pytest, cwd=checkout, env=told, stdin=subprocess.DEVNULL, check=False).returncode
    return code or int(bool(wrong))


def _settings(state: State) -> dict[str, str]:
    """How the tests find the servers. Prefect reads its own at the first import; without them it would start a server of its own."""
    return {
        "NASTUP_TEST_STATE": str(state.root),
        "PREFECT_HOME": str(state.path("rooms", "tests")),
        "PREFECT_API_URL": f"{state.address('prefect')}/api",
        "PREFECT_API_AUTH_STRING": prefect.auth(state),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    }


def _checks(checkout: Path) -> dict[str, str]:
    """What each failing check says."""
    said: dict[str, str] = {}
    for name, words in CHECKS.items():
        program = [str(Path(sys.executable).with_name(words[0])), *words[1:]]
        done = subprocess.run(program, cwd=checkout, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        say_line(f"{name}: {'failed' if done.returncode else 'well'}")
        if done.returncode:
            said[name] = done.stdout + done.stderr
    return said
