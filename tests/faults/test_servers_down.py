"""Real servers that are down for a while: stopped by the supervisor in the middle of a run, with the worker's settings as shipped.

The run waits and ends right, with exactly one of everything at the servers.
"""

from contextlib import ExitStack

import pytest

from tests.faults.remains import ONE_OF_EACH, remains, runs_of, snapshots
from tests.faults.running import Running

pytestmark = pytest.mark.servers
SNAPSHOTS = 2  # of the empty mailbox, and of the proof message


@pytest.mark.parametrize(
    ("servers", "stands_at"),
    [
        pytest.param(["dovecot", "postfix"], "mail.ensure mailbox", id="mail"),
        pytest.param(["keycloak"], "keycloak.ensure account", id="keycloak"),
        pytest.param(["vault"], "backup.ensure enrolment", id="backup"),
    ],
)
def test_a_run_outlasts_a_server_that_is_down(running: Running, servers: list[str], stands_at: str) -> None:
    number = running.file()
    with running.down(*servers):
        running.approve(number)
        running.tried_in_vain(number, times=3)
    running.ends(number)
    outcomes = running.outcomes(number)
    assert {name for name, how in outcomes if how == "unavailable"} == {stands_at}
    assert {how for _, how in outcomes} == {"unavailable", "made", "found"}
    assert remains(running, number) == ONE_OF_EACH
    assert snapshots(running, number) == SNAPSHOTS
    assert running.holders(number) == 1  # one run from end to end: nobody was asked, nobody took over


def test_what_is_filed_and_decided_while_prefect_is_down_is_carried_out_afterwards(running: Running) -> None:
    with running.down("prefect"):
        number = running.file()
        running.approve(number)
        assert running.request(number).state.value == "approved"
    running.ends(number)
    assert remains(running, number) == ONE_OF_EACH
    assert [run["state_name"] for run in runs_of(running, number)] == ["Completed"]


def test_a_run_outlasts_prefect_that_is_restarted_in_the_middle_of_it(running: Running) -> None:
    number = running.file()
    with ExitStack() as without_prefect:
        with running.down("vault"):  # holds the run up in its middle
            running.approve(number)
            running.tried_in_vain(number)
            without_prefect.enter_context(running.down("prefect"))
        running.ends(number)  # ours, which decides; Prefect cannot be told yet
    running.wait(lambda: [run["state_name"] for run in runs_of(running, number)] == ["Completed"], 60, "Prefect says how it ended")
    assert remains(running, number) == ONE_OF_EACH
    assert running.holders(number) == 1
