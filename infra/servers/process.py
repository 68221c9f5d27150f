"""One supervised program."""

import http.client
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from infra.machine import absent_program
from infra.progress import Trouble


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Process:
    """A program that runs in the foreground under supervision.

    `after`: names of processes that must be ready first. `configure` runs before the start, `ready` is asked until it is true (None: it
    has stayed up for a second) or `patience` (seconds) is over, `settle` runs once it is ready; only then do those wait no longer that
    come after it.
    """

    name: str
    command: Sequence[str | Path]
    user: str
    ready: Callable[[], bool] | None
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    directory: Path = Path("/")
    after: tuple[str, ...] = ()
    configure: Callable[[], None] = _nothing
    settle: Callable[[], None] = _nothing
    stop_signal: str = "TERM"
    patience: float = 60


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def greets(port: int, with_: bytes) -> bool:
    """Whether the server at that port speaks first, and says so."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as line:
            return line.recv(200).startswith(with_)
    except OSError:
        return False


def answers(port: int, path: str, headers: Mapping[str, str] | None = None) -> bool:
    """Whether an HTTP server answers 200."""
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        line.request("GET", path, headers=dict(headers or {}))
        return line.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        line.close()


def carry_out(command: Sequence[str | Path], log: Path, user: str = "root") -> None:
    """Runs a program once, as that user, with its output in a log; raises Trouble with its last words."""
    words: list[str | Path] = ["runuser", "-u", user, "--", *command] if user != "root" else list(command)
    with log.open("w") as out:  # never a pipe: a daemon that keeps it open would keep us waiting
        try:
            code = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", check=False).returncode
        except (FileNotFoundError, PermissionError) as absent:
            raise Trouble(absent_program(words[0])) from absent
    if code and shutil.which(command[0]) is None:  # runuser says it with a code that is anybody's
        raise Trouble(absent_program(command[0]))
    if code:
        raise Trouble(f"{command[0]} failed:\n{last_words(log)}")


def last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()[-12:] if log.exists() else []
    return "\n".join([*(f"    {line[:300]}" for line in lines), f"(the whole log: {log})"])


def filled(template: str, values: Mapping[str, str | int | Path]) -> str:
    """A file of infra/config with every @NAME@ replaced. A name without a value is a KeyError, never an empty place."""
    text = files("infra").joinpath("config", template).read_text(encoding="utf-8")
    return re.sub(r"@([A-Z][A-Z0-9_]*)@", lambda found: str(values[found[1]]), text)
