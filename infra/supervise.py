"""Supervision by `supervisor`: one supervisord per state directory, every program in the foreground below it."""

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import Faults, SupervisorTransport  # pyright: ignore[reportMissingTypeStubs]

from infra.machine import absent_program
from infra.progress import Trouble
from infra.servers.process import Process, filled, last_words
from infra.state import State, write

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RUNNING, STOPPED, FATAL = 20, 0, 200
LIVES = 3  # so often a program may die at its start
END = (0, 100, 200, 1000)  # stopped, exited, fatal, unknown
# a dead child of a program must not live on: the whole group is asked to stop, and killed
FIXED = """
autostart=false
autorestart=true
startsecs=1
startretries=20
stopwaitsecs=30
stopasgroup=true
killasgroup=true
redirect_stderr=true
stdout_logfile_maxbytes=20MB
stdout_logfile_backups=1
"""


class Supervisor:
    """The supervisord of one state directory, reached over its socket (root only)."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.socket = state.path("run", "supervisor.sock")
        self._launched: subprocess.Popen[bytes] | None = None

    def _ask(self, method: str, *words: object) -> Any:
        # one connection per call: the transport is not made for several threads
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")  # pyright: ignore[reportUnknownVariableType]
        try:
            supervisor = ServerProxy("http://127.0.0.1", transport=transport).supervisor  # pyright: ignore[reportArgumentType]
            return getattr(supervisor, method)(*words)
        finally:
            transport.close()  # pyright: ignore[reportUnknownMemberType]

    def lives(self) -> bool:
        try:
            return bool(self._ask("getState"))
        except (OSError, Fault):
            return False

    def launch(self, processes: Sequence[Process], outlive: bool) -> None:
        """Starts supervisord with every program stopped. Unless it is to outlive us, it ends when we end, however that happens."""
        conf = self.state.path("run", "supervisord.conf")
        values = {"RUN": self.state.path("run"), "LOG": self.state.path("log")}
        sections = [_section(self.state, process, place) for place, process in enumerate(processes)]
        write(conf, filled("supervisor/supervisord.conf", values) + "\n".join(sections))
        # however we end, so does it, and it ends the programs
        tied = [] if outlive else ["setpriv", "--pdeathsig", "TERM"]
        with self.state.path("log", "supervisord.out").open("a") as out:
            self._launched = subprocess.Popen(
                [*tied, sys.executable, "-P", "-m", "supervisor.supervisord", "-n", "-c", str(conf)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                env={"PATH": PATH, "LANG": "C.UTF-8", "NASTUP_STATE": str(self.state.root)},
                start_new_session=True,  # Ctrl-C is ours: the servers are stopped in order
            )
        if not _wait(self.lives, 60):
            raise Trouble(f"supervisord does not answer:\n{last_words(self.state.path('log', 'supervisord.out'))}")

    def start(self, name: str) -> None:
        self._ask("startProcess", name, False)

    def stop(self, name: str) -> None:
        self._ask("stopProcess", name, True)

    def signal(self, name: str, number: int) -> None:
        self._ask("signalProcess", name, str(number))

    def processes(self) -> list[dict[str, Any]]:
        """name, statename, state, pid, start (seconds since 1970), description."""
        return self._ask("getAllProcessInfo")

    def process(self, name: str) -> dict[str, Any]:
        return self._ask("getProcessInfo", name)

    def bring_up(self, process: Process) -> None:
        """Configured, started, ready, settled."""
        process.configure()
        try:
            self.start(process.name)
        except Fault as fault:
            if fault.faultCode not in (Faults.NO_FILE, Faults.NOT_EXECUTABLE):
                raise
            raise Trouble(f"{process.name} cannot be started. {absent_program(process.command[0])}") from fault
        ends, lives = time.monotonic() + process.patience, set[int]()
        while True:
            info = self.process(process.name)
            lives.add(info["pid"])
            if process.ready() if process.ready else info["state"] == RUNNING:
                break
            if info["state"] == FATAL or len(lives - {0}) > LIVES or time.monotonic() > ends:
                words = last_words(self.state.path("log", f"{process.name}.log"))
                raise Trouble(f"{process.name} does not start ({info['statename'].lower()}). Its last words:\n{words}")
            time.sleep(0.1 if ends - time.monotonic() > process.patience - 5 else 0.5)  # a slow one is not asked to death
        process.settle()

    def shut_down(self) -> None:
        """Stops every program, the database last, then supervisord itself."""
        try:
            for info in self.processes():
                if info["name"] != "postgres" and info["state"] not in END:
                    self._ask("stopProcess", info["name"], False)
            _wait(lambda: all(info["state"] in END for info in self.processes() if info["name"] != "postgres"), 60)
            self._ask("shutdown")
        except (OSError, Fault):
            pass  # it is going down already; what is left is ended by infra/sweep.py
        _wait(lambda: not self.lives(), 60)
        if launched := self._launched:
            _wait(lambda: launched.poll() is not None, 60)


def _section(state: State, process: Process, place: int) -> str:
    environment = {"NASTUP_STATE": str(state.root), "HOME": "/nonexistent"} | dict(process.environment)
    lines = {
        "command": shlex.join(str(word) for word in process.command),
        "directory": process.directory,
        "user": process.user,
        "environment": ",".join(f'{name}="{value}"' for name, value in environment.items()),
        "priority": place + 1,
        "stopsignal": process.stop_signal,
        "stdout_logfile": state.path("log", f"{process.name}.log"),
    }
    text = [f"[program:{process.name}]", *(f"{name}={str(value).replace('%', '%%')}" for name, value in lines.items()), *FIXED.split()]
    return "\n".join(text) + "\n"


def _wait(true: Callable[[], bool], seconds: float) -> bool:
    ends = time.monotonic() + seconds
    while not (answer := true()) and time.monotonic() < ends:
        time.sleep(0.1)
    return answer
