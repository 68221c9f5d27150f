"""Faults by name: what a server does to the next calls of one method."""

import functools
import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from flows.connectors.base import Conflict, ConnectorError, Unavailable
from flows.sentence import say

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Fake")


class Faults:
    """Planned per method, used up in order; `every` instead of a method's name means whichever comes next."""

    def __init__(self) -> None:
        self._before: dict[str, deque[ConnectorError]] = {}
        self._after: dict[str, deque[ConnectorError]] = {}

    def unavailable(self, call: str = "every", times: int = 1, after: float | None = None) -> None:
        """The server does not answer and nothing happened there. `after` = seconds it asks for."""
        self.fail(call, Unavailable(say("The fake does not answer."), call, after), times)

    def lost_answer(self, call: str = "every", times: int = 1) -> None:
        """The server does it, its answer never arrives."""
        self._after.setdefault(call, deque()).extend([Unavailable(say("The fake does not answer."), f"{call}: lost answer")] * times)

    def conflict(self, call: str, times: int = 1) -> None:
        self.fail(call, Conflict(say("The name is taken and is not ours."), call), times)

    def fail(self, call: str, error: ConnectorError, times: int = 1) -> None:
        self._before.setdefault(call, deque()).extend([error] * times)

    def clear(self) -> None:
        self._before.clear()
        self._after.clear()

    def before(self, call: str) -> None:
        self._raise(self._before, call)

    def after(self, call: str) -> None:
        self._raise(self._after, call)

    @staticmethod
    def _raise(planned: dict[str, deque[ConnectorError]], call: str) -> None:
        for name in (call, "every"):
            if planned.get(name):
                raise planned[name].popleft()


class Fake:
    """State in memory, safe to share between threads. `writes` counts what was changed, `calls` what was asked, by name."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.writes: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.lock = threading.RLock()
        self.tell: Callable[[str], None] = lambda _call: None  # a test may watch every call, or stop the process in it


def remote(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """A call over the network: may fail before anything happened, or after everything did."""

    @functools.wraps(method)
    def call(self: S, *arguments: P.args, **options: P.kwargs) -> R:
        name: str = getattr(method, "__name__", "")
        with self.lock:
            self.calls[name] += 1
            self.tell(name)
            self.faults.before(name)
            result: Any = method(self, *arguments, **options)
            self.faults.after(name)
            return result

    return call
