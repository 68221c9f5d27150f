"""What every identity system promises: in memory, and Keycloak."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Protocol
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import pytest

from flows.connectors.base import Conflict, CredentialsSeen, Gone, IdentitySystem, Refused, Unavailable
from flows.connectors.keycloak import KeycloakIdentity
from flows.plan import Account, OrganisationSpace
from flows.settings import Keycloak, Settings
from tests.contracts.conftest import REAL, Newcomer
from tests.contracts.lossy import LossyWire, lossy_wire
from tests.fakes import FakeIdentity


class Bench(Protocol):
    """The system under test and what its administrator could see or do."""

    @property
    def system(self) -> IdentitySystem: ...

    def stranger(self, account: Account) -> None:
        """Somebody else's account with these names."""
        ...

    def foreign_organisation(self, space: OrganisationSpace) -> None: ...
    def lose_next_creation(self) -> None:
        """The next account is created, the answer is lost."""
        ...

    def writes(self) -> int:
        """How much has been written so far."""
        ...

    def accounts_named(self, user_name: str) -> int: ...


class FakeBench:
    def __init__(self) -> None:
        self.system = FakeIdentity()

    def stranger(self, account: Account) -> None:
        self.system.strangers |= {account.user_name, account.email}

    def foreign_organisation(self, space: OrganisationSpace) -> None:
        self.system.strangers.add(space.slug)

    def lose_next_creation(self) -> None:
        self.system.faults.lost_answer("ensure")

    def writes(self) -> int:
        return sum(self.system.writes.values())

    def accounts_named(self, user_name: str) -> int:
        return sum(one.account.user_name == user_name for one in self.system.people.values())


class KeycloakBench:
    """Keycloak through a wire that can lose an answer; the administrator counts what its audit log counted."""

    def __init__(self, settings: Keycloak, administrator: httpx2.Client, wire: LossyWire) -> None:
        address = f"http://127.0.0.1:{wire.port}"
        self.system = KeycloakIdentity(settings.model_copy(update={"address": address}))
        self._administrator, self._wire = administrator, wire

    def stranger(self, account: Account) -> None:
        body = {"username": account.user_name, "email": account.email, "firstName": "Jiný", "lastName": "Člověk", "enabled": True}
        assert self._administrator.post("/users", json=body).status_code == 201

    def foreign_organisation(self, space: OrganisationSpace) -> None:
        body = {"name": f"Cizí {space.slug}", "alias": space.slug, "domains": [{"name": space.domain}]}
        assert self._administrator.post("/organizations", json=body).status_code == 201

    def lose_next_creation(self) -> None:
        self._wire.lose(b"POST /admin/realms/nastup/users ")

    def writes(self) -> int:
        return len(self._administrator.get("/admin-events", params={"max": 10_000}).json())

    def accounts_named(self, user_name: str) -> int:
        return len(self._administrator.get("/users", params={"username": user_name, "exact": True}).json())


@pytest.fixture(params=["fake", REAL])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "fake":
        yield FakeBench()
        return
    worker: Settings = request.getfixturevalue("worker")
    settings = worker.need(Keycloak)
    place = urlsplit(settings.address)
    with lossy_wire(place.hostname or "", place.port or 80) as wire:
        yield KeycloakBench(settings, request.getfixturevalue("administrator"), wire)


def test_an_account_is_made_once_however_often_it_is_wanted(bench: Bench, zofie: Newcomer) -> None:
    first = bench.system.ensure(zofie.account)
    before = bench.writes()
    second = bench.system.ensure(zofie.account)

    assert (first.created, second.created) == (True, False)
    assert first.remote_id == second.remote_id
    assert second.facts == {"user_name": zofie.account.user_name, "email": zofie.address, "enabled": True}
    assert bench.writes() == before
    assert bench.accounts_named(zofie.account.user_name) == 1


def test_an_account_of_ours_that_differs_is_brought_to_what_is_wanted(bench: Bench, zofie: Newcomer) -> None:
    bench.system.ensure(replace(zofie.account, enabled=False))

    held = bench.system.ensure(zofie.account)

    assert not held.created
    assert held.facts["enabled"] is True
    assert (seen := bench.system.observe(zofie.person))
    assert seen.facts["enabled"] is True


def test_a_lost_answer_is_looked_up_and_adopted(bench: Bench, zofie: Newcomer) -> None:
    bench.lose_next_creation()
    with suppress(Unavailable):  # a system may leave the second look to the next try
        bench.system.ensure(zofie.account)
    held = bench.system.ensure(zofie.account)

    assert not held.created
    assert bench.accounts_named(zofie.account.user_name) == 1


def test_a_namesake_without_our_id_is_a_conflict_and_stays_untouched(bench: Bench, zofie: Newcomer) -> None:
    bench.stranger(zofie.account)
    before = bench.writes()

    with pytest.raises(Conflict) as conflict:
        bench.system.ensure(zofie.account)

    assert zofie.account.user_name in str(conflict.value.sentence)
    assert bench.system.observe(zofie.person) is None
    assert bench.writes() == before


def test_the_address_of_another_person_is_a_conflict(bench: Bench, zofie: Newcomer, stranger: Newcomer) -> None:
    bench.system.ensure(stranger.account)

    with pytest.raises(Conflict):
        bench.system.ensure(replace(zofie.account, email=stranger.address))


def test_a_user_name_that_the_server_does_not_take_is_refused(bench: Bench, zofie: Newcomer) -> None:
    with pytest.raises(Refused):
        bench.system.ensure(replace(zofie.account, user_name="žš"))


def test_an_organisation_is_made_once_and_a_namesake_is_a_conflict(bench: Bench, zofie: Newcomer, stranger: Newcomer) -> None:
    first = bench.system.ensure_organisation(zofie.space)
    before = bench.writes()
    second = bench.system.ensure_organisation(zofie.space)
    assert (first.created, second.created, second.remote_id) == (True, False, first.remote_id)
    assert bench.writes() == before

    bench.foreign_organisation(stranger.space)
    with pytest.raises(Conflict):
        bench.system.ensure_organisation(stranger.space)


def test_a_renamed_organisation_keeps_its_place(bench: Bench, zofie: Newcomer) -> None:
    first = bench.system.ensure_organisation(zofie.space)

    renamed = bench.system.ensure_organisation(replace(zofie.space, name=f"Lyceum {zofie.slug}"))

    assert (renamed.created, renamed.remote_id) == (False, first.remote_id)


def test_a_membership_is_made_once_and_seen(bench: Bench, zofie: Newcomer) -> None:
    organisation = bench.system.ensure_organisation(zofie.space)
    account = bench.system.ensure(zofie.account)

    first = bench.system.ensure_membership(zofie.membership)
    second = bench.system.ensure_membership(zofie.membership)

    assert (first.created, second.created) == (True, False)
    assert first.remote_id == second.remote_id == f"{organisation.remote_id}/{account.remote_id}"
    assert (seen := bench.system.observe(zofie.person))
    assert seen.facts["organisations"] == organisation.remote_id


def test_a_membership_without_its_account_or_organisation_is_gone(bench: Bench, zofie: Newcomer) -> None:
    bench.system.ensure_organisation(zofie.space)
    with pytest.raises(Gone):
        bench.system.ensure_membership(zofie.membership)

    bench.system.ensure(zofie.account)
    with pytest.raises(Gone):
        bench.system.ensure_membership(replace(zofie.membership, organisation=uuid4()))


def test_a_suspended_person_is_disabled_and_may_be_resumed(bench: Bench, zofie: Newcomer) -> None:
    bench.system.ensure(zofie.account)

    assert bench.system.suspend(zofie.person).facts["enabled"] is False
    assert (seen := bench.system.observe(zofie.person))
    assert seen.facts["enabled"] is False
    with pytest.raises(Refused):
        bench.system.send_activation(zofie.person, 24)

    assert bench.system.resume(zofie.person).facts["enabled"] is True


def test_a_retired_person_is_gone_and_may_be_retired_again(bench: Bench, zofie: Newcomer) -> None:
    bench.system.ensure(zofie.account)

    bench.system.retire(zofie.person)
    bench.system.retire(zofie.person)

    assert bench.system.observe(zofie.person) is None
    assert bench.accounts_named(zofie.account.user_name) == 0
    with pytest.raises(Gone):
        bench.system.suspend(zofie.person)


def test_a_new_account_has_no_credential(bench: Bench, zofie: Newcomer) -> None:
    bench.system.ensure(zofie.account)

    assert bench.system.credentials(zofie.person) == CredentialsSeen(password=False, second_factors=0, email_verified=False)


def test_nobody_is_seen_who_is_not_there(bench: Bench, zofie: Newcomer) -> None:
    assert bench.system.observe(zofie.person) is None
