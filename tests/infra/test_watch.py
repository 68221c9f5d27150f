"""What is said of programs that died."""

from pathlib import Path
from typing import Any

from infra.state import State
from infra.supervise import FATAL, RUNNING, STOPPED, Supervisor
from infra.watch import Watch

BACKOFF = 30


def look(pid: int, state: int = RUNNING) -> list[dict[str, Any]]:
    return [{"name": "catcher", "pid": pid, "state": state}]


def watch() -> Watch:
    return Watch(Supervisor(State(Path("/nowhere"))))


def said(*looks: list[dict[str, Any]]) -> list[str]:
    watched = watch()
    return [line for infos in looks for line in watched.seen(infos)]


def test_what_was_started_again_is_said_once() -> None:
    assert said(look(1), look(1), look(0, BACKOFF), look(2), look(2)) == ["catcher died, started again"]


def test_a_first_start_is_no_death() -> None:
    assert said(look(0, STOPPED), look(1), look(1)) == []


def test_what_ended_for_good_is_said_once_with_its_log_and_the_way_out() -> None:
    (line,) = said(look(1), look(0, BACKOFF), look(0, FATAL), look(0, FATAL))
    assert line.startswith("catcher died again and again and is not started any more: /nowhere/log/catcher.log says why.")
    assert "`python3 -m infra stop --state /nowhere` and `python3 -m infra run --state /nowhere`" in line


def test_what_ended_for_good_at_its_very_start_is_said_too() -> None:
    assert len(said(look(0, FATAL))) == 1


def test_what_somebody_stopped_and_started_did_not_die() -> None:
    assert said(look(1), look(0, STOPPED), look(2)) == []


def test_what_was_brought_back_by_hand_may_end_for_good_again() -> None:
    assert len(said(look(0, FATAL), look(2), look(0, FATAL))) == 2
