"""Who stands behind the five systems, and what a fake does when it is told to fail."""

from uuid import uuid4

import pytest

from flows.connectors import registry
from flows.connectors.base import Conflict, Unavailable
from flows.plan import Account
from flows.settings import SettingsMissing, load
from tests.fakes import FakeIdentity, Fakes


@pytest.fixture
def account() -> Account:
    return Account(uuid4(), "zofie.stastna", "zofie.stastna@gym-opava.example", "Žofie", "Šťastná")


def test_a_system_put_in_place_is_there_for_the_block_only() -> None:
    outer, inner = FakeIdentity(), FakeIdentity()
    with registry.use(identity=outer):
        with registry.use(identity=inner):
            assert registry.identity() is inner
        assert registry.identity() is outer


def test_what_was_put_in_place_goes_even_when_the_block_fails() -> None:
    outer, inner = FakeIdentity(), FakeIdentity()
    with registry.use(identity=outer):
        with pytest.raises(RuntimeError), registry.use(identity=inner):
            raise RuntimeError
        assert registry.identity() is outer


def test_a_system_without_settings_says_which_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NASTUP_SETTINGS_FILE", raising=False)
    load.cache_clear()
    registry.forget()
    with pytest.raises(SettingsMissing, match="NASTUP_PREFECT__"):
        registry.runs()


def test_a_fault_happens_as_often_as_it_was_planned(account: Account) -> None:
    system = FakeIdentity()
    system.faults.unavailable("ensure", times=2)
    for _ in range(2):
        with pytest.raises(Unavailable):
            system.ensure(account)
    assert system.ensure(account).created
    assert (system.calls["ensure"], system.writes["account"]) == (3, 1)


def test_a_lost_answer_leaves_the_effect(account: Account) -> None:
    system = FakeIdentity()
    system.faults.lost_answer("ensure")
    with pytest.raises(Unavailable):
        system.ensure(account)
    assert not system.ensure(account).created
    assert system.writes["account"] == 1


def test_a_planned_conflict_is_one(account: Account) -> None:
    fakes = Fakes()
    fakes.identity.faults.conflict("ensure")
    with fakes.in_place(), pytest.raises(Conflict):
        registry.identity().ensure(account)
    assert fakes.remote_writes == 0
