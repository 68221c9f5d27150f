"""The commands of the operator on a running installation."""

import json
import subprocess
import sys
from typing import Any

import pytest

from infra.state import State

pytestmark = pytest.mark.servers


@pytest.fixture
def state() -> State:
    return State.of_tests()


def command(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-P", "-m", "infra.launcher", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def on(state: State, name: str, *words: str) -> "subprocess.CompletedProcess[str]":
    return command(name, "--state", str(state.root), *words)


def log_ins(state: State) -> list[dict[str, Any]]:
    return json.loads(on(state, "cast", "--json").stdout)


def test_status_names_every_program_and_the_addresses(state: State):
    done = on(state, "status")
    for name in ("postgres", "keycloak", "dovecot", "postfix", "vault", "prefect", "worker", "dispatcher", "portal", "backup-agent"):
        assert f"  {name} " in done.stdout
    assert state.address("portal") in done.stdout
    assert done.stdout.rstrip().endswith(f"Who may log in: {state.command('cast')}    End: {state.command('stop')}")


def test_a_second_start_beside_a_running_one_is_refused_with_the_way_out(state: State):
    done = on(state, "run")
    assert done.returncode == 1
    assert "already runs" in done.stderr
    assert f"`{state.command('stop')}`" in done.stderr


def test_the_cast_is_thirteen_people_with_everything_a_log_in_needs(state: State):
    people = log_ins(state)
    assert len(people) == 13
    assert all(person["password"] and person["secret"] and person["address"].endswith(".example") for person in people)
    assert sorted(person["role"] for person in people if person["organisation"] == "the region") == [
        *["auditor", "dpo", "founder", "it", "region-it", "region-it", "security"]
    ]


def test_a_role_that_is_held_already_is_not_granted_twice(state: State):
    auditor = next(person for person in log_ins(state) if person["role"] == "auditor")
    done = on(state, "grant", auditor["address"], "auditor")
    assert done.returncode == 0
    assert "held the role auditor already" in done.stdout


def test_a_role_for_nobody_is_refused(state: State):
    done = on(state, "grant", "nobody@kraj.example", "it")
    assert done.returncode == 1
    assert "nobody@kraj.example is known here" in done.stderr


def test_a_directory_that_is_not_ours_is_never_removed(state: State):
    done = command("reset", "--state", "/var/tmp", "--yes")
    assert done.returncode == 1
    assert "not a state directory" in done.stderr


def test_nothing_is_removed_when_nobody_can_be_asked(state: State):
    done = on(state, "reset")
    assert done.returncode == 1
    assert "add --yes" in done.stderr
    assert state.path("secrets").exists()
