"""Says what died below the supervisor: while it is set up, while it is proved, and as long as somebody sits before it."""

import threading
from collections.abc import Sequence
from http.client import HTTPException
from types import TracebackType
from typing import Any
from xmlrpc.client import Fault

from infra.progress import say_line
from infra.supervise import FATAL, STOPPED, Supervisor

EVERY = 1.0  # seconds


class Watch:
    """A thread of its own inside `with`. It ends when the supervisor is gone (`python3 -m infra stop`)."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self._known: dict[str, int] = {}
        self._lost: set[str] = set()
        self._ended, self._gone = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """Says no more: who stops or kills on purpose knows it."""
        self._ended.set()
        self._thread.join()

    def until_it_is_gone(self) -> None:
        self._gone.wait()

    def seen(self, infos: Sequence[dict[str, Any]]) -> list[str]:
        """What has to be said of this look, compared with those before. A program that somebody stops is not said to have died."""
        said: list[str] = []
        for info in infos:
            name, pid = str(info["name"]), int(info["pid"])
            if pid and self._known.get(name, pid) != pid:
                said.append(f"{name} died, started again")
            if info["state"] == FATAL and name not in self._lost:
                state = self.supervisor.state
                said.append(
                    f"{name} died again and again and is not started any more: {state.path('log', f'{name}.log')} says why. What needs it "
                    f"stands still; mend it, then `{state.command('stop')}` and `{state.command('run')}`"
                )
            (self._lost.add if info["state"] == FATAL else self._lost.discard)(name)
            if pid:
                self._known[name] = pid
            elif info["state"] == STOPPED:
                self._known.pop(name, None)
        return said

    def _look(self) -> None:
        while not self._ended.wait(EVERY):
            try:
                infos = self.supervisor.processes()
            except (OSError, Fault, HTTPException):
                if not self._ended.is_set():
                    say_line("stopped from elsewhere")
                break
            for line in self.seen(infos):
                say_line(line)
        self._gone.set()
