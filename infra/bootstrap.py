"""From a bare Debian 12 to STATE/venv with the locked libraries and the product's own wheel. Standard library only.

Three things go on side by side: packages of Debian, Keycloak, Python. What is there already is left alone, so a second start passes
through in a second.
"""

import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from infra import distribution, machine
from infra.progress import Trouble, say_line, step
from infra.state import State, already_runs

CHECKOUT = Path(__file__).resolve().parent.parent
LOCKS = CHECKOUT / "infra" / "locks"
SOURCES = ("pyproject.toml", "hatch_build.py", "README.md", "flows", "web", "infra", "templates")


def set_up(state: Path, tests: bool = False) -> Path:
    """Everything that a start needs on this machine; the interpreter of STATE/venv."""
    fresh = not (state / "venv").exists()
    machine.check(state, gigabytes=4 if fresh else 0.5)
    State(state).refuse_place()
    _refuse_running(state)
    state.mkdir(parents=True, exist_ok=True)
    python = state / "venv" / "bin" / "python"
    with _alone():
        packages = machine.SERVERS + machine.PAPER + (machine.BROWSER if tests else [])
        if machine.missing([*machine.FIRST, *packages]):
            machine.refresh()
            machine.install(list(machine.FIRST), "Python's venv, Maven and Java")
        with ThreadPoolExecutor(3) as pool:
            _all(
                pool.submit(machine.install, packages, "servers and libraries"),
                pool.submit(_keycloak, state),
                pool.submit(_python, state, python, LOCKS / ("test.lock" if tests else "run.lock")),
            )
    return python


def is_installed(state: Path) -> bool:
    """Whether STATE/venv was made to its end, and what it stands on is still there."""
    return bool(_stamp(state, "wheel")) and (state / "venv" / "bin" / "python").exists()


def _refuse_running(state: Path) -> None:
    """What runs keeps the libraries it began with: nothing is installed below its feet. One that is going down is waited for."""
    patience = time.monotonic() + 60
    while (said := _supervisor_says(state)) and time.monotonic() < patience:
        if "RUNNING" in said:  # looked at again: the supervisor of a start that was killed notices it within a second
            time.sleep(1.5)
            if "RUNNING" in _supervisor_says(state):
                raise Trouble(already_runs(State(state)))
        time.sleep(0.2)


def _supervisor_says(state: Path) -> str:
    """What the supervisor answers when it is asked for its state (a fault while it goes down); empty when there is none."""
    call = b"<methodCall><methodName>supervisor.getState</methodName><params/></methodCall>"
    head = b"POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(call)
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(5)
        try:
            line.connect(str(state / "run" / "supervisor.sock"))
            line.sendall(head + call)
            return line.makefile("rb").read().decode(errors="replace")
        except OSError:
            return ""


def _keycloak(state: Path) -> None:
    distribution.fetch()
    distribution.build()
    distribution.place(state)


def _python(state: Path, python: Path, lock: Path) -> None:
    wanted = hashlib.sha256((LOCKS / "uv.lock").read_bytes() + lock.read_bytes()).hexdigest()
    install = [state / "venv/bin/uv", "pip", "install", "-q", "--python", python, "--no-deps", "--compile-bytecode"]
    if _stamp(state, "lock") != wanted or (is_installed(state) and not _works(python)):
        with step("virtual environment made"):
            _make_environment(state, python)
        with step("libraries installed"):
            machine.run([*install, "--require-hashes", "-r", lock], "libraries", "install the locked libraries", _index(python), state)
        _set_stamp(state, "lock", wanted)
        _set_stamp(state, "wheel", "")
    sources = _hash_of_sources()
    if _stamp(state, "wheel") != sources:
        with step("Nástup built and installed"):
            # --no-cache: uv would take the wheel of an earlier state of this directory
            own = ["--no-build-isolation", "--no-cache", "--reinstall-package", "nastup", CHECKOUT]
            machine.run([*install, *own], "wheel", "build and install Nástup", place=state)
        _set_stamp(state, "wheel", sources)


def _works(python: Path) -> bool:
    """Whether the environment still imports what the launcher needs: files of it may have been lost, or the interpreter below replaced."""
    try:
        return subprocess.run([python, "-P", "-c", "import infra.launcher"], cwd="/", capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _make_environment(state: Path, python: Path) -> None:
    shutil.rmtree(state / "venv", ignore_errors=True)
    machine.run([_interpreter(), "-m", "venv", state / "venv"], "venv", "make a virtual environment", place=state)
    pip = [python, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    machine.run([*pip, "-r", LOCKS / "uv.lock"], "uv", "install uv", place=state)


def _index(python: Path) -> dict[str, str]:
    """The package index that pip is set to on this machine, told to uv, which does not read pip's settings."""
    asked = subprocess.run([python, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False)
    return {"UV_DEFAULT_INDEX": asked.stdout.strip()} if asked.returncode == 0 else {}


def _interpreter() -> str:
    """An interpreter that the servers' users may run too: the one in a home of root is closed to them."""
    real = Path(sys.executable).resolve()
    if all(parent.stat().st_mode & 0o001 for parent in real.parents):
        return str(real)
    return "/usr/bin/python3"


def _hash_of_sources() -> str:
    digest = hashlib.sha256()
    for name in SOURCES:
        place = CHECKOUT / name
        for file in sorted([place] if place.is_file() else place.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(CHECKOUT)} ".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _stamp(state: Path, name: str) -> str:
    file = state / "venv" / f"nastup-{name}.stamp"
    return file.read_text() if file.exists() else ""


def _set_stamp(state: Path, name: str, value: str) -> None:
    (state / "venv" / f"nastup-{name}.stamp").write_text(value)


@contextmanager
def _alone() -> Generator[None, None, None]:
    """One set-up at a time on a machine: apt and the cache are shared."""
    machine.CACHE.mkdir(parents=True, exist_ok=True)
    with (machine.CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say_line("another set-up is under way on this machine, waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _all(*futures: "Future[Any]") -> None:
    """Waits for all; the first failure is raised (the others finish what they began)."""
    wait(futures, return_when=FIRST_EXCEPTION)
    for future in futures:
        if future.done():
            future.result()


def hand_over(python: Path, words: list[str]) -> NoReturn:
    """Goes on as the launcher, in the virtual environment."""
    sys.stdout.flush()
    os.execv(python, [str(python), "-P", "-m", "infra.launcher", *words])
