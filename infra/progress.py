"""What the person at the terminal sees: one line per step with its seconds; and a trouble, told in one sentence.

Standard library only: the first command runs before anything is installed.
"""

import os
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager

_STARTED = float(os.environ.setdefault("NASTUP_STARTED", str(time.time())))


class Trouble(RuntimeError):
    """Something the person at the terminal has to know: what is wrong and the way out. Printed alone, without a traceback."""


def since_start() -> float:
    """Seconds since the command was given; it goes on across the exec into the virtual environment."""
    return time.time() - _STARTED


def say_line(text: str) -> None:
    sys.stdout.write(f"{since_start():5.0f} s  {text}\n")  # one write: several threads speak at once
    sys.stdout.flush()


@contextmanager
def step(text: str) -> Generator[None, None, None]:
    """Says what was done and how long it took, once it is done."""
    began = time.monotonic()
    yield
    say_line(f"{text} ({time.monotonic() - began:.1f} s)")
