"""What went wrong, in one sentence and with the way out. Standard library only: the first command needs it before anything is installed."""

import errno
import os
import select
import shutil
import tempfile
import traceback
from collections.abc import Iterable
from pathlib import Path

from infra.progress import Trouble

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
NEARLY_NOTHING = 20_000_000  # bytes; with less, a server stops long before a program is told that the disk is full
AGAIN = "run the command again; it goes on where it stopped"


def in_a_sentence(error: BaseException, state: Path, *others: Path) -> str:
    """For the person at the terminal. What has no sentence of its own is kept with its traceback in STATE/log/launcher.log."""
    places = (state, *others)
    if _is_full(error) and not isinstance(error, Trouble):
        named = Path(_named(error)).absolute().parent if _named(error) else fullest(places)
        return disk_is_full(_existing(named))
    said = str(error) if isinstance(error, Trouble) else _of_system(error) if isinstance(error, OSError) else ""
    said = said or f"{_first_line(error)}{_kept(error, state)}"
    full = fullest(places)
    if "disk is full" not in said and (_is_full(error) or _free(full) < NEARLY_NOTHING):  # a server without space says so in its log only
        said += f"\n{disk_is_full(full)}"
    return said


def disk_is_full(place: Path) -> str:
    return f"The disk is full at {place}: free some space there (or choose another --state) and {AGAIN}."


def fullest(places: Iterable[Path]) -> Path:
    """Of the places that are written to, the one with the least space."""
    return min((_existing(place) for place in (*places, Path(tempfile.gettempdir()))), key=_free)


def output_is_gone() -> bool:
    """Whether nobody reads any more what is printed: `python3 -m infra status | head -1`."""
    asked = select.poll()
    asked.register(1, select.POLLOUT)
    return any(answer & select.POLLERR for _, answer in asked.poll(0))


def _is_full(error: BaseException) -> bool:
    """Also inside the words of others: copytree collects its failures, PostgreSQL reports those of its own disk."""
    return (isinstance(error, OSError) and error.errno in FULL) or "no space left on device" in str(error).lower()


def _named(error: BaseException) -> str:
    name = error.filename if isinstance(error, OSError) else None
    return os.fsdecode(name) if isinstance(name, str | bytes | Path) else ""


def _of_system(error: OSError) -> str:
    """Empty when there is nothing better to say than the error itself."""
    name = _named(error)
    why = (error.strerror or "").lower()
    if error.errno == errno.ENOENT and name and "/" not in name:
        return f"The program {name} is not there: install it (`apt-get install` of its package) and {AGAIN}."
    if error.errno in CLOSED and name:
        return f"{name} is closed to this command ({why}): open it, or choose another --state, and {AGAIN}."
    if name:
        return f"{name} could not be used ({why}): mend that, or choose another --state, and {AGAIN}."
    return f"This machine refused something ({why}): mend that and {AGAIN}." if why else ""


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no words'}"


def _kept(error: BaseException, state: Path) -> str:
    file = state / "log" / "launcher.log"
    try:
        file.write_text("".join(traceback.format_exception(error)))
    except OSError as closed:
        return f" (where it happened could not be written to {file}: {(closed.strerror or 'no reason given').lower()})"
    return f" (where it happened: {file})"


def _existing(place: Path) -> Path:
    return next(parent for parent in (place, *place.parents) if parent.is_dir())


def _free(place: Path) -> int:
    return shutil.disk_usage(place).free
