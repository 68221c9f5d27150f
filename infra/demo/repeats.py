"""The same flow twice more: nothing is written where all is remembered; everything is found again where nothing is remembered."""

import time
from typing import Any
from uuid import UUID

from flows.approval import operator
from infra.demo import records
from infra.demo.trouble import NotProved
from infra.state import State

ENDS_WITHIN = 240  # seconds
PROOF_SNAPSHOTS = 1  # an emptied ledger proves the backup once more, with a snapshot of its own


def run_once_more(number: str, forget: bool = False) -> float:
    """Releases the run of a done request and waits for its end; the seconds it took. `forget`: with its ledger emptied."""
    before = wait_for_rest(number)
    began = time.monotonic()
    if forget:
        records.empty_ledger(number)
    operator.run_again(number)
    wait_for_rest(number, after=before)
    return round(time.monotonic() - began, 3)


def wait_for_rest(number: str, after: int = 0) -> int:
    """Waits until a run later than the epoch `after` has ended; its epoch."""
    ends = time.monotonic() + ENDS_WITHIN
    while time.monotonic() < ends:
        if (epoch := records.at_rest(number)) and epoch > after:
            return epoch
        time.sleep(0.1)
    raise NotProved(
        f"The repeated run of {number} did not end within {ENDS_WITHIN} seconds: is the worker alive? "
        "Its log in the state directory says what it does."
    )


def prove_repeats(state: State, number: str, person: UUID) -> dict[str, Any]:
    """Both repeats, counted at the servers. Raises NotProved when anything was written or made a second time."""
    wait_for_rest(number)
    before = records.written(state, person)
    again = run_once_more(number)
    between = records.written(state, person)
    counted = between.since(before)
    if any(counted.values()):
        raise NotProved(f"The same flow again wrote something at the servers: {counted}.")
    anew = run_once_more(number, forget=True)
    found, made = records.adopted(number)
    writes = records.written(state, person).since(between)
    writes["backup"] -= PROOF_SNAPSHOTS
    if made or any(writes.values()) or records.ledger(number).state != "done":
        raise NotProved(f"With the ledger emptied something was made a second time: {made or writes}.")
    return {
        "remote_writes": sum(counted.values()),
        "counted": counted,
        "adopted": found,
        "seconds": {"again": again, "with_empty_ledger": anew},
    }
