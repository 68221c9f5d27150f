"""The realm: what a second start leaves alone, what the tokens say, and what no account but the worker's may do."""

import httpx2
import pytest

from infra.servers import realm
from infra.state import State

pytestmark = pytest.mark.servers


@pytest.fixture
def state() -> State:
    return State.of_tests()


def test_a_repeat_makes_nothing_twice(state: State):
    def counted() -> dict[str, int]:
        with realm.administrator(state) as client:
            return {path: len(client.get(path).json()) for path in ("/clients", "/client-scopes", "/roles", "/authentication/flows")}

    with realm.administrator(state) as client:
        settled = client.get("").json()["attributes"]
        client.put("", json={"attributes": settled | {realm.SETTLED: "something else"}}).raise_for_status()
    before = counted()
    realm.ensure_realm(state)
    assert counted() == before
    with realm.administrator(state) as client:
        assert client.get("").json()["attributes"] == settled


def test_the_workers_account_has_exactly_four_rights(state: State):
    with realm.administrator(state) as client:
        worker = client.get("/clients", params={"clientId": "nastup-worker"}).json()[0]["id"]
        account = client.get(f"/clients/{worker}/service-account-user").json()["id"]
        mapped = client.get(f"/users/{account}/role-mappings").json()
    rights = {role["name"] for role in mapped["clientMappings"]["realm-management"]["mappings"]}
    assert rights == set(realm.WORKER_RIGHTS)
    assert set(mapped["clientMappings"]) == {"realm-management"}


def test_every_administrators_move_is_kept(state: State):
    with realm.administrator(state) as client:
        events = client.get("/events/config").json()
    assert (events["adminEventsEnabled"], events["adminEventsDetailsEnabled"], events["eventsEnabled"]) == (True, True, True)


def test_our_id_is_for_administrators_only(state: State):
    with realm.administrator(state) as client:
        attribute = next(each for each in client.get("/users/profile").json()["attributes"] if each["name"] == "person_id")
    assert attribute["permissions"] == {"view": ["admin"], "edit": ["admin"]}


def test_no_client_takes_passwords_and_every_browser_client_wants_pkce(state: State):
    with realm.administrator(state) as client:
        ours = [each for each in client.get("/clients").json() if each["clientId"] in ("portal", "nastup-worker", "dovecot", "mail-client")]
    assert len(ours) == 4
    assert not any(each["directAccessGrantsEnabled"] for each in ours)
    browser = [each for each in ours if each["standardFlowEnabled"]]
    assert {each["clientId"] for each in browser} == {"portal", "mail-client"}
    assert {each["attributes"]["pkce.code.challenge.method"] for each in browser} == {"S256"}


def test_a_wrong_secret_introspects_nothing(state: State):
    form = {"token": "x", "client_id": "dovecot", "client_secret": "guessed"}
    answer = httpx2.post(f"{state.address('keycloak')}/realms/{realm.REALM}/protocol/openid-connect/token/introspect", data=form)
    assert answer.status_code == 401
