"""Steps that wait for each other, side by side where they do not."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass

from infra.progress import say_line


class _Cut(Exception):
    """Another step failed: the steps that wait are given up."""


@dataclass(frozen=True)
class Step:
    """`run` starts once every step of `after` that is among the steps has ended; `done` is what the person reads then."""

    name: str
    run: Callable[[], object]
    after: tuple[str, ...] = ()
    done: str = ""


def run_in_order(steps: Sequence[Step]) -> None:
    """Runs all; the first failure is raised and what has not begun stays undone."""
    ended = {step.name: threading.Event() for step in steps}
    cut = threading.Event()

    def carry_out(step: Step) -> None:
        for name in step.after:
            while name in ended and not ended[name].wait(0.1):
                if cut.is_set():
                    raise _Cut
        began = time.monotonic()
        step.run()
        say_line(f"{step.done or step.name + ' ready'} ({time.monotonic() - began:.1f} s)")
        ended[step.name].set()

    with ThreadPoolExecutor(len(steps) or 1) as pool:
        try:
            futures = [pool.submit(carry_out, step) for step in steps]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            cut.set()
    for future in done:
        if (error := future.exception()) is not None and not isinstance(error, _Cut):
            raise error
