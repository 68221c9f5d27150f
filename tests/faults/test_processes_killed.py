"""Our own processes killed with -9 in the middle of a run, or two of them at once; the supervisor starts what was killed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.remains import ONE_OF_EACH, remains, runs_of, snapshots
from tests.faults.running import Running

pytestmark = pytest.mark.servers
LEASE = 4  # seconds


@pytest.fixture(scope="module")
def impatient(logged_in: Running) -> Iterator[None]:
    with logged_in.told(lease_seconds=LEASE):
        yield


def test_the_run_of_a_killed_worker_is_taken_over_and_nothing_is_doubled(running: Running, impatient: None) -> None:
    number = running.file()
    running.approve(number)
    running.begins(number, "backup.ensure enrolment")
    running.kill("worker")  # while the agent makes the first snapshot
    assert running.request(number).state.value == "running"
    running.ends(number)
    assert remains(running, number) == ONE_OF_EACH
    assert running.holders(number) == 2
    steps = [name for name, how in running.outcomes(number) if how in ("made", "found")]
    assert len(steps) == len(set(steps))  # what the dead worker finished was not done again
    assert snapshots(running, number) == 2


def test_a_killed_dispatcher_goes_on_where_it_was(running: Running, impatient: None) -> None:
    with running.down("prefect"):
        number = running.file()
        running.approve(number)  # two deeds are open: to create the run, and to release it
        running.kill("dispatcher")
    running.begins(number, "portal.names are ours")
    running.kill("dispatcher")  # and once more while the run is at work
    running.ends(number)
    assert remains(running, number) == ONE_OF_EACH
    assert running.holders(number) == 1


@pytest.fixture
def second_worker(running: Running, tmp_path: Path) -> Iterator[None]:
    """Another worker of the same pool, as on a second machine."""
    log = tmp_path / "worker.log"
    told = {"NASTUP_SETTINGS_FILE": str(running.state.path("settings", "worker.env")), "HOME": "/nonexistent"}
    told |= {"PREFECT_HOME": os.environ["PREFECT_HOME"], "PATH": os.environ["PATH"]}
    with log.open("w") as out, subprocess.Popen([sys.executable, "-P", "-m", "flows", "work"], env=told, stdout=out, stderr=out) as worker:
        running.wait(lambda: "worker works" in log.read_text(), 60, "the second worker works")
        yield
        worker.terminate()


def test_two_workers_carry_out_each_run_once(running: Running, second_worker: None) -> None:
    numbers = [running.file() for _ in range(3)]
    for number in numbers:
        running.approve(number)
    for number in numbers:
        running.ends(number)
        assert remains(running, number) == ONE_OF_EACH
        assert running.holders(number) == 1
        assert {how for _, how in running.outcomes(number)} == {"made", "found"}
        assert [run["run_count"] for run in runs_of(running, number)] == [1]
