"""Steps that wait for each other."""

import threading
import time

import pytest

from infra.order import Step, run_in_order


def test_a_step_begins_after_those_it_waits_for():
    said: list[str] = []
    steps = [
        Step("third", lambda: said.append("third"), after=("second",)),
        Step("second", lambda: said.append("second"), after=("first",)),
        Step("first", lambda: (time.sleep(0.1), said.append("first"))),
    ]
    run_in_order(steps)
    assert said == ["first", "second", "third"]


def test_steps_that_do_not_wait_run_side_by_side():
    meeting = threading.Barrier(2, timeout=5)
    run_in_order([Step("one", meeting.wait), Step("other", meeting.wait)])
    assert not meeting.broken


def test_a_failure_is_raised_and_what_waits_for_it_never_begins():
    begun: list[str] = []

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        run_in_order([Step("first", fail), Step("second", lambda: begun.append("second"), after=("first",))])
    assert begun == []


def test_a_name_that_is_not_among_the_steps_is_not_waited_for():
    begun: list[str] = []
    run_in_order([Step("only", lambda: begun.append("only"), after=("left out",))])
    assert begun == ["only"]
