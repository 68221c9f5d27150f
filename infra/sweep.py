"""Ends what an earlier start of a state directory left behind because its supervisor was killed. Another installation is left alone."""

import os
import signal
import time
from pathlib import Path

from infra.state import State

PID_FILES = {"postgres/data/postmaster.pid": b"postgres", "postfix/spool/pid/master.pid": b"master", "mail/run/master.pid": b"dovecot"}


def sweep(state: State) -> int:
    """How many processes that were."""
    left = _left_behind(state)
    for number, patience in ((signal.SIGTERM, 10.0), (signal.SIGKILL, 5.0)):
        for pid in _left_behind(state):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        ends = time.monotonic() + patience
        while _left_behind(state) and time.monotonic() < ends:
            time.sleep(0.2)
    for stale in ("run/supervisor.sock", "run/supervisord.pid", *PID_FILES):
        state.path(stale).unlink(missing_ok=True)
    return len(left)


def _left_behind(state: State) -> set[int]:
    """By the environment that every program is given; servers that overwrite theirs or clean it, by their pid files."""
    mark, own = f"NASTUP_STATE={state.root}".encode(), os.getpid()
    found = {pid for pid in _pids() if pid != own and mark in _read(pid, "environ").split(b"\0")}
    for file, program in PID_FILES.items():
        place = state.path(file)
        pid = int((place.read_text().split() or ["0"])[0]) if place.exists() else 0
        if pid and program in _read(pid, "cmdline").split(b"\0")[0] and str(state.root).encode() in _read(pid, "cmdline"):
            found.add(pid)
    return found


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _read(pid: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""
